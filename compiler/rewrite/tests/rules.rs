//! Every rule by itself, on drawn instances of its left side: all that it makes of them computes the same.

use std::collections::BTreeSet;

use crate::graph::{Graph, NodeId};
use crate::ops::{Clamp, Dropout, Input, Pad, Requantize, Slice, Transpose, Upsample2d, Window};
use crate::rewrite::rules::{self, Rule};
use crate::rewrite::tests::build::Build;
use crate::rewrite::{DeploymentCost, MacsCost, convert, extract, runs, saturate};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Scale, Shape, TensorType};

/// Draws a graph that a rule applies to.
pub(super) type Draw = fn(&mut Build);

pub(super) fn output(net: &mut Build, node: NodeId) {
    net.graph.add_output(node);
}

fn activation(net: &mut Build, x: NodeId) {
    let clamp = net.pick(&[Clamp::Relu, Clamp::Relu6]);
    let y = net.activation(x, clamp);
    output(net, y);
}

fn conv2d(net: &mut Build, clamp: Clamp) -> NodeId {
    let x = net.any_input();
    let (window, filters) = (net.dilated_window(x), 1 + net.below(3));
    net.conv2d(x, window, filters, clamp)
}

fn depthwise_conv2d(net: &mut Build, clamp: Clamp) -> NodeId {
    let x = net.any_input();
    let window = net.dilated_window(x);
    net.depthwise_conv2d(x, window, clamp)
}

fn dense(net: &mut Build, clamp: Clamp) -> NodeId {
    let features = 1 + net.below(6);
    let x = net.input([1, features]);
    let units = 1 + net.below(4);
    net.dense(x, units, clamp)
}

fn add(net: &mut Build, clamp: Clamp) -> NodeId {
    let a = net.input([1, 2, 3, 2]);
    let b = net.input([1, 2, 3, 2]);
    net.add(a, b, clamp)
}

fn mul(net: &mut Build, clamp: Clamp) -> NodeId {
    let a = net.input([1, 2, 3, 2]);
    let b = if net.below(2) == 0 { net.input([1, 2, 3, 2]) } else { net.input([1, 2]) };
    net.mul(a, b, clamp)
}

fn avg_pool2d(net: &mut Build, clamp: Clamp) -> NodeId {
    let x = net.any_input();
    let window = net.window(x);
    net.avg_pool2d(x, window, clamp)
}

fn max_pool2d(net: &mut Build, clamp: Clamp) -> NodeId {
    let x = net.any_input();
    let window = net.window(x);
    net.max_pool2d(x, window, clamp)
}

fn activated(net: &mut Build, make: fn(&mut Build, Clamp) -> NodeId) {
    let clamp = net.clamp();
    let x = make(net, clamp);
    activation(net, x);
}

fn normalised(net: &mut Build, make: fn(&mut Build, Clamp) -> NodeId) {
    let x = make(net, Clamp::None);
    let y = net.batch_norm(x);
    output(net, y);
}

/// A map with its dimensions in another order.
pub(super) fn transposed(net: &mut Build, x: NodeId) -> NodeId {
    let order = net.pick(&[[0, 2, 1, 3], [0, 3, 1, 2], [0, 2, 3, 1], [0, 1, 3, 2], [0, 3, 2, 1]]);
    net.node(Transpose { order: order.into() }, &[x])
}

/// A layer with a window of 3 x 3 after margins of up to two rows and columns.
fn padded(net: &mut Build, make: fn(&mut Build, NodeId) -> NodeId) {
    let x = net.input([1, 2, 3, 2]);
    let (before, after) = ([1 + net.below(2), net.below(3), 0], [net.below(3), net.below(3), 0]);
    let x = net.node(Pad { before, after }, &[x]);
    let y = make(net, x);
    output(net, y);
}

/// Constants where the operators of `make` have inputs.
fn known(net: &mut Build, make: fn(&mut Build, NodeId) -> NodeId) {
    let shape = [1, 1 + net.below(4), 1 + net.below(4), 1 + net.below(3)];
    let x = net.known(shape);
    let y = make(net, x);
    output(net, y);
}

