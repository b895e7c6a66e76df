//! What a space is like: its size, its bounds, and how much of it fits a target, by points that are drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::Serialize;

use crate::data::FrontEnd;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::{Metric, Program, Requirement};
use crate::graph::Graph;
use crate::pipeline::compile::Progress;
use crate::pipeline::figures::{self, amount_text, metric_word, violated};
use crate::pipeline::passes::Passes;
use crate::pipeline::prepare::assumed;
use crate::pipeline::study::front_end_cost;
use crate::plan::Effort;
use crate::report;
use crate::space;
use crate::target::Target;

/// How many points a space has.
#[derive(Clone, Debug, Serialize)]
pub struct Size {
    /// Digits of the number.
    pub points: String,
    /// Whether that is the number; else an upper bound of it, where counting would take too long.
    pub exact: bool,
}

/// What no network of a space leaves: the least and the greatest of each figure, before rewriting.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Multiply-accumulates.
    pub macs: [u64; 2],
    /// Bytes of int8 weights and int32 biases.
    pub weight_bytes: [u64; 2],
    /// Elements of the largest feature map.
    pub largest_map: [u64; 2],
}

impl Limits {
    pub(super) fn of(bounds: &space::Bounds) -> Limits {
        let ends = |interval: space::Interval| [interval.low, interval.high];
        Limits {
            macs: ends(bounds.macs),
            weight_bytes: ends(bounds.weight_bytes),
            largest_map: ends(bounds.largest_map),
        }
    }
}

/// Points of a space that fit a target.
#[derive(Clone, Debug, Serialize)]
pub struct Feasible {
    /// The target.
    pub target: String,
    /// How many were tried.
    pub tried: usize,
    /// How many of these fit.
    pub fitting: usize,
    /// Wilson interval of the share that fits, at 95 %.
    pub ci95: [f64; 2],
    /// Least and greatest RAM of the valid ones, in bytes.
    pub ram_bytes: [u64; 2],
    /// Least and greatest flash of the valid ones, in bytes.
    pub flash_bytes: [u64; 2],
    /// Least and greatest work of the valid ones.
    pub macs: [u64; 2],
}

/// Points that are drawn to see what the space is like, unless the caller says how many.
pub(super) const DRAWN: usize = 64;

/// Operators of all networks together that are planned and costed on one target, unless the caller says how many
/// networks are. Counted and not timed, so that the answer is the same everywhere.
const OPERATORS: usize = 800;

/// Operators and parameters of all networks together that are built, in the same sense.
const NODES: usize = 6_000;

/// Points that are made into networks at once: a number of its own, so that the number of threads does not show.
const CHUNK: usize = 8;

/// Points drawn from a space.
pub(super) struct Survey {
    /// How many were drawn.
    pub(super) drawn: usize,
    /// Of these, the ones that are networks.
    pub(super) valid: usize,
    /// The networks that are to be costed, each with what will stand before it.
    pub(super) graphs: Vec<(Graph, FrontEnd)>,
}

impl Survey {
    /// Draws points by the spec's seed; as many networks are kept as can be costed on so many targets in little time,
    /// unless `samples` says how many.
    ///
    /// # Errors
    /// E0404 if no point is allowed, or why none of those drawn is a network.
    pub(super) fn draw(
        program: &Program,
        samples: Option<usize>,
        n_targets: usize,
    ) -> Result<Survey, Box<Diagnostic>> {
        let wanted = samples.unwrap_or(DRAWN);
        let mut rng = ChaCha8Rng::seed_from_u64(program.search.seed);
        let mut graphs: Vec<(Graph, FrontEnd)> = Vec::new();
        let mut first_error = None;
        let mut nodes = 0;
        let mut drawn = 0;
        while drawn < wanted && (samples.is_some() || nodes < NODES) {
            let points = (drawn..wanted.min(drawn + CHUNK))
                .map(|_| space::try_sample(&program.space, &mut rng))
                .collect::<Result<Vec<_>, _>>()?;
            drawn += points.len();
            let made: Vec<_> =
                points.par_iter().map(|point| space::instantiate(&program.space, point)).collect();
            for (network, point) in made.into_iter().zip(&points) {
                match network {
                    Ok(graph) => {
                        nodes += graph.len();
                        let front_end = assumed(program, point, &graph);
                        graphs.push((graph, front_end));
                    }
                    Err(diagnostic) => first_error = first_error.or(Some(diagnostic)),
                }
            }
        }
        let valid = graphs.len();
        if let (true, Some(diagnostic)) = (graphs.is_empty(), first_error) {
            let note = format!("none of {drawn} points drawn from the space is a network");
            return Err(Box::new(diagnostic.note(note)));
        }
        if samples.is_none() {
            let mut operators = 0;
            let few = |(graph, _): &&(Graph, FrontEnd)| {
                operators += graph.len() * n_targets.max(1);
                operators <= OPERATORS
            };
            let kept = graphs.iter().take_while(few).count();
            graphs.truncate(kept.max(1));
        }
        Ok(Survey { drawn, valid, graphs })
    }
}

