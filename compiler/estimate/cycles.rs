//! Cycles by a target's cost table.
//!
//! In: an integer graph, its program and three figures of a target. Out: cycles. What a layer does is counted in
//! kinds ([`work`]), and each kind in multiply-accumulates, elements or calls by a ratio that holds for all targets
//! of a family. Ratios and figures were fitted to instruction counts by `cargo bench --bench code_size`.

use crate::graph::Graph;
use crate::kernel::Program;
use crate::ops::Op;
use crate::target::CostTable;

/// A kind of work with what it counts as: multiply-accumulates, elements, calls.
type Kind = (&'static str, [f64; 3]);

/// The kinds in the order of [`work`].
const KINDS: [Kind; 8] = [
    ("dot product", [1.0, 0.0, 0.0]),
    ("depthwise product", [1.0, 0.0, 0.0]),
    ("tap of a pool", [1.0, 0.0, 0.0]),
    ("run of a dot product", [0.0, 1.0, 0.0]),
    ("output of a layer with weights", [0.0, 1.0, 0.0]),
    ("sum", [0.0, 1.0, 0.0]),
    ("other output", [0.0, 1.0, 0.0]),
    ("call", [0.0, 0.0, 1.0]),
];

/// How much of each kind a program does, with the kind's name.
pub fn work(graph: &Graph, program: &Program) -> Vec<(&'static str, f64)> {
    let order = graph.order();
    let mut work = [0.0; KINDS.len()];
    for step in &program.steps {
        let outputs: usize = step.writes.iter().map(|id| program.buffers[id.0 as usize].len).sum();
        let (outputs, macs) = (outputs as f64, step.macs as f64);
        let area = |window: &crate::ops::Window| (window.kernel[0] * window.kernel[1]) as f64;
        let op = order.get(step.node).filter(|_| step.op != "copy").map(|&node| &graph.node(node).op);
        match op {
            Some(Op::Conv2d(conv)) => {
                work[0] += macs;
                work[3] += outputs * conv.window.kernel[0] as f64;
                work[4] += outputs;
            }
            Some(Op::Dense(_)) => {
                work[0] += macs;
                work[3] += outputs;
                work[4] += outputs;
            }
            Some(Op::DepthwiseConv2d(_)) => {
                work[1] += macs;
                work[4] += outputs;
            }
            Some(Op::AvgPool2d(pool)) => {
                work[2] += outputs * area(&pool.window);
                work[6] += outputs;
            }
            Some(Op::MaxPool2d(pool)) => {
                work[2] += outputs * area(&pool.window);
                work[6] += outputs;
            }
            Some(Op::Add(_)) => work[5] += outputs,
            Some(_) | None => work[6] += outputs,
        }
        work[7] += step.calls.len() as f64;
    }
    KINDS.iter().map(|(name, _)| *name).zip(work).collect()
}

/// Cycles of one run.
pub(super) fn cycles(graph: &Graph, program: &Program, cost: &CostTable) -> u64 {
    let figures = [cost.cycles_per_mac, cost.cycles_per_element, cost.cycles_per_call];
    let unit =
        |kind: &Kind| -> f64 { kind.1.iter().zip(figures).map(|(share, cycles)| share * cycles).sum() };
    let work = work(graph, program);
    let total: f64 = work.iter().zip(&KINDS).map(|((_, count), kind)| count * unit(kind)).sum();
    total.round() as u64
}