fn reshaped(net: &mut Build, x: NodeId) -> NodeId {
    let elements = net.shape(x).iter().product();
    net.reshape(x, vec![1, elements])
}

const INSTANCES: &[(&str, Draw)] = &[
    ("activation-none", |net| {
        let x = net.any_input();
        let y = net.activation(x, Clamp::None);
        output(net, y);
    }),
    ("activation-of-activation", |net| {
        let x = net.any_input();
        let clamp = net.clamp();
        let y = net.activation(x, clamp);
        activation(net, y);
    }),
    ("activation-of-reshape", |net| {
        let x = net.any_input();
        let y = reshaped(net, x);
        activation(net, y);
    }),
    ("activation-of-transpose", |net| {
        let x = net.any_input();
        let y = transposed(net, x);
        activation(net, y);
    }),
    ("transpose-in-order", |net| {
        let x = net.any_input();
        let y = net.node(Transpose { order: [0, 1, 2, 3].into() }, &[x]);
        output(net, y);
    }),
    ("transpose-of-transpose", |net| {
        let x = net.any_input();
        let y = transposed(net, x);
        let z = transposed(net, y);
        output(net, z);
    }),
    ("slice-of-everything", |net| {
        let x = net.any_input();
        let count = Shape::from(net.shape(x));
        let y = net.node(Slice { first: [0; 4].into(), count, step: [1; 4].into() }, &[x]);
        output(net, y);
    }),
    ("reshape-identity", |net| {
        let x = net.any_input();
        let shape = net.shape(x);
        let y = net.reshape(x, shape);
        output(net, y);
    }),
    ("reshape-of-reshape", |net| {
        let x = net.any_input();
        let y = reshaped(net, x);
        let shape = net.shape(x);
        let z = net.reshape(y, shape);
        output(net, z);
    }),
    ("pointwise-avg-pool", |net| {
        let x = net.any_input();
        let clamp = net.clamp();
        let y = net.avg_pool2d(x, Window::valid([1, 1], [1, 1]), clamp);
        output(net, y);
    }),
    ("pointwise-max-pool", |net| {
        let x = net.any_input();
        let clamp = net.clamp();
        let y = net.max_pool2d(x, Window::valid([1, 1], [1, 1]), clamp);
        output(net, y);
    }),
    ("max-pool-of-activation", |net| {
        let x = net.any_input();
        let (inner, outer) = (net.clamp(), net.clamp());
        let y = net.activation(x, inner);
        let window = net.window(y);
        let z = net.max_pool2d(y, window, outer);
        output(net, z);
    }),
    ("pad-of-nothing", |net| {
        let x = net.any_input();
        let y = net.node(Pad { before: [0; 3], after: [0; 3] }, &[x]);
        output(net, y);
    }),
    ("pad-into-conv2d", |net| {
        padded(net, |net, x| {
            let window = Window { stride: [1 + net.below(2), 1], ..Window::valid([3, 3], [1, 1]) };
            net.conv2d(x, window, 2, Clamp::None)
        });
    }),
    ("pad-into-depthwise-conv2d", |net| {
        padded(net, |net, x| {
            let window = Window { stride: [1, 1 + net.below(2)], ..Window::valid([3, 3], [1, 1]) };
            net.depthwise_conv2d(x, window, Clamp::None)
        });
    }),
    ("upsample-by-one", |net| {
        let x = net.any_input();
        let y = net.node(Upsample2d { factor: [1, 1] }, &[x]);
        output(net, y);
    }),
    ("requantize-alike", |net| {
        let x = net.any_input();
        let requant = net.requant_of(x);
        let y = net.node(Requantize { requant }, &[x]);
        output(net, y);
    }),
    ("dropout-in-deployment", |net| {
        let x = net.any_input();
        let y = net.node(Dropout { rate: Scale(0.25) }, &[x]);
        output(net, y);
    }),
    ("activation-into-mul", |net| activated(net, mul)),
    ("activation-into-quantized-mul", |net| activated(net, mul)),
    ("activation-into-conv2d", |net| activated(net, conv2d)),
    ("activation-into-depthwise-conv2d", |net| activated(net, depthwise_conv2d)),
    ("activation-into-dense", |net| activated(net, dense)),
    ("activation-into-add", |net| activated(net, add)),
    ("activation-into-avg-pool", |net| activated(net, avg_pool2d)),
    ("activation-into-max-pool", |net| activated(net, max_pool2d)),
    ("batch-norm-into-conv2d", |net| normalised(net, conv2d)),
    ("batch-norm-into-depthwise-conv2d", |net| normalised(net, depthwise_conv2d)),
    ("batch-norm-into-dense", |net| normalised(net, dense)),
    ("activation-saturates", |net| {
        let quant = Quant::per_tensor(0.01, -128);
        let ty = TensorType::quantized(DType::I8, [1, 2, 2, 3], quant);
        let x = net.node(Input { ty }, &[]);
        activation(net, x);
    }),
    ("activation-into-quantized-conv2d", |net| activated(net, conv2d)),
    ("activation-into-quantized-depthwise-conv2d", |net| activated(net, depthwise_conv2d)),
    ("activation-into-quantized-dense", |net| activated(net, dense)),
    ("activation-into-quantized-add", |net| activated(net, add)),
    ("activation-into-quantized-avg-pool", |net| activated(net, avg_pool2d)),
    ("activation-into-quantized-max-pool", |net| activated(net, max_pool2d)),
    ("fold-conv2d", |net| {
        known(net, |net, x| {
            let (shape, clamp) = (net.shape(x), net.clamp());
            net.conv2d(x, Window::valid([shape[1], shape[2]], [1, 1]), 3, clamp)
        });
    }),
    ("fold-depthwise-conv2d", |net| {
        known(net, |net, x| {
            let (window, clamp) = (Window::valid([1, 1], [1, 1]), net.clamp());
            net.depthwise_conv2d(x, window, clamp)
        });
    }),
    ("fold-dense", |net| {
        let features = 1 + net.below(6);
        let x = net.known([1, features]);
        let clamp = net.clamp();
        let y = net.dense(x, 3, clamp);
        output(net, y);
    }),
    ("fold-add", |net| {
        known(net, |net, x| {
            let shape = Shape::from(net.shape(x));
            let (y, clamp) = (net.known(shape), net.clamp());
            net.add(x, y, clamp)
        });
    }),
    ("fold-mul", |net| {
        known(net, |net, x| {
            let shape = Shape::from(net.shape(x));
            let (y, clamp) = (net.known(shape), net.clamp());
            net.mul(x, y, clamp)
        });
    }),
    ("fold-curve", |net| known(net, |net, x| net.curve(x))),
    ("fold-requantize", |net| {
        known(net, |net, x| {
            let requant = net.requant(Rounding::Double).expect("quantized");
            net.node(Requantize { requant }, &[x])
        });
    }),
    ("fold-activation", |net| known(net, |net, x| net.activation(x, Clamp::Relu))),
    ("fold-avg-pool", |net| {
        known(net, |net, x| {
            let (shape, clamp) = (net.shape(x), net.clamp());
            net.avg_pool2d(x, Window::valid([shape[1], shape[2]], [1, 1]), clamp)
        });
    }),
    ("fold-max-pool", |net| {
        known(net, |net, x| {
            let (shape, clamp) = (net.shape(x), net.clamp());
            net.max_pool2d(x, Window::valid([shape[1], 1], [1, 1]), clamp)
        });
    }),
    ("fold-reshape", |net| known(net, reshaped)),
];

