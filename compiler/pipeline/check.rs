//! `nasc check`: a spec is read, understood, and tried on random points of its space.

use std::collections::BTreeMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::{self, Metric, Program, Requirement};
use crate::pipeline::compile::{CompileOptions, Progress};
use crate::pipeline::figures::{amount_text, cost_of, metric_word, violated};
use crate::pipeline::files::Files;
use crate::pipeline::passes::Passes;
use crate::pipeline::prepare::assumed;
use crate::pipeline::study::front_end_cost;
use crate::pipeline::survey::{self, DRAWN, Feasible, Limits, Size, Survey};
use crate::pipeline::{Failure, Stage};
use crate::plan::Effort;
use crate::source::SourceMap;
use crate::space;
use crate::target::Target;

/// The way out where no file is at `path`: a space of the standard library that may be meant.
fn path_help(path: &str) -> String {
    let spaces = elaborate::stdlib_spaces();
    match crate::diagnostic::nearest(path, spaces.iter().map(String::as_str)) {
        Some(near) if path.starts_with("std/") => format!("did you mean `{near}`?"),
        _ => "give the path of a `.nas` file, or of a space of the standard library: `std/spaces/mcunet`"
            .to_owned(),
    }
}

/// A spec with the texts that messages about it point into.
pub(crate) struct Loaded {
    pub(crate) sources: SourceMap,
    pub(crate) program: Program,
    pub(crate) warnings: Diagnostics,
    /// Whether it is a file of the standard library and not of the user.
    pub(crate) of_stdlib: bool,
}

impl Loaded {
    /// Reads and checks a spec.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub(crate) fn read(
        files: &dyn Files,
        path: &Path,
        params: &BTreeMap<String, String>,
    ) -> Result<Loaded, Failure> {
        let name = path.display().to_string();
        let mut of_stdlib = false;
        let content = files.read(path).or_else(|error| match elaborate::stdlib_text(&name) {
            Some(text) => {
                of_stdlib = true;
                Ok(text.as_bytes().to_vec())
            }
            None => Err(error),
        });
        let content = content.map_err(|error| {
            Failure::from(
                Diagnostic::error(Code::DATA_MISSING, format!("cannot read `{}`: {error}", path.display()))
                    .help(path_help(&name)),
            )
        })?;
        let text = String::from_utf8(content).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count();
            let message = format!("`{}` is not UTF-8 text: line {line} has bytes of none", path.display());
            Failure::from(
                Diagnostic::error(Code::SYNTAX, message)
                    .help("save the file as UTF-8; a spec is a text that starts with `nas 1`"),
            )
        })?;
        let mut sources = SourceMap::new();
        let file = sources.add(path.display().to_string(), text);
        let beside = Beside { files, folder: path.parent().unwrap_or(Path::new("")) };
        let options = elaborate::Options { files: &beside, params: params.clone() };
        let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &options);
        match program {
            Some(mut program) if !diagnostics.has_errors() => {
                require_memories(&mut program);
                Ok(Loaded { sources, program, warnings: diagnostics, of_stdlib })
            }
            _ => Err(Failure { sources, diagnostics }),
        }
    }

    /// A failure with this spec's texts.
    pub(crate) fn failure(&self, diagnostic: Diagnostic) -> Failure {
        Failure { sources: self.sources.clone(), diagnostics: diagnostic.into() }
    }

    /// The targets asked for; those that the spec names if none was.
    ///
    /// # Errors
    /// E0601 for a name that is not known.
    pub(crate) fn targets(&self, names: &[String]) -> Result<Vec<&Target>, Failure> {
        let names = if names.is_empty() { &self.program.named_targets } else { names };
        if names.is_empty() {
            let known: Vec<&str> = self.program.targets.keys().map(String::as_str).collect();
            let message = "no target is given and the spec names none";
            return Err(self.failure(
                Diagnostic::error(Code::UNKNOWN_TARGET, message)
                    .help(format!("add `--target NAME`; known are {}", known.join(", "))),
            ));
        }
        names.iter().map(|name| self.target(name)).collect()
    }

    fn target(&self, name: &str) -> Result<&Target, Failure> {
        self.program.targets.get(name).ok_or_else(|| {
            let known = self.program.targets.keys().map(String::as_str);
            let near = crate::diagnostic::nearest(name, known.clone());
            let all: Vec<&str> = known.collect();
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", all.join(", ")),
            };
            self.failure(
                Diagnostic::error(Code::UNKNOWN_TARGET, format!("target `{name}` is not known")).help(help),
            )
        })
    }
}

/// What a chip has is a requirement like those that are written.
fn require_memories(program: &mut Program) {
    for (name, target) in &program.targets {
        for (metric, memory) in [(Metric::Ram, target.ram), (Metric::Flash, target.flash)] {
            let limit = memory.map(|bytes| bytes.0 as f64);
            let requirement = limit.map(|limit| Requirement {
                metric,
                accounting: None,
                limit,
                target: Some(name.clone()),
                span: None,
            });
            program.requirements.extend(requirement);
        }
    }
}

/// The files beside a spec, which it takes blocks from.
struct Beside<'a> {
    files: &'a dyn Files,
    folder: &'a Path,
}

impl elaborate::Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let content = self.files.read(&self.folder.join(path)).map_err(|error| error.to_string())?;
        String::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())
    }
}

/// Arguments of [`check`].
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Targets to try the space on; empty: those that the spec names.
    pub targets: Vec<String>,
    /// Values of `param`s.
    pub params: BTreeMap<String, String>,
    /// Points to draw.
    pub samples: Option<usize>,
}

