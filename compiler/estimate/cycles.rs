//! Cycles by a target's cost table.
//!
//! In: an integer graph, its program and three figures of a target. Out: cycles. What a layer does is counted in
//! kinds ([`work`]), and each kind in multiply-accumulates, elements or calls by a ratio that holds for all targets
//! of a family. Ratios and figures were fitted to instruction counts by `cargo bench --bench code_size`.

use crate::graph::{Graph, NodeId};
use crate::kernel::{Program, Step, Work};
use crate::ops::{AvgPool2d, Elementwise, ElementwiseFunction, MaxPool2d, Op};
use crate::target::CostTable;

/// A kind of work with what it counts as: multiply-accumulates, elements, calls.
type Kind = (&'static str, [f64; 3]);

/// The kinds, numbered as [`Counts`] has them. A convolution's product costs 1.1 instructions on a Cortex-M4 by
/// its assembly, a depthwise one 8 in plain loops. The last three were fitted apart, the others held, to 60 networks
/// of all operators, where the median error is 9 % and the worst 32 %; clamps and copies by themselves, whose ratio is
/// counted in the code, came out at 0.19 there.
const KINDS: [Kind; 13] = [
    ("product in fours", [1.0, 0.0, 0.0]),
    ("other product", [1.32, 0.0, 0.0]),
    ("depthwise product", [7.12, 0.0, 0.0]),
    ("tap of a pool", [5.52, 0.0, 0.0]),
    ("run", [0.0, 0.042, 0.0]),
    ("run of a single channel", [0.0, 0.065, 0.0]),
    ("output of a layer with weights", [0.0, 1.0, 0.0]),
    ("sum", [0.0, 0.24, 0.0]),
    ("clamp or copy", [0.0, 0.2, 0.0]),
    ("call", [0.0, 0.0, 1.0]),
    ("product of elements", [0.0, 0.42, 0.0]),
    ("requantization", [0.0, 0.19, 0.0]),
    ("look-up", [0.0, 0.13, 0.0]),
];

/// Output channels that a run of activations meets at once, and elements that an instruction pair takes.
const FOUR: usize = 4;

/// Cycles of a Cortex-M4 for each piece of the schedules in assembly, which other cores scale by what they take for
/// a product. Fitted to 35 layers, whose cycles were counted instruction by instruction by Arm's table of timings (zero
/// wait states); the worst of them is off by 2.0 %. Windows and pools were fitted to 42 and 96 calls by themselves, of
/// which half are within 0.9 % and 2.9 %, the worst 5.5 % and 9.5 % off, before what means and maxima share was rounded
/// between them. Endings of other than rectified outputs and sums are counted in their code; what a sum of a tile costs
/// besides is the mean of a ResNet-8's 336.
const WORK: [(Work, &str, f64); Work::ALL.len()] = [
    (Work::Tile, "tile", 48.5),
    (Work::PairRelu, "pair of filters, rectified", 73.7),
    (Work::PairSigned, "pair of filters, signed", 92.1),
    (Work::PairGeneral, "pair of filters, general", 170.0),
    (Work::Group, "group of a pair", 35.75),
    (Work::Window, "window", 18.5),
    (Work::Row, "row of a window", 12.8),
    (Work::ClippedRow, "clipped row of a window", 30.1),
    (Work::PackedGroup, "packed group", 10.7),
    (Work::ZeroGroup, "group of zeros", 3.7),
    (Work::PackedElement, "packed element", 6.2),
    (Work::Zero, "zero", 1.0),
    (Work::Planes, "four planes", 92.0),
    (Work::PixelRow, "row of four planes", 18.0),
    (Work::Pixels, "pixels of four planes", 23.0),
    (Work::PlaneElement, "element of a plane", 9.3),
    (Work::Plane, "plane", 110.4),
    (Work::PlaneRow, "row of a plane", 15.6),
    (Work::Outputs, "pair of depthwise outputs", 36.9),
    (Work::WideOutputs, "pair of depthwise outputs of stride 2", 43.0),
    (Work::Output, "depthwise output", 24.1),
    (Work::Windows, "plane of any window", 120.0),
    (Work::WindowsWeight, "widened depthwise weight", 3.15),
    (Work::WindowsRow, "row of windows", 13.2),
    (Work::Block, "block of depthwise outputs", 34.6),
    (Work::HalfBlock, "half a block of depthwise outputs", 25.5),
    (Work::BlockRow, "row of a block", 5.7),
    (Work::BlockStep, "step of a block's row", 1.12),
    (Work::SignedOutput, "signed output", 2.0),
    (Work::GeneralOutput, "general output", 12.0),
    (Work::Pool, "output of a pool", 105.0),
    (Work::MaxWord, "greatest of four channels", 9.0),
    (Work::MaxSingle, "greatest of a channel", 15.0),
    (Work::MeanWord, "mean of four channels", 71.0),
    (Work::MeanSingle, "mean of a channel", 18.0),
    (Work::PoolRow, "row of a pool's window", 5.4),
    (Work::PoolTap, "tap of a pool in assembly", 8.0),
    (Work::Dense, "dense layer in assembly", 30.0),
    (Work::DenseQuad, "four filters of a dense layer", 71.0),
    (Work::DenseGroup, "group of four filters", 26.5),
    (Work::Sum, "sum in assembly", 13.0),
    (Work::ScaledSum, "scaled sum in assembly", 8.0),
    (Work::Strip, "sum of a tile", 80.0),
];

/// Cycles that the target of [`WORK`] takes for a product.
const M4_PRODUCT: f64 = 1.41;

/// How often each of [`KINDS`], then of [`WORK`].
type Counts = [f64; KINDS.len() + WORK.len()];

/// No work.
const NONE: Counts = [0.0; KINDS.len() + WORK.len()];

/// How much of each kind a program does, with the kind's name.
pub fn work(graph: &Graph, program: &Program) -> Vec<(&'static str, f64)> {
    let names = KINDS.iter().map(|(name, _)| *name).chain(WORK.iter().map(|(_, name, _)| *name));
    names.zip(counts(graph, program)).collect()
}

fn counts(graph: &Graph, program: &Program) -> Counts {
    let order = graph.order();
    let mut counts = NONE;
    program.steps.iter().for_each(|step| count(&mut counts, (graph, &order), program, step));
    counts
}

/// Adds what a step does.
fn count(counts: &mut Counts, (graph, order): (&Graph, &[NodeId]), program: &Program, step: &Step) {
    if !step.work.is_empty() {
        for &(work, count) in &step.work {
            let at = WORK.iter().position(|&(known, ..)| known == work);
            counts[KINDS.len() + at.expect("every piece has its cycles")] += count as f64;
        }
        return;
    }
    let outputs: usize = step.writes.iter().map(|id| program.buffers[id.0 as usize].len).sum();
    let node = order.get(step.node).filter(|_| step.op != "copy").copied();
    match node.map(|node| (node, &graph.node(node).op)) {
        Some((node, Op::Conv2d(conv))) => {
            let [rows, columns] = conv.window.kernel;
            let [_, _, _, channels] = graph.input_types(node)[0].shape.nhwc().unwrap_or_default();
            let run = if conv.window.dilation[1] == 1 { columns * channels } else { channels };
            let filters = graph.ty(node).shape.0.last().copied().unwrap_or(1);
            products(counts, step.macs, outputs, (rows, run, filters));
        }
        Some((node, Op::TransposeConv2d(conv))) => {
            let taps = [0, 1].map(|axis| conv.window.kernel[axis].div_ceil(conv.window.stride[axis]));
            let [channels, filters] = [graph.input_types(node)[0], graph.ty(node)]
                .map(|ty| ty.shape.0.last().copied().unwrap_or(1));
            products(counts, step.macs, outputs, (taps[0], taps[1] * channels, filters));
        }
        Some((node, Op::Dense(_))) => {
            let [features, units] = [graph.input_types(node)[0], graph.ty(node)]
                .map(|ty| ty.shape.0.last().copied().unwrap_or(1));
            products(counts, step.macs, outputs, (1, features, units));
        }
        Some((_, Op::DepthwiseConv2d(_))) => {
            counts[2] += step.macs as f64;
            counts[6] += outputs as f64;
        }
        Some((_, Op::AvgPool2d(AvgPool2d { window, .. }) | Op::MaxPool2d(MaxPool2d { window, .. }))) => {
            counts[3] += (outputs * window.kernel[0] * window.kernel[1]) as f64;
        }
        // Four products for each output.
        Some((_, Op::ResizeBilinear(_))) => counts[3] += 4.0 * outputs as f64,
        Some((_, Op::Elementwise(Elementwise { function, .. }))) => {
            let is_sum = matches!(function, ElementwiseFunction::Add | ElementwiseFunction::Sub);
            counts[if is_sum { 7 } else { 10 }] += outputs as f64;
        }
        Some((_, Op::Add(_))) => counts[7] += outputs as f64,
        Some((_, Op::Mul(_))) => counts[10] += outputs as f64,
        Some((_, Op::Requantize(_))) => counts[11] += outputs as f64,
        Some((_, Op::Curve(_) | Op::Lookup(_))) => counts[12] += outputs as f64,
        Some(_) | None => counts[8] += outputs as f64,
    }
    counts[9] += step.calls.len() as f64;
}

/// Dot products: for each output, `rows` runs of `run` elements.
fn products(counts: &mut Counts, macs: u64, outputs: usize, (rows, run, filters): (usize, usize, usize)) {
    let rest = (run % FOUR) as f64 / run.max(1) as f64;
    counts[0] += macs as f64 * (1.0 - rest);
    counts[1] += macs as f64 * rest;
    let single = (filters % FOUR) as f64 / filters.max(1) as f64;
    let runs = (outputs * rows) as f64;
    counts[4] += runs * (1.0 - single);
    counts[5] += runs * single;
    counts[6] += outputs as f64;
}

/// Cycles of one run.
pub(super) fn cycles(graph: &Graph, program: &Program, cost: &CostTable) -> u64 {
    total(&counts(graph, program), cost)
}

/// Cycles of each step by itself. Each is what the run up to its end takes more than up to its start, so that together
/// they are those of the run.
pub fn step_cycles(graph: &Graph, program: &Program, cost: &CostTable) -> Vec<u64> {
    let order = graph.order();
    let (mut counts, mut before) = (NONE, 0);
    let of_step = |step: &Step| {
        count(&mut counts, (graph, &order), program, step);
        let now = total(&counts, cost);
        let own = now.saturating_sub(before);
        before = now;
        own
    };
    program.steps.iter().map(of_step).collect()
}

fn total(counts: &Counts, cost: &CostTable) -> u64 {
    let figures = [cost.cycles_per_mac, cost.cycles_per_element, cost.cycles_per_call];
    let unit =
        |kind: &Kind| -> f64 { kind.1.iter().zip(figures).map(|(share, cycles)| share * cycles).sum() };
    let units =
        KINDS.iter().map(unit).chain(WORK.iter().map(|(.., cycles)| cycles / M4_PRODUCT * figures[0]));
    let total: f64 = counts.iter().zip(units).map(|(count, unit)| count * unit).sum();
    total.round() as u64
}