/// The graph with each of the terms that its first output can be computed by, and how often the rules added one.
pub(super) fn alternatives(graph: &Graph, rules: &[Rule]) -> (Vec<Graph>, usize) {
    let (classes, run) = saturate(graph, rules);
    let choices = convert::choices(&classes, &MacsCost);
    let root = choices.problem.root;
    let first = choices.problem.classes[root][0].children[0];
    let greedy = extract::greedy(&choices.problem);
    let graphs = (0..choices.problem.classes[first].len()).filter_map(|index| {
        let mut choice = greedy.clone();
        choice[first] = Some(index);
        let selection = extract::select(&choices.problem, &choice)?;
        Some(convert::decode(graph, &classes, &choices, &selection).0)
    });
    let graphs: Vec<Graph> = graphs.collect();
    (graphs, run.applied.iter().map(|(_, count)| count).sum())
}

fn check(rule: &Rule, quantized: bool, draw: Draw) {
    for seed in 0..100 {
        let mut net = Build::new(seed, quantized);
        draw(&mut net);
        net.graph.verify().expect("well formed");
        let (graphs, applied) = alternatives(&net.graph, std::slice::from_ref(rule));
        assert!(applied > 0, "{} did not apply to\n{}", rule.name, net.graph.to_text());
        let before = net.graph.to_text();
        assert!(
            graphs.iter().any(|graph| graph.to_text() != before),
            "{} changed nothing of\n{before}",
            rule.name
        );
        for graph in graphs {
            graph.verify().expect("rules keep graphs well formed");
            net.check_same_function(&graph);
        }
    }
}

