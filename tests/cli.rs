//! The command line as a user meets it: the built binary, small generated data, real files.
//!
//! In: a spec that trains in a fraction of a second. What needs programs that are not installed says so and does
//! the rest.

#![allow(clippy::unwrap_used, reason = "what cannot be done here fails the test")]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]
#![allow(clippy::disallowed_methods, reason = "tests of a program read the environment and the clock")]

#[path = "cli/bad.rs"]
mod bad;
#[path = "cli/commands.rs"]
mod commands;
#[path = "cli/data.rs"]
mod data;
#[path = "cli/determinism.rs"]
mod determinism;
#[path = "cli/engine.rs"]
mod engine;
#[path = "cli/export.rs"]
mod export;
#[path = "cli/fmt.rs"]
mod fmt;
#[path = "cli/html.rs"]
mod html;
#[path = "cli/kill.rs"]
mod kill;
#[path = "cli/lab.rs"]
mod lab;
#[path = "cli/language.rs"]
mod language;
#[path = "cli/lean.rs"]
mod lean;
#[path = "cli/lock.rs"]
mod lock;
#[path = "cli/manners.rs"]
mod manners;
#[path = "cli/models.rs"]
mod models;
#[path = "cli/report.rs"]
mod report;
