//! From a stored network to the files of a bundle.

use std::collections::BTreeMap;

use crate::data::{Element, FrontEnd, RawInput};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{Metric, Program};
use crate::emit::{self, Borders, Bundle, GraphFile, Network, Reading};
use crate::estimate::{Deployment, Limits, step_cycles};
use crate::graph::{Graph, NodeId};
use crate::pipeline::figures::metric_name;
use crate::pipeline::golden::GoldenSet;
use crate::pipeline::locking::{Lock, LockedNetwork, StoredNetwork};
use crate::pipeline::passes::Passes;
use crate::pipeline::tensors::{self, Tensors};
use crate::plan::Effort;
use crate::report::{
    self, FRONT_END, Layer, Provenance, Quality, Report, Rewrite, SearchReport, TargetReport,
};
use crate::rewrite::Explanation;
use crate::space;
use crate::target::Target;
use crate::tensor::TensorType;

/// Vectors of the self-test that is compiled into a firmware; all of them are in the golden file.
const SELF_TEST: usize = 8;

/// Files of a bundle that its user may change.
const EDITABLE: [&str; 2] = ["CMakeLists.txt", "README.md"];

/// A bundle with what it was made from.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// Its files.
    pub bundle: Bundle,
    /// Its report.
    pub report: Report,
    /// Its kernels and plan.
    pub deployment: Deployment,
}

/// Makes the bundle of a locked network for a target, by the schedules that its limits call for. It depends on
/// nothing but the arguments. `rewrites` go into its report.
///
/// # Errors
/// E0902 when the network cannot be lowered, as only a damaged weights file has it.
pub fn emit(
    lock: &Lock,
    network: &StoredNetwork,
    target: &Target,
    limits: Limits,
    (name, rewrites): (&str, &[Rewrite]),
) -> Result<Emitted, Diagnostic> {
    let locked = &lock.networks[&lock.targets[&target.name]];
    let deployment = deployment(locked, network, target, limits)?;
    let StoredNetwork { graph, raw, golden } = network;
    let (classes, readings) = (&lock.classes, &lock.readings);
    let content = Content { graph, raw: Some(raw), golden, classes, readings, borders: Borders::default() };
    let on_target = on_target(lock, (locked, network), target, &deployment, rewrites);
    let provenance = Provenance {
        nasc: lock.nasc.clone(),
        data: lock.data.clone(),
        engine: lock.engine.clone(),
        model: None,
        seed: lock.seed,
        sections: lock.sections.clone(),
        weights: lock.weights.clone(),
        files: BTreeMap::new(),
    };
    let search = search_on(lock, locked, target);
    Ok(content.emit((name, target), deployment, (on_target, search, provenance)))
}

/// What a bundle is made of besides its kernels and its plan.
pub(crate) struct Content<'a> {
    /// The integer graph.
    pub(crate) graph: &'a Graph,
    /// Raw values to its input, where there is a front end.
    pub(crate) raw: Option<&'a RawInput>,
    /// Samples with its outputs.
    pub(crate) golden: &'a GoldenSet,
    /// Names of the classes, where there are any.
    pub(crate) classes: &'a [String],
    /// How each output is read, where numbers are predicted.
    pub(crate) readings: &'a [Reading],
    /// What the caller has and wants instead of integers.
    pub(crate) borders: Borders<'a>,
}

impl Content<'_> {
    /// All files of a bundle, and its report.
    pub(crate) fn emit(
        &self,
        (name, target): (&str, &Target),
        deployment: Deployment,
        (on_target, search, provenance): (TargetReport, SearchReport, Provenance),
    ) -> Emitted {
        let mut bundle = self.files(target, name, &deployment);
        let result = bundle.files.iter().filter(|(file, _)| !EDITABLE.contains(&file.as_str()));
        let files = result.map(|(file, content)| (file.clone(), tensors::sha256(content))).collect();
        let report = Report {
            schema_version: report::SCHEMA_VERSION,
            name: name.to_owned(),
            targets: vec![on_target],
            search,
            provenance: Provenance { files, ..provenance },
        };
        let text = serde_json::to_string_pretty(&report).expect("plain data serializes") + "\n";
        bundle.add("report.json", text);
        bundle.add("report.html", report::page(&report, None));
        Emitted { bundle, report, deployment }
    }
}

/// Kernels, plan and costs of a locked network.
///
/// # Errors
/// As [`emit`].
pub(crate) fn deployment(
    locked: &LockedNetwork,
    network: &StoredNetwork,
    target: &Target,
    limits: Limits,
) -> Result<Deployment, Diagnostic> {
    let promised = locked.ram_bytes.get(&target.name).map_or(f64::INFINITY, |&bytes| bytes as f64);
    let limits = Limits { ram_bytes: limits.ram_bytes.min(promised), ..limits };
    Passes { effort: Effort::Final }
        .choose(&network.graph, target, network.front_end_cost(target.isa), &limits)
        .map_err(|error| Diagnostic::error(Code::LOCK_FORMAT, format!("the locked network: {error}")))
}

/// Why a locked network's layers are computed otherwise than the spec writes them. Nothing for a genome that is none of
/// the space, as of a lock that this nasc reads otherwise than the one that wrote it: a bundle does without.
pub(crate) fn rewrites(
    program: &Program,
    genome: &serde_json::Value,
    targets: &[(&Target, Limits)],
) -> Vec<Rewrite> {
    let genome = space::from_json(&program.space, genome).ok();
    let graph = genome.and_then(|genome| space::instantiate(&program.space, &genome).ok());
    let all = graph.map(|graph| Passes { effort: Effort::Final }.explanations(&graph, targets));
    all.into_iter().flatten().map(|(pass, explanation)| rewrite(pass, explanation)).collect()
}

