//! `nasc export`: the integer network of a lock or of a bundle as a model of TensorFlow Lite.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::data::{FrontEnd, RawInput};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::graph::Graph;
use crate::pipeline::Failure;
use crate::pipeline::check::Loaded;
use crate::pipeline::evaluate::{Checked, other_network, read_bundle};
use crate::pipeline::files::{self, Files};
use crate::pipeline::inspect::front_end_text;
use crate::pipeline::locking::{self, Lock, StoredNetwork};
use crate::source::SourceMap;
use crate::tflite::{self, Beside, End, Exported, Unwritten};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// The target whose network is meant, where a lock has several.
    pub target: Option<String>,
    /// Values of `param`s.
    pub params: BTreeMap<String, String>,
    /// Whether a layer that LiteRT does not compute to the same bytes for every input is an error.
    pub exact: bool,
}

/// An input or output of the model.
#[derive(Clone, Debug, Serialize)]
pub struct ExportedEnd {
    /// The tensor's name.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// Scale of the integers of 8 bits.
    pub scale: f32,
    /// Zero point of the integers.
    pub zero_point: i32,
}

/// A layer of which LiteRT rounds some sums to the other side of a tie, so that an output is one apart.
#[derive(Clone, Debug, Serialize)]
pub struct BesideTies {
    /// The layer.
    pub layer: String,
    /// Such sums, over all output channels.
    pub differing: u64,
    /// Sums that the channels can have.
    pub all: u64,
}

/// A model that was written.
#[derive(Clone, Debug, Serialize)]
pub struct ExportReport {
    /// The network's name.
    pub name: String,
    /// The target that it was found for; `None` where a bundle names none.
    pub target: Option<String>,
    /// The file.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Inputs.
    pub inputs: Vec<ExportedEnd>,
    /// Outputs.
    pub outputs: Vec<ExportedEnd>,
    /// Names of the classes in the order of the outputs; empty where the network tells none apart.
    pub classes: Vec<String>,
    /// How many operators of each name there are, by name.
    pub operators: BTreeMap<String, usize>,
    /// What stands between sensor and model, which is not part of it; `None` where a bundle has none.
    pub front_end: Option<String>,
    /// Whether LiteRT's reference kernels give the same bytes for every input.
    pub exact: bool,
    /// Layers that keep it from that.
    pub beside_ties: Vec<BesideTies>,
    /// Warnings.
    #[serde(skip)]
    pub warnings: Diagnostics,
    /// Texts of the warnings.
    #[serde(skip)]
    pub sources: SourceMap,
}

/// A network with its names.
struct Network<'a> {
    name: &'a str,
    target: Option<&'a str>,
    graph: &'a Graph,
    raw: Option<&'a RawInput>,
    classes: &'a [String],
}

/// Writes the network that a spec's lock has for a target to a file. Neither data nor store are needed; nothing is
/// searched.
///
/// # Errors
/// A spec, lock or weights that are missing or damaged or do not belong together; E0601 where the lock has no network for
/// the target, or several and none was named; E1011 for each layer without a form; E0904 for a file that cannot be written.
pub fn export_spec(
    files: &dyn Files,
    spec: &Path,
    out: &Path,
    options: &ExportOptions,
) -> Result<ExportReport, Failure> {
    let loaded = Loaded::read(files, spec, &options.params)?;
    let fail = |diagnostic: Diagnostic| loaded.failure(diagnostic);
    let (lock_path, weights_path) = locking::paths(spec);
    let missing = |path: &Path| {
        let message =
            format!("`{}` is not there: what is exported is a network that was found", path.display());
        let help = format!("`nasc compile {} --target NAME` searches and writes it", spec.display());
        fail(Diagnostic::error(Code::LOCK_MISSING, message).help(help))
    };
    let lock = Lock::read(files, &lock_path).map_err(fail)?.ok_or_else(|| missing(&lock_path))?;
    if let Some(stale) = other_network(&lock, &loaded.program, &options.params, &lock_path) {
        return Err(fail(stale));
    }
    let stored = locking::read_weights(files, &weights_path, &lock).map_err(fail)?;
    let stored = stored.ok_or_else(|| missing(&weights_path))?;
    let (target, network) = of_target(&lock, options.target.as_deref()).map_err(fail)?;
    let StoredNetwork { graph, raw, .. } = stored.get(network).ok_or_else(|| missing(&weights_path))?;
    let name = &loaded.program.name;
    let network = Network { name, target: Some(target), graph, raw: Some(raw), classes: &lock.classes };
    let report = written(files, &network, out, options.exact)
        .map_err(|diagnostics| Failure { sources: loaded.sources.clone(), diagnostics })?;
    let mut warnings = loaded.warnings.clone();
    warnings.0.extend(report.warnings.0);
    Ok(ExportReport { warnings, sources: loaded.sources, ..report })
}

