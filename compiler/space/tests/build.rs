//! Networks of points: merges, residuals, mirrors, branching, scaling, outputs, spellings, bounds.

use super::random::random_space;
use super::{SPAN, decided, decision, fixed, ints, range, region, rng, word};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Graph;
use crate::ops::{Op, ParamRole};
use crate::source::Span;
use crate::space::*;

fn int(value: i64) -> Argument {
    fixed(Value::Int(value))
}

fn at(start: usize) -> Span {
    Span { start: start as _, end: (start + 1) as _, ..SPAN }
}

fn conv(filters: i64, kernel: i64, stride: i64, act: &str) -> Layer {
    let (norm, padding) = (word("none"), word("same"));
    Layer::Conv2d {
        filters: int(filters),
        kernel: int(kernel),
        stride: int(stride),
        padding,
        norm,
        act: word(act),
    }
}

fn pool(size: i64) -> Layer {
    Layer::MaxPool { size: int(size), stride: int(size), padding: word("valid") }
}

fn relu() -> Layer {
    Layer::Activation { act: word("relu") }
}

/// A space whose network gives as many values as it takes, so that nothing has to stand at its end.
fn open(input: [usize; 3]) -> Space {
    Space::new(input, Output::Input, SPAN)
}

fn put(space: &mut Space, parent: RegionId, kind: RegionKind, name: &str, span: Span) -> RegionId {
    space.add_child(parent, Region { span, ..region(kind, name) })
}

fn layers(space: &mut Space, parent: RegionId, layers: &[Layer]) {
    for (number, layer) in layers.iter().enumerate() {
        let span = at(space.regions().node_count() * 10 + number);
        put(space, parent, RegionKind::Layer(layer.clone()), "layer", span);
    }
}

fn only(space: &Space) -> Result<Graph, Box<Diagnostic>> {
    instantiate(space, &sample(space, &mut rng(1)))
}

/// Operators without parameters, with what they give.
fn outline(graph: &Graph) -> Vec<String> {
    let nodes = graph.order().into_iter().map(|id| graph.node(id));
    let nodes = nodes.filter(|node| !matches!(node.op, Op::Param(_) | Op::Input(_)));
    nodes.map(|node| format!("{} {}", node.op.name(), node.ty.shape).replace(", ", ",")).collect()
}

fn parallel(input: [usize; 3], merge: Merge, branches: &[&[Layer]]) -> Space {
    let mut space = open(input);
    let root = space.root();
    let id = put(&mut space, root, RegionKind::Parallel { merge }, "parallel", at(1));
    for (number, branch) in branches.iter().enumerate() {
        let name = ["left", "right", "third"][number];
        let body = put(&mut space, id, RegionKind::Sequence, name, at(2 + number));
        layers(&mut space, body, branch);
    }
    space
}

/// What a space's only network says, with the output not checked.
fn shown(mut space: Space, values: usize) -> Result<Vec<String>, Box<Diagnostic>> {
    space.output = Output::Values(values);
    let root = space.root();
    layers(
        &mut space,
        root,
        &[Layer::Dense { units: int(values as i64), norm: word("none"), act: word("none") }],
    );
    only(&space).map(|graph| outline(&graph))
}

fn merge(kind: MergeKind, pool: bool, pad: bool) -> Merge {
    Merge { kind, pool, pad }
}

#[test]
fn merges_pool_to_the_smallest_map_and_pad_to_the_most_channels() {
    let branches: [&[Layer]; 2] = [&[conv(4, 3, 1, "none")], &[pool(2), conv(6, 1, 1, "none")]];
    let both = merge(MergeKind::Add, true, true);
    let lines = shown(parallel([7, 5, 3], both, &branches), 2).expect("a network");
    for wanted in ["max_pool2d [1,3,2,4]", "pad [1,3,2,6]", "add [1,3,2,6]"] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:?}");
    }
    let joined = merge(MergeKind::Concat, true, false);
    let lines = shown(parallel([7, 5, 3], joined, &branches), 2).expect("a network");
    assert!(lines.contains(&"concat [1,3,2,10]".to_owned()), "{lines:?}");
    let error = shown(parallel([7, 5, 3], merge(MergeKind::Add, false, false), &branches), 2);
    let error = error.expect_err("shapes differ");
    assert_eq!(error.code, Code::SHAPE);
    assert_eq!(error.labels.len(), 2);
    for part in ["`left`", "`right`", "(7, 5, 4)", "(3, 2, 6)"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    let vector: [&[Layer]; 2] = [&[Layer::Identity], &[Layer::GlobalAvgPool]];
    let times = merge(MergeKind::Mul, false, false);
    let lines = shown(parallel([7, 5, 3], times, &vector), 2).expect("one factor for each channel");
    assert!(lines.contains(&"mul [1,7,5,3]".to_owned()), "{lines:?}");
    assert!(shown(parallel([7, 5, 3], merge(MergeKind::Add, true, true), &vector), 2).is_err());
}

