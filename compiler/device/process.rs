//! Programs, their time limits and their folders.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::device::tools::package;
use crate::diagnostic::{Code, Diagnostic, Result};

/// What a program left.
pub(super) struct Finished {
    /// Its standard output.
    pub(super) stdout: String,
}

/// Runs a program in a folder to its good end.
///
/// # Errors
/// E0905 if the program is not installed; E0906 if it ends badly or takes longer than `limit`, when it is
/// killed.
pub(super) fn run(program: &str, arguments: &[String], folder: &Path, limit: Duration) -> Result<Finished> {
    let child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| missing(program, &error))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = wait(&mut child, limit).map_err(|error| failed(program, &error.to_string(), "", ""))?;
    let stdout = joined(stdout);
    let stderr = joined(stderr);
    match status {
        Some(status) if status.success() => Ok(Finished { stdout }),
        Some(status) => Err(failed(program, &status.to_string(), &stdout, &stderr)),
        None => Err(failed(program, &format!("stopped after {} s", limit.as_secs()), &stdout, &stderr)),
    }
}

fn missing(program: &str, error: &std::io::Error) -> Diagnostic {
    if error.kind() == std::io::ErrorKind::NotFound {
        let diagnostic = Diagnostic::error(Code::TOOL_MISSING, format!("`{program}` is not installed"));
        return match package(program) {
            Some(package) => diagnostic.help(format!("install the Debian package `{package}`")),
            None => diagnostic.help("`nasc doctor` lists the programs that are needed"),
        };
    }
    Diagnostic::error(Code::TOOL_FAILED, format!("`{program}` could not be started: {error}"))
}

fn failed(program: &str, how: &str, stdout: &str, stderr: &str) -> crate::diagnostic::Diagnostics {
    let mut diagnostic =
        Diagnostic::error(Code::TOOL_FAILED, format!("`{program}` ended with an error: {how}"));
    for text in [stderr, stdout] {
        if !text.trim().is_empty() {
            let shown: Vec<&str> = text.trim().lines().take(40).collect();
            diagnostic = diagnostic.note(shown.join("\n"));
        }
    }
    diagnostic.into()
}

/// Reads a pipe to its end, keeping at most a megabyte.
fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            if kept.len() < 1 << 20 {
                kept.extend_from_slice(&chunk[..count]);
            }
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}

fn joined(reader: Option<JoinHandle<String>>) -> String {
    reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
}

/// The status, or `None` if the time ran out and the child was killed.
#[expect(clippy::disallowed_methods, reason = "a hanging program is stopped by the clock")]
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// A new folder that goes when the value does.
pub(super) struct TempFolder {
    path: PathBuf,
}

impl TempFolder {
    /// Makes one.
    ///
    /// # Errors
    /// E0904 if it cannot be made.
    pub(super) fn new() -> Result<TempFolder> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let base = std::env::temp_dir();
        for _ in 0..10_000 {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("nasc-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(TempFolder { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unwritable(&path, &error)),
            }
        }
        Err(unwritable(&base, &std::io::ErrorKind::AlreadyExists.into()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        std::fs::write(&path, bytes).map_err(|error| unwritable(&path, &error))
    }

    /// Reads a file that `program` was to write.
    pub(super) fn read(&self, name: &str, program: &str) -> Result<Vec<u8>> {
        std::fs::read(self.path.join(name))
            .map_err(|error| failed(program, &format!("no `{name}`: {error}"), "", ""))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // Left over at worst: nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> crate::diagnostic::Diagnostics {
    Diagnostic::error(Code::OUTPUT, format!("`{}` could not be written: {error}", path.display())).into()
}