/// The target and the name of the network that is meant.
fn of_target<'l>(lock: &'l Lock, wanted: Option<&str>) -> Result<(&'l str, &'l str), Diagnostic> {
    let known: Vec<&str> = lock.targets.keys().map(String::as_str).collect();
    let named = |target: &'l str, network: &'l String| (target, network.as_str());
    if let Some(wanted) = wanted {
        let found = lock.targets.get_key_value(wanted);
        return found.map(|(target, network)| named(target, network)).ok_or_else(|| {
            let message = format!("the lock has no network for target `{wanted}`");
            Diagnostic::error(Code::UNKNOWN_TARGET, message).help(format!("it has {}", known.join(", ")))
        });
    }
    let mut networks = lock.targets.iter();
    let first = networks.next().ok_or_else(|| {
        Diagnostic::error(Code::LOCK_FORMAT, "the lock has no network")
            .help("`nasc compile --research` makes it anew")
    })?;
    match networks.all(|(_, network)| network == first.1) {
        true => Ok(named(first.0, first.1)),
        false => {
            let message = format!("the lock has several networks, for {}", known.join(", "));
            Err(Diagnostic::error(Code::UNKNOWN_TARGET, message)
                .help(format!("say which one is meant: `--target {}`", first.0)))
        }
    }
}

/// Writes the network of a bundle to a file.
///
/// # Errors
/// E0907 for a folder that is no bundle of this nasc or is damaged, E0601 for another target than the bundle's; otherwise
/// as [`export_spec`].
pub fn export_bundle(
    files: &dyn Files,
    folder: &Path,
    out: &Path,
    options: &ExportOptions,
) -> Result<ExportReport, Failure> {
    let Checked { file, report, .. } = read_bundle(folder)?;
    let target = report.targets.first().map(|target| target.name.as_str());
    if let Some(other) = options.target.as_deref().filter(|wanted| Some(*wanted) != target) {
        let message = format!("the bundle is not for target `{other}`");
        let help = format!("it is for {}", target.unwrap_or("none that has a name"));
        return Err(Diagnostic::error(Code::UNKNOWN_TARGET, message).help(help).into());
    }
    let name = &file.interface.name;
    let network = Network { name, target, graph: &file.graph, raw: file.raw.as_ref(), classes: &file.labels };
    Ok(written(files, &network, out, options.exact)?)
}

/// Writes a network to a file.
fn written(
    files: &dyn Files,
    network: &Network<'_>,
    out: &Path,
    exact: bool,
) -> Result<ExportReport, Diagnostics> {
    let exported = tflite::export(network.graph, network.name).map_err(|refusals| refused(&refusals))?;
    let warnings: Vec<Diagnostic> = exported.beside.iter().map(|layer| beside_ties(layer, exact)).collect();
    if exact && !warnings.is_empty() {
        return Err(Diagnostics(warnings));
    }
    files::write(files, out, &exported.bytes)?;
    let Exported { bytes, operators, inputs, outputs, beside } = exported;
    let ends = |ends: &[End]| ends.iter().map(end).collect();
    let layer = |Beside { layer, differing, all }: Beside| BesideTies { layer, differing, all };
    Ok(ExportReport {
        name: network.name.to_owned(),
        target: network.target.map(str::to_owned),
        file: out.display().to_string(),
        bytes: bytes.len() as u64,
        inputs: ends(&inputs),
        outputs: ends(&outputs),
        classes: network.classes.to_vec(),
        operators,
        front_end: network.raw.map(front_end),
        exact: beside.is_empty(),
        beside_ties: beside.into_iter().map(layer).collect(),
        warnings: Diagnostics(warnings),
        sources: SourceMap::new(),
    })
}

