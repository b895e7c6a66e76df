//! The C of features on an emulated Cortex-M4 against the features that training sees.

use std::path::Path;
use std::time::Duration;

use nasc::data::{Element, FrontEnd, Quantizer, RawInput, Standardization};
use nasc::device::{Samples, run_board};
use nasc::emit::{Borders, Network, emit_c, front_end_cost};
use nasc::estimate::deploy;
use nasc::graph::Graph;
use nasc::ops::{Clamp, Input, MaxPool2d, Window};
use nasc::plan::Effort;
use nasc::tensor::{DType, Quant, TensorType};
use rayon::prelude::*;

use crate::sound::{WORDS, name, spread, text};

/// Recordings of a run of the emulator.
const BATCH: usize = 125;
const LIMIT: Duration = Duration::from_secs(900);
const SCALE: f32 = 0.03;
const ZERO_POINT: i32 = -5;

/// A network whose output is its input.
fn copy([height, width, channels]: [usize; 3]) -> Graph {
    let mut graph = Graph::new();
    let quant = Quant::per_tensor(SCALE, ZERO_POINT);
    let ty = TensorType::quantized(DType::I8, [1, height, width, channels], quant);
    let x = graph.add(Input { ty }, &[]).expect("an input");
    let window = Window::valid([1, 1], [1, 1]);
    let y = graph.add(MaxPool2d { window, clamp: Clamp::None }, &[x]).expect("a window of one pixel");
    graph.add_output(y);
    graph
}

/// The bytes that the emitted C brings to the network's input, for each recording.
fn on_board(raw: &RawInput, recordings: &[Vec<f32>], wanted: &[Vec<i8>]) -> Result<Vec<Vec<i8>>, String> {
    let graph = copy(raw.front_end.extents());
    let target = nasc::elaborate::stdlib_targets().remove("cortex-m4").ok_or("no target `cortex-m4`")?;
    let (input, output) = (graph.ty(graph.network_inputs()[0]), graph.ty(graph.outputs()[0]));
    let cost = front_end_cost(&raw.front_end, output.shape.elements(), target.isa);
    let deployment = deploy(&graph, &target, cost, Effort::Search)?;
    let network = Network {
        name: "net",
        program: &deployment.program,
        offsets: &deployment.plan.offsets,
        arena_bytes: deployment.plan.arena_bytes,
        arena_align: target.align,
        inputs: std::slice::from_ref(input),
        outputs: std::slice::from_ref(output),
        borders: Borders::default(),
        raw: Some(raw),
        macs: 0,
        golden: &[],
        labels: &[],
        readings: &[],
    };
    let (bundle, interface) = (emit_c(&network), network.interface());
    let toolchain = target.toolchain.as_ref().ok_or("the target has no toolchain")?;
    let samples = Samples::Raw(recordings);
    let run = run_board(&bundle, &interface, samples, wanted, toolchain, LIMIT);
    Ok(run.map_err(|errors| format!("{errors:?}"))?.outputs)
}

/// Whether all bytes of `count` recordings are equal.
pub(crate) fn run(root: &Path, count: usize) -> Result<bool, String> {
    let loaded = WORDS.load(root, None)?;
    let recordings = spread(loaded.raw(), count);
    let mut differing = 0;
    println!("{:12} {:>10} {:>10} {:>10} {:>9}", "features", "recordings", "bytes", "differing", "saturated");
    for coefficients in [None, Some(10)] {
        let front_end = WORDS.front_end(coefficients)?;
        let splits = loaded.features(&front_end, None).map_err(text)?;
        let period = FrontEnd::period(&front_end);
        let standardization = Standardization::measure(&splits.train, period);
        let quantizer = Quantizer::new(Element::I16, &standardization, SCALE, ZERO_POINT);
        let wanted: Vec<Vec<i8>> =
            spread(splits, count).iter().map(|features| quantizer.quantize_all(features)).collect();
        let raw = RawInput { front_end, quantizer };
        let outputs: Result<Vec<_>, String> = recordings
            .par_chunks(BATCH)
            .zip(wanted.par_chunks(BATCH))
            .map(|(recordings, wanted)| on_board(&raw, recordings, wanted))
            .collect();
        let found: Vec<i8> = outputs?.into_iter().flatten().flatten().collect();
        let wanted: Vec<i8> = wanted.into_iter().flatten().collect();
        let differ =
            found.iter().zip(&wanted).filter(|(a, b)| a != b).count() + found.len().abs_diff(wanted.len());
        let saturated = wanted.iter().filter(|&&x| x == i8::MIN || x == i8::MAX).count();
        println!(
            "{:12} {:>10} {:>10} {differ:>10} {saturated:>9}",
            name(coefficients),
            recordings.len(),
            wanted.len()
        );
        differing += differ;
    }
    Ok(differing == 0)
}
