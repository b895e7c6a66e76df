//! `nasc search --status`: what a search told of itself, read from the store alone.

use std::path::Path;

use serde::Serialize;

use crate::pipeline::Failure;
use crate::pipeline::check::Loaded;
use crate::pipeline::compile::{self, CompileOptions};
use crate::pipeline::files::Files;
use crate::pipeline::listener::{file_name, search_name};
use crate::pipeline::standing::{Running, Standing};
use crate::search::{self, Clock};
use crate::target::Target;

/// How the searches of a spec stand.
#[derive(Clone, Debug, Serialize)]
pub struct SearchStatus {
    /// File name of the spec.
    pub spec: String,
    /// Processes that search for it now.
    pub processes: usize,
    /// Whether a process searches for it now; `None` where the file system cannot tell.
    pub running: Option<bool>,
    /// Whether what is told is of the spec as it stands, with the same options; else of one before it was changed.
    pub current: bool,
    /// How the search stands or ended; `None` if there was none.
    pub search: Option<Standing>,
    /// Seconds since the search began, up to now or to where it was heard of last.
    pub elapsed_seconds: u64,
    /// Seconds since it was heard of last.
    pub silent_seconds: u64,
    /// Seconds since a trial was finished last.
    pub last_done_seconds: Option<u64>,
}

/// Reads how the search of a spec stands.
///
/// # Errors
/// Mistakes of the spec and of the options; a store that cannot be read.
pub fn status(
    spec: &Path,
    options: &CompileOptions,
    files: &dyn Files,
    clock: &dyn Clock,
) -> Result<SearchStatus, Failure> {
    let loaded = compile::load(spec, options, files)?;
    let targets = meant(&loaded, options)?;
    let name = file_name(spec);
    // One search for all targets, or one for each.
    let all = std::iter::once(targets.as_slice());
    let wanted: Vec<String> =
        all.chain(targets.chunks(1)).map(|targets| search_name(&name, &loaded.program, targets)).collect();
    let mut found: Vec<(bool, Option<bool>, Standing)> = search::told(&compile::store_of(spec))?
        .into_iter()
        // What cannot be read is as good as nothing told.
        .filter_map(|told| {
            Some((wanted.contains(&told.search), told.lives, serde_json::from_str(&told.text).ok()?))
        })
        .filter(|(is_wanted, _, standing): &(bool, Option<bool>, Standing)| {
            *is_wanted || standing.spec == name
        })
        .collect();
    let runs = |lives: Option<bool>, standing: &Standing| match standing.end {
        Some(_) => Some(false),
        None => lives,
    };
    // Of this spec before others, what runs before what ran, the latest before the rest.
    found.sort_by_key(|(is_wanted, lives, standing)| {
        (!is_wanted, runs(*lives, standing) == Some(false), u64::MAX - standing.told)
    });
    let now = clock.now();
    let Some((current, lives, mut first)) = found.first().cloned() else {
        return Ok(SearchStatus {
            spec: name,
            processes: 0,
            running: Some(false),
            current: true,
            search: None,
            elapsed_seconds: 0,
            silent_seconds: 0,
            last_done_seconds: None,
        });
    };
    let running = runs(lives, &first);
    let alike: Vec<&Standing> = found
        .iter()
        .filter(|(is_wanted, lives, standing)| *is_wanted == current && runs(*lives, standing) == Some(true))
        .map(|(_, _, standing)| standing)
        .collect();
    let processes = alike.len();
    if processes > 1 {
        first.running = together(&alike);
    }
    if running == Some(false) {
        first.seconds_left = None;
    }
    let until = if running == Some(false) { first.told } else { now };
    Ok(SearchStatus {
        spec: name,
        processes,
        running,
        current,
        elapsed_seconds: until.saturating_sub(first.started),
        silent_seconds: now.saturating_sub(first.told),
        last_done_seconds: first.last_done.map(|last| now.saturating_sub(last)),
        search: Some(first),
    })
}

/// The targets of the search that is asked for: any of all where neither the spec nor the command names one.
fn meant<'l>(loaded: &'l Loaded, options: &CompileOptions) -> Result<Vec<&'l Target>, Failure> {
    if options.targets.is_empty() && loaded.program.named_targets.is_empty() {
        return Ok(loaded.program.targets.values().collect());
    }
    loaded.targets(&options.targets)
}

/// What several processes have in flight, each trial once: as the one that trains it says.
fn together(all: &[&Standing]) -> Vec<Running> {
    let mut running: Vec<Running> = all.iter().flat_map(|standing| standing.running.clone()).collect();
    running.sort_by_key(|running| (running.trial, u64::MAX - running.done, u64::MAX - running.of));
    running.dedup_by_key(|running| running.trial);
    running
}
