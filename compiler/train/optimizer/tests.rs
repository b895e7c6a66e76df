use super::*;
use crate::ops::ParamRole;
use crate::tensor::TensorType;
use crate::train::embedded::EmbeddedEngine;

const STEPS: u64 = 25;

/// Two weights, of 3 and 2 x 2 elements, and a bias of 2 between them.
fn params() -> Vec<crate::ops::Param> {
    [("w", ParamRole::Weight, vec![3]), ("b", ParamRole::Bias, vec![2]), ("v", ParamRole::Weight, vec![2, 2])]
        .map(|(name, role, shape)| crate::ops::Param {
            name: name.into(),
            role,
            ty: TensorType::f32(crate::tensor::Shape::from(shape)),
            fan_in: 0,
        })
        .to_vec()
}

/// The gradient of element `i` of all nine in a step.
fn slope(step: u64, i: usize) -> f64 {
    (step as f64 * 0.37 + i as f64).sin() + 0.3 - 0.05 * i as f64
}

/// Runs `STEPS` steps of a rule on the parameters above, and the same in `f64`: `simulate(step, rate, decay,
/// gradient, value, memory)` changes one element. Gives the greatest difference.
fn difference(
    optimizer: Optimizer,
    clip: Option<f64>,
    groups: Vec<Group>,
    simulate: impl Fn(u64, f64, f64, f64, &mut f64, &mut [f64; 2]),
) -> f64 {
    let engine = EmbeddedEngine::new();
    let sizes = [3usize, 2, 4];
    let start = |i: usize| 0.7 - 0.2 * i as f64;
    let place = |index: usize| sizes[..index].iter().sum::<usize>();
    let tensor = |index: usize, element: &dyn Fn(usize) -> f64| {
        let elements: Vec<f32> = (0..sizes[index]).map(|i| element(place(index) + i) as f32).collect();
        engine.upload(&params()[index].ty.shape.0, &elements)
    };
    let values = (0..3).map(|index| tensor(index, &start)).collect();
    let mut parameters = Parameters::new(&engine, &optimizer, groups.clone(), values);
    let mut exact: Vec<(f64, [f64; 2])> = (0..9).map(|i| (start(i), [0.0; 2])).collect();
    for step in 0..STEPS {
        let rate = optimizer.lr() * rate_share(Schedule::Cosine, step, (STEPS, 1), 0.1);
        let gradients: Vec<_> = (0..3).map(|index| tensor(index, &|i| slope(step, i))).collect();
        let at = Moment { step, rate, decay: 1.0 };
        parameters.update(&engine, &optimizer, clip, |index| gradients.get(index), at);
        let members: Vec<usize> = groups.iter().flat_map(|group| group.members.clone()).collect();
        let of = |index: usize| place(index)..place(index) + sizes[index];
        let norm = members.iter().flat_map(|&m| of(m)).map(|i| slope(step, i).powi(2)).sum::<f64>().sqrt();
        let scale = clip.map_or(1.0, |limit| (limit / (norm + 1e-6)).min(1.0));
        for group in &groups {
            for i in group.members.iter().flat_map(|&member| of(member)) {
                let (value, memory) = &mut exact[i];
                simulate(step, rate * group.rate, group.decay, scale * slope(step, i), value, memory);
            }
        }
    }
    let found: Vec<f32> = parameters.values().flat_map(|value| engine.download(value)).collect();
    assert_eq!(found.len(), exact.len());
    found.iter().zip(&exact).map(|(x, (y, _))| (f64::from(*x) - y).abs()).fold(0.0, f64::max)
}

fn adamw(rule: AdamW) -> impl Fn(u64, f64, f64, f64, &mut f64, &mut [f64; 2]) {
    move |step, rate, decay, g, w, [m, v]| {
        let t = i32::try_from(step).expect("small") + 1;
        *m = rule.beta1 * *m + (1.0 - rule.beta1) * g;
        *v = rule.beta2 * *v + (1.0 - rule.beta2) * g * g;
        let (m_hat, v_hat) = (*m / (1.0 - rule.beta1.powi(t)), *v / (1.0 - rule.beta2.powi(t)));
        *w -= rate * (m_hat / (v_hat.sqrt() + rule.epsilon) + decay * rule.weight_decay * *w);
    }
}

/// `torch.optim.SGD`, line by line.
fn sgd(rule: Sgd) -> impl Fn(u64, f64, f64, f64, &mut f64, &mut [f64; 2]) {
    move |step, rate, decay, g, w, [buffer, _]| {
        let mut d = g + decay * rule.weight_decay * *w;
        if rule.momentum != 0.0 {
            *buffer = if step == 0 { d } else { rule.momentum * *buffer + d };
            d = if rule.nesterov { d + rule.momentum * *buffer } else { *buffer };
        }
        *w -= rate * d;
    }
}

fn rules() -> Vec<Sgd> {
    let base = Sgd { lr: 0.1, weight_decay: 0.2, momentum: 0.9, nesterov: true };
    vec![
        base,
        Sgd { nesterov: false, ..base },
        Sgd { momentum: 0.0, ..base },
        Sgd { weight_decay: 0.0, ..base },
    ]
}

