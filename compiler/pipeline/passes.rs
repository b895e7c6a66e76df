//! From a training graph to a deployment, with a verifier between the passes.

use crate::estimate::{self, Deployment, Estimate, FrontEndCost, Limits};
use crate::graph::{Graph, Weights};
use crate::ops::Op;
use crate::plan::Effort;
use crate::quantize;
use crate::rewrite::{self, DeploymentCost, Exactness, Explanation, Rewritten};
use crate::target::Target;
use crate::tensor::{TensorType, Value};

/// A pass whose output `--emit ir:after=NAME` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The program: the space and every section, with defaults.
    Elaborate,
    /// The training graph.
    Instantiate,
    /// The deployment graph.
    RewriteFloat,
    /// The integer graph.
    Quantize,
    /// The integer graph, rewritten.
    RewriteInteger,
    /// The kernels.
    Kernel,
    /// The memory plan.
    Plan,
}

impl Stage {
    /// All stages in order, by the names that the command line takes.
    pub const ALL: [(&'static str, Stage); 7] = [
        ("elaborate", Stage::Elaborate),
        ("instantiate", Stage::Instantiate),
        ("rewrite-float", Stage::RewriteFloat),
        ("quantize", Stage::Quantize),
        ("rewrite-integer", Stage::RewriteInteger),
        ("kernel", Stage::Kernel),
        ("plan", Stage::Plan),
    ];
}

/// How hard the passes try.
#[derive(Clone, Copy, Debug)]
pub struct Passes {
    /// Of extraction and planning.
    pub effort: Effort,
}

/// Branches of the exact extraction in `Effort::Final`.
const EXACT_LIMIT: usize = 20_000;

/// Alternatives of extraction that are planned in `Effort::Final`.
const ALTERNATIVES: usize = 32;

/// Multiples of channels that are tried where constant channels go: kernels in assembly take two or four at a time.
const GRANULES: [usize; 3] = [1, 2, 4];

impl Passes {
    fn exactness(self) -> Exactness {
        match self.effort {
            Effort::Search => Exactness::Greedy,
            Effort::Final => Exactness::Exact { limit: EXACT_LIMIT },
        }
    }

    /// The deployment graph of a training graph.
    pub fn float(self, graph: &Graph) -> Rewritten {
        let rewritten = checked("rewrite-float", rewrite::float(graph, &LayerCost, self.exactness()));
        let left = rewrite::without_batch_norms(&rewritten.graph, &LayerCost, self.exactness());
        match checked("rewrite-float", left) {
            Some(last) => Rewritten {
                cost_before: rewritten.cost_before,
                explanations: [rewritten.explanations, last.explanations].concat(),
                ..last
            },
            None => rewritten,
        }
    }

    /// The integer graph of an untrained candidate, for its costs.
    pub fn skeleton(self, graph: &Graph) -> Graph {
        self.skeleton_for(graph, &[])
    }

    /// The integer graph of an untrained candidate, as [`Passes::integer_for`] chooses it.
    pub fn skeleton_for(self, graph: &Graph, targets: &[(&Target, Limits)]) -> Graph {
        let deployment = self.float(graph).graph;
        let integer = checked("quantize", quantize::skeleton(&deployment));
        // Its rewriting verifies it first.
        self.integer_for(&integer, targets)
    }

    /// The integer graph of a trained network; `samples` give the ranges of its activations.
    ///
    /// # Errors
    /// When weights or activations are not finite.
    pub fn quantized(self, graph: &Graph, weights: &Weights, samples: &Value) -> Result<Graph, String> {
        Ok(self.integer(&self.unwritten(graph, weights, samples)?))
    }

    /// The same before its rewriting.
    ///
    /// # Errors
    /// As [`Passes::quantized`].
    pub(super) fn unwritten(
        self,
        graph: &Graph,
        weights: &Weights,
        samples: &Value,
    ) -> Result<Graph, String> {
        let deployment = self.float(graph).graph;
        let ranges = quantize::calibrate(&deployment, weights, samples).map_err(|error| error.to_string())?;
        let integer = quantize::quantize(&deployment, weights, &ranges).map_err(|error| error.to_string())?;
        checked("quantize", integer.verify());
        Ok(integer)
    }

    /// The integer graph after its rewriting.
    pub fn integer(self, graph: &Graph) -> Graph {
        self.integer_for(graph, &[])
    }

    /// The integer graph after its rewriting. In `Effort::Final`, of the cheapest and those that cost hardly more, it
    /// is the one that takes the least RAM on these targets together, then the fewest cycles, then the first.
    pub fn integer_for(self, graph: &Graph, targets: &[(&Target, Limits)]) -> Graph {
        self.integer_rewritten(graph, targets).graph
    }

