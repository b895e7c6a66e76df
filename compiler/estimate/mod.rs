//! What a network costs on a target, without running it.
//!
//! In: an integer graph, with or without its constants, and a target. Out: a [`Deployment`]: the lowered program
//! in the planned order, the plan, and the [`Estimate`]. RAM and the bytes of tables are exact; code size and
//! cycles are models, named as such in every report.

mod alternatives;
mod choice;
mod code;
mod cycles;

use serde::{Deserialize, Serialize};

use crate::graph::Graph;
use crate::kernel::{self, Choice, Program, Role};
use crate::plan::{self, Effort, Plan};
use crate::target::{Isa, Target};

pub use choice::{Limits, choose};
pub use code::{padding, percent, terms};
pub use cycles::{step_cycles, work};

#[cfg(test)]
pub(crate) mod tests;

/// What a network costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Arena, context and static data: what the linked bundle takes of RAM without stack. Exact.
    pub ram_bytes: u64,
    /// Input, output, intermediate tensors and scratch, that of the front end too. Exact.
    pub arena_bytes: u64,
    /// No plan of the named family needs less.
    pub lower_bound_bytes: u64,
    /// Whether the plan is proved to be the best of the family.
    pub optimal: bool,
    /// What the plan was chosen from.
    pub family: String,
    /// Tables and code. An upper bound, not exact: compilers differ.
    pub flash_bytes: u64,
    /// Weights, biases, requantization tables and those of the front end. Exact.
    pub weights_bytes: u64,
    /// Code, and the padding between tables. A bound.
    pub code_bytes: u64,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Clock cycles of front end and network, by the target's cost table.
    pub cycles: u64,
    /// Seconds for one inference at the target's clock.
    pub latency_seconds: f64,
    /// Joules for one inference; `None` where the target's power is not known.
    pub energy_joules: Option<f64>,
}

/// What a front end costs besides the network; `emit` knows it, since it has the texts. No front end costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrontEndCost {
    /// Constant tables. Exact.
    pub table_bytes: u64,
    /// Code. A bound.
    pub code_bytes: u64,
    /// State in the context besides its pointer to the arena. Exact.
    pub context_bytes: u64,
    /// Bytes from the start of the arena that are used before the input is written. Exact.
    pub scratch_bytes: u64,
    /// Clock cycles for one sample, estimated. Those of a sample that is only standardised are not counted.
    pub cycles: u64,
}

/// A network that is ready to be emitted.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its kernels, steps in the planned order.
    pub program: Program,
    /// Where its buffers lie.
    pub plan: Plan,
    /// The problem that the plan solves, for its text.
    pub problem: plan::Problem,
    /// What it costs.
    pub estimate: Estimate,
    /// What of that is the front end's.
    pub front_end: FrontEndCost,
    /// The schedules of its layers.
    pub choice: Choice,
    /// What it costs with fast schedules only, where [`choose`] took others.
    pub all_fast: Option<Estimate>,
}

/// Lowers, plans and costs an integer graph, every layer by its fast schedule. The front end, which no kernel sees, has
/// its scratch in the same arena: it is done before the network starts, so the arena is as large as the larger of the
/// two.
///
/// # Errors
/// Our bugs only: a graph that cannot be lowered, or a plan that its verifier refuses. The text says which.
pub fn deploy(
    graph: &Graph,
    target: &Target,
    front_end: FrontEndCost,
    effort: Effort,
) -> Result<Deployment, String> {
    deploy_with(graph, target, front_end, effort, &Choice::default())
}

/// As [`deploy`], by schedules that were chosen.
///
/// # Errors
/// As [`deploy`].
pub fn deploy_with(
    graph: &Graph,
    target: &Target,
    front_end: FrontEndCost,
    effort: Effort,
    choice: &Choice,
) -> Result<Deployment, String> {
    let program = kernel::lower_with(graph, target.isa, choice).map_err(|error| error.to_string())?;
    planned(graph, program, choice.clone(), (target, front_end), effort)
}

/// Plans and costs a program that was lowered by these schedules.
fn planned(
    graph: &Graph,
    mut program: Program,
    choice: Choice,
    (target, front_end): (&Target, FrontEndCost),
    effort: Effort,
) -> Result<Deployment, String> {
    let problem = problem(&program);
    let mut plan = plan::plan(&problem, effort);
    plan::verify(&problem, &plan).map_err(|error| format!("the memory plan is wrong: {error}"))?;
    program.steps = plan.order.iter().map(|&step| program.steps[step].clone()).collect();
    plan.make_room(front_end.scratch_bytes);
    let estimate = cost(graph, &program, &plan, target, &front_end);
    Ok(Deployment { program, plan, problem, estimate, front_end, choice, all_fast: None })
}

/// The planner's view of a program.
pub fn problem(program: &Program) -> plan::Problem {
    let id = |id: &kernel::BufferId| plan::BufferId(id.0 as usize);
    let ids = |list: &[kernel::BufferId]| list.iter().map(id).collect();
    let buffers = program
        .buffers
        .iter()
        .map(|buffer| plan::Buffer {
            name: buffer.name.clone(),
            bytes: buffer.bytes(),
            align: buffer.align as u64,
            kind: match buffer.role {
                Role::Input => plan::BufferKind::Input,
                Role::Output => plan::BufferKind::Output,
                Role::Internal => plan::BufferKind::Internal,
                Role::Scratch => plan::BufferKind::Scratch,
            },
        })
        .collect();
    let steps = program
        .steps
        .iter()
        .map(|step| plan::Step {
            name: step.name.clone(),
            reads: ids(&step.reads),
            writes: ids(&step.writes),
            scratch: ids(&step.scratch),
            overlaps: step
                .overlaps
                .iter()
                .map(|overlap| plan::Overlap {
                    read: id(&overlap.read),
                    written: id(&overlap.written),
                    safe: overlap.safe.iter().map(|&(low, high)| plan::Interval { low, high }).collect(),
                })
                .collect(),
        })
        .collect();
    plan::Problem { buffers, steps }
}

/// Bytes of the context that `<name>_init` fills: a pointer and the front end's state.
pub fn context_bytes(isa: Isa, front_end: &FrontEndCost) -> u64 {
    (isa.pointer_bytes() + front_end.context_bytes).next_multiple_of(isa.pointer_bytes())
}

/// Bytes of tables and of code.
fn flash(program: &Program, isa: Isa, front_end: &FrontEndCost) -> [u64; 2] {
    let tables = program.table_bytes() + front_end.table_bytes;
    [tables, code::bound(program, isa) + front_end.code_bytes]
}

fn cost(
    graph: &Graph,
    program: &Program,
    plan: &Plan,
    target: &Target,
    front_end: &FrontEndCost,
) -> Estimate {
    let [weights_bytes, code_bytes] = flash(program, target.isa, front_end);
    let cycles = cycles::cycles(graph, program, &target.cost) + front_end.cycles;
    let latency_seconds = cycles as f64 / target.clock.0.max(1) as f64;
    Estimate {
        ram_bytes: plan.arena_bytes + context_bytes(target.isa, front_end),
        arena_bytes: plan.arena_bytes,
        lower_bound_bytes: plan.certificate.lower_bound,
        optimal: plan.certificate.optimal,
        family: plan.certificate.family.clone(),
        flash_bytes: weights_bytes + code_bytes,
        weights_bytes,
        code_bytes,
        macs: graph.macs().0,
        cycles,
        latency_seconds,
        energy_joules: target.active_milliwatts.map(|power| power * 1e-3 * latency_seconds),
    }
}
