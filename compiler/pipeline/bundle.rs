//! From a stored network to the files of a bundle.

use crate::data::{Element, FrontEnd};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::Metric;
use crate::emit::{self, Bundle, GraphFile, Network};
use crate::estimate::{Deployment, Limits};
use crate::pipeline::figures::metric_name;
use crate::pipeline::locking::{Lock, StoredNetwork};
use crate::pipeline::network::interface;
use crate::pipeline::passes::Passes;
use crate::pipeline::tensors::{self, Tensors};
use crate::plan::Effort;
use crate::report::{self, FrontPoint, Layer, Provenance, Quality, Report, SearchReport, TargetReport};
use crate::target::Target;

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
/// nothing but the arguments.
///
/// # Errors
/// E0902 when the network cannot be lowered, as only a damaged weights file has it.
pub fn emit(
    lock: &Lock,
    network: &StoredNetwork,
    target: &Target,
    limits: Limits,
    name: &str,
) -> Result<Emitted, Diagnostic> {
    let front_end = network.front_end_cost(target.isa);
    let locked = &lock.networks[&lock.targets[&target.name]];
    let promised = locked.ram_bytes.get(&target.name).map_or(f64::INFINITY, |&bytes| bytes as f64);
    let limits = Limits { ram_bytes: limits.ram_bytes.min(promised), ..limits };
    let deployment = Passes { effort: Effort::Final }
        .choose(&network.graph, target, front_end, &limits)
        .map_err(|error| Diagnostic::error(Code::LOCK_FORMAT, format!("the locked network: {error}")))?;
    let quality = &locked.quality;
    let quality = Quality {
        metric: quality.metric.clone(),
        float: Some(quality.test_float),
        int8: quality.test,
        split: "test".into(),
        samples: quality.test_samples,
        ci95: quality.test_ci95,
    };
    let mut bundle = files(lock, network, target, name, &deployment);
    let result = bundle.files.iter().filter(|(file, _)| !EDITABLE.contains(&file.as_str()));
    let hashes = result.map(|(file, content)| (file.clone(), tensors::sha256(content))).collect();
    let mut on_target = TargetReport::new(&target.name, &deployment, quality);
    on_target.layers.splice(0..0, front_end_layer(&network.raw.front_end, &deployment));
    let report = Report {
        schema_version: report::SCHEMA_VERSION,
        name: name.to_owned(),
        targets: vec![on_target],
        search: SearchReport {
            strategy: lock.strategy.clone(),
            trials: lock.trials,
            front: front_on(lock, target),
        },
        provenance: Provenance {
            nasc: lock.nasc.clone(),
            data: lock.data.clone(),
            engine: lock.engine.clone(),
            seed: lock.seed,
            sections: lock.sections.clone(),
            weights: lock.weights.clone(),
            files: hashes,
        },
    };
    bundle.add("report.json", serde_json::to_string_pretty(&report).expect("plain data serializes") + "\n");
    Ok(Emitted { bundle, report, deployment })
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
        name: "front end".to_owned(),
        op: op.to_owned(),
        macs: 0,
        outputs: front_end.extents().iter().product(),
        weights_bytes: deployment.front_end.table_bytes,
        cycles_estimated: Some(deployment.front_end.cycles),
        schedule: None,
    })
}

/// The compromises of the search that the target's network comes from.
fn front_on(lock: &Lock, target: &Target) -> Vec<FrontPoint> {
    let ram = metric_name(Metric::Ram, &target.name);
    lock.front.iter().filter(|point| point.metrics.contains_key(&ram)).cloned().collect()
}

fn files(
    lock: &Lock,
    network: &StoredNetwork,
    target: &Target,
    name: &str,
    deployment: &Deployment,
) -> Bundle {
    let (input, output) = interface(&network.graph).expect("a stored network was checked when it was read");
    let golden: Vec<emit::Golden> = network
        .golden
        .inputs
        .iter()
        .zip(&network.golden.outputs)
        .take(SELF_TEST)
        .map(|(input, output)| emit::Golden { input: input.clone(), output: output.clone() })
        .collect();
    let emitted = Network {
        name,
        program: &deployment.program,
        offsets: &deployment.plan.offsets,
        arena_bytes: deployment.plan.arena_bytes,
        arena_align: target.align,
        input,
        output,
        raw: Some(&network.raw),
        macs: deployment.estimate.macs,
        golden: &golden,
        labels: &lock.classes,
        readings: &lock.readings,
    };
    let mut bundle = emit::emit_c(&emitted);
    let file = GraphFile::new(&emitted, &network.graph, Some(target));
    let file = GraphFile { choice: deployment.choice.clone(), ..file };
    bundle.files.insert(format!("{name}.graph"), emit::write_graph_file(&file));
    bundle.files.insert(golden_name(name), golden_bytes(network));
    bundle
}

/// The file of golden vectors in a bundle.
pub(crate) fn golden_name(name: &str) -> String {
    format!("{name}_golden.safetensors")
}

fn golden_bytes(network: &StoredNetwork) -> Vec<u8> {
    let mut all = Tensors::default();
    network.golden.to_tensors("", network.raw.front_end.element(), &mut all);
    tensors::all_to_bytes(&all, "golden")
}
