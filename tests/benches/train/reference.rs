//! The same networks in PyTorch, in processes of their own that answer requests: `train_reference.py`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::measure::{STEPS, Times};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/benches/train_reference.py");

/// As shipped and with the allocator tuned, both with passive OpenMP; as shipped with OpenMP's own waiting.
pub(crate) const VARIANTS: [&str; 3] = ["shipped", "tuned", "openmp"];

/// What moves the weights: as PyTorch chooses, or its fused kernel.
pub(crate) const OPTIMIZERS: [&str; 2] = ["default", "fused"];

/// A process that runs PyTorch.
pub(crate) struct Reference {
    pub(crate) variant: &'static str,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(crate) version: String,
}

impl Reference {
    /// # Errors
    /// Why this Python cannot run the script.
    pub(crate) fn start(python: &str, variant: &'static str) -> Result<Reference, String> {
        let mut child = Command::new(python)
            .args([SCRIPT, "--serve", variant])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run `{python}`: {error}"))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let mut reference = Reference { variant, child, requests, answers, version: String::new() };
        let hello = reference.answer().map_err(|error| format!("`{python}` has no PyTorch: {error}"))?;
        reference.version = hello["torch"].as_str().unwrap_or("?").to_owned();
        Ok(reference)
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|_| "it gave no answer".to_owned())
    }

    /// Times of steps.
    ///
    /// # Errors
    /// What PyTorch said.
    pub(crate) fn run(
        &mut self,
        (network, optimizer): (&str, &str),
        threads: usize,
        repetitions: usize,
    ) -> Result<Times, String> {
        let request = json!({
            "network": network, "optimizer": optimizer, "threads": threads, "steps": STEPS,
            "repetitions": repetitions,
        });
        let requests = self.requests.as_mut().expect("open until the end");
        writeln!(requests, "{request}").map_err(|error| error.to_string())?;
        let answer = self.answer()?;
        if let Some(error) = answer["error"].as_str() {
            return Err(error.to_owned());
        }
        let numbers = |name: &str| {
            let list = answer[name].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_f64).collect()
        };
        Ok(Times { wall: numbers("wall_ms"), cpu: numbers("cpu_ms") })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // The script ends with its input.
        drop(self.requests.take());
        let _ended = self.child.wait();
    }
}