    fn integer_rewritten(self, graph: &Graph, targets: &[(&Target, Limits)]) -> Rewritten {
        let most = match self.effort {
            Effort::Final if !targets.is_empty() => ALTERNATIVES,
            Effort::Final | Effort::Search => 0,
        };
        let all = rewrite::integer_alternatives(graph, &LayerCost, self.exactness(), most);
        let (first, others) = checked("rewrite-integer", all);
        if others.is_empty() {
            return first;
        }
        let quick = Passes { effort: Effort::Search };
        match quick.least(&first, &others, targets) {
            // What quick plans say of the two, the best ones have to confirm.
            Some(found) if self.least(&first, std::slice::from_ref(found), targets).is_some() => {
                found.clone()
            }
            Some(_) | None => first,
        }
    }

    /// Of the others the best on these targets, if there is one that is better than the first. It may take more flash
    /// or cycles only where limits are kept by that which the first exceeds, so that what a network was promised by its
    /// cheapest form holds.
    fn least<'r>(
        self,
        first: &Rewritten,
        others: &'r [Rewritten],
        targets: &[(&Target, Limits)],
    ) -> Option<&'r Rewritten> {
        let rank = |all: &[Estimate]| {
            let over = all.iter().zip(targets).filter(|(found, (_, limits))| !limits.hold(found)).count();
            let sum = |of: fn(&Estimate) -> u64| all.iter().map(of).sum::<u64>();
            (over, sum(|found| found.ram_bytes), sum(|found| found.cycles))
        };
        let given = self.estimates(&first.graph, targets)?;
        let (mut best, mut least) = (None, rank(&given));
        for other in others {
            let Some(found) = self.estimates(&other.graph, targets) else { continue };
            let is_no_dearer = |(new, old): (&Estimate, &Estimate)| {
                new.flash_bytes <= old.flash_bytes && new.cycles <= old.cycles
            };
            let is_allowed = rank(&found).0 < rank(&given).0 || found.iter().zip(&given).all(is_no_dearer);
            if is_allowed && rank(&found) < least {
                (best, least) = (Some(other), rank(&found));
            }
        }
        best
    }

    /// What an integer graph costs on each of these targets, by the schedules that its limits call for; `None` where it
    /// cannot be lowered.
    fn estimates(self, graph: &Graph, targets: &[(&Target, Limits)]) -> Option<Vec<Estimate>> {
        let estimate = |(target, limits): &(&Target, Limits)| {
            let deployment = self.choose(graph, target, FrontEndCost::default(), limits).ok()?;
            Some(deployment.estimate)
        };
        targets.iter().map(estimate).collect()
    }

    /// An integer graph without channels that are known before the network runs, if on each of these targets, by the
    /// schedules that its limits call for, that takes no more RAM, flash and cycles: for fewer channels a layer may need
    /// a kernel that is slower or larger.
    pub fn without_constant_channels(self, graph: Graph, targets: &[(&Target, Limits)]) -> Graph {
        let figures = |graph: &Graph| -> Option<Vec<[u64; 3]>> {
            let all = self.estimates(graph, targets)?;
            Some(all.iter().map(|found| [found.ram_bytes, found.flash_bytes, found.cycles]).collect())
        };
        let mut given = None;
        let mut best: Option<(u64, Graph)> = None;
        for granule in GRANULES {
            let fewer = rewrite::without_constant_channels(&graph, granule, &LayerCost, self.exactness());
            let Some(Rewritten { graph: fewer, .. }) = checked("rewrite-integer", fewer) else {
                continue;
            };
            let given = given.get_or_insert_with(|| figures(&graph));
            let (Some(given), Some(found)) = (given, figures(&fewer)) else {
                continue;
            };
            let bytes = found.iter().map(|[ram, flash, _]| ram + flash).sum();
            let is_no_worse = found.iter().flatten().zip(given.iter().flatten()).all(|(new, old)| new <= old);
            if is_no_worse && best.as_ref().is_none_or(|(least, _)| bytes < *least) {
                best = Some((bytes, fewer));
            }
        }
        best.map_or(graph, |(_, fewer)| fewer)
    }

    /// Why layers of an untrained graph are computed otherwise than they were written, by the name of the pass; what needs
    /// weights to be known is not among it.
    pub fn explanations(
        self,
        graph: &Graph,
        targets: &[(&Target, Limits)],
    ) -> Vec<(&'static str, Explanation)> {
        let float = self.float(graph);
        let skeleton = checked("quantize", quantize::skeleton(&float.graph));
        let integer = self.integer_explanations(&skeleton, targets);
        let named = |pass: &'static str, all: Vec<Explanation>| all.into_iter().map(move |one| (pass, one));
        let float = named("rewrite-float", float.explanations);
        float.chain(named("rewrite-integer", integer)).collect()
    }

    /// An integer graph after its rewriting as text, with what was done.
    pub fn integer_text(self, graph: &Graph, targets: &[(&Target, Limits)]) -> String {
        explained(&self.integer_rewritten(graph, targets))
    }

    /// Why layers of an integer graph are computed otherwise than they were written.
    pub fn integer_explanations(self, graph: &Graph, targets: &[(&Target, Limits)]) -> Vec<Explanation> {
        self.integer_rewritten(graph, targets).explanations
    }

    /// Kernels, plan and costs of an integer graph, by the schedules that limits call for.
    ///
    /// # Errors
    /// As [`Passes::deploy`].
    pub fn choose(
        self,
        graph: &Graph,
        target: &Target,
        front_end: FrontEndCost,
        limits: &Limits,
    ) -> Result<Deployment, String> {
        estimate::choose(graph, target, front_end, self.effort, limits)
    }

    /// Kernels, plan and costs of an integer graph, every layer by its fast schedule.
    ///
    /// # Errors
    /// When a layer's sums may not fit 32 bits, which no skeleton has and hardly any trained network.
    pub fn deploy(
        self,
        graph: &Graph,
        target: &Target,
        front_end: FrontEndCost,
    ) -> Result<Deployment, String> {
        estimate::deploy(graph, target, front_end, self.effort)
    }
}

