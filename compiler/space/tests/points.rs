//! Points of random spaces: counting, canonical form, drawing, edits, crossover, encoding, JSON.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigUint;

use super::random::random_space;
use super::{SPAN, decided, decision, fixed, ints, range, region, rng, toy, word};
use crate::space::activity::{Activity, settle};
use crate::space::count::cardinality_within;
use crate::space::facts::Facts;
use crate::space::*;

/// Points that are enumerated at most.
const MANY: usize = 6_000;

/// Spaces with all their points, without those too large.
fn small_spaces(n: u64) -> impl Iterator<Item = (u64, Space, Vec<Genome>)> {
    (0..n).filter_map(|seed| {
        let space = random_space(seed);
        enumerate(&space, MANY).map(|points| (seed, space, points))
    })
}

#[test]
fn the_cardinality_is_the_number_of_points() {
    let (mut checked, mut forbidding, mut empty) = (0, 0, 0);
    for (seed, space, points) in small_spaces(600) {
        let found = cardinality(&space);
        assert!(found.exact, "seed {seed}");
        assert_eq!(found.count, BigUint::from(points.len()), "seed {seed}");
        assert!(unrolled(&space) >= found.count, "seed {seed}");
        for work in [0, 5, 50] {
            let bound = cardinality_within(&space, work);
            assert!(bound.count >= found.count && (!bound.exact || bound == found), "seed {seed}");
        }
        checked += usize::from(points.len() > 1);
        forbidding += usize::from(!space.forbids.is_empty());
        empty += usize::from(points.is_empty());
    }
    assert!(checked > 150 && forbidding > 60 && empty > 0, "{checked} {forbidding} {empty}");
}

#[test]
fn enumerated_points_are_valid_canonical_and_apart() {
    for (seed, space, points) in small_spaces(150) {
        let mut codes = BTreeSet::new();
        for point in &points {
            validate(&space, point).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(canonical(&space, point), *point, "seed {seed}");
            let code = encode(&space, point);
            codes.insert(format!("{code:?}"));
            let json = to_json(&space, point);
            assert_eq!(from_json(&space, &json).as_ref(), Ok(point), "seed {seed}: {json}");
        }
        assert_eq!(codes.len(), points.len(), "seed {seed}: encodings tell points apart");
    }
}

#[test]
fn the_unrolled_size_is_the_product_over_the_encoding() {
    for (seed, space, points) in small_spaces(150) {
        let Some(point) = points.first() else { continue };
        let sizes: BTreeMap<&str, usize> =
            space.decisions.iter().map(|d| (d.name.as_str(), d.domain.len())).collect();
        let product: BigUint = encode(&space, point)
            .iter()
            .map(|feature| BigUint::from(sizes[feature.path.rsplit('/').next().unwrap_or("")]))
            .product();
        // Names are distinct but for `link`, which always has two values.
        assert_eq!(product, unrolled(&space), "seed {seed}");
    }
}

#[test]
fn draws_edits_and_children_are_points_in_canonical_form() {
    let rules = MorphRules::default();
    for (seed, space, points) in small_spaces(150) {
        let known: BTreeSet<&Genome> = points.iter().collect();
        let mut rng = rng(seed);
        let Ok(mut a) = try_sample(&space, &mut rng) else {
            continue;
        };
        for _ in 0..10 {
            let b = try_sample(&space, &mut rng).expect("one was found before");
            assert!(known.contains(&a) && known.contains(&b), "seed {seed}");
            let child = cross(&space, &a, &b, &mut rng);
            assert!(known.contains(&child), "seed {seed}: a child");
            for morph in morphs(&space, &child, &rules).iter().take(20) {
                assert!(known.contains(&apply(&space, &child, morph, &mut rng)), "seed {seed}: {morph:?}");
            }
            a = mutate(&space, &child, &rules, &mut rng);
            assert!(known.contains(&a), "seed {seed}: a mutant");
            let again = redraw(&space, &a, 0.3, &mut rng);
            assert!(known.contains(&again), "seed {seed}: drawn anew");
            assert_eq!(redraw(&space, &a, 0.0, &mut rng), a, "seed {seed}: nothing is drawn");
        }
    }
}

#[test]
fn a_space_without_points_is_told() {
    let mut told = 0;
    for (seed, space, points) in small_spaces(600) {
        if points.is_empty() {
            let error = try_sample(&space, &mut rng(seed)).expect_err("there is no point");
            assert_eq!(error.code, crate::diagnostic::Code::NO_VALID_NETWORK);
            told += 1;
        }
    }
    assert!(told > 0);
}

