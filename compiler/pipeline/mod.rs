//! The passes in their order: check, search, compile, eval, verify, report, diff.
//!
//! In: a spec, data, options, and the outside world as traits ([`Files`], the search's `Clock`). Out: results and
//! bundles. Everything that is decided in this module is the order of the other modules' work, what is kept (lock,
//! weights) and when it is stale.

mod bundle;
mod check;
mod checkpoint;
mod compile;
mod diff;
mod evaluate;
mod export;
mod figures;
mod files;
mod forecast;
mod golden;
mod inspect;
mod listener;
mod locking;
mod model;
mod network;
mod passes;
mod prepare;
pub mod quality;
mod recent;
mod recipes;
mod reporting;
mod room;
mod select;
mod sources;
mod standing;
mod status;
mod strategies;
mod study;
mod survey;
mod table;
mod task;
mod tensors;
mod verify;

#[cfg(test)]
mod tests;

pub use bundle::{Emitted, emit};
pub use check::{CheckOptions, Checked, check, stage_text};
pub use compile::{
    CompileOptions, Compiled, Environment, Progress, Scored, Searched, Silent, Written, compile, search,
};
pub use diff::{Given, diff};
pub use evaluate::{Evaluated, Scope, WeakClass, evaluate_bundle, evaluate_spec};
pub use export::{BesideTies, ExportOptions, ExportReport, ExportedEnd, export_bundle, export_spec};
pub use files::{Files, cannot_write};
pub use forecast::{Drawn, Forecast, ForecastOptions, Pace, forecast};
pub use golden::GoldenSet;
pub use inspect::{
    ClassFacts, InputFacts, InspectOptions, Inspected, PartFacts, Range, Sound, SourceFacts, ValueFacts,
    duration_text, inspect, number_text,
};
pub use locking::{Lock, LockedNetwork, LockedQuality, Staleness, StoredNetwork};
pub use model::{
    Compared, Difference, ImportReport, ImportedCost, ModelOptions, PortSummary, compare_model,
    compile_model, import, is_model, model_stage_text,
};
pub use network::IntegerNetwork;
pub use passes::{Passes, Stage};
pub use reporting::{Reported, report_bundle, report_spec};
pub use standing::{FrontLine, Running, SHOWN, Standing};
pub use status::{SearchStatus, status};
pub use survey::{Feasible, Limits, Size};
pub use table::{Head as TableHead, Row as TableRow, Table, TableOptions, Tabled, table};
pub use verify::{Verified, verify};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::SourceMap;

/// Why a command has no result, with the texts that the messages point into.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// Texts.
    pub sources: SourceMap,
    /// Messages; at least one error.
    pub diagnostics: Diagnostics,
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Failure {
        Failure { sources: SourceMap::new(), diagnostics: diagnostic.into() }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Failure {
        Failure { sources: SourceMap::new(), diagnostics }
    }
}