#[test]
fn a_residual_adds_where_shapes_are_equal() {
    let lines = |inside: &[Layer]| {
        let mut space = open([6, 6, 3]);
        let root = space.root();
        let id = put(&mut space, root, RegionKind::Residual, "residual", at(1));
        let body = put(&mut space, id, RegionKind::Sequence, "", at(2));
        layers(&mut space, body, inside);
        shown(space, 2).expect("a network")
    };
    let has_add = |lines: &[String]| lines.iter().any(|line| line.starts_with("add"));
    assert!(has_add(&lines(&[conv(3, 3, 1, "none")])));
    assert!(!has_add(&lines(&[conv(4, 3, 1, "none")])));
    assert!(!has_add(&lines(&[conv(3, 3, 2, "none")])));
    assert!(!has_add(&lines(&[])));
}

fn mirrored(input: [usize; 3], inside: &[Layer]) -> Space {
    let mut space = open(input);
    let root = space.root();
    let id = put(&mut space, root, RegionKind::Mirror, "mirror", at(1));
    let body = put(&mut space, id, RegionKind::Sequence, "", at(2));
    layers(&mut space, body, inside);
    space
}

#[test]
fn a_mirror_gives_back_what_each_layer_took() {
    let dense = Layer::Dense { units: int(5), norm: word("none"), act: word("relu6") };
    let inside = [conv(4, 3, 2, "relu"), pool(2), dense];
    let graph = only(&mirrored([8, 12, 3], &inside)).expect("a network");
    assert_eq!(
        outline(&graph),
        [
            "conv2d [1,4,6,4]",
            "activation [1,4,6,4]",
            "max_pool2d [1,2,3,4]",
            "reshape [1,24]",
            "dense [1,5]",
            "activation [1,5]",
            "dense [1,24]",
            "reshape [1,2,3,4]",
            "upsample2d [1,4,6,4]",
            "activation [1,4,6,4]",
            "upsample2d [1,8,12,4]",
            "conv2d [1,8,12,3]",
        ]
    );
    let spelled = [conv(4, 3, 2, "none"), relu(), pool(2), inside[2].clone()];
    let other = only(&mirrored([8, 12, 3], &spelled)).expect("a network");
    assert_eq!(other.to_text(), graph.to_text());
    let error = only(&mirrored([9, 12, 3], &inside)).expect_err("5 is odd");
    assert_eq!((error.code, error.labels.len()), (Code::SHAPE, 2));
    assert!(error.message.contains("4 x 6") && error.message.contains("5 x 6"), "{}", error.message);
}

#[test]
fn a_mirror_refuses_what_has_no_mirror_image() {
    let mut space = open([8, 8, 3]);
    let root = space.root();
    let id = put(&mut space, root, RegionKind::Mirror, "mirror", at(1));
    put(&mut space, id, RegionKind::Residual, "residual", at(2));
    let error = only(&space).expect_err("a residual has none");
    assert_eq!((error.code, error.labels.len()), (Code::SHAPE, 2));
}