#[test]
fn crossover_takes_decisions_from_its_parents() {
    let space = toy();
    let mut rng = rng(21);
    let (mut from_a, mut from_b) = (0, 0);
    for _ in 0..200 {
        let (a, b) = (sample(&space, &mut rng), sample(&space, &mut rng));
        let child = cross(&space, &a, &b, &mut rng);
        let (width, count) = (&child.root.values[0], child.root.children[1].children.len());
        assert!([&a.root.values[0], &b.root.values[0]].contains(&width));
        assert!([&a, &b].iter().any(|parent| parent.root.children[1].children.len() == count));
        if a.root.values[0] != b.root.values[0] {
            from_a += usize::from(*width == a.root.values[0]);
            from_b += usize::from(*width == b.root.values[0]);
        }
        assert_eq!(cross(&space, &a, &a, &mut rng), a, "a point crossed with itself");
    }
    assert!(from_a > 50 && from_b > 50, "{from_a} {from_b}");
}

/// A kernel that one option of two reads, and a width that a `when` reads.
fn with_dead_decisions() -> (Space, [DecisionId; 3]) {
    let mut space = Space::new([8, 8, 1], Output::Classes(2), SPAN);
    let root = space.root();
    let kernel = space.add_decision(root, decision("kernel", ints(&[3, 5, 7])));
    let unused = space.add_decision(root, decision("unused", range(1, 100, 1)));
    let id = space.add_child(root, region(RegionKind::Sequence, "op"));
    let labels = vec!["conv".to_owned(), "none".to_owned()];
    let op = space
        .add_decision(id, decision("op", Domain::Set(labels.iter().cloned().map(Value::Text).collect())));
    space.set_kind(id, RegionKind::Choose { labels, decision: op });
    let same = word("same");
    let conv = Layer::DepthwiseConv2d {
        kernel: decided(kernel),
        stride: fixed(Value::Int(1)),
        padding: same,
        norm: word("none"),
        act: word("none"),
    };
    for layer in [conv, Layer::Identity] {
        let body = space.add_child(id, region(RegionKind::Sequence, ""));
        space.add_child(body, region(RegionKind::Layer(layer), "layer"));
    }
    let dense = Layer::Dense { units: fixed(Value::Int(2)), norm: word("none"), act: word("none") };
    space.add_child(root, region(RegionKind::Layer(dense), "dense"));
    (space, [kernel, unused, op])
}

/// Five units of 2 to 4 layers with 3 kernels and 3 expansions each.
fn ofa() -> Space {
    let mut space = Space::new([224, 224, 3], Output::Input, SPAN);
    let root = space.root();
    for unit in 0..5 {
        let id = space.add_child(root, region(RegionKind::Sequence, &format!("unit{unit}")));
        let depth = space.add_decision(root, decision(&format!("depth{unit}"), ints(&[2, 3, 4])));
        space.set_kind(id, RegionKind::Repeat { count: Expr::Decision(depth), branching: None });
        let body = space.add_child(id, region(RegionKind::Sequence, ""));
        let kernel = space.add_decision(body, decision("kernel", ints(&[3, 5, 7])));
        let expand = space.add_decision(body, decision("expand", ints(&[3, 4, 6])));
        let (one, same, none) = (fixed(Value::Int(1)), word("same"), word("none"));
        let layer = Layer::Conv2d {
            filters: decided(expand),
            kernel: decided(kernel),
            stride: one,
            padding: same,
            norm: none.clone(),
            act: none,
        };
        space.add_child(body, region(RegionKind::Layer(layer), "conv2d"));
    }
    space
}