/// A failure of a pass on what the pass before it made is our bug, never the user's.
fn checked<T, E: std::fmt::Display>(pass: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("internal error in pass `{pass}`: {error}"),
    }
}

/// What extraction minimises: about the cycles of a layer on any core.
pub(super) struct LayerCost;

impl DeploymentCost for LayerCost {
    fn node(&self, op: &Op, inputs: &[&TensorType], output: &TensorType) -> u64 {
        const MAC: u64 = 2;
        const ELEMENT: u64 = 10;
        const LAYER: u64 = 60;
        let elements = output.shape.elements() as u64;
        match op {
            Op::BatchNorm(_) | Op::Dropout(_) => u64::MAX / 4,
            Op::Reshape(_) => 1,
            Op::AvgPool2d(_) | Op::MaxPool2d(_) => {
                LAYER
                    + ELEMENT * elements
                    + MAC * inputs.iter().map(|x| x.shape.elements() as u64).sum::<u64>()
            }
            Op::Conv2d(_)
            | Op::DepthwiseConv2d(_)
            | Op::Dense(_)
            | Op::Activation(_)
            | Op::Add(_)
            | Op::Mul(_)
            | Op::Concat(_)
            | Op::Pad(_)
            | Op::Curve(_)
            | Op::Upsample2d(_)
            | Op::Requantize(_)
            | Op::Softmax(_)
            | Op::Squash(_)
            | Op::Slice(_)
            | Op::Mean(_)
            | Op::Elementwise(_)
            | Op::Lookup(_)
            | Op::ResizeBilinear(_)
            | Op::Transpose(_)
            | Op::TransposeConv2d(_)
            | Op::Input(_)
            | Op::Param(_)
            | Op::Constant(_)
            | Op::FoldWeight(_)
            | Op::FoldBias(_) => LAYER + ELEMENT * elements + MAC * op.macs(inputs, output).0,
        }
    }
}

impl Passes {
    /// The text of one stage on the way of an untrained graph to its kernels and plan.
    pub fn text(self, graph: &Graph, target: &Target, front_end: FrontEndCost, stage: Stage) -> String {
        let float = || self.float(graph).graph;
        let quantized = || checked("quantize", quantize::skeleton(&float()));
        let integer = || self.integer_rewritten(&quantized(), &[(target, Limits::default())]);
        let deployed = || checked("kernel", self.deploy(&integer().graph, target, front_end));
        match stage {
            // Before there is a graph: the caller has the program.
            Stage::Elaborate => String::new(),
            Stage::Instantiate => graph.to_text_with_labels(),
            Stage::RewriteFloat => explained(&self.float(graph)),
            Stage::Quantize => quantized().to_text_with_labels(),
            Stage::RewriteInteger => explained(&integer()),
            Stage::Kernel => deployed().program.to_text(),
            Stage::Plan => {
                let deployment = deployed();
                deployment.plan.to_text(&deployment.problem)
            }
        }
    }
}

/// A graph, and below it why layers are computed otherwise than they were written.
fn explained(rewritten: &Rewritten) -> String {
    let lines = rewritten.explanations.iter().map(|explanation| format!("// {explanation}\n"));
    let text = rewritten.graph.to_text_with_labels();
    std::iter::once(text).chain(lines).collect()
}
