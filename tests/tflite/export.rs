//! Networks that are written, read again and evaluated; and written for LiteRT, which `tests/models/check_export.py`
//! runs.
//!
//! `NASC_EXPORT=folder` keeps each model as `<name>.tflite`, with inputs and wanted outputs, as many as
//! `NASC_EXPORT_SAMPLES` says, in `<name>.inputs` and `<name>.outputs`: the bytes of one sample behind those of another.
//! `NASC_EXPORT_NETWORKS` says how many random networks there are, from the seed `NASC_EXPORT_FIRST` on.

use std::path::{Path, PathBuf};

use nasc::graph::{Graph, Weights};
use nasc::ops::{Clamp, Constant, CurveFunction, Dense, Input, Op, Requant};
use nasc::tensor::arith::{Multiplier, Rounding};
use nasc::tensor::{DType, Quant, Scale, TensorType, Value};
use nasc::tflite::{Exported, Model, export, import};

use crate::network::{self, Dice};
use crate::networks;

/// Random networks of an ordinary run.
const NETWORKS: u64 = 300;
/// Inputs of each network in an ordinary run.
const SAMPLES: usize = 5;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("NASC_EXPORT").map(PathBuf::from)
}

/// The outputs of a graph, one behind the other.
fn outputs(graph: &Graph, input: &[i8]) -> Vec<i8> {
    let node = graph.network_inputs()[0];
    let input = Value::from_i8(&graph.ty(node).shape, input.to_vec()).expect("as many");
    let outputs = graph.evaluate(&[input], &Weights::new()).expect("it evaluates");
    outputs
        .iter()
        .flat_map(|output| output.as_i8().expect("8 bit").iter().copied().collect::<Vec<i8>>())
        .collect()
}

fn bytes(integers: &[i8]) -> impl Iterator<Item = u8> {
    integers.iter().map(|&x| x as u8)
}

/// Keeps a model with samples where the environment names a folder.
fn keep(name: &str, graph: &Graph, exported: &Exported, dice: &mut Dice) {
    let Some(folder) = folder() else { return };
    let write = |extension: &str, content: &[u8]| {
        let path = folder.join(name).with_extension(extension);
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    };
    let elements = graph.ty(graph.network_inputs()[0]).shape.elements();
    let (mut inputs, mut wanted) = (Vec::new(), Vec::new());
    for _ in 0..number("NASC_EXPORT_SAMPLES", 1000) {
        let input = dice.bytes(elements);
        wanted.extend(bytes(&outputs(graph, &input)));
        inputs.extend(bytes(&input));
    }
    write("tflite", &exported.bytes);
    write("inputs", &inputs);
    write("outputs", &wanted);
}

