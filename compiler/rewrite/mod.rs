//! Equality saturation: what a graph can be replaced by, and the cheapest of it.
//!
//! In: a verified graph and the cost of each operator, which `pipeline` supplies. Out: a graph that computes the
//! same function and costs no more: [`float`] to rounding (training graph to deployment graph, symbolic, no
//! weights needed), [`integer`] bit for bit. Rules are tables by theme under `rules/`, directional, so that
//! saturation is quick; egg is bounded by nodes and iterations and never by time, and why it stopped is reported.
//!
//! Not done here: costs that depend on the order of operators (the plan; [`integer_alternatives`] gives it something to
//! choose from), layouts (the plan), weights.

mod analysis;
mod classes;
mod convert;
mod direct;
mod extract;
mod history;
mod language;
mod normalise;
mod rules;

use std::time::Duration;

use egg::{Runner, SimpleScheduler};
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, NodeId, VerifyError};
use crate::ops::Op;
use crate::rewrite::analysis::Facts;
use crate::rewrite::classes::Classes;
use crate::rewrite::rules::{Rule, constant_channels};
use crate::tensor::TensorType;

pub use extract::Exactness;
use extract::Selection;

/// Rounds of rule application. Every rule is directional, so real graphs saturate in fewer than ten.
const ITERATION_LIMIT: usize = 30;
/// Terms of the smallest e-graph that stops saturation; it grows with the graph.
const NODE_LIMIT: usize = 4_000;
/// Terms that saturation may make of each node of the graph.
const NODE_LIMIT_PER_NODE: usize = 24;

/// What an operator costs once it is deployed; what extraction minimises is the sum over operators.
pub trait DeploymentCost {
    /// The cost of one operator on inputs of these types, in a unit of the caller's choice. Sums saturate, so
    /// `u64::MAX` marks what cannot be deployed (a batch normalisation that stays). It is not asked for inputs,
    /// parameters, constants, [`Op::FoldWeight`] and [`Op::FoldBias`], which are known before the network runs
    /// and are free.
    fn node(&self, op: &Op, inputs: &[&TensorType], output: &TensorType) -> u64;
}

/// Multiply-accumulates, and an element read or written counts as one as well.
#[derive(Clone, Copy, Debug, Default)]
pub struct MacsCost;

impl DeploymentCost for MacsCost {
    fn node(&self, op: &Op, inputs: &[&TensorType], output: &TensorType) -> u64 {
        let moved: usize = match op {
            Op::Reshape(_) => 0,
            _ => inputs.iter().map(|input| input.shape.elements()).sum::<usize>() + output.shape.elements(),
        };
        op.macs(inputs, output).0.saturating_add(moved as u64)
    }
}

/// Why saturation stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// No rule had anything to add.
    Saturated,
    /// After this many rounds.
    IterationLimit(usize),
    /// At this many terms.
    NodeLimit(usize),
}

/// A rewritten graph and how it came to be.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The graph; it verifies.
    pub graph: Graph,
    /// Rounds of rule application.
    pub iterations: usize,
    /// Terms at the end, attributes apart.
    pub nodes: usize,
    /// Why saturation stopped.
    pub stop: StopReason,
    /// Names of the rules that added something, in the order of the tables, with how often they did. A rule
    /// counts whether extraction chose what it added or not.
    pub applied: Vec<(String, usize)>,
    /// Why layers are computed otherwise than they were written, in the order of the graph that was given.
    pub explanations: Vec<Explanation>,
    /// The sum of costs of the graph that was given.
    pub cost_before: u64,
    /// The sum of costs of `graph`; never above `cost_before`.
    pub cost_after: u64,
    /// Whether nothing in the e-graph is cheaper: proved by [`Exactness::Exact`] within its limit.
    pub proved: bool,
}

/// Why a layer is computed otherwise than it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The label of what computes it now.
    pub layer: String,
    /// The label of what it was.
    pub written: String,
    /// The rules that led there, the first one first.
    pub rules: Vec<String>,
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Explanation { layer, written, rules } = self;
        write!(f, "{layer} computes {written}: {}", rules.join(", "))
    }
}