/// What `nasc check` found.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The model's name.
    pub name: String,
    /// Decisions written in the spec.
    pub decisions: usize,
    /// Points of the space.
    pub size: Size,
    /// What holds for every network of the space, by intervals.
    pub bounds: Limits,
    /// Points drawn.
    pub drawn: usize,
    /// Of these, the ones that are networks.
    pub valid: usize,
    /// For each target, the ones that meet its requirements.
    pub feasible: Vec<Feasible>,
    /// Warnings.
    #[serde(skip)]
    pub warnings: Diagnostics,
    /// Texts of the warnings.
    #[serde(skip)]
    pub sources: SourceMap,
}

/// Checks a spec; with targets also how much of its space fits.
///
/// # Errors
/// Every mistake that was found.
pub fn check(
    files: &dyn Files,
    path: &Path,
    options: &CheckOptions,
    progress: &dyn Progress,
) -> Result<Checked, Failure> {
    let loaded = Loaded::read(files, path, &options.params)?;
    let target_names = &options.targets;
    let program = &loaded.program;
    let targets = if target_names.is_empty() && program.named_targets.is_empty() {
        Vec::new()
    } else {
        loaded.targets(target_names)?
    };
    let bounds = space::bounds(&program.space);
    let impossible = survey::impossible(program, &bounds, &targets);
    if impossible.has_errors() {
        return Err(Failure { sources: loaded.sources, diagnostics: impossible });
    }
    progress.stage("drawing networks", 0);
    let survey =
        Survey::draw(program, options.samples, targets.len()).map_err(|error| loaded.failure(*error))?;
    let feasible: Vec<Feasible> = targets
        .iter()
        .map(|target| {
            progress.stage(&format!("costing networks on {}", target.name), survey.graphs.len());
            survey::feasible(program, target, &survey.graphs, progress)
        })
        .collect();
    progress.stage("counting the points of the space", 0);
    let cardinality = space::cardinality(&program.space);
    let mut warnings = loaded.warnings.clone();
    warnings.0.extend(not_yet(program));
    for target in feasible.iter().filter(|target| target.fitting == 0) {
        let message = format!("no network that was drawn meets the requirements on `{}`", target.target);
        warnings.push(
            Diagnostic::warning(Code::INFEASIBLE, message)
                .help("raise the limits of `require`, or let the space hold smaller networks"),
        );
    }
    Ok(Checked {
        name: program.name.clone(),
        decisions: program.space.decisions.len(),
        bounds: Limits::of(&bounds),
        size: Size { points: cardinality.count.to_string(), exact: cardinality.exact },
        drawn: survey.drawn,
        valid: survey.valid,
        feasible,
        warnings,
        sources: loaded.sources,
    })
}

/// One warning for all that `compile` would refuse.
fn not_yet(program: &Program) -> Option<Diagnostic> {
    let what: Vec<&str> = program.later.iter().map(|later| later.what.as_str()).collect();
    if what.is_empty() {
        return None;
    }
    let message = format!("checked, but not carried out by this version of nasc: {}", what.join(", "));
    let warning = program
        .later
        .iter()
        .fold(Diagnostic::warning(Code::NOT_YET, message), |warning, later| warning.at(later.span, ""));
    Some(warning.help("`nasc compile` refuses these, and says what to write instead"))
}

/// E0502 if an estimate breaks a requirement of a target.
pub(crate) fn must_fit(
    program: &Program,
    target: &Target,
    estimate: &crate::estimate::Estimate,
) -> Result<(), Diagnostic> {
    let Some(requirement) = violated(&program.requirements, target, estimate) else {
        return Ok(());
    };
    let needs = cost_of(estimate, requirement.metric).unwrap_or(0.0);
    let (needs, limit) =
        (amount_text(requirement.metric, needs), amount_text(requirement.metric, requirement.limit));
    let name = metric_word(requirement.metric);
    let mut diagnostic = Diagnostic::error(
        Code::NO_FIT,
        format!("the network needs {needs} of {name} on `{}`, the requirement allows {limit}", target.name),
    );
    if let Some(span) = requirement.span {
        diagnostic = diagnostic.at(span, "required here");
    }
    Err(diagnostic
        .help("run without `--locked`, so that a smaller network can be searched, or raise the limit"))
}

/// The text of a stage of a random point of a spec's space: what `--emit ir:after=STAGE` shows before anything
/// is trained, with placeholders for constants.
///
/// # Errors
/// Every mistake that was found.
pub fn stage_text(
    files: &dyn Files,
    path: &Path,
    options: &CompileOptions,
    stage: Stage,
) -> Result<String, Failure> {
    let loaded = Loaded::read(files, path, &options.params)?;
    let program = &loaded.program;
    if stage == Stage::Elaborate {
        return Ok(program.text());
    }
    let targets = loaded.targets(&options.targets)?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed.unwrap_or(program.search.seed));
    let (graph, front_end) = (0..DRAWN)
        .find_map(|_| {
            let genome = space::sample(&program.space, &mut rng);
            let graph = space::instantiate(&program.space, &genome).ok()?;
            let front_end = assumed(program, &genome, &graph);
            Some((graph, front_end))
        })
        .ok_or_else(|| loaded.failure(Diagnostic::error(Code::NO_VALID_NETWORK, "no point is a network")))?;
    Ok(Passes { effort: Effort::Final }.text(
        &graph,
        targets[0],
        front_end_cost(&front_end, &graph, targets[0].isa),
        stage,
    ))
}
