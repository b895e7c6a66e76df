//! The sections as typed views: read from what their tables ([`schema`]) say of a spec.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::Context;
use crate::elaborate::goals::Output;
use crate::elaborate::schema::{self, Later, Setting, Settings};
use crate::elaborate::searching;
use crate::elaborate::{LossSpec, OptimizerSpec, QuantizeSpec, RateSpec, TrainSpec};
use crate::space;
use crate::syntax::ast;

/// All sections that were read.
#[derive(Default)]
pub(super) struct Read {
    /// By name.
    pub(super) settings: BTreeMap<String, Settings>,
    /// In order, each with its name.
    pub(super) phases: Vec<(String, Settings)>,
    /// What this version only checks.
    pub(super) later: Vec<Later>,
    /// Whether anything was wrong, which is told.
    pub(super) failed: bool,
}

/// Reads every section that is there, in the order of the tables, so that decisions do not depend on theirs in the
/// spec; then the phases, in theirs. A section that may be left out has its defaults.
pub(super) fn read<'a>(
    section: impl Fn(&str) -> Option<&'a ast::Section>,
    phases: impl Iterator<Item = &'a ast::Section>,
    context: &mut Context<'_>,
) -> Read {
    let mut read = Read::default();
    for table in schema::sections().into_iter().filter(|table| table.name != "phase") {
        let Some(given) = section(table.name) else {
            if table.name == "quantize" {
                read.settings.insert(table.name.to_owned(), table.defaults());
            }
            continue;
        };
        match schema::check(table, table.name, given, context) {
            Some(checked) => {
                read.later.extend(checked.later);
                read.settings.insert(table.name.to_owned(), checked.settings);
            }
            None => read.failed = true,
        }
        if table.name == "search" || table.name == "data" {
            read.failed |= !consistent(given, read.settings.get(table.name), context);
        }
    }
    for phase in phases {
        let Some(table) = schema::find("phase") else { continue };
        let name = &phase.name.text;
        match schema::check(table, &format!("phase {name}"), phase, context) {
            Some(checked) => {
                read.later.extend(checked.later);
                read.phases.push((name.clone(), checked.settings));
            }
            None => read.failed = true,
        }
    }
    read
}

/// Whether keys of one section fit one another; told if not.
fn consistent(given: &ast::Section, settings: Option<&Settings>, context: &mut Context<'_>) -> bool {
    let Some(settings) = settings else { return true };
    let span =
        |key: &str| given.fields.iter().find(|field| field.key.text == key).map(|field| field.value.span);
    if given.name.text == "search" {
        return searching::consistent(settings, span, context);
    }
    if let (Some(("by", Some(parts))), Some(place)) = (settings.form("split"), span("split")) {
        let shares: Vec<f64> =
            ["train", "val", "test"].iter().filter_map(|part| parts.number(part)).collect();
        let sum: f64 = shares.iter().sum();
        if (sum - 1.0).abs() > 1e-9 {
            let message = format!("the parts give {} %, not 100 %", (sum * 1e8).round() / 1e6);
            context.out.push(Diagnostic::error(Code::RANGE, message).at(place, "`train`, `val` and `test`"));
            return false;
        }
    }
    true
}

/// What keys of a section say beyond those that a view has fields for.
pub(super) fn beyond(section: &str, settings: &Settings, known: &[&str]) -> Settings {
    schema::find(section).map(|table| settings.beyond(table.keys, known)).unwrap_or_default()
}

impl LossSpec {
    /// The view on `train`; `None` where the key is missing.
    pub(super) fn of(settings: &Settings) -> Option<LossSpec> {
        match settings.form("loss")?.0 {
            "cross_entropy" => Some(LossSpec::CrossEntropy),
            "mse" => Some(LossSpec::Mse),
            "bce" => Some(LossSpec::Bce),
            _ => None,
        }
    }
}

/// Fills in the loss that the model's outputs have where `train` says none; E0204 where it says one that they cannot
/// have.
pub(super) fn fit_loss(
    given: Option<&ast::Section>,
    output: &Output<'_>,
    read: &mut Read,
    context: &mut Context<'_>,
) {
    let Some(settings) = read.settings.get_mut("train") else { return };
    let (usual, gives) = match output.kind {
        space::Output::Classes(_) => ("cross_entropy", "classes"),
        space::Output::Values(_) => ("mse", "values"),
        space::Output::Input => ("mse", "its input again"),
    };
    let needs = match (LossSpec::of(settings), output.kind) {
        (None, _) => {
            settings.0.insert("loss".to_owned(), Setting::Word(usual.to_owned()));
            return;
        }
        (Some(LossSpec::CrossEntropy), space::Output::Values(_) | space::Output::Input) => "classes",
        (Some(LossSpec::Bce), space::Output::Input) => "classes, or values from 0 to 1",
        (Some(_), _) => return,
    };
    let place = given.and_then(|section| section.fields.iter().find(|field| field.key.text == "loss"));
    let Some(place) = place else { return };
    let message = format!("`loss` needs {needs}, and the model gives {gives}");
    let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(place.value.span, format!("needs {needs}"));
    let error = error.at(output.span, format!("`{}` gives {gives}", output.name));
    context.out.push(error.help("write `loss: mse`, or give the model `classes:`"));
}

impl TrainSpec {
    /// The view on a section without decisions; `None` where a key is missing, which the table forbids.
    pub(super) fn of(settings: &Settings) -> Option<TrainSpec> {
        let known =
            ["optimizer", "epochs", "batch", "loss", "warmup", "smoothing", "schedule", "clip", "mixup"];
        let (name, rule) = settings.form("optimizer")?;
        let rule = rule?;
        let optimizer = match name {
            "adamw" => OptimizerSpec::Adamw,
            "sgd" => {
                OptimizerSpec::Sgd { momentum: rule.number("momentum")?, nesterov: rule.boolean("nesterov")? }
            }
            _ => return None,
        };
        let schedule = match settings.form("schedule")? {
            ("cosine", _) => RateSpec::Cosine,
            ("step", Some(falls)) => {
                RateSpec::Step { every: falls.integer("every")?, factor: falls.number("factor")? }
            }
            ("constant", _) => RateSpec::Constant,
            _ => return None,
        };
        Some(TrainSpec {
            optimizer,
            learning_rate: rule.number("lr")?,
            weight_decay: rule.number("decay")?,
            schedule,
            epochs: usize::try_from(settings.integer("epochs")?).ok()?,
            batch: usize::try_from(settings.integer("batch")?).ok()?,
            loss: LossSpec::of(settings)?,
            warmup: settings.number("warmup")?,
            label_smoothing: settings.number("smoothing")?,
            clip: settings.number("clip"),
            mixup: settings.number("mixup"),
            other: beyond("train", settings, &known),
        })
    }
}

impl QuantizeSpec {
    /// The view on a section without decisions; `None` where a key is missing, which the table forbids.
    pub(super) fn of(settings: &Settings) -> Option<QuantizeSpec> {
        let calibration_samples = usize::try_from(settings.integer("calibrate")?).ok()?;
        Some(QuantizeSpec { calibration_samples, other: beyond("quantize", settings, &["calibrate"]) })
    }
}