/// Rewrites a float graph: batch normalisations fold into parameters, activations into clamps.
///
/// # Errors
/// When the graph does not verify, or a rule made one that does not: either is a bug.
pub fn float(
    graph: &Graph,
    cost: &dyn DeploymentCost,
    exactness: Exactness,
) -> Result<Rewritten, VerifyError> {
    rewrite(graph, Theme::Float, cost, exactness)
}

/// A float graph that can be quantized, of one that [`float`] rewrote: batch normalisations that could not be folded
/// become depthwise convolutions, which then take in the activations after them. `None` if there are none.
///
/// # Errors
/// As [`float`].
pub fn without_batch_norms(
    graph: &Graph,
    cost: &dyn DeploymentCost,
    exactness: Exactness,
) -> Result<Option<Rewritten>, VerifyError> {
    if !normalise::has_batch_norm(graph) {
        return Ok(None);
    }
    graph.verify()?;
    float(&normalise::batch_norms_as_convolutions(graph)?, cost, exactness).map(Some)
}

/// Rewrites an integer graph without changing a bit of its outputs.
///
/// # Errors
/// When the graph does not verify, or a rule made one that does not: either is a bug.
pub fn integer(
    graph: &Graph,
    cost: &dyn DeploymentCost,
    exactness: Exactness,
) -> Result<Rewritten, VerifyError> {
    rewrite(graph, Theme::Integer, cost, exactness)
}

/// As [`integer`], and with it graphs that compute one thing otherwise and cost hardly more, at most so many, cheapest
/// first: of graphs with equal costs one may need less memory, which only the plan tells.
///
/// # Errors
/// As [`integer`].
pub fn integer_alternatives(
    graph: &Graph,
    cost: &dyn DeploymentCost,
    exactness: Exactness,
    most: usize,
) -> Result<(Rewritten, Vec<Rewritten>), VerifyError> {
    rewrite_near(graph, Theme::Integer, cost, exactness, most)
}

/// An integer graph without channels whose value is known, as those of filters of zeros; not a bit of its outputs
/// changes. What has a multiple of `granule` channels keeps one, since some kernels work on several channels at once.
/// `None` if there are none. Kernels for fewer channels can be other kernels and larger, which only the plan tells.
///
/// # Errors
/// As [`integer`].
pub fn without_constant_channels(
    graph: &Graph,
    granule: usize,
    cost: &dyn DeploymentCost,
    exactness: Exactness,
) -> Result<Option<Rewritten>, VerifyError> {
    graph.verify()?;
    let Some(dropped) = constant_channels::drop_channels(graph, granule.max(1)) else {
        return Ok(None);
    };
    let mut rewritten = integer(&dropped.graph, cost, exactness)?;
    rewritten.applied.insert(0, (constant_channels::NAME.to_string(), dropped.layers.len()));
    rewritten.cost_before = total(graph, cost);
    Ok(Some(rewritten))
}

fn rewrite(
    graph: &Graph,
    theme: Theme,
    cost: &dyn DeploymentCost,
    exactness: Exactness,
) -> Result<Rewritten, VerifyError> {
    rewrite_near(graph, theme, cost, exactness, 0).map(|(first, _)| first)
}

