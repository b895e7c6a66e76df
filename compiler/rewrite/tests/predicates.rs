//! Predicates: where a rule does not hold, it stays away.

use crate::graph::NodeId;
use crate::ops::{
    AvgPool2d, BatchNorm, Clamp, Dense, Input, MaxPool2d, Op, Pad, Padding, Requantize, Slice, Transpose,
    Upsample2d, Window,
};
use crate::rewrite::rules;
use crate::rewrite::saturate;
use crate::rewrite::tests::build::Build;
use crate::rewrite::tests::rules::{Draw, alternatives, output};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Scale, Shape, TensorType};

/// A tensor of which nothing is known, or a constant.
fn perhaps_known(net: &mut Build, shape: &[usize]) -> NodeId {
    let shape = Shape::from(shape);
    if net.below(3) == 0 { net.input(shape) } else { net.known(shape) }
}

fn small_shape(net: &mut Build) -> Vec<usize> {
    vec![1, 1 + net.below(2), 1 + net.below(2), 1 + net.below(3)]
}

fn perhaps_folded(net: &mut Build, make: fn(&mut Build, NodeId) -> NodeId) {
    let shape = small_shape(net);
    let x = perhaps_known(net, &shape);
    let y = make(net, x);
    output(net, y);
}

/// A window after margins, in which it may be lost, or which may be of channels.
fn perhaps_around(net: &mut Build, make: fn(&mut Build, NodeId, Window) -> NodeId) {
    let x = net.input([1, 3, 3, 1]);
    let mut margins = || [net.below(3), net.below(3), net.below(4) / 3];
    let (before, after) = (margins(), margins());
    let x = net.node(Pad { before, after }, &[x]);
    let window = Window { dilation: [1, 1 + net.below(2)], ..Window::valid([2, 2], [1, 1]) };
    let y = make(net, x, window);
    output(net, y);
}

fn pool(net: &mut Build, make: fn(Window, Clamp) -> Op) {
    let x = net.any_input();
    let pointwise = net.below(2) == 0;
    let window = if pointwise { Window::valid([1, 1], [1, 1]) } else { net.window(x) };
    let clamp = net.clamp();
    let y = net.node(make(window, clamp), &[x]);
    output(net, y);
}

/// A normalisation whose parameters are known before the network runs, but for one of them in half of all cases.
fn normalised(net: &mut Build, make: fn(&mut Build) -> NodeId) {
    let y = make(net);
    let channels = *net.shape(y).last().expect("a dimension");
    let norm = net.batch_norm(y);
    let mut inputs = net.graph.inputs(norm).to_vec();
    let (place, computed) = (1 + net.below(4), net.below(2) == 0);
    if computed {
        inputs[place] = net.input([channels]);
        if place == 4 {
            // Anything above 0 will do for a variance.
            let positive = net.activation(inputs[place], Clamp::Relu);
            inputs[place] = positive;
        }
    }
    let norm = net.node(BatchNorm { epsilon: Scale(1e-1) }, &inputs);
    output(net, norm);
}

