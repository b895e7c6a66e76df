//! The examples as a user meets them: every spec in `examples/` is checked, and trained on small data in its layout.
//!
//! In: the specs of the repository, copied to a temporary folder, and generated files in the layouts that their
//! headers name. What needs programs that are not installed says so and does the rest. Deliberately not done here:
//! the figures that the headers promise, which take the real data and minutes.

#![allow(clippy::unwrap_used, reason = "what cannot be done here fails the test")]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]
#![allow(clippy::disallowed_methods, reason = "tests of a program read the environment")]

#[path = "examples/data.rs"]
mod data;
#[path = "examples/encode.rs"]
mod encode;
#[path = "cli/lab.rs"]
#[allow(dead_code, reason = "of the lab of the command line, only folders and runs are used here")]
mod lab;
#[path = "examples/small.rs"]
mod small;
#[path = "examples/specs.rs"]
mod specs;