/// E0503 for every limit that is below what each network of the space needs.
pub(super) fn impossible(program: &Program, bounds: &space::Bounds, targets: &[&Target]) -> Diagnostics {
    let mut out = Diagnostics::default();
    let applies = |requirement: &&Requirement| {
        let on = &requirement.target;
        requirement.accounting.is_none()
            && on.as_ref().is_none_or(|name| targets.iter().any(|target| target.name == *name))
    };
    for requirement in program.requirements.iter().filter(applies) {
        let least = match requirement.metric {
            Metric::Macs => bounds.macs.low,
            Metric::Weights | Metric::Flash => bounds.weight_bytes.low,
            // A map of one byte for each element is whole in the arena at some time.
            Metric::Ram => bounds.largest_map.low,
            _ => continue,
        } as f64;
        if least <= requirement.limit {
            continue;
        }
        let metric = requirement.metric;
        let (needs, limit) = (amount_text(metric, least), amount_text(metric, requirement.limit));
        let name = metric_word(metric);
        let message = format!("no network of this space can meet `{name} <= {limit}`");
        let mut error = Diagnostic::error(Code::IMPOSSIBLE_LIMIT, message);
        if let Some(span) = requirement.span {
            error = error.at(span, format!("every network needs at least {needs}"));
        } else if let Some(target) = &requirement.target {
            error = error.note(format!("that is what `{target}` has; every network needs at least {needs}"));
        }
        if metric == Metric::Ram {
            let [height, width, channels] = program.space.input.each_ref().map(|size| size.span);
            let one_file = height.file == channels.file && width.file == channels.file;
            let span = if one_file { height.to(width).to(channels) } else { channels };
            error = error.at(span, "one of the maps that follow from this input is as large as that");
        }
        out.push(error.help("raise the limit, or let the space hold smaller networks"));
    }
    out
}

pub(super) fn feasible(
    program: &Program,
    target: &Target,
    graphs: &[(Graph, FrontEnd)],
    progress: &dyn Progress,
) -> Feasible {
    let passes = Passes { effort: Effort::Search };
    let limits = figures::limits(program, target);
    // In parallel, but in order: the number of threads does not show.
    let estimates: Vec<_> = graphs
        .par_iter()
        .filter_map(|(graph, front_end)| {
            let cost = front_end_cost(front_end, graph, target.isa);
            let deployed = passes.choose(&passes.skeleton(graph), target, cost, &limits).ok();
            progress.part();
            deployed
        })
        .map(|deployment| deployment.estimate)
        .collect();
    let bounds = |value: fn(&crate::estimate::Estimate) -> u64| {
        let values = estimates.iter().map(value);
        [values.clone().min().unwrap_or(0), values.max().unwrap_or(0)]
    };
    let fitting = estimates.iter().filter(|e| violated(&program.requirements, target, e).is_none()).count();
    Feasible {
        target: target.name.clone(),
        tried: graphs.len(),
        fitting,
        ci95: report::wilson(fitting, graphs.len()),
        ram_bytes: bounds(|e| e.ram_bytes),
        flash_bytes: bounds(|e| e.flash_bytes),
        macs: bounds(|e| e.macs),
    }
}