#[test]
fn repetitions_beside_one_another_are_merged_in_groups() {
    let mut space = open([8, 8, 2]);
    let root = space.root();
    let id = put(&mut space, root, RegionKind::Sequence, "blocks", at(1));
    let body = put(&mut space, id, RegionKind::Sequence, "", at(2));
    let words = ["series", "beside"].map(|text| Value::Text(text.into())).to_vec();
    let link = space.add_decision(body, decision("link", Domain::Set(words)));
    let branching = Some(Branching { link, merge: merge(MergeKind::Add, true, true) });
    space.set_kind(id, RegionKind::Repeat { count: Expr::Value(Value::Int(4)), branching });
    layers(&mut space, body, &[conv(3, 3, 1, "none")]);
    let mut adds = std::collections::BTreeMap::new();
    for genome in enumerate(&space, 1000).expect("few points") {
        let repetitions = &genome.root.children[0].children;
        let links = repetitions[1..].iter().filter(|node| node.values[0] == Value::Text("beside".into()));
        let links = links.count();
        let mut genome_space = space.clone();
        genome_space.output = Output::Values(192);
        let error = instantiate(&genome_space, &genome).expect_err("gives a map");
        assert!(error.message.contains("(8, 8, 3)"), "{}", error.message);
        let root = genome_space.root();
        layers(&mut genome_space, root, &[Layer::Flatten]);
        let mut longer = genome.clone();
        longer.root.children.push(GenomeNode::default());
        let lines = outline(&instantiate(&genome_space, &longer).expect("a network"));
        let found = lines.iter().filter(|line| line.starts_with("add")).count();
        assert_eq!(found, links);
        *adds.entry(found).or_insert(0) += 1;
    }
    assert_eq!(adds.into_iter().collect::<Vec<_>>(), [(0, 1), (1, 3), (2, 3), (3, 1)]);
}

#[test]
fn channels_and_the_width_scale_make_filters() {
    let mut space = Space::new([8, 8, 3], Output::Values(2), SPAN);
    let root = space.root();
    let half = Domain::Set(vec![Value::Float(0.5)]);
    let factor = space.add_decision(root, decision("width", half));
    space.width_scale = Some(WidthScale { factor: Expr::Decision(factor), round: 8 });
    let body = put(&mut space, root, RegionKind::Sequence, "block", at(1));
    let times = [Expr::Channels(body), Expr::Value(Value::Int(6))].map(Box::new);
    let [channels, six] = times;
    let mut wide = conv(1, 1, 1, "none");
    if let Layer::Conv2d { filters, .. } = &mut wide {
        filters.expr = Expr::Binary(BinaryOp::Mul, channels, six);
    }
    layers(&mut space, body, &[conv(40, 1, 1, "none"), wide]);
    layers(&mut space, root, &[Layer::Dense { units: int(2), norm: word("none"), act: word("none") }]);
    let lines = outline(&only(&space).expect("a network"));
    assert_eq!(lines[..2], ["conv2d [1,8,8,24]", "conv2d [1,8,8,18]"]);
}

#[test]
fn outputs_are_checked() {
    let cases =
        [(Output::Classes(3), "classes"), (Output::Values(3), "outputs"), (Output::Input, "as it takes")];
    for (output, part) in cases {
        let mut space = Space::new([4, 4, 3], output, SPAN);
        let root = space.root();
        layers(&mut space, root, &[Layer::Dense { units: int(5), norm: word("none"), act: word("none") }]);
        let error = only(&space).expect_err("gives 5 values");
        assert!(error.message.contains(part) && !error.help.is_empty(), "{}", error.message);
    }
    assert!(only(&open([4, 4, 3])).is_ok());
}

#[test]
fn a_window_that_does_not_fit_names_its_decision_and_the_layer_that_made_the_map_small() {
    let mut space = open([12, 12, 1]);
    let root = space.root();
    let kernel = space.add_decision(root, decision("kernel", ints(&[7])));
    space.decisions[0].span = at(5);
    put(&mut space, root, RegionKind::Layer(pool(2)), "max_pool", at(20));
    put(&mut space, root, RegionKind::Layer(conv(4, 3, 1, "relu")), "conv2d", at(30));
    let mut last = conv(4, 1, 1, "relu");
    if let Layer::Conv2d { kernel: size, padding, .. } = &mut last {
        (*size, *padding) = (decided(kernel), word("valid"));
    }
    put(&mut space, root, RegionKind::Layer(last), "conv2d", at(40));
    let error = only(&space).expect_err("7 is more than 6");
    assert_eq!(error.message, "the kernel 7 of `conv2d` is larger than the height 6 that comes to it");
    let labels: Vec<(Span, &str)> =
        error.labels.iter().map(|label| (label.span, label.text.as_str())).collect();
    assert_eq!(labels, [(at(5), "7 is chosen here"), (at(20), "the height 6 comes from here")]);
}

