//! What leaves the tool: the types of `report.json`, its content as text for the terminal and as a page for a browser,
//! and what differs between two results.
//!
//! In: what the pipeline found. Out: serde types of a documented schema. A report holds only what the lock and the
//! weights determine, so it is the same on every machine; what a device measured is in `measured.json`.

mod clean;
mod columns;
mod diff;
mod full;
mod genome;
mod map;
mod page;
mod search;
mod terminal;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::estimate::{Deployment, Estimate};
use crate::kernel::{Choice, Program, Variant};

pub use clean::cleaned;
pub use diff::{Change, Differences, Figure, QualityChange, TargetChange, differences_text};
pub use full::full;
pub use genome::{GenomeChange, decisions, genome_changes, genome_text};
pub use map::{MapBuffer, MapStep, MemoryMap};
pub use page::page;
pub(crate) use page::{base64, escape};
pub use search::{Finalist, FrontPoint, SearchReport, TrialFigures};
pub use terminal::{bytes_text, quality_text, share_text, table};

/// Version of the schema of [`Report`].
pub const SCHEMA_VERSION: u32 = 1;

/// `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The model's name.
    pub name: String,
    /// One for each target; a bundle's report has one.
    pub targets: Vec<TargetReport>,
    /// How the network was found; nothing where nasc did not search for it.
    #[serde(default, skip_serializing_if = "SearchReport::is_none")]
    pub search: SearchReport,
    /// What the result follows from.
    pub provenance: Provenance,
}

/// A network on a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetReport {
    /// The target's name.
    pub name: String,
    /// How good it is; `None` where nasc did not train it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// What it takes of the chip.
    pub memory: Memory,
    /// What it takes of time.
    pub compute: Compute,
    /// What lean schedules changed, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lean: Option<Lean>,
    /// Layer by layer, in the order they run; first the front end, if it does more than to standardise floats.
    pub layers: Vec<Layer>,
    /// The network's point in the space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genome: Option<serde_json::Value>,
    /// What lies where in the arena, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<MemoryMap>,
    /// Why layers are computed otherwise than they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
}

/// A layer that is computed otherwise than it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The pass: `rewrite-float` or `rewrite-integer`, which knows no weights yet.
    pub pass: String,
    /// What computes it now.
    pub layer: String,
    /// What it was.
    pub written: String,
    /// The rules that led there, the first one first.
    pub rules: Vec<String>,
}

/// Quality on samples that neither search nor training saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// `accuracy`, `error`, `f1`, `auc` or `mse`.
    pub metric: String,
    /// Of the float network; `None` where only the integer one is known.
    pub float: Option<f64>,
    /// Of the integer network: what the chip computes.
    pub int8: f64,
    /// `test` or `val`.
    pub split: String,
    /// Number of samples.
    pub samples: usize,
    /// Interval of 95 % for `int8`.
    pub ci95: [f64; 2],
    /// Names of the classes, in the order of the rows and columns of `confusion`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// For each class, a row, how many of its samples the integer network takes for which; nothing where there are no
    /// classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<usize>>,
}

/// Memory in bytes; see DESIGN's definitions in the bundle's README.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Arena, context, static data.
    pub ram_bytes: u64,
    /// With the stack, once a device measured it; `None` in reports that no device has seen.
    pub ram_total_bytes: Option<u64>,
    /// The arena.
    pub arena_bytes: u64,
    /// No plan of the family needs less.
    pub lower_bound_bytes: u64,
    /// Whether that is proved of this plan.
    pub optimal: bool,
    /// The family.
    pub family: String,
    /// Bound on tables and code.
    pub flash_bytes: u64,
    /// Tables, exact.
    pub weights_bytes: u64,
    /// Bound on code.
    pub code_bytes: u64,
}

/// Work for one inference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compute {
    /// Multiply-accumulates.
    pub macs: u64,
    /// By the target's cost table.
    pub cycles_estimated: u64,
    /// Seconds that these take at the target's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_seconds: Option<f64>,
    /// Joules that this takes, where the target's power is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What the network would cost with fast schedules only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lean {
    /// Layers that are lean.
    pub layers: usize,
    /// Sums that are computed by the convolutions that make one of their terms.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fused: usize,
    /// `ram_bytes` without them.
    pub ram_bytes_fast: u64,
    /// `flash_bytes` without them.
    pub flash_bytes_fast: u64,
    /// `cycles_estimated` without them.
    pub cycles_estimated_fast: u64,
}

