//! From syntax to meaning: names, types, units, blocks, sections.
//!
//! In: a spec and the standard library. Out: a checked [`Program`], or every user error of meaning that was found.
//! Not done here: shapes of feature maps, which depend on decisions and are the concern of `space::instantiate`.

mod call;
mod canonical;
mod condition;
mod domain;
mod fields;
mod goals;
mod habits;
mod interface;
mod layers;
mod library;
mod model;
mod program;
mod reference;
mod schema;
mod scope;
mod searching;
mod sections;
mod structure;
mod targets;
#[cfg(test)]
mod tests;
mod units;
mod value;
mod variant;

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity};
use crate::elaborate::fields::Context;
use crate::elaborate::library::Library;
use crate::elaborate::scope::unknown;
use crate::source::{FileId, SourceMap, Span};
use crate::space::Output;
use crate::syntax::{self, ast};
use crate::target::Target;

pub use reference::reference;

pub use program::{
    Accounting, LossSpec, Metric, Objective, OptimizerSpec, Preference, Program, QuantizeSpec, RateSpec,
    Requirement, TrainSpec,
};
pub use schema::{Later, Setting, Settings};
pub use searching::{Proxy, ProxyScore, SearchSpec, Strategy};

/// Reads files that a spec takes blocks from by `use "name.nas"`.
pub trait Files {
    /// The text of the file at `path`, which is relative to the folder of the spec and does not leave it.
    ///
    /// # Errors
    ///
    /// What the system says, in words.
    fn read(&self, path: &str) -> Result<String, String>;
}

/// No files besides the spec.
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<String, String> {
        Err("only the standard library can be used here".to_owned())
    }
}

/// What comes from outside a spec.
pub struct Options<'a> {
    /// Files beside the spec.
    pub files: &'a dyn Files,
    /// Values of `param`s by name, as `.nas` text: `96`, `{64, 96}`.
    pub params: BTreeMap<String, String>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { files: &NoFiles, params: BTreeMap::new() }
    }
}

/// Parses and checks a spec. The program is there if no message is an error.
///
/// Errors: those of [`syntax::parse`], of which any ends the run before meaning is looked at, then E0201 to E0204
/// for names, E0301 to E0305 for types and units, E0401 to E0403 for the space, E0601 and E0602 for targets.
pub fn elaborate(
    sources: &mut SourceMap,
    file: FileId,
    options: &Options<'_>,
) -> (Option<Program>, Diagnostics) {
    let (mut tree, mut out) = syntax::parse(sources, file);
    if out.has_errors() {
        return (None, out);
    }
    variant::take_base(&mut tree, sources, options.files, &mut out);
    if out.has_errors() {
        // Without its base, a variant lacks what it does not lack.
        return (None, out);
    }
    set_params(&mut tree, sources, &options.params, &mut out);
    let stdlib = library::stdlib("targets", sources, &mut out);
    let library = Library::load(tree, sources, options.files, &mut out);
    let program = program_of(&library, &stdlib, &mut out);
    out.sort();
    // A mistake in a block is found again at every call of it.
    out.0.dedup();
    if out.0.len() > syntax::MAX_MESSAGES {
        let warnings = out.0.iter().filter(|d| d.severity != Severity::Error).count();
        let mut kept = syntax::MAX_MESSAGES.saturating_sub(out.0.len() - warnings);
        out.0.retain(|diagnostic| {
            let keep = diagnostic.severity == Severity::Error || kept > 0;
            kept = kept.saturating_sub(usize::from(diagnostic.severity != Severity::Error));
            keep
        });
        out.0.truncate(syntax::MAX_MESSAGES);
    }
    (program.filter(|_| !out.has_errors()), out)
}

/// The text of a spec of the standard library, such as `std/spaces/mcunet`.
pub fn stdlib_text(path: &str) -> Option<&'static str> {
    library::stdlib_text(path)
}

/// The specs of the standard library: `std/spaces/mcunet` and so on.
pub fn stdlib_spaces() -> Vec<String> {
    library::stdlib_names("spaces")
}

/// The targets of the standard library by name.
pub fn stdlib_targets() -> BTreeMap<String, Target> {
    let mut sources = SourceMap::new();
    let file = sources.add("<no spec>", "nas 1\n");
    let (empty, mut out) = syntax::parse(&sources, file);
    let stdlib = library::stdlib("targets", &mut sources, &mut out);
    let scope = scope::Scope::default();
    let mut context = Context { scope: &scope, out: &mut out, space: None };
    targets::targets(&stdlib, &empty, &mut context).0
}