#[test]
fn updates_follow_the_algorithm() {
    let rule = AdamW { lr: 0.1, weight_decay: 0.2, ..AdamW::default() };
    let error = difference(rule.into(), None, role_groups(&params()), adamw(rule));
    assert!(error < 1e-5, "adamw: {error:e}");
    for rule in rules() {
        let error = difference(rule.into(), None, role_groups(&params()), sgd(rule));
        assert!(error < 1e-5, "{rule:?}: {error:e}");
    }
}

#[test]
fn long_gradients_are_clipped_together() {
    for rule in rules() {
        let error = difference(rule.into(), Some(2.2), role_groups(&params()), sgd(rule));
        assert!(error < 1e-5, "{rule:?}: {error:e}");
    }
    let rule = AdamW { lr: 0.1, weight_decay: 0.2, ..AdamW::default() };
    let error = difference(rule.into(), Some(0.5), role_groups(&params()), adamw(rule));
    assert!(error < 1e-5, "adamw: {error:e}");
    // Some steps are clipped and some are not.
    let norms: Vec<f64> =
        (0..STEPS).map(|step| (0..9).map(|i| slope(step, i).powi(2)).sum::<f64>().sqrt()).collect();
    assert!(norms.iter().any(|&norm| norm > 2.2) && norms.iter().any(|&norm| norm < 2.2), "{norms:?}");
}

#[test]
fn groups_have_a_rate_and_a_decay_of_their_own() {
    let groups = vec![
        Group { rate: 0.25, decay: 0.0, members: vec![2, 0] },
        Group { rate: 1.0, decay: 3.0, members: vec![1] },
    ];
    let rule = Sgd { lr: 0.1, weight_decay: 0.05, momentum: 0.8, nesterov: true };
    let error = difference(rule.into(), None, groups.clone(), sgd(rule));
    assert!(error < 1e-5, "sgd: {error:e}");
    let rule = AdamW { lr: 0.05, weight_decay: 0.1, ..AdamW::default() };
    let error = difference(rule.into(), Some(1.0), groups, adamw(rule));
    assert!(error < 1e-5, "adamw: {error:e}");
    let decays: Vec<(f64, Vec<usize>)> =
        role_groups(&params()).into_iter().map(|group| (group.decay, group.members)).collect();
    assert_eq!(decays, [(1.0, vec![0, 2]), (0.0, vec![1])]);
}

#[test]
fn what_has_no_gradient_stays() {
    let engine = EmbeddedEngine::new();
    let optimizer = Optimizer::from(Sgd { lr: 1.0, weight_decay: 0.0, momentum: 0.5, nesterov: false });
    let values = vec![engine.full(&[1], 0.0), engine.full(&[1], 0.0), engine.full(&[1], 7.0)];
    let groups = vec![Group { rate: 1.0, decay: 1.0, members: vec![0, 1] }];
    let mut parameters = Parameters::new(&engine, &optimizer, groups, values);
    let gradient = engine.full(&[1], 1.0);
    let at = |step| Moment { step, rate: 1.0, decay: 1.0 };
    parameters.update(&engine, &optimizer, None, |_| Some(&gradient), at(0));
    parameters.update(&engine, &optimizer, None, |index| (index == 0).then_some(&gradient), at(1));
    let found: Vec<f32> = parameters.values().flat_map(|value| engine.download(value)).collect();
    assert_eq!(found, [-2.5, -1.0, 7.0]);
    let velocities: Vec<Vec<f32>> = (0..3)
        .map(|index| parameters.memory(index).iter().flat_map(|x| engine.download(x)).collect())
        .collect();
    assert_eq!(velocities, [vec![1.5], vec![1.0], vec![]]);
}

#[test]
fn the_cosine_rises_and_falls() {
    let rates: Vec<f64> = (0..=100).map(|step| rate_share(Schedule::Cosine, step, (10, 10), 0.1)).collect();
    assert!((rates[0] - 0.1).abs() < 1e-12 && (rates[9] - 1.0).abs() < 1e-12);
    assert!((rates[10] - 1.0).abs() < 1e-12 && (rates[55] - 0.5).abs() < 1e-12);
    assert!(rates[10..].windows(2).all(|pair| pair[1] < pair[0]));
    assert!(rates[100] < 1e-12);
    assert_eq!(rate_share(Schedule::Cosine, 0, (10, 1), 0.0), 1.0);
}

#[test]
fn steps_fall_at_epochs_and_constants_stay() {
    let falls = Schedule::Step { every: 3, factor: 0.2 };
    for step in 0..80u64 {
        // Eight steps an epoch, the first eight of eighty warm up.
        let ramp = if step < 8 { (step as f64 + 1.0) / 8.0 } else { 1.0 };
        let expected = ramp * 0.2f64.powi(i32::try_from(step / 24).expect("small"));
        assert!((rate_share(falls, step, (10, 8), 0.1) - expected).abs() < 1e-12, "{step}");
        assert!((rate_share(Schedule::Constant, step, (10, 8), 0.1) - ramp).abs() < 1e-12, "{step}");
        assert_eq!(rate_share(Schedule::Constant, step, (10, 8), 0.0), 1.0);
    }
}