#[test]
fn spellings_of_one_network_are_one_graph() {
    let texts = |space: &Space| only(space).expect("a network").to_text();
    // Branches in another order, for operators that do not tell.
    let (a, b, c) = (conv(3, 3, 1, "relu"), conv(3, 5, 1, "none"), conv(3, 1, 1, "none"));
    for kind in [MergeKind::Add, MergeKind::Mul, MergeKind::Concat] {
        let spell = |order: [&Layer; 3]| {
            let branches = order.map(std::slice::from_ref);
            let mut space = parallel([8, 8, 3], merge(kind, false, false), &branches);
            space.output = Output::Values(2);
            let root = space.root();
            layers(
                &mut space,
                root,
                &[Layer::Dense { units: int(2), norm: word("none"), act: word("none") }],
            );
            texts(&space)
        };
        let first = spell([&a, &b, &c]);
        for order in [[&b, &a, &c], [&c, &b, &a], [&b, &c, &a]] {
            assert_eq!(spell(order) == first, kind != MergeKind::Concat);
        }
        assert_ne!(spell([&a, &a, &c]), first);
    }
    // A residual and a sum with nothing beside.
    let sum = parallel(
        [8, 8, 3],
        merge(MergeKind::Add, false, false),
        &[&[Layer::Identity], std::slice::from_ref(&a)],
    );
    let mut residual = open([8, 8, 3]);
    let root = residual.root();
    let id = put(&mut residual, root, RegionKind::Residual, "residual", at(1));
    layers(&mut residual, id, std::slice::from_ref(&a));
    assert_eq!(texts(&sum), texts(&residual));
    // Activations in the layer and after it, layers that do nothing, a block and its body, a repeat and its layers.
    let mut flat = open([8, 8, 3]);
    let root = flat.root();
    layers(&mut flat, root, &[a.clone(), a.clone()]);
    let mut nested = open([8, 8, 3]);
    let root = nested.root();
    let (count, branching) = (Expr::Value(Value::Int(2)), None);
    let repeat = put(&mut nested, root, RegionKind::Repeat { count, branching }, "twice", at(1));
    let block = put(&mut nested, repeat, RegionKind::Sequence, "block", at(2));
    layers(&mut nested, block, &[Layer::Identity, conv(3, 3, 1, "none"), relu()]);
    assert_eq!(texts(&flat), texts(&nested));
}

/// Whether what layers give lies within the bounds of their regions; how many there were.
fn check_layers(space: &Space, bounds: &Bounds, graph: &Graph) -> usize {
    let mut checked = 0;
    for id in graph.order() {
        let node = graph.node(id);
        let of_node =
            |id: &RegionId| Some(space.region(*id).span) == node.span && space.region(*id).span != SPAN;
        let Some(region) = space.regions().node_indices().find(of_node) else { continue };
        let (Some([_, height, width, channels]), "layer") =
            (node.ty.shape.nhwc(), space.region(region).name.as_str())
        else {
            continue;
        };
        if matches!(node.op, Op::Param(_)) {
            continue;
        }
        let given = bounds.outputs[&region];
        let found = [(given.height, height), (given.width, width), (given.channels, channels)];
        for (limit, found) in found {
            assert!(limit.contains(found as u64), "{found} in {limit:?}\n{}", graph.to_text());
        }
        checked += 1;
    }
    checked
}

