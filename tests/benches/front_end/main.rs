//! Features of real sound: whether emitted C has the same bytes, how fast they are made, and how near they are to
//! those of doubles.
//!
//! `NASC_SHARED=FOLDER cargo bench --bench front_end`, where `FOLDER/data` holds `speech_commands_12` and `fsdd_8k`.
//!
//! | option | |
//! |---|---|
//! | `--bits` | features of recordings by the C on an emulated Cortex-M4 against those that training sees, all bytes |
//! | `--speed` | recordings that one core reads and makes features of in a second |
//! | `--accuracy` | error of energies and features against doubles |
//! | `--paired` | networks trained on both kinds of features, in pairs of the same seed |
//! | `--count N` | recordings for `--bits` and `--accuracy`, default 1000 |
//! | `--seeds N`, `--epochs N` | for `--paired`, default 5 and 20 |
//!
//! Without the first four, all of them. It fails if a byte differs or a bar is missed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod accuracy;
mod bits;
#[path = "../train/networks.rs"]
#[expect(dead_code, reason = "the bench of training uses the rest")]
mod networks;
mod paired;
#[path = "../../../compiler/data/front_end/audio/reference.rs"]
mod reference;
mod sound;
mod speed;

/// What the reference in doubles, which unit tests share, takes from nasc.
mod data {
    pub(crate) mod front_end {
        pub(crate) use nasc::data::AudioSpec;
    }
}

use std::path::PathBuf;
use std::process::ExitCode;

fn run(arguments: &[String]) -> Result<bool, String> {
    let root = std::env::var_os("NASC_SHARED").map(PathBuf::from);
    let root = root.ok_or("set NASC_SHARED to the folder that has the data in `data`")?;
    let given = |name: &str| arguments.iter().position(|argument| argument == name);
    let number = |name: &str, default: usize| match given(name) {
        None => Ok(default),
        Some(at) => {
            let value = arguments.get(at + 1).and_then(|text| text.parse().ok()).filter(|&value| value > 0);
            value.ok_or_else(|| format!("`{name}` needs a number from 1 on"))
        }
    };
    let count = number("--count", 1000)?;
    let (seeds, epochs) = (number("--seeds", 5)?, number("--epochs", 20)?);
    let all = ["--bits", "--speed", "--accuracy", "--paired"].iter().all(|name| given(name).is_none());
    let mut passed = true;
    if all || given("--bits").is_some() {
        passed &= bits::run(&root, count)?;
    }
    if all || given("--speed").is_some() {
        passed &= speed::run(&root)?;
    }
    if all || given("--accuracy").is_some() {
        passed &= accuracy::run(&root, count)?;
    }
    if all || given("--paired").is_some() {
        paired::run(&root, seeds, epochs as u64)?;
    }
    Ok(passed)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