/// 1 to 10 blocks of 1 to 3 layers, branching, with 7 decisions for each layer: an optional pool, a choice of a
/// convolution with four decisions, and one of two activations.
fn munas() -> Space {
    let mut space = Space::new([32, 32, 3], Output::Input, SPAN);
    let blocks = space.add_child(space.root(), region(RegionKind::Sequence, "blocks"));
    let count = space.add_decision(blocks, decision("blocks", range(1, 10, 1)));
    let body = space.add_child(blocks, region(RegionKind::Sequence, ""));
    let words = ["series", "beside"].map(|text| Value::Text(text.into())).to_vec();
    let link = space.add_decision(body, decision("link", Domain::Set(words)));
    let merge = Merge { kind: MergeKind::Add, pool: true, pad: true };
    let branching = Some(Branching { link, merge });
    space.set_kind(blocks, RegionKind::Repeat { count: Expr::Decision(count), branching });
    let list = space.add_child(body, region(RegionKind::Sequence, "layers"));
    let layers = space.add_decision(list, decision("layers", range(1, 3, 1)));
    space.set_kind(list, RegionKind::Repeat { count: Expr::Decision(layers), branching: None });
    let layer = space.add_child(list, region(RegionKind::Sequence, ""));
    let flags = Domain::Set(vec![Value::Bool(false), Value::Bool(true)]);
    let optional = space.add_child(layer, region(RegionKind::Sequence, "pool"));
    let pool = space.add_decision(layer, decision("pool", flags));
    space.set_kind(optional, RegionKind::Optional { decision: pool });
    let choose = space.add_child(layer, region(RegionKind::Sequence, "op"));
    let labels = vec!["conv".to_owned(), "none".to_owned()];
    let domain = Domain::Set(labels.iter().cloned().map(Value::Text).collect());
    let op = space.add_decision(layer, decision("op", domain));
    space.set_kind(choose, RegionKind::Choose { labels, decision: op });
    let [filters, kernel, stride, act, norm] = [
        ("filters", range(1, 128, 1)),
        ("kernel", ints(&[1, 3, 5, 7])),
        ("stride", ints(&[1, 2])),
        ("act", Domain::Set(vec![Value::Text("none".into()), Value::Text("relu".into())])),
        ("norm", Domain::Set(vec![Value::Text("none".into()), Value::Text("batch".into())])),
    ]
    .map(|(name, domain)| decided(space.add_decision(layer, decision(name, domain))));
    let conv = Layer::Conv2d { filters, kernel, stride, padding: word("same"), norm, act };
    for kind in [conv, Layer::Identity] {
        let option = space.add_child(choose, region(RegionKind::Sequence, ""));
        space.add_child(option, region(RegionKind::Layer(kind), "layer"));
    }
    space
}

#[test]
fn large_spaces_are_counted_exactly() {
    let big = |x: u64| BigUint::from(x);
    let found = cardinality(&ofa());
    assert!(found.exact);
    assert_eq!(found.count, big(81 + 729 + 6561).pow(5));
    let found = cardinality(&munas());
    assert!(found.exact);
    let layer = 2 * (128 * 4 * 2 * 2 * 2 + 1);
    let block = big(layer) + big(layer).pow(2) + big(layer).pow(3);
    let wanted: BigUint = (0..10).map(|others| &block * (&block * big(2)).pow(others)).sum();
    assert_eq!(found.count, wanted);
}

#[test]
fn spaces_beyond_all_measure_have_bounds() {
    let mut space = Space::new([8, 8, 1], Output::Input, SPAN);
    let mut body = space.root();
    for _ in 0..8 {
        let count = Expr::Value(Value::Int(256));
        let repeat = space.add_child(body, region(RegionKind::Repeat { count, branching: None }, "repeat"));
        body = space.add_child(repeat, region(RegionKind::Sequence, ""));
        let width = space.add_decision(body, decision("width", range(1, 128, 1)));
        let act = word("none");
        let dense = Layer::Dense { units: decided(width), norm: act.clone(), act };
        space.add_child(body, region(RegionKind::Layer(dense), "dense"));
    }
    let found = cardinality(&space);
    assert!(!found.exact && found.count.bits() > 60_000);
    let bounds = bounds(&space);
    assert_eq!(bounds.macs, Interval { low: bounds.macs.low, high: u64::MAX });
}

#[test]
fn what_nothing_reads_does_not_count() {
    let (mut space, [kernel, unused, _]) = with_dead_decisions();
    assert_eq!(cardinality(&space).count, BigUint::from(4u32));
    assert_eq!(unrolled(&space), BigUint::from(600u32));
    let genome = sample(&space, &mut rng(1));
    assert_eq!(genome.root.values[1], Value::Int(1));
    let code = encode(&space, &genome);
    assert!(!code.iter().any(|feature| feature.path == "/unused" && feature.active));
    // What the recipe reads does.
    space.recipe_uses.push(unused);
    assert_eq!(cardinality(&space).count, BigUint::from(400u32));
    // A forbidden kernel is one of points that have a kernel.
    let is_three = [Expr::Decision(kernel), Expr::Value(Value::Int(3))].map(Box::new);
    let [a, b] = is_three;
    let condition = Expr::Binary(BinaryOp::Equal, a, b);
    space.forbids.push(Forbid { region: space.root(), condition, span: SPAN });
    assert_eq!(cardinality(&space).count, BigUint::from(300u32));
}