fn end(End { name, ty }: &End) -> ExportedEnd {
    let (scale, zero_point) = ty.quant.as_ref().map_or((1.0, 0), |quant| (quant.scale(0), quant.zero_point));
    ExportedEnd { name: name.clone(), shape: ty.shape.0.to_vec(), scale, zero_point }
}

/// What stands between sensor and network.
fn front_end(raw: &RawInput) -> String {
    match raw.front_end {
        FrontEnd::Values { .. } => "standardisation of the values alone".to_owned(),
        FrontEnd::Audio(_) | FrontEnd::Picture(_) | FrontEnd::Series(_) => front_end_text(&raw.front_end),
    }
}

/// E1011, once for each layer.
fn refused(refusals: &[Unwritten]) -> Diagnostics {
    let one = |refusal: &Unwritten| Diagnostic::error(Code::EXPORT, refusal.to_string());
    Diagnostics(refusals.iter().map(one).collect())
}

/// E1012 for a layer.
fn beside_ties(Beside { layer, differing, all }: &Beside, exact: bool) -> Diagnostic {
    let message = format!(
        "layer `{}`: of the {all} sums that its outputs can have, LiteRT rounds {differing} to the integer beside \
         nasc's",
        layer.escape_debug()
    );
    match exact {
        true => Diagnostic::error(Code::EXPORT_ROUNDING, message)
            .help("without `--exact` the model is written, and such an output is one apart"),
        false => Diagnostic::warning(Code::EXPORT_ROUNDING, message)
            .note("for any other sum the bytes are the same; such an output is one apart"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(targets: &[(&str, &str)]) -> Lock {
        let networks = targets.iter().map(|(target, network)| ((*target).to_owned(), (*network).to_owned()));
        let json = serde_json::json!({
            "classes": [], "data": "", "front": [], "nasc": "", "networks": {}, "sections": {}, "seed": 1,
            "strategy": "", "targets": networks.collect::<BTreeMap<String, String>>(), "trials": 0, "version": 2,
            "weights": "",
        });
        serde_json::from_value(json).expect("a lock")
    }

    #[test]
    fn a_target_is_asked_for_where_networks_differ() {
        let one = lock(&[("host", "net"), ("rp2040", "net")]);
        assert_eq!(of_target(&one, None), Ok(("host", "net")));
        assert_eq!(of_target(&one, Some("rp2040")), Ok(("rp2040", "net")));
        let told = of_target(&one, Some("esp32")).expect_err("another target");
        assert!(told.help[0].contains("it has host, rp2040"), "{told:?}");
        let two = lock(&[("host", "net"), ("rp2040", "net_2")]);
        assert_eq!(of_target(&two, Some("rp2040")), Ok(("rp2040", "net_2")));
        let told = of_target(&two, None).expect_err("which one");
        assert!(told.message.contains("several networks, for host, rp2040"), "{told:?}");
        assert_eq!(of_target(&lock(&[]), None).expect_err("none").code, Code::LOCK_FORMAT);
    }

    #[test]
    fn sums_beside_ties_are_an_error_where_bytes_must_be_equal() {
        let layer = Beside { layer: "dense\n".into(), differing: 3, all: 70_000 };
        let told = [true, false].map(|exact| beside_ties(&layer, exact));
        assert!(told.iter().all(|told| told.message.contains("of the 70000 sums") && told.message.contains("`dense\\n`")));
        let [error, warning] = told.map(Diagnostics::from);
        assert!(error.has_errors() && !warning.has_errors());
    }
}