/// For every rule with a predicate, what it may or may not apply to.
const PERHAPS: &[(&str, Draw)] = &[
    ("reshape-identity", |net| {
        let x = net.any_input();
        let shape = net.shape(x);
        let turned = vec![shape[0], shape[2], shape[1], shape[3]];
        let to = if net.below(2) == 0 { shape } else { turned };
        let y = net.reshape(x, to);
        output(net, y);
    }),
    ("transpose-in-order", |net| {
        let x = net.any_input();
        let order = if net.below(2) == 0 { [0, 1, 2, 3] } else { [0, 2, 1, 3] };
        let y = net.node(Transpose { order: order.into() }, &[x]);
        output(net, y);
    }),
    ("slice-of-everything", |net| {
        let x = net.any_input();
        let mut count = Shape::from(net.shape(x));
        count.0[1] = 1 + net.below(count.0[1]);
        let y = net.node(Slice { first: [0; 4].into(), count, step: [1; 4].into() }, &[x]);
        output(net, y);
    }),
    ("pad-of-nothing", |net| {
        let x = net.any_input();
        let mut margins = || [(); 3].map(|()| net.below(6) / 5);
        let (before, after) = (margins(), margins());
        let y = net.node(Pad { before, after }, &[x]);
        output(net, y);
    }),
    ("pad-into-conv2d", |net| {
        perhaps_around(net, |net, x, window| net.conv2d(x, window, 2, Clamp::Relu));
    }),
    ("pad-into-depthwise-conv2d", |net| {
        perhaps_around(net, |net, x, window| net.depthwise_conv2d(x, window, Clamp::Relu));
    }),
    ("upsample-by-one", |net| {
        let x = net.any_input();
        let factor = [1 + net.below(2), 1 + net.below(2)];
        let y = net.node(Upsample2d { factor }, &[x]);
        output(net, y);
    }),
    ("pointwise-avg-pool", |net| pool(net, |window, clamp| AvgPool2d { window, clamp }.into())),
    ("pointwise-max-pool", |net| pool(net, |window, clamp| MaxPool2d { window, clamp }.into())),
    ("batch-norm-into-conv2d", |net| {
        normalised(net, |net| {
            let x = net.any_input();
            let window = net.dilated_window(x);
            net.conv2d(x, window, 2, Clamp::None)
        });
    }),
    ("batch-norm-into-depthwise-conv2d", |net| {
        normalised(net, |net| {
            let x = net.any_input();
            let window = net.dilated_window(x);
            net.depthwise_conv2d(x, window, Clamp::None)
        });
    }),
    ("batch-norm-into-dense", |net| {
        normalised(net, |net| {
            let x = net.input([1, 5]);
            net.dense(x, 3, Clamp::None)
        });
    }),
    ("activation-saturates", |net| {
        let (scale, zero_point) = (net.pick(&[0.01, 0.02, 0.0235, 0.03, 0.1]), net.pick(&[-128, -127, 0]));
        let ty = TensorType::quantized(DType::I8, [1, 2, 2, 3], Quant::per_tensor(scale, zero_point));
        let x = net.node(Input { ty }, &[]);
        let clamp = net.pick(&[Clamp::Relu, Clamp::Relu6]);
        let y = net.activation(x, clamp);
        output(net, y);
    }),
    ("requantize-alike", |net| {
        let x = net.any_input();
        let mut requant = net.requant_of(x);
        match net.below(3) {
            0 => requant.zero_point += 1,
            1 => requant.scale = Scale(requant.scale.0 * 1.01),
            _ => {}
        }
        let y = net.node(Requantize { requant }, &[x]);
        output(net, y);
    }),
    ("fold-conv2d", |net| {
        perhaps_folded(net, |net, x| {
            let (window, filters) = (net.dilated_window(x), 1 + net.below(4));
            net.conv2d(x, window, filters, Clamp::Relu)
        });
    }),
    ("fold-depthwise-conv2d", |net| {
        perhaps_folded(net, |net, x| {
            let window = net.dilated_window(x);
            net.depthwise_conv2d(x, window, Clamp::Relu)
        });
    }),
    ("fold-dense", |net| {
        let features = 1 + net.below(4);
        let x = perhaps_known(net, &[1, features]);
        let units = 1 + net.below(4);
        let y = net.dense(x, units, Clamp::Relu);
        output(net, y);
    }),
    ("fold-add", |net| {
        perhaps_folded(net, |net, x| {
            let shape = net.shape(x);
            let y = perhaps_known(net, &shape);
            net.add(x, y, Clamp::None)
        });
    }),
    ("fold-mul", |net| {
        perhaps_folded(net, |net, x| {
            let shape = net.shape(x);
            let y = perhaps_known(net, &shape);
            net.mul(x, y, Clamp::None)
        });
    }),
    ("fold-activation", |net| perhaps_folded(net, |net, x| net.activation(x, Clamp::Relu6))),
    ("fold-avg-pool", |net| {
        perhaps_folded(net, |net, x| net.avg_pool2d(x, Window::valid([1, 1], [1, 1]), Clamp::Relu))
    }),
    ("fold-max-pool", |net| {
        perhaps_folded(net, |net, x| net.max_pool2d(x, Window::valid([1, 1], [1, 1]), Clamp::Relu))
    }),
    ("fold-curve", |net| perhaps_folded(net, |net, x| net.curve(x))),
    ("fold-requantize", |net| {
        perhaps_folded(net, |net, x| {
            let requant = net.requant(Rounding::Double).expect("quantized");
            net.node(Requantize { requant }, &[x])
        });
    }),
    ("fold-reshape", |net| {
        perhaps_folded(net, |net, x| {
            let elements = net.shape(x).iter().product();
            net.reshape(x, vec![1, elements])
        });
    }),
];