/// Writes a graph, reads it again and compares outputs; whether its operators are all among those that are read.
pub(crate) fn round_trip(name: &str, graph: &Graph, exported: &Exported, seed: u64) -> bool {
    let mut dice = Dice(seed);
    let model = Model::read(&exported.bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    keep(name, graph, exported, &mut dice);
    let imported = match import(&model) {
        Ok(imported) => imported,
        // What is written of pools with borders of their own is not read yet.
        Err(refusals) => {
            assert!(exported.operators.contains_key("PADV2"), "{name}: {refusals:#?}\n{}", graph.to_text());
            return false;
        }
    };
    imported.graph.verify().expect("what is read verifies");
    let elements = graph.ty(graph.network_inputs()[0]).shape.elements();
    for _ in 0..SAMPLES {
        let input = dice.bytes(elements);
        assert_eq!(
            outputs(&imported.graph, &input),
            outputs(graph, &input),
            "{name}\n{}\n{}",
            graph.to_text(),
            imported.graph.to_text()
        );
    }
    true
}

/// A graph that rounds as LiteRT's operators do, and whose sigmoids have the scale that they have there.
fn as_litert_rounds(graph: &Graph) -> Option<Graph> {
    let mut out = Graph::new();
    let mut map = vec![None; graph.len()];
    for node in graph.order() {
        let mut op = graph.node(node).op.clone();
        let round = |requant: &mut Requant, rounding: Rounding| requant.rounding = rounding;
        let twice =
            |requant: &mut Option<Requant>| requant.iter_mut().for_each(|x| round(x, Rounding::Double));
        match &mut op {
            Op::Conv2d(conv) => twice(&mut conv.requant),
            Op::DepthwiseConv2d(conv) => twice(&mut conv.requant),
            Op::Dense(dense) => dense.requant.iter_mut().for_each(|x| round(x, Rounding::Single)),
            Op::Add(add) => twice(&mut add.requant),
            Op::Mul(mul) => twice(&mut mul.requant),
            Op::Requantize(requantize) => round(&mut requantize.requant, Rounding::Double),
            Op::Mean(mean) => round(&mut mean.requant, Rounding::Double),
            Op::Curve(curve) if curve.function == CurveFunction::Sigmoid => {
                if let Some(requant) = &mut curve.requant {
                    (requant.scale, requant.zero_point) = (Scale(1.0 / 256.0), -128);
                }
            }
            _ => {}
        }
        let inputs: Option<Vec<_>> = graph.inputs(node).iter().map(|input| map[input.index()]).collect();
        // A sigmoid of another scale may no longer fit a concatenation.
        let new = out.add(op, &inputs?).ok()?;
        out.set_origin(new, graph.node(node).label.clone(), None);
        map[node.index()] = Some(new);
    }
    for (name, value) in graph.constants() {
        out.share_constant(name.clone(), value.clone());
    }
    for output in graph.outputs() {
        out.add_output(map[output.index()]?);
    }
    out.verify().ok()?;
    Some(out)
}

/// What may stand in the way of a random network.
const REASONS: [&str; 10] = [
    "LiteRT rounds",
    "may pass 32 bits",
    "gaps",
    "leaves out of a mean",
    "scale of 1/256",
    "no hard sigmoid",
    "below 2^-19",
    "sums pass 32 bits",
    "LiteRT does not take them",
    "LiteRT shifts its 16 bits",
];

#[test]
fn random_networks_are_written_and_read_again() {
    let networks = number("NASC_EXPORT_NETWORKS", NETWORKS);
    let first = number("NASC_EXPORT_FIRST", 1);
    let (mut written, mut read, mut refused, mut beside) = (0, 0, 0, 0);
    for seed in first..first + networks {
        let mut graph = network::network(seed);
        if seed % 4 != 0 {
            graph = as_litert_rounds(&graph).unwrap_or(graph);
        }
        match export(&graph, "random") {
            Ok(exported) => {
                written += 1;
                beside += u64::from(!exported.beside.is_empty());
                let name = format!("random_{seed:06}");
                if exported.beside.is_empty() {
                    read += u64::from(round_trip(&name, &graph, &exported, seed));
                }
            }
            Err(refusals) => {
                refused += 1;
                for refusal in &refusals {
                    let text = refusal.to_string();
                    let is_expected = REASONS.iter().any(|reason| text.contains(reason))
                        || text.contains("beyond floats") && seed > 0;
                    assert!(is_expected, "seed {seed}: {text}\n{}", graph.to_text());
                }
            }
        }
    }
    println!(
        "{written} written ({read} of them read again, {beside} with sums beside ties), {refused} refused"
    );
    assert!(written >= networks / 4 && read > 0, "{written} of {networks}");
}

#[test]
fn networks_of_known_shapes_are_written_and_read_again() {
    for (name, net) in [
        ("ds_cnn", networks::ds_cnn()),
        ("resnet_8", networks::resnet8()),
        ("mobilenet", networks::mobilenet()),
        ("autoencoder", networks::autoencoder()),
    ] {
        let exported = export(&net.graph, name).unwrap_or_else(|refusals| panic!("{name}: {refusals:#?}"));
        for beside in &exported.beside {
            println!("{name}: {beside:?}");
        }
        assert!(round_trip(name, &net.graph, &exported, 1), "{name}");
    }
}

/// A dense layer whose sums are its biases where the input is all zeros.
fn dense_of([x_scale, y_scale]: [f32; 2], channels: &[(f32, i32)]) -> Graph {
    let (mut graph, units) = (Graph::new(), channels.len());
    let ty = TensorType::quantized(DType::I8, [1, 2], Quant::per_tensor(x_scale, 0));
    let x = graph.add(Input { ty }, &[]).expect("an input");
    let scales: Vec<f32> = channels.iter().map(|(scale, _)| *scale).collect();
    let quant = if units == 1 { Quant::per_tensor(scales[0], 0) } else { Quant::per_channel(scales, 0) };
    let ty = TensorType::quantized(DType::I8, [units, 2], quant);
    graph.set_constant("w", Value::from_i8(&ty.shape, [127, -127].repeat(units)).expect("as many"));
    let w = graph.add(Constant { name: "w".into(), ty }, &[]).expect("weights");
    let ty = TensorType { dtype: DType::I32, shape: [units].into(), quant: None };
    let biases = channels.iter().map(|(_, sum)| *sum).collect();
    graph.set_constant("b", Value::from_i32(&ty.shape, biases).expect("as many"));
    let b = graph.add(Constant { name: "b".into(), ty }, &[]).expect("a bias");
    let requant =
        Requant { dtype: DType::I8, scale: Scale(y_scale), zero_point: 3, rounding: Rounding::Single };
    let dense = Dense { clamp: Clamp::None, requant: Some(requant) };
    let y = graph.add(dense, &[x, w, b]).expect("a layer");
    graph.add_output(y);
    graph
}

/// Sums that LiteRT's factor rounds to the other side of a tie than ours: the scale of the weights is moved to one that
/// does not, for most; of the others it is told.
#[test]
fn sums_beside_ties_are_written_with_other_scales_or_told() {
    const CHANNELS: usize = 40;
    let ends = [0.043f32, 0.171];
    let factor = |scale: f32| f64::from(ends[0]) * f64::from(scale) / f64::from(ends[1]);
    let beside = |scale: f32| {
        let (factor, ours) = (factor(scale), Multiplier::new(factor(scale)));
        let differs =
            |sum: &i32| ours.apply(*sum, Rounding::Single) != (f64::from(*sum) * factor).round() as i32;
        (-120..120).map(|below| ((f64::from(below) + 0.5) / factor).round() as i32).find(differs)
    };
    let candidates = (0..).map(|step| 0.004 + 1.3e-7 * step as f32);
    let found = candidates.filter_map(|scale| Some((scale, beside(scale)?))).take(CHANNELS);
    let is_settled = |channel: &(f32, i32)| {
        let exported = export(&dense_of(ends, &[*channel]), "one").expect("it is written");
        assert!(exported.beside.iter().all(|beside| (1..9).contains(&beside.differing)), "{exported:?}");
        exported.beside.is_empty()
    };
    let (settled, left): (Vec<_>, Vec<_>) = found.partition(is_settled);
    assert!(settled.len() >= CHANNELS / 2 && !left.is_empty(), "{} settled", settled.len());
    let graph = dense_of(ends, &settled);
    let exported = export(&graph, "ties").expect("it is written");
    assert!(exported.beside.is_empty(), "{:?}", exported.beside);
    let model = Model::read(&exported.bytes).expect("a model");
    let weights = model.tensors.iter().find(|tensor| tensor.shape == [settled.len(), 2]).expect("weights");
    let moved = weights.scales.iter().zip(&settled).filter(|(new, (old, _))| new.to_bits() != old.to_bits());
    assert_eq!(moved.count(), settled.len());
    assert!(round_trip("ties", &graph, &exported, 4));
    let imported = import(&model).expect("it is read").graph;
    assert_eq!(outputs(&imported, &[0, 0]), outputs(&graph, &[0, 0]));
}

/// A model that was read, written again and read once more, is the same to the byte from then on.
#[test]
fn models_are_written_as_they_are_read() {
    for name in ["cnn", "parts"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/models/{name}.tflite"));
        let content = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let graph = |content: &[u8]| {
            let model = Model::read(content).expect("a model");
            import(&model).unwrap_or_else(|refusals| panic!("{name}: {refusals:#?}")).graph
        };
        let first = graph(&content);
        let once = export(&first, name).unwrap_or_else(|refusals| panic!("{name}: {refusals:#?}"));
        let second = graph(&once.bytes);
        let text = |graph: &Graph| graph.to_text().replace("tensor_", "");
        let plain = |text: String| -> String {
            text.lines().filter(|line| !line.contains("constant(")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(plain(text(&second)), plain(text(&first)), "{name}");
        let mut dice = Dice(9);
        for _ in 0..SAMPLES {
            let input = dice.bytes(first.ty(first.network_inputs()[0]).shape.elements());
            assert_eq!(outputs(&first, &input), outputs(&second, &input), "{name}");
        }
    }
}
