//! The outside world: files, time, the terminal, Ctrl-C.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nasc::pipeline::{Files, Progress, Scored};
use nasc::search::Clock;

/// Files on disk.
pub(crate) struct Disk;

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        remove_leftovers(folder, path);
        let mut written = replace(path, content);
        for _ in 0..10 {
            match &written {
                // Another process took the new file for a leftover before it was locked.
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder.exists() => {
                    written = replace(path, content);
                }
                _ => break,
            }
        }
        written
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// Writes a temporary file, waits until it is on the disk, and renames it, so that nobody ever sees half of it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let mut file = std::fs::File::create(&temporary)?;
    // Where there are no locks, leftovers stay.
    let _ = file.try_lock();
    let written = io::Write::write_all(&mut file, content)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Removes the temporary files for `path` that killed processes left in its folder: those that nobody has locked.
fn remove_leftovers(folder: &Path, path: &Path) {
    let (Some(stem), Ok(entries)) = (path.file_name(), std::fs::read_dir(folder)) else { return };
    let stem = format!("{}.", stem.to_string_lossy());
    for entry in entries.flatten() {
        let name = entry.file_name();
        let middle = name.to_str().and_then(|name| name.strip_prefix(&stem)?.strip_suffix(".tmp"));
        let ours = middle.and_then(|middle| middle.split_once('-')).is_some_and(|(process, number)| {
            [process, number].iter().all(|part| part.parse::<u32>().is_ok())
        });
        let left = ours && std::fs::File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if left {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Time of day, for leases and budgets.
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }

    fn pause(&self) {
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Number of cores that this process may use.
pub(crate) fn n_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

static CANCEL: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub(crate) fn is_cancelled() -> bool {
    CANCEL.load(Ordering::SeqCst)
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process at once. Both leave a resumable state.
pub(crate) fn cancelled() -> &'static AtomicBool {
    let handler = || {
        if CANCEL.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
        let _ = io::Write::write_all(
            &mut io::stderr(),
            b"stopping after the current step; press Ctrl-C again to stop at once\n",
        );
    };
    // Where no handler can be set Ctrl-C ends the process at once, which is safe too.
    let _ = ctrlc::set_handler(handler);
    &CANCEL
}

/// Progress on stderr: a bar in a terminal, lines elsewhere.
pub(crate) struct Bars {
    enabled: bool,
    /// Shown in a terminal alone, and only of what takes longer than [`PATIENCE`].
    since: Option<Instant>,
    state: Arc<Mutex<State>>,
}

/// How long a command that is mostly quick may be silent.
const PATIENCE: Duration = Duration::from_secs(1);

struct State {
    bar: ProgressBar,
    best: Option<Scored>,
    parts: usize,
    done: usize,
}

impl Bars {
    /// Progress that is shown, or not.
    pub(crate) fn new(enabled: bool) -> Bars {
        let state = State { bar: ProgressBar::hidden(), best: None, parts: 0, done: 0 };
        Bars { enabled, since: None, state: Arc::new(Mutex::new(state)) }
    }

    /// Progress of a command that is mostly quick: nothing is shown in its first second, and nothing stays.
    pub(crate) fn patient(enabled: bool) -> Bars {
        let enabled = enabled && io::IsTerminal::is_terminal(&io::stderr());
        let bars = Bars { since: Some(Instant::now()), ..Bars::new(enabled) };
        if enabled {
            let state = Arc::clone(&bars.state);
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                if let Ok(state) = state.lock() {
                    state.bar.set_draw_target(ProgressDrawTarget::stderr());
                }
            });
        }
        bars
    }

    /// Puts a spinner or a bar with the stage's title in the place of the last one.
    fn stage_in_place(&self, state: &mut State, title: &str, since: Instant) {
        let is_late = since.elapsed() >= PATIENCE;
        let draw = if is_late { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let (parts, template) = match state.parts {
            0 => (None, "  {spinner} {msg} {elapsed}"),
            parts => (Some(parts as u64), "  [{bar:30}] {pos}/{len} {msg} {elapsed}"),
        };
        state.bar = ProgressBar::with_draw_target(parts, draw);
        if let Ok(style) = ProgressStyle::with_template(template) {
            state.bar.set_style(style.progress_chars("=> "));
        }
        state.bar.set_message(title.to_owned());
        state.bar.enable_steady_tick(Duration::from_millis(200));
    }

    /// Takes the bar away before other output.
    pub(crate) fn clear(&self) {
        if let Ok(state) = self.state.lock() {
            state.bar.finish_and_clear();
        }
    }

    fn line(text: &str) {
        let _ = io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes());
    }
}

impl Progress for Bars {
    fn stage(&self, title: &str, parts: usize) {
        let Ok(mut state) = self.state.lock() else { return };
        if !self.enabled {
            return;
        }
        state.bar.finish_and_clear();
        (state.best, state.parts, state.done) = (None, parts, 0);
        if let Some(since) = self.since {
            self.stage_in_place(&mut state, title, since);
            return;
        }
        Bars::line(title);
        if parts == 0 || !io::IsTerminal::is_terminal(&io::stderr()) {
            state.bar = ProgressBar::hidden();
            return;
        }
        state.bar = ProgressBar::with_draw_target(Some(parts as u64), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("  [{bar:30}] {pos}/{len} {elapsed}, about {eta} left {msg}")
        {
            state.bar.set_style(style.progress_chars("=> "));
        }
        state.bar.enable_steady_tick(Duration::from_millis(500));
    }

    fn trial(&self, number: usize, quality: Option<Scored>, from_store: bool) {
        let Ok(mut state) = self.state.lock() else { return };
        if !self.enabled {
            return;
        }
        state.done += 1;
        state.best = state.best.into_iter().chain(quality).reduce(Scored::better);
        let best = state.best.map(|best| format!("best {best}"));
        if state.bar.is_hidden() {
            let result = match quality {
                Some(quality) => quality.to_string(),
                None => "diverged".to_owned(),
            };
            let origin = if from_store { " (from the store)" } else { "" };
            let best = best.map(|best| format!("; {best}")).unwrap_or_default();
            Bars::line(&format!("  {}/{} trial {number}: {result}{origin}{best}", state.done, state.parts));
        } else {
            state.bar.set_message(best.unwrap_or_default());
            state.bar.inc(1);
        }
    }

    fn part(&self) {
        if let Ok(state) = self.state.lock() {
            state.bar.inc(1);
        }
    }

    fn note(&self, text: &str) {
        let Ok(state) = self.state.lock() else { return };
        if self.enabled {
            state.bar.suspend(|| Bars::line(&format!("note: {text}")));
        }
    }
}