/// A predicate that admits too much would change a function here; one that admits nothing would never apply.
#[test]
fn a_rule_applies_only_where_it_holds() {
    for (name, draw) in PERHAPS {
        let mut n_tables = 0;
        for (rules, quantized) in [(rules::float(), false), (rules::integer(), true)] {
            let Some(rule) = rules.iter().find(|rule| rule.name.as_str() == *name) else {
                continue;
            };
            n_tables += 1;
            let mut n_applied = 0;
            for seed in 0..100 {
                let mut net = Build::new(seed, quantized);
                draw(&mut net);
                let (graphs, applied) = alternatives(&net.graph, std::slice::from_ref(rule));
                n_applied += usize::from(applied > 0);
                for graph in graphs {
                    graph.verify().expect("rules keep graphs well formed");
                    net.check_same_function(&graph);
                }
            }
            assert!((1..100).contains(&n_applied), "`{name}` applied to {n_applied} of 100");
        }
        assert!(n_tables > 0, "`{name}` is no rule");
    }
}

/// The rules of both themes that add something to a graph.
fn applied(draw: Draw, quantized: bool) -> Vec<String> {
    let mut net = Build::new(1, quantized);
    draw(&mut net);
    let rules = if quantized { rules::integer() } else { rules::float() };
    saturate(&net.graph, rules).1.applied.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn predicates_refuse() {
    let none: &[(Draw, bool)] = &[
        // Another shape.
        (|net| known_input(net, |net, x| net.reshape(x, vec![1, 8])), false),
        // A stride and a padding.
        (
            |net| known_input(net, |net, x| net.avg_pool2d(x, Window::valid([1, 1], [2, 1]), Clamp::None)),
            true,
        ),
        // A normalisation after a clamp.
        (
            |net| {
                known_input(net, |net, x| {
                    let y = net.conv2d(x, Window::valid([1, 1], [1, 1]), 2, Clamp::Relu);
                    net.batch_norm(y)
                });
            },
            false,
        ),
        // A clamp that changes something.
        (
            |net| {
                let ty = TensorType::quantized(DType::I8, [1, 4], Quant::per_tensor(0.1, -128));
                let x = net.node(Input { ty }, &[]);
                let y = net.activation(x, Clamp::Relu6);
                output(net, y);
            },
            true,
        ),
        // A result that is larger than its inputs.
        (
            |net| {
                let x = net.known([1, 1, 1, 1]);
                let padding = Padding { top: 9, bottom: 9, left: 9, right: 9 };
                let window = Window { padding, ..Window::valid([1, 1], [1, 1]) };
                let y = net.conv2d(x, window, 4, Clamp::None);
                output(net, y);
            },
            true,
        ),
    ];
    for (case, (draw, quantized)) in none.iter().enumerate() {
        assert_eq!(applied(*draw, *quantized), Vec::<String>::new(), "case {case}");
    }
}

fn known_input(net: &mut Build, make: fn(&mut Build, NodeId) -> NodeId) {
    let x = net.input([1, 2, 2, 2]);
    let y = make(net, x);
    output(net, y);
}

#[test]
fn weights_that_the_network_computes_do_not_fold() {
    let mut net = Build::new(5, false);
    let x = net.input([1, 3]);
    let w = net.input([2, 3]);
    let b = net.input([2]);
    let y = net.node(Dense { clamp: Clamp::None, requant: None }, &[x, w, b]);
    let z = net.batch_norm(y);
    output(&mut net, z);
    assert!(saturate(&net.graph, rules::float()).1.applied.is_empty());
}