/// One step of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its place in the spec.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Elements written.
    pub outputs: usize,
    /// Bytes of its tables.
    pub weights_bytes: u64,
    /// Estimated cycles. Rounded for each layer, so their sum may differ a little from that of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycles_estimated: Option<u64>,
    /// `lean` or `fused` where it is not the fast one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Variant>,
}

/// What the result follows from: the same provenance gives the same files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of nasc.
    pub nasc: String,
    /// Hash of the data and its cut; nothing where nasc did not train.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// The engine that trained, where it is not the embedded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Hash of the model's file, where the network was taken over from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The spec's seed.
    pub seed: u64,
    /// Hashes of the spec's sections.
    pub sections: std::collections::BTreeMap<String, String>,
    /// Hash of the integer network.
    pub weights: String,
    /// Hashes of the bundle's files that a result depends on.
    pub files: std::collections::BTreeMap<String, String>,
}

impl Report {
    /// The target that the search was for, where the report has others too whose networks it did not find.
    pub(crate) fn searched_for(&self) -> Option<&str> {
        let first = self.targets.first()?;
        let is_other = |target: &TargetReport| target.genome != first.genome;
        self.targets.iter().any(is_other).then_some(first.name.as_str())
    }
}

impl Memory {
    /// From an estimate.
    pub fn new(estimate: &Estimate) -> Memory {
        Memory {
            ram_bytes: estimate.ram_bytes,
            ram_total_bytes: None,
            arena_bytes: estimate.arena_bytes,
            lower_bound_bytes: estimate.lower_bound_bytes,
            optimal: estimate.optimal,
            family: estimate.family.clone(),
            flash_bytes: estimate.flash_bytes,
            weights_bytes: estimate.weights_bytes,
            code_bytes: estimate.code_bytes,
        }
    }
}

impl TargetReport {
    /// A network's figures on a target.
    pub fn new(target: &str, deployment: &Deployment, quality: Option<Quality>) -> TargetReport {
        let estimate = &deployment.estimate;
        TargetReport {
            name: target.to_owned(),
            quality,
            memory: Memory::new(estimate),
            compute: Compute {
                macs: estimate.macs,
                cycles_estimated: estimate.cycles,
                latency_seconds: Some(estimate.latency_seconds),
                energy_joules: estimate.energy_joules,
            },
            lean: deployment.all_fast.as_ref().map(|fast| Lean {
                layers: deployment.choice.count(Variant::Lean),
                fused: deployment.program.steps.iter().filter(|step| step.absorbs.is_some()).count(),
                ram_bytes_fast: fast.ram_bytes,
                flash_bytes_fast: fast.flash_bytes,
                cycles_estimated_fast: fast.cycles,
            }),
            layers: layers(&deployment.program, &deployment.choice),
            genome: None,
            map: Some(MemoryMap::new(deployment)),
            rewrites: Vec::new(),
        }
    }
}

/// The name of the front end among the layers; no part of a spec can have it.
pub(crate) const FRONT_END: &str = "front end";

fn layers(program: &Program, choice: &Choice) -> Vec<Layer> {
    use crate::kernel::Arg;
    program
        .steps
        .iter()
        .map(|step| {
            let mut tables: Vec<u32> = step
                .calls
                .iter()
                .flat_map(|call| &call.buffers)
                .filter_map(|argument| match argument {
                    Arg::Table(table) => Some(table.0),
                    Arg::Buffer(_) => None,
                })
                .collect();
            tables.sort_unstable();
            tables.dedup();
            Layer {
                name: step.name.clone(),
                op: step.op.clone(),
                macs: step.macs,
                outputs: step.writes.iter().map(|id| program.buffers[id.0 as usize].len).sum(),
                weights_bytes: tables.iter().map(|&table| program.tables[table as usize].bytes()).sum(),
                cycles_estimated: None,
                schedule: Some(choice.of(step.node)).filter(|&variant| match variant {
                    Variant::Fast => false,
                    Variant::Lean => step.op != "copy",
                    Variant::Fused => step.absorbs.is_some(),
                }),
            }
        })
        .collect()
}

/// The Wilson score interval of 95 % for a share of `right` in `samples`.
///
/// Source  E. B. Wilson, "Probable Inference", JASA 22, 1927
pub fn wilson(right: usize, samples: usize) -> [f64; 2] {
    if samples == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (samples as f64, right as f64 / samples as f64);
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // Where all are right, rounding must not leave the share itself outside.
    [((centre - spread) / scale).clamp(0.0, p), ((centre + spread) / scale).clamp(p, 1.0)]
}