#[test]
fn every_rule_keeps_the_function() {
    let mut names = BTreeSet::new();
    for (rules, quantized) in [(rules::float(), false), (rules::integer(), true)] {
        for rule in rules {
            let name = rule.name.to_string();
            let instance = INSTANCES.iter().find(|(of, _)| *of == name);
            let (_, draw) = instance.unwrap_or_else(|| panic!("no instance of `{name}`"));
            check(rule, quantized, *draw);
            names.insert(name);
        }
    }
    let known: BTreeSet<String> = INSTANCES.iter().map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(names, known, "instances of rules that are no more");
}

/// What all rules of a theme make together of what each of them was drawn for.
#[test]
fn all_rules_together_keep_the_function() {
    for (rules, quantized) in [(rules::float(), false), (rules::integer(), true)] {
        let named = |name: &str| rules.iter().any(|rule| rule.name.as_str() == name);
        for (_, draw) in INSTANCES.iter().filter(|(name, _)| named(name)) {
            for seed in 100..120 {
                let mut net = Build::new(seed, quantized);
                draw(&mut net);
                for graph in alternatives(&net.graph, rules).0 {
                    graph.verify().expect("rules keep graphs well formed");
                    net.check_same_function(&graph);
                }
            }
        }
    }
}

/// No rule's right side costs more than its left, where the left is all there is.
#[test]
fn no_right_side_is_costlier() {
    let cost = |graph: &Graph| -> u64 {
        let nodes = graph.order().into_iter().filter(|&node| runs(&graph.node(node).op));
        nodes.map(|node| MacsCost.node(&graph.node(node).op, &graph.input_types(node), graph.ty(node))).sum()
    };
    for (rules, quantized) in [(rules::float(), false), (rules::integer(), true)] {
        for rule in rules {
            let (_, draw) = INSTANCES.iter().find(|(of, _)| *of == rule.name.as_str()).expect("an instance");
            for seed in 0..10 {
                let mut net = Build::new(seed, quantized);
                draw(&mut net);
                for graph in alternatives(&net.graph, std::slice::from_ref(rule)).0 {
                    assert!(cost(&graph) <= cost(&net.graph), "{}\n{}", rule.name, graph.to_text());
                }
            }
        }
    }
}

#[test]
fn rule_names_are_distinct_and_kebab() {
    for rules in [rules::float(), rules::integer()] {
        let mut names = BTreeSet::new();
        for rule in rules {
            let name = rule.name.to_string();
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            assert!(names.insert(name.clone()), "`{name}` twice");
        }
    }
}
