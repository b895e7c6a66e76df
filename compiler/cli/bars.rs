//! Progress on stderr: a live block or a bar in a terminal, lines elsewhere.

use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nasc::pipeline::{Progress, Scored, Standing};

use crate::cli::{standing, world};

/// Progress of a command.
pub(crate) struct Bars {
    enabled: bool,
    /// Shown in a terminal alone, and only of what takes longer than [`PATIENCE`].
    since: Option<Instant>,
    state: Arc<Mutex<State>>,
}

/// How long a command that is mostly quick may be silent.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a log may be silent while trials train.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a block is drawn anew where nothing happens.
const TICK: Duration = Duration::from_millis(500);

struct State {
    bar: ProgressBar,
    best: Option<Scored>,
    parts: usize,
    done: usize,
    /// How the search stands, and since when.
    standing: Option<(Standing, Instant)>,
    /// When a line was written last.
    written: Instant,
}

impl State {
    fn line(&mut self, text: &str) {
        self.written = Instant::now();
        let _ = io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes());
    }

    /// Draws the block of a search, cut to the terminal.
    fn draw(&self) {
        let Some((standing, since)) = &self.standing else { return };
        let width = console::Term::stderr().size_checked().map_or(80, |(_, columns)| usize::from(columns));
        let mut lines = standing::block(standing, since.elapsed().as_secs());
        if world::is_cancelled() {
            lines.push(format!("  {}", world::STOPPING));
        }
        let cut = |line: &String| console::truncate_str(line, width.saturating_sub(1), "…").into_owned();
        self.bar.set_message(lines.iter().map(cut).collect::<Vec<_>>().join("\n"));
    }

    /// What runs, in a log that has been silent for long.
    fn heartbeat(&mut self) {
        let Some((standing, since)) = &self.standing else { return };
        let running = standing::running(standing);
        if self.written.elapsed() < SILENCE || running.is_empty() {
            return;
        }
        let left = standing::left(standing, since.elapsed().as_secs());
        let left = left.map(|left| format!("; {left}")).unwrap_or_default();
        let text = format!("  {}/{} done, {running}{left}", standing.done, standing.trials);
        self.line(&text);
    }
}

/// Draws what changes by itself until the bars are gone.
fn tick(state: &Weak<Mutex<State>>) {
    loop {
        std::thread::sleep(TICK);
        let Some(state) = state.upgrade() else { return };
        let Ok(mut state) = state.lock() else { return };
        if state.bar.is_hidden() { state.heartbeat() } else { state.draw() }
    }
}

impl Bars {
    /// Progress that is shown, or not.
    pub(crate) fn new(enabled: bool) -> Bars {
        let state = State {
            bar: ProgressBar::hidden(),
            best: None,
            parts: 0,
            done: 0,
            standing: None,
            written: Instant::now(),
        };
        Bars { enabled, since: None, state: Arc::new(Mutex::new(state)) }
    }

    /// Progress of a search, which is followed between events too.
    pub(crate) fn ticking(enabled: bool) -> Bars {
        let bars = Bars::new(enabled);
        if enabled {
            let state = Arc::downgrade(&bars.state);
            std::thread::spawn(move || tick(&state));
        }
        bars
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

    /// What was told of a search is over.
    pub(crate) fn stop_following(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.standing = None;
        }
    }

    /// Takes the bar away before other output.
    pub(crate) fn clear(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.standing = None;
            state.bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn stage(&self, title: &str, parts: usize) {
        let Ok(mut state) = self.state.lock() else { return };
        if !self.enabled {
            return;
        }
        state.bar.finish_and_clear();
        (state.best, state.parts, state.done, state.standing) = (None, parts, 0, None);
        if let Some(since) = self.since {
            self.stage_in_place(&mut state, title, since);
            return;
        }
        state.line(title);
        if parts == 0 || !io::IsTerminal::is_terminal(&io::stderr()) {
            state.bar = ProgressBar::hidden();
            return;
        }
        state.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            state.bar.set_style(style);
        }
    }

    fn standing(&self, standing: &Standing) {
        let Ok(mut state) = self.state.lock() else { return };
        if self.enabled {
            state.standing = Some((standing.clone(), Instant::now()));
            if !state.bar.is_hidden() {
                state.draw();
            }
        }
    }

    fn trial(&self, number: usize, quality: Option<Scored>, from_store: bool) {
        let Ok(mut state) = self.state.lock() else { return };
        if !self.enabled {
            return;
        }
        state.done += 1;
        state.best = state.best.into_iter().chain(quality).reduce(Scored::better);
        if !state.bar.is_hidden() {
            return;
        }
        let result = match quality {
            Some(quality) => quality.to_string(),
            None => "diverged".to_owned(),
        };
        let origin = if from_store { " (from the store)" } else { "" };
        let best = state.best.map(|best| format!("; best {best}")).unwrap_or_default();
        let left = state.standing.as_ref().filter(|(standing, _)| standing.done < standing.trials);
        let left = left.and_then(|(standing, _)| standing::left(standing, 0));
        let left = left.map(|left| format!("; {left}")).unwrap_or_default();
        let text = format!("  {}/{} trial {number}: {result}{origin}{best}{left}", state.done, state.parts);
        state.line(&text);
    }

    fn part(&self) {
        if let Ok(state) = self.state.lock() {
            state.bar.inc(1);
        }
    }

    fn note(&self, text: &str) {
        let Ok(mut state) = self.state.lock() else { return };
        if self.enabled {
            let bar = state.bar.clone();
            bar.suspend(|| state.line(&format!("note: {text}")));
        }
    }
}