/// The cheapest graph, and at most so many that are hardly dearer.
fn rewrite_near(
    graph: &Graph,
    theme: Theme,
    cost: &dyn DeploymentCost,
    exactness: Exactness,
    most: usize,
) -> Result<(Rewritten, Vec<Rewritten>), VerifyError> {
    graph.verify()?;
    let (classes, run) = direct::saturate(graph, theme).unwrap_or_else(|| saturate(graph, theme.rules()));
    let cost_before = total(graph, cost);
    if convert::is_itself(graph, &classes) {
        // There is nothing to choose from, and the graph is verified already.
        let itself = Rewritten {
            graph: graph.clone(),
            iterations: run.iterations,
            nodes: run.nodes,
            stop: run.stop,
            applied: run.applied,
            explanations: Vec::new(),
            cost_before,
            cost_after: cost_before,
            proved: matches!(exactness, Exactness::Exact { .. }),
        };
        return Ok((itself, Vec::new()));
    }
    let choices = convert::choices(&classes, cost);
    let selection = extract::extract(&choices.problem, &choices.given, exactness);
    let decoded = |selection: &Selection| -> Result<Rewritten, VerifyError> {
        let (rewritten, chosen) = convert::decode(graph, &classes, &choices, selection);
        rewritten.verify()?;
        let explanations = match exactness {
            Exactness::Greedy => Vec::new(),
            Exactness::Exact { .. } => history::explanations(graph, &rewritten, &classes, &chosen),
        };
        Ok(Rewritten {
            graph: rewritten,
            iterations: run.iterations,
            nodes: run.nodes,
            stop: run.stop,
            applied: run.applied.clone(),
            explanations,
            cost_before,
            cost_after: selection.cost.deployment,
            proved: selection.proved,
        })
    };
    let others = extract::near(&choices.problem, &selection, most);
    let others = others.iter().map(&decoded).collect::<Result<_, _>>()?;
    Ok((decoded(&selection)?, others))
}

/// The sum of costs of a graph.
fn total(graph: &Graph, cost: &dyn DeploymentCost) -> u64 {
    let costs = graph.order().into_iter().map(|node| own_cost(graph, node, cost));
    costs.fold(0, u64::saturating_add)
}

/// The cost of one node of a graph.
fn own_cost(graph: &Graph, node: NodeId, cost: &dyn DeploymentCost) -> u64 {
    let op = &graph.node(node).op;
    if runs(op) { cost.node(op, &graph.input_types(node), graph.ty(node)) } else { 0 }
}

/// Whether an operator is computed each time the network runs.
fn runs(op: &Op) -> bool {
    !matches!(op, Op::Input(_) | Op::Param(_) | Op::Constant(_) | Op::FoldWeight(_) | Op::FoldBias(_))
}

/// The tables of rules that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    Float,
    Integer,
}

impl Theme {
    fn rules(self) -> &'static [Rule] {
        match self {
            Theme::Float => rules::float(),
            Theme::Integer => rules::integer(),
        }
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        self.rules().iter().map(|rule| rule.name.as_str())
    }
}

/// How saturation went.
#[derive(Debug, PartialEq)]
struct Run {
    iterations: usize,
    nodes: usize,
    stop: StopReason,
    applied: Vec<(String, usize)>,
}

/// The classes of a graph under rules, by an e-graph.
fn saturate(graph: &Graph, rules: &[Rule]) -> (Classes<'static>, Run) {
    let mut encoded = convert::encode(graph);
    let node_limit = graph.len().saturating_mul(NODE_LIMIT_PER_NODE).saturating_add(NODE_LIMIT);
    let runner = Runner::<_, _, ()>::new(Facts::default())
        .with_egraph(std::mem::take(&mut encoded.terms))
        .with_scheduler(SimpleScheduler)
        .with_iter_limit(ITERATION_LIMIT)
        .with_node_limit(node_limit)
        .with_time_limit(Duration::MAX)
        .run(rules);
    let stop = match runner.stop_reason {
        Some(egg::StopReason::Saturated) => StopReason::Saturated,
        Some(egg::StopReason::IterationLimit(rounds)) => StopReason::IterationLimit(rounds),
        Some(egg::StopReason::NodeLimit(terms)) => StopReason::NodeLimit(terms),
        other => unreachable!("neither a time limit nor a hook is set, yet egg stopped with {other:?}"),
    };
    let count = |rule: &Rule| -> usize {
        runner.iterations.iter().filter_map(|iteration| iteration.applied.get(&rule.name)).sum()
    };
    let applied =
        rules.iter().map(|rule| (rule.name.to_string(), count(rule))).filter(|(_, n)| *n > 0).collect();
    let iterations = runner.iterations.len();
    encoded.terms = runner.egraph;
    let classes = Classes::new(&encoded);
    let run = Run { iterations, nodes: classes.n_members(), stop, applied };
    (classes, run)
}

#[cfg(test)]
mod tests;