#[test]
fn a_morph_revives_a_decision_with_a_drawn_value() {
    let (space, _) = with_dead_decisions();
    let mut rng = rng(3);
    let mut seen = BTreeSet::new();
    let dead = loop {
        let genome = sample(&space, &mut rng);
        if genome.root.children[0].values[0] == Value::Text("none".into()) {
            break genome;
        }
    };
    let all = morphs(&space, &dead, &MorphRules::default());
    assert_eq!(all.len(), 1, "the kernel is not there to be changed");
    for _ in 0..60 {
        seen.insert(apply(&space, &dead, &all[0], &mut rng).root.values[0].clone());
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn rules_say_how_far_a_morph_goes() {
    let space = toy();
    let mut random = rng(5);
    let genome = loop {
        let genome = sample(&space, &mut random);
        if genome.root.values[0] == Value::Int(16) {
            break genome;
        }
    };
    let mut rules = MorphRules { insert: false, remove: false, ..MorphRules::default() };
    rules.changes.insert("width".into(), Change::Steps(vec![1, 8]));
    let mut widths = BTreeSet::new();
    for morph in morphs(&space, &genome, &rules) {
        widths.insert(apply(&space, &genome, &morph, &mut rng(6)).root.values[0].clone());
    }
    assert_eq!(widths.into_iter().collect::<Vec<_>>(), [12, 16, 20].map(Value::Int));
    rules.others = false;
    assert_eq!(morphs(&space, &genome, &rules).len(), 2);
    rules.changes.insert("width".into(), Change::Any);
    let all = space.decisions.iter().find(|decision| decision.name == "width").map(|it| it.domain.len());
    assert_eq!(Some(morphs(&space, &genome, &rules).len() + 1), all);
}

/// Pearson's statistic of draws against probabilities.
fn chi_square(domain: &Domain, shares: &[f64], seed: u64) -> f64 {
    let mut rng = rng(seed);
    let draws = 200 * domain.len();
    let mut counts = vec![0usize; domain.len()];
    for _ in 0..draws {
        let value = domain.sample(&mut rng);
        counts[domain.position(&value).expect("of the domain")] += 1;
    }
    let whole: f64 = shares.iter().sum();
    counts
        .iter()
        .zip(shares)
        .map(|(&count, share)| {
            let expected = draws as f64 * share / whole;
            (count as f64 - expected).powi(2) / expected
        })
        .sum()
}

#[test]
fn draws_follow_their_domains_and_reach_every_value() {
    let even = |domain: &Domain| vec![1.0; domain.len()];
    let logs = |low: i64, step: i64, n: i64| -> Vec<f64> {
        (0..n).map(|at| ((low + (at + 1) * step) as f64 / (low + at * step) as f64).ln()).collect()
    };
    let grid = |log: bool| Domain::Grid { low: Value::Float(0.001), high: Value::Float(0.1), steps: 12, log };
    let log = |low, high, step| Domain::Range { low, high, step, log: true };
    let cases = [
        (range(24, 64, 8), None),
        (ints(&[3, 5, 7, 9]), None),
        (Domain::Set(vec![Value::Bool(false), Value::Bool(true)]), None),
        (grid(false), None),
        (grid(true), None),
        (log(1, 20, 1), Some(logs(1, 1, 20))),
        (log(8, 64, 8), Some(logs(8, 8, 8))),
        (log(5, 5, 1), Some(vec![1.0])),
    ];
    for (number, (domain, shares)) in cases.into_iter().enumerate() {
        let shares = shares.unwrap_or_else(|| even(&domain));
        let found = chi_square(&domain, &shares, 31 + number as u64);
        // Mean k - 1, deviation sqrt(2 (k - 1)): four of them are a chance below 1 in 1,000.
        let freedom = (domain.len() - 1) as f64;
        assert!(found <= freedom + 4.0 * (2.0 * freedom).sqrt() + 1e-9, "{domain:?}: {found}");
        let mut seen = BTreeSet::new();
        let mut rng = rng(77);
        seen.extend((0..400 * domain.len()).map(|_| domain.sample(&mut rng)));
        assert_eq!(seen.len(), domain.len(), "{domain:?}");
    }
}

#[test]
fn settling_leaves_the_activity_as_it_is() {
    for seed in 0..100 {
        let space = random_space(seed);
        let facts = Facts::new(&space);
        let mut genome = sample(&space, &mut rng(seed));
        let before = settle(&facts, &mut genome);
        assert_eq!(Activity::of(&facts, &genome), before, "seed {seed}");
    }
}