/// The file of the standard library that declares a target, such as `std/targets/cortex_m.nas`.
pub fn stdlib_target_file(name: &str) -> Option<String> {
    let mut sources = SourceMap::new();
    let files = library::stdlib("targets", &mut sources, &mut Diagnostics::default());
    let declares = |file: &&ast::File| {
        file.items
            .iter()
            .any(|item| matches!(&item.kind, ast::ItemKind::Target(target) if target.name.text == name))
    };
    let file = files.iter().find(declares)?;
    Some(sources.name(file.file).to_owned())
}

/// Puts values from outside in the place of those of `param`s.
fn set_params(
    tree: &mut ast::File,
    sources: &mut SourceMap,
    params: &BTreeMap<String, String>,
    out: &mut Diagnostics,
) {
    for (name, text) in params {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let written = if is_name { name } else { "value" };
        let file = sources.add(format!("<value of {name}>"), format!("nas 1\nlet {written} = {text}\n"));
        let (value, diagnostics) = syntax::parse(sources, file);
        if diagnostics.has_errors() {
            out.extend(diagnostics);
            continue;
        }
        let start = "nas 1\nlet ".len() as u32;
        let start = Span { file, start, end: start + written.len() as u32 };
        let mut values = value.items.into_iter().map(|item| item.kind);
        let (Some(ast::ItemKind::Let(value)), None) = (values.next(), values.next()) else {
            let message = format!("the parameter `{name}` takes one value");
            out.push(Diagnostic::error(Code::TYPE, message).at(start, "more than a value"));
            continue;
        };
        let declared = || {
            tree.items.iter().filter_map(|item| match &item.kind {
                ast::ItemKind::Param(param) => Some(param.name.text.as_str()),
                _ => None,
            })
        };
        if !declared().any(|known| known == name) {
            let is_let = |item: &ast::Item| match &item.kind {
                ast::ItemKind::Let(item) if item.name.text == *name => Some(item.name.span),
                _ => None,
            };
            let error = unknown("parameter", name, start, declared());
            out.push(match tree.items.iter().find_map(is_let) {
                Some(span) => error.at(span, "a `let`, not a `param`"),
                None if declared().next().is_none() => error.help("the spec has no `param`"),
                None => error,
            });
            continue;
        }
        for item in &mut tree.items {
            if let ast::ItemKind::Param(param) = &mut item.kind
                && param.name.text == *name
            {
                param.value = value.value.clone();
            }
        }
    }
}

/// The items of a spec by kind; what stands twice is told.
pub(super) struct Items<'a> {
    model: Option<&'a ast::Definition>,
    sections: BTreeMap<&'a str, &'a ast::Section>,
    require: Vec<&'a ast::Requirements>,
    prefer: Vec<&'a ast::Requirements>,
    objectives: Vec<(&'a ast::Objective, Span)>,
    forbids: Vec<(&'a [ast::Expr], Span)>,
    phases: Vec<&'a ast::Section>,
}

fn items<'a>(tree: &'a ast::File, out: &mut Diagnostics) -> Items<'a> {
    let mut items = Items {
        model: None,
        sections: BTreeMap::new(),
        require: Vec::new(),
        prefer: Vec::new(),
        objectives: Vec::new(),
        forbids: Vec::new(),
        phases: Vec::new(),
    };
    for item in &tree.items {
        match &item.kind {
            ast::ItemKind::Model(model) => match items.model {
                Some(first) => out.push(
                    Diagnostic::error(Code::DUPLICATE_NAME, "a spec has one model")
                        .at(model.name.span, "a second model")
                        .at(first.name.span, "the first model"),
                ),
                None => items.model = Some(model),
            },
            ast::ItemKind::Section(section) => match items.sections.get(section.name.text.as_str()) {
                Some(first) => {
                    let message = format!("a spec has one section `{}`", section.name.text);
                    out.push(
                        Diagnostic::error(Code::DUPLICATE_NAME, message)
                            .at(section.name.span, "given again here")
                            .at(first.name.span, "first given here"),
                    );
                }
                None => {
                    items.sections.insert(&section.name.text, section);
                }
            },
            ast::ItemKind::Require(requirements) => items.require.push(requirements),
            ast::ItemKind::Prefer(requirements) => items.prefer.push(requirements),
            ast::ItemKind::Forbid(conditions) => items.forbids.push((conditions, item.span)),
            ast::ItemKind::Phase(phase) => {
                if let Some(first) = items.phases.iter().find(|known| known.name.text == phase.name.text) {
                    out.push(scope::twice(&phase.name.text, phase.name.span, first.name.span));
                }
                items.phases.push(phase);
            }
            ast::ItemKind::Objective(objective) => items.objectives.push((objective, item.span)),
            ast::ItemKind::Use(_)
            | ast::ItemKind::Let(_)
            | ast::ItemKind::Param(_)
            | ast::ItemKind::Block(_)
            | ast::ItemKind::With(_)
            | ast::ItemKind::Target(_) => {}
        }
    }
    items
}