#[test]
fn networks_lie_within_the_bounds_of_their_space() {
    let (mut built, mut tight, mut checked) = (0, 0, 0);
    for seed in 0..600 {
        let space = random_space(seed);
        let bounds = bounds(&space);
        let mut rng = rng(seed);
        let mut most = 0;
        for _ in 0..12 {
            let Ok(genome) = try_sample(&space, &mut rng) else { break };
            let Ok(graph) = instantiate(&space, &genome) else { continue };
            graph.verify().expect("well formed");
            built += 1;
            let (mut weights, mut biases, mut parameters, mut largest) = (0, 0, 0, 0);
            for id in graph.order() {
                let node = graph.node(id);
                let elements = node.ty.shape.elements() as u64;
                match &node.op {
                    Op::Param(param) => {
                        parameters += if param.role.is_trained() { elements } else { 0 };
                        match param.role {
                            ParamRole::Weight => weights += elements,
                            ParamRole::Bias | ParamRole::NoBias => biases += elements,
                            _ => {}
                        }
                    }
                    _ => largest = elements.max(largest),
                }
            }
            let found = [graph.macs().0, weights + 4 * biases, parameters, largest];
            let limits = [bounds.macs, bounds.weight_bytes, bounds.parameters, bounds.largest_map];
            for (found, limit) in found.into_iter().zip(limits) {
                assert!(limit.contains(found), "seed {seed}: {found} in {limit:?}\n{}", graph.to_text());
            }
            most = most.max(found[0]);
            checked += check_layers(&space, &bounds, &graph);
            let shape = &graph.ty(graph.outputs()[0]).shape;
            let [height, width, channels] = match shape.nhwc() {
                Some([_, height, width, channels]) => [height, width, channels],
                None => [1, 1, shape.0[1]],
            };
            let output = bounds.outputs[&space.root()];
            assert!(output.height.contains(height as u64), "seed {seed}");
            assert!(output.width.contains(width as u64), "seed {seed}");
            assert!(output.channels.contains(channels as u64), "seed {seed}");
        }
        tight += usize::from(most > 0 && bounds.macs.high <= 4 * most);
    }
    assert!(built > 1000 && tight > 50 && checked > 1000, "{built} {tight} {checked}");
}

/// A choice and sets in one order or another, with or without a layer that does nothing.
fn ordered(reversed: bool) -> Space {
    let mut space = open([8, 8, 3]);
    let root = space.root();
    let values = |values: &[i64]| {
        let mut values = values.to_vec();
        if reversed {
            values.reverse();
        }
        ints(&values)
    };
    let spare = space.add_decision(root, decision("spare", values(&[1, 2])));
    if reversed {
        layers(&mut space, root, &[Layer::Identity, Layer::Identity]);
    }
    for _ in 0..2 {
        let layer = put(&mut space, root, RegionKind::Sequence, "layer", at(9));
        let kernel = space.add_decision(layer, decision("kernel", values(&[1, 3, 5])));
        let mut kind = conv(3, 1, 1, "relu");
        if let Layer::Conv2d { kernel: size, .. } = &mut kind {
            *size = decided(kernel);
        }
        space.set_kind(layer, RegionKind::Layer(kind));
    }
    let choose = put(&mut space, root, RegionKind::Sequence, "op", at(10));
    let mut labels = vec!["plain".to_owned(), "deep".to_owned(), "none".to_owned()];
    if reversed {
        labels.reverse();
    }
    let words = Domain::Set(labels.iter().cloned().map(Value::Text).collect());
    let choice = space.add_decision(choose, decision("op", words));
    space.set_kind(choose, RegionKind::Choose { labels: labels.clone(), decision: choice });
    for label in &labels {
        let body = put(&mut space, choose, RegionKind::Sequence, label, at(11));
        if label == "plain" {
            let mut kind = conv(3, 1, 1, "none");
            if let Layer::Conv2d { kernel, .. } = &mut kind {
                *kernel = decided(spare);
            }
            layers(&mut space, body, &[kind]);
        }
        if label == "deep" {
            let repeat = put(&mut space, body, RegionKind::Sequence, "depth", at(12));
            let depth = space.add_decision(repeat, decision("depth", range(1, 3, 1)));
            space.set_kind(repeat, RegionKind::Repeat { count: Expr::Decision(depth), branching: None });
            let inner = put(&mut space, repeat, RegionKind::Sequence, "", at(13));
            layers(&mut space, inner, &[conv(3, 3, 1, "relu")]);
        }
    }
    space
}

#[test]
fn a_genome_as_json_survives_reordering_and_insertion() {
    let (space, reordered) = (ordered(false), ordered(true));
    let points = enumerate(&space, 10_000).expect("few points");
    assert_eq!(points.len(), 9 * (2 + 3 + 1));
    for genome in points {
        let json = to_json(&space, &genome);
        let read = from_json(&reordered, &json).expect("the same choices");
        let [before, after] = [instantiate(&space, &genome), instantiate(&reordered, &read)];
        assert_eq!(before.expect("a network").to_text(), after.expect("a network").to_text(), "{json}");
        assert_eq!(to_json(&reordered, &read).to_string(), json.to_string());
    }
    let error = from_json(&space, &serde_json::json!({"/": {"op": {"op": "none"}}})).expect_err("no kernels");
    assert!(error.contains("`kernel` is missing"), "{error}");
}
