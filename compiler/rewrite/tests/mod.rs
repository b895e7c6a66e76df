mod build;
mod constant_channels;
mod predicates;
mod rules;

use proptest::prelude::*;

use super::*;
use crate::ops::{Activation, Clamp, Dropout, Input, Reshape, Window};
use crate::rewrite::extract::Cost;
use crate::tensor::{DType, Scale, Shape};
use build::Build;

const EXACT: Exactness = Exactness::Exact { limit: 10_000 };

/// A normalised, activated stem, a separable block with a residual, pooling and a classifier.
fn training() -> Build {
    let mut net = Build::new(1, false);
    let x = net.input([1, 8, 4, 1]);
    let stem = net.conv2d(x, Window::same([3, 3], [2, 2], [8, 4]), 4, Clamp::None);
    net.label(stem, "stem.conv2d");
    let stem = net.batch_norm(stem);
    let stem = net.activation(stem, Clamp::Relu);
    net.label(stem, "stem.relu");
    let body = net.depthwise_conv2d(stem, Window::same([3, 3], [1, 1], [4, 2]), Clamp::None);
    net.label(body, "body.depthwise");
    let body = net.batch_norm(body);
    let body = net.activation(body, Clamp::Relu6);
    let sum = net.add(body, stem, Clamp::None);
    let sum = net.activation(sum, Clamp::Relu);
    let mean = net.avg_pool2d(sum, Window::valid([4, 2], [1, 1]), Clamp::None);
    let flat = net.reshape(mean, vec![1, 4]);
    let flat = net.reshape(flat, vec![1, 4]);
    let y = net.dense(flat, 3, Clamp::None);
    net.graph.add_output(y);
    net
}