fn missing(out: &mut Diagnostics, what: &str, example: &str, near: Span) {
    let error = Diagnostic::error(Code::MISSING, format!("the spec has no {what}"));
    out.push(error.at(near, format!("{what} is missing")).help(format!("write `{example}`")));
}

/// Where a model says what it gives: its `classes` or `outputs`, else its name.
fn output_span(model: &ast::Definition) -> Span {
    let says = |param: &&ast::Param| ["classes", "outputs"].contains(&param.name.text.as_str());
    model.params.iter().find(says).map_or(model.name.span, |param| param.name.span)
}

/// E0203 for sections and objectives that a spec must have.
fn missing_items(items: &Items<'_>, near: Span, out: &mut Diagnostics) {
    for (name, example) in [
        ("data", "data { source: ts(train: \"train.ts\", test: \"test.ts\"), split: holdout(val: 20 %) }"),
        ("train", "train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }"),
        ("search", "search { strategy: random, trials: 100 }"),
    ] {
        if !items.sections.contains_key(name) {
            missing(out, &format!("section `{name}`"), example, near);
        }
    }
    if items.objectives.is_empty() {
        missing(out, "objective", "maximize accuracy", near);
    }
}

fn program_of(library: &Library, stdlib: &[ast::File], out: &mut Diagnostics) -> Option<Program> {
    let items = items(library.spec(), out);
    let start = Span { file: library.spec_file(), start: 0, end: 0 };
    let near = items.model.map_or(start, |model| model.name.span);
    let Some(model) = items.model else {
        missing(out, "model", "model name(input: (49, 10, 1), classes: 12) { ... }", start);
        return None;
    };
    let (mut space, scope) = model::build(library, model, &items, out);
    missing_items(&items, near, out);
    let output = goals::Output { kind: space.output, span: output_span(model), name: &model.name.text };
    let mut context = Context { scope: &scope, out, space: Some(&mut space) };
    let section = |name: &str| items.sections.get(name).copied();
    let mut read = sections::read(section, items.phases.iter().copied(), &mut context);
    let (targets, mut named_targets) = targets::targets(stdlib, library.spec(), &mut context);
    let known: Vec<String> = targets.keys().cloned().chain(named_targets.iter().cloned()).collect();
    let requirements = goals::requirements(&items.require, &known, &mut context);
    let preferences = goals::preferences(&items.prefer, &known, &mut context);
    let objectives = goals::objectives(&items.objectives, &known, &mut context);
    goals::energy_needs_power(&requirements, &items.objectives, &targets, &mut context);
    let wants = [items.require.as_slice(), items.prefer.as_slice()];
    // A mistake in `classes` is told already.
    if output.kind != Output::Input || output.span == model.name.span {
        goals::fit_output(&wants, &items.objectives, &output, &mut context);
    }
    sections::fit_loss(section("train"), &output, &mut read, &mut context);
    read.later.extend(goals::later(&wants, &items.objectives, output.kind));
    let (failed, search) = (read.failed, read.settings.get("search").and_then(SearchSpec::of));
    goals::preferences_have_effect(&items.prefer, search.as_ref(), &mut context);
    let limits = requirements.iter().chain(preferences.iter().map(|preference| &preference.limit));
    let on = objectives.iter().filter_map(|objective| objective.target.as_ref());
    for target in limits.filter_map(|limit| limit.target.as_ref()).chain(on) {
        if !named_targets.contains(target) {
            named_targets.push(target.clone());
        }
    }
    if failed || !["data", "train"].iter().all(|section| read.settings.contains_key(*section)) {
        return None;
    }
    let mut program = Program {
        name: model.name.text.clone(),
        space,
        settings: read.settings,
        phases: read.phases,
        later: read.later,
        search: search?,
        requirements,
        preferences,
        objectives,
        targets,
        named_targets,
        sections: BTreeMap::new(),
    };
    program.sections = canonical::sections(&program);
    if !out.has_errors() {
        interface::warn_of_unused(&program.space, out);
    }
    Some(program)
}