/// An explanation as a report has it.
pub(crate) fn rewrite(pass: &str, Explanation { layer, written, rules }: Explanation) -> Rewrite {
    Rewrite { pass: pass.to_owned(), layer, written, rules }
}

/// The network of a lock on a target.
fn on_target(
    lock: &Lock,
    (locked, network): (&LockedNetwork, &StoredNetwork),
    target: &Target,
    deployment: &Deployment,
    rewrites: &[Rewrite],
) -> TargetReport {
    let quality = &locked.quality;
    let confusion = quality.confusion.as_ref().map_or_else(Vec::new, |confusion| confusion.0.clone());
    let quality = Quality {
        metric: quality.metric.clone(),
        float: Some(quality.test_float),
        int8: quality.test,
        split: "test".into(),
        samples: quality.test_samples,
        ci95: quality.test_ci95,
        classes: if confusion.is_empty() { Vec::new() } else { lock.classes.clone() },
        confusion,
    };
    let mut on_target = costs_on(target, &network.graph, deployment, Some(quality));
    on_target.layers.splice(0..0, front_end_layer(&network.raw.front_end, deployment));
    on_target.genome = Some(locked.genome.clone());
    on_target.rewrites = rewrites.to_vec();
    on_target
}

/// A network on a target, with the cycles of its layers.
pub(crate) fn costs_on(
    target: &Target,
    graph: &Graph,
    deployment: &Deployment,
    quality: Option<Quality>,
) -> TargetReport {
    let mut on_target = TargetReport::new(&target.name, deployment, quality);
    let cycles = step_cycles(graph, &deployment.program, &target.cost);
    for (layer, cycles) in on_target.layers.iter_mut().zip(cycles) {
        layer.cycles_estimated = Some(cycles);
    }
    on_target
}

/// The row of a front end that does more than to standardise floats.
fn front_end_layer(front_end: &FrontEnd, deployment: &Deployment) -> Option<Layer> {
    let op = match front_end {
        FrontEnd::Values { element: Element::F32, .. } => return None,
        FrontEnd::Values { .. } => "values",
        FrontEnd::Audio(_) => "audio",
        FrontEnd::Picture(_) => "picture",
        FrontEnd::Series(_) => "series",
    };
    Some(Layer {
        name: FRONT_END.to_owned(),
        op: op.to_owned(),
        macs: 0,
        outputs: front_end.extents().iter().product(),
        weights_bytes: deployment.front_end.table_bytes,
        cycles_estimated: Some(deployment.front_end.cycles),
        schedule: None,
    })
}

/// What a lock says of the search that a target's network comes from: what has costs on the target.
fn search_on(lock: &Lock, locked: &LockedNetwork, target: &Target) -> SearchReport {
    let ram = metric_name(Metric::Ram, &target.name);
    let is_of = |metrics: &BTreeMap<String, f64>| metrics.contains_key(&ram);
    let front = lock.front.iter().filter(|point| is_of(&point.metrics)).cloned().collect();
    let base = SearchReport {
        strategy: lock.strategy.clone(),
        trials: lock.trials,
        front,
        pick: locked.trial,
        ..SearchReport::default()
    };
    // The last search may have been for another target.
    if !lock.history.iter().any(|trial| is_of(&trial.metrics)) {
        return base;
    }
    SearchReport {
        judged: Some(locked.quality.judged().to_owned()),
        objectives: lock.objectives.clone(),
        history: lock.history.clone(),
        finalists: lock.finalists.clone(),
        rank_correlation: lock.rank_correlation,
        rejected: lock.rejected.clone(),
        ..base
    }
}

impl Content<'_> {
    /// The bundle without its report.
    fn files(&self, target: &Target, name: &str, deployment: &Deployment) -> Bundle {
        let types = |nodes: &[NodeId]| -> Vec<TensorType> {
            nodes.iter().map(|&node| self.graph.ty(node).clone()).collect()
        };
        let samples = self.golden.inputs.iter().zip(&self.golden.outputs).take(SELF_TEST);
        let golden: Vec<emit::Golden> = samples
            .map(|(input, output)| emit::Golden { input: input.clone(), output: output.clone() })
            .collect();
        let emitted = Network {
            name,
            program: &deployment.program,
            offsets: &deployment.plan.offsets,
            arena_bytes: deployment.plan.arena_bytes,
            arena_align: target.align,
            inputs: &types(&self.graph.network_inputs()),
            outputs: &types(self.graph.outputs()),
            borders: self.borders,
            raw: self.raw,
            macs: deployment.estimate.macs,
            golden: &golden,
            labels: self.classes,
            readings: self.readings,
        };
        let mut bundle = emit::emit_c(&emitted);
        let file = GraphFile::new(&emitted, self.graph, Some(target));
        let file = GraphFile { choice: deployment.choice.clone(), ..file };
        bundle.files.insert(format!("{name}.graph"), emit::write_graph_file(&file));
        bundle.files.insert(golden_name(name), self.golden_bytes());
        bundle
    }

    /// Hash of the integer network.
    pub(crate) fn weights_hash(&self) -> String {
        let graph = emit::write_graph(self.graph);
        tensors::sha256(graph.to_string().as_bytes())
    }

    fn golden_bytes(&self) -> Vec<u8> {
        let mut all = Tensors::default();
        // Without a front end there are no raw values, so their element does not matter.
        let element = self.raw.map_or(Element::F32, |raw| raw.front_end.element());
        self.golden.to_tensors("", element, &mut all);
        tensors::all_to_bytes(&all, "golden")
    }
}

/// The file of golden vectors in a bundle.
pub(crate) fn golden_name(name: &str) -> String {
    format!("{name}_golden.safetensors")
}