#[test]
fn a_training_graph_is_folded_and_fused() {
    let net = training();
    insta::assert_snapshot!(without_parameters(&net.graph), @r"
    %0 = input() : f32[1, 8, 4, 1]
    %3 = conv2d(%0, %1, %2) kernel=3x3 stride=2x2 pad=0,1,0,1 : f32[1, 4, 2, 4]  // stem.conv2d
    %8 = batch_norm(%3, %4, %5, %6, %7) epsilon=0.001 : f32[1, 4, 2, 4]
    %9 = activation(%8) relu : f32[1, 4, 2, 4]  // stem.relu
    %12 = depthwise_conv2d(%9, %10, %11) kernel=3x3 stride=1x1 pad=1,1,1,1 : f32[1, 4, 2, 4]  // body.depthwise
    %17 = batch_norm(%12, %13, %14, %15, %16) epsilon=0.001 : f32[1, 4, 2, 4]
    %18 = activation(%17) relu6 : f32[1, 4, 2, 4]
    %19 = add(%18, %9) : f32[1, 4, 2, 4]
    %20 = activation(%19) relu : f32[1, 4, 2, 4]
    %21 = avg_pool2d(%20) kernel=4x2 stride=1x1 : f32[1, 1, 1, 4]
    %22 = reshape(%21) to=[1, 4] : f32[1, 4]
    %23 = reshape(%22) to=[1, 4] : f32[1, 4]
    %26 = dense(%23, %24, %25) : f32[1, 3]
    return %26
    ");
    let rewritten = float(&net.graph, &MacsCost, EXACT).expect("verifies");
    insta::assert_snapshot!(without_parameters(&rewritten.graph), @r"
    %0 = input() : f32[1, 8, 4, 1]
    %4 = fold_weight(%1, %2, %3) axis=0 epsilon=0.001 : f32[4, 3, 3, 1]
    %8 = fold_bias(%5, %2, %6, %7, %3) epsilon=0.001 : f32[4]
    %9 = conv2d(%0, %4, %8) kernel=3x3 stride=2x2 pad=0,1,0,1 clamp=relu : f32[1, 4, 2, 4]  // stem.conv2d
    %13 = fold_weight(%10, %11, %12) axis=3 epsilon=0.001 : f32[1, 3, 3, 4]
    %17 = fold_bias(%14, %11, %15, %16, %12) epsilon=0.001 : f32[4]
    %18 = depthwise_conv2d(%9, %13, %17) kernel=3x3 stride=1x1 pad=1,1,1,1 clamp=relu6 : f32[1, 4, 2, 4]  // body.depthwise
    %19 = add(%18, %9) clamp=relu : f32[1, 4, 2, 4]
    %20 = avg_pool2d(%19) kernel=4x2 stride=1x1 : f32[1, 1, 1, 4]
    %21 = reshape(%20) to=[1, 4] : f32[1, 4]
    %24 = dense(%21, %22, %23) : f32[1, 3]
    return %24
    ");
    assert_eq!(rewritten.stop, StopReason::Saturated);
    assert!(rewritten.proved);
    // Two normalisations of 32 elements and 16 parameters, three activations of 32 elements: in and out.
    assert_eq!(rewritten.cost_before - rewritten.cost_after, 2 * (32 + 16 + 32) + 3 * (32 + 32));
    let applied: Vec<&str> = rewritten.applied.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        applied,
        [
            "reshape-identity",
            "activation-into-conv2d",
            "activation-into-depthwise-conv2d",
            "activation-into-add",
            "batch-norm-into-conv2d",
            "batch-norm-into-depthwise-conv2d",
        ]
    );
}

#[test]
fn every_layer_that_is_computed_otherwise_is_explained() {
    let mut net = Build::new(3, false);
    let x = net.input([1, 4, 4, 2]);
    let y = net.conv2d(x, Window::same([3, 3], [1, 1], [4, 4]), 4, Clamp::None);
    let y = net.batch_norm(y);
    net.label(y, "stem.norm");
    let stem = net.activation(y, Clamp::Relu);
    net.label(stem, "stem.relu");
    // Its normalisation stays, since the sum is used without it too.
    let y = net.add(stem, stem, Clamp::None);
    net.label(y, "sum");
    let y = net.graph.add(Dropout { rate: Scale(0.5) }, &[y]).expect("well typed");
    net.label(y, "drop");
    let y = net.activation(y, Clamp::Relu6);
    net.label(y, "head.relu6");
    // An activation of an activation takes the e-graph.
    let y = net.activation(y, Clamp::Relu6);
    net.label(y, "head.again");
    net.graph.add_output(y);
    let rewritten = float(&net.graph, &MacsCost, EXACT).expect("verifies");
    let explanations: Vec<String> = rewritten.explanations.iter().map(Explanation::to_string).collect();
    insta::assert_snapshot!(explanations.join("\n"), @r"
    stem.relu computes stem.relu: batch-norm-into-conv2d, activation-into-conv2d
    sum computes head.relu6: activation-into-add
    sum computes head.again: activation-of-activation
    ");
    // Nothing is said of what is computed as it was written, and the search does without.
    let again = float(&rewritten.graph, &MacsCost, EXACT).expect("verifies");
    assert_eq!(again.explanations, []);
    assert_eq!(float(&net.graph, &MacsCost, Exactness::Greedy).expect("verifies").explanations, []);
}

/// The text with labels, without lines of parameters.
fn without_parameters(graph: &Graph) -> String {
    let text = graph.to_text_with_labels();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("= param(")).collect();
    lines.join("\n")
}

#[test]
fn equal_graphs_give_equal_graphs() {
    let first = float(&training().graph, &MacsCost, EXACT).expect("verifies").graph;
    let again = float(&training().graph, &MacsCost, EXACT).expect("verifies").graph;
    assert_eq!(first.to_text_with_labels(), again.to_text_with_labels());
    // The same graph with its nodes made in another order, and with nodes that nothing uses.
    let source = training().graph;
    let mut other = Graph::new();
    let mut map = std::collections::BTreeMap::new();
    let (leaves, rest): (Vec<_>, Vec<_>) =
        source.order().into_iter().partition(|&node| source.inputs(node).is_empty());
    for node in leaves.into_iter().rev().chain(rest) {
        let inputs: Vec<_> = source.inputs(node).iter().map(|input| map[input]).collect();
        let added = other.add(source.node(node).op.clone(), &inputs).expect("as before");
        other.set_origin(added, source.node(node).label.clone(), None);
        map.insert(node, added);
        if source.inputs(node).len() == 1 {
            other.add(Activation { clamp: Clamp::Relu6 }, &[added]).expect("any tensor");
        }
    }
    source.outputs().iter().for_each(|output| other.add_output(map[output]));
    assert_eq!(source.to_text(), other.to_text());
    let other = float(&other, &MacsCost, EXACT).expect("verifies").graph;
    assert_eq!(first.to_text_with_labels(), other.to_text_with_labels());
}

#[test]
fn a_convolution_that_is_used_twice_is_not_computed_twice() {
    let mut net = Build::new(2, false);
    let x = net.input([1, 6, 6, 2]);
    let conv = net.conv2d(x, Window::same([3, 3], [1, 1], [6, 6]), 3, Clamp::None);
    let act = net.activation(conv, Clamp::Relu);
    let sum = net.add(conv, act, Clamp::None);
    net.graph.add_output(sum);
    let rewritten = float(&net.graph, &MacsCost, EXACT).expect("verifies");
    assert_eq!(rewritten.graph.to_text(), net.graph.to_text());
    assert_eq!(rewritten.applied, [("activation-into-conv2d".to_string(), 1)]);
}

#[test]
fn unused_inputs_stay_and_outputs_keep_their_order() {
    let mut graph = Graph::new();
    let unused = graph.add(Input { ty: TensorType::f32([1, 5]) }, &[]).expect("an input");
    let x = graph.add(Input { ty: TensorType::f32([1, 4]) }, &[]).expect("an input");
    graph.set_origin(unused, "unused", None);
    let same = graph.add(Reshape { shape: Shape::from([1, 4]) }, &[x]).expect("four are four");
    let square = graph.add(Reshape { shape: Shape::from([2, 2]) }, &[same]).expect("four are four");
    for output in [square, same, x, square] {
        graph.add_output(output);
    }
    let rewritten = float(&graph, &MacsCost, Exactness::Greedy).expect("verifies").graph;
    insta::assert_snapshot!(rewritten.to_text_with_labels(), @r"
    %0 = input() : f32[1, 5]  // unused
    %1 = input() : f32[1, 4]
    %2 = reshape(%1) to=[2, 2] : f32[2, 2]
    return %2, %1, %1, %2
    ");
}

#[test]
fn a_cost_that_forbids_normalisation_folds_it_even_where_that_computes_twice() {
    struct NoNorm;
    impl DeploymentCost for NoNorm {
        fn node(&self, op: &Op, inputs: &[&TensorType], output: &TensorType) -> u64 {
            if matches!(op, Op::BatchNorm(_)) { u64::MAX } else { MacsCost.node(op, inputs, output) }
        }
    }
    let mut net = Build::new(3, false);
    let x = net.input([1, 6, 6, 2]);
    let conv = net.conv2d(x, Window::same([3, 3], [1, 1], [6, 6]), 3, Clamp::None);
    let norm = net.batch_norm(conv);
    let sum = net.add(conv, norm, Clamp::None);
    net.graph.add_output(sum);
    let kept = float(&net.graph, &MacsCost, EXACT).expect("verifies").graph;
    assert!(kept.order().iter().any(|&node| matches!(kept.node(node).op, Op::BatchNorm(_))));
    let folded = float(&net.graph, &NoNorm, EXACT).expect("verifies").graph;
    assert!(!folded.order().iter().any(|&node| matches!(folded.node(node).op, Op::BatchNorm(_))));
}

#[test]
fn a_graph_that_does_not_verify_is_refused() {
    let error = float(&Graph::new(), &MacsCost, EXACT).expect_err("no output");
    assert!(error.message.contains("no output"), "{error}");
}

#[test]
fn batch_norms_fold_into_each_other() {
    let mut net = Build::new(4, false);
    let x = net.input([1, 4]);
    let y = net.dense(x, 3, Clamp::None);
    let y = net.batch_norm(y);
    let y = net.batch_norm(y);
    net.graph.add_output(y);
    let rewritten = float(&net.graph, &MacsCost, EXACT).expect("verifies");
    let ops: Vec<&str> = rewritten
        .graph
        .order()
        .into_iter()
        .map(|node| rewritten.graph.node(node).op.name())
        .filter(|name| *name != "param")
        .collect();
    assert_eq!(ops, ["input", "fold_weight", "fold_weight", "fold_bias", "fold_bias", "dense"]);
}

#[test]
fn an_activation_goes_into_the_convolution_of_a_lone_batch_norm() {
    let mut net = Build::new(5, false);
    let x = net.input([1, 6]);
    let y = net.batch_norm(x);
    net.label(y, "norm");
    let y = net.activation(y, Clamp::Relu);
    net.graph.add_output(y);
    let rewritten = without_batch_norms(&net.graph, &MacsCost, EXACT).expect("verifies").expect("one");
    insta::assert_snapshot!(without_parameters(&rewritten.graph), @r"
    %0 = input() : f32[1, 6]
    %1 = reshape(%0) to=[1, 1, 1, 6] : f32[1, 1, 1, 6]  // norm
    %2 = constant() normalise.1.ones : f32[1, 1, 1, 6]
    %5 = fold_weight(%2, %3, %4) axis=3 epsilon=0.00001 : f32[1, 1, 1, 6]
    %6 = constant() normalise.1.zeros : f32[6]
    %9 = fold_bias(%6, %3, %7, %8, %4) epsilon=0.00001 : f32[6]
    %10 = depthwise_conv2d(%1, %5, %9) kernel=1x1 stride=1x1 clamp=relu : f32[1, 1, 1, 6]  // norm
    %11 = reshape(%10) to=[1, 6] : f32[1, 6]
    return %11
    ");
    net.check_same_function(&rewritten.graph);
}

/// Whether the walk takes a graph, after a comparison with the e-graph if it does: members of the classes that the
/// outputs need, rounds, rules, and what is extracted.
fn agrees(source: &Graph, theme: Theme) -> bool {
    let graph = source;
    let Some((walked, of_walk)) = direct::saturate(graph, theme) else { return false };
    let (saturated, of_egraph) = saturate(graph, theme.rules());
    assert_eq!(of_walk, of_egraph, "{}", graph.to_text());
    for exactness in [Exactness::Greedy, EXACT] {
        let [a, b] = [&walked, &saturated].map(|classes| {
            let choices = convert::choices(classes, &MacsCost);
            let selection = extract::extract(&choices.problem, &choices.given, exactness);
            let (graph, chosen) = convert::decode(graph, classes, &choices, &selection);
            let explanations = history::explanations(source, &graph, classes, &chosen);
            // A dropout needs itself: the e-graph keeps it, the walk does not.
            let usable = |(class, candidates): (usize, &Vec<extract::Candidate>)| -> Vec<Cost> {
                let usable = candidates.iter().filter(|candidate| !candidate.children.contains(&class));
                usable.map(|candidate| candidate.cost).collect()
            };
            let costs: Vec<Vec<Cost>> = choices.problem.classes.iter().enumerate().map(usable).collect();
            if convert::is_itself(source, classes) {
                assert_eq!(format!("{graph:?}"), format!("{source:?}"));
            }
            (graph.to_text_with_labels(), selection.cost, selection.proved, costs, explanations)
        });
        assert_eq!(a, b);
    }
    true
}

/// Chains as networks have them: layers with normalisation and activation, dropouts, sums, a pool and a classifier.
fn chains(seed: u64, quantized: bool) -> Build {
    let mut net = Build::new(seed, quantized);
    let mut maps = vec![net.input([1, 7, 6, 2])];
    for at in 0..1 + net.below(5) {
        let x = net.pick(&maps[maps.len().saturating_sub(2)..]);
        let window = Window::same([3, 3], [1, 1], [7, 6]);
        let mut y = match net.below(3) {
            0 => net.depthwise_conv2d(x, window, Clamp::None),
            1 => net.add(x, x, Clamp::None),
            _ => net.conv2d(x, window, 2, Clamp::None),
        };
        net.label(y, &format!("layer{at}"));
        for _ in 0..if quantized { 0 } else { net.below(3) } {
            y = net.batch_norm(y);
        }
        if !quantized && net.below(3) > 0 {
            let clamp = net.pick(&[Clamp::Relu, Clamp::Relu6]);
            y = net.activation(y, clamp);
        }
        if !quantized && net.below(3) == 0 {
            y = net.node(Dropout { rate: Scale(0.5) }, &[y]);
            net.label(y, &format!("dropout{at}"));
        }
        maps.push(y);
    }
    let last = maps[maps.len() - 1];
    let mean = net.avg_pool2d(last, Window::valid([7, 6], [1, 1]), Clamp::None);
    let flat = net.reshape(mean, vec![1, 2]);
    let y = net.dense(flat, 3, Clamp::None);
    net.graph.add_output(y);
    if net.below(3) == 0 {
        let other = net.pick(&maps);
        net.graph.add_output(other);
    }
    net
}

#[test]
fn the_walk_takes_what_networks_are_made_of() {
    for quantized in [false, true] {
        let theme = if quantized { Theme::Integer } else { Theme::Float };
        let taken = (0..200).filter(|&seed| agrees(&chains(seed, quantized).graph, theme)).count();
        assert!(taken >= 190, "{taken} of 200");
    }
}

fn check(net: &Build, rewritten: &Rewritten) {
    rewritten.graph.verify().expect("verifies");
    assert!(rewritten.cost_after <= rewritten.cost_before);
    assert_eq!(rewritten.stop, StopReason::Saturated);
    net.check_same_function(&rewritten.graph);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_walk_agrees_with_the_e_graph(seed: u64) {
        for (theme, quantized) in [(Theme::Float, false), (Theme::Integer, true)] {
            agrees(&Build::random(seed, quantized).graph, theme);
            agrees(&chains(seed, quantized).graph, theme);
        }
    }

    #[test]
    fn float_rewriting_keeps_the_function(seed: u64) {
        let net = Build::random(seed, false);
        let greedy = float(&net.graph, &MacsCost, Exactness::Greedy).expect("verifies");
        let exact = float(&net.graph, &MacsCost, EXACT).expect("verifies");
        check(&net, &greedy);
        check(&net, &exact);
        prop_assert!(exact.cost_after <= greedy.cost_after);
        let again = float(&exact.graph, &MacsCost, EXACT).expect("verifies");
        prop_assert!(again.cost_after <= exact.cost_after);
    }

    #[test]
    fn lone_batch_norms_become_convolutions_of_the_same_function(seed: u64) {
        let net = Build::random(seed, false);
        let n_norms = |graph: &Graph| {
            graph.order().into_iter().filter(|&node| matches!(graph.node(node).op, Op::BatchNorm(_))).count()
        };
        // Before any rule, so that most networks have some.
        let replaced = without_batch_norms(&net.graph, &MacsCost, EXACT).expect("verifies");
        prop_assert_eq!(replaced.is_some(), n_norms(&net.graph) > 0);
        if let Some(replaced) = replaced {
            prop_assert_eq!(n_norms(&replaced.graph), 0);
            net.check_same_function(&replaced.graph);
        }
    }

    #[test]
    fn integer_rewriting_keeps_every_bit(seed: u64) {
        let net = Build::random(seed, true);
        let greedy = integer(&net.graph, &MacsCost, Exactness::Greedy).expect("verifies");
        let exact = integer(&net.graph, &MacsCost, EXACT).expect("verifies");
        check(&net, &greedy);
        check(&net, &exact);
        prop_assert!(exact.cost_after <= greedy.cost_after);
    }
}
