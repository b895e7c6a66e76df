//! How a search stands, as text: lines of a live block, of a log, of `search --status`.

use nasc::pipeline::{Running, Standing};
use nasc::report::{bytes_text, quality_text};

use crate::cli::show::clean;

/// Columns of a name.
const NAME: usize = 40;

/// A time that is left, as rough as it is known: `about 4 min left`.
pub(crate) fn left_text(seconds: u64) -> String {
    format!("about {} left", time_text(seconds))
}

/// A time in its two largest units, or one where the other says nothing.
pub(crate) fn time_text(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    match seconds {
        0..=1 => "1 s".to_owned(),
        2..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{minutes} min"),
        6_000..=172_799 if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        6_000..=172_799 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

/// A figure of quality; an error with its name, since it has no unit of its own.
pub(crate) fn quality(metric: &str, value: f64) -> String {
    let text = quality_text(metric, value);
    if metric == "accuracy" { text } else { format!("{} {text}", clean(metric, NAME)) }
}

/// `trial 3 epoch 5/60, trial 4 epoch 1/60`; empty where nothing is in flight.
pub(crate) fn running(standing: &Standing) -> String {
    let one = |Running { trial, done, of }: &Running| match of {
        0 => format!("trial {trial}"),
        of => format!("trial {trial} epoch {done}/{of}"),
    };
    standing.running.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The networks that no other beats, a line for each; empty before the first and where there is only the best.
pub(crate) fn front(standing: &Standing) -> Vec<String> {
    let dash = || "-".to_owned();
    let rows: Vec<[String; 3]> = standing
        .front
        .iter()
        .map(|line| {
            [
                line.quality.map_or_else(dash, |value| quality(&standing.metric, value)),
                line.ram_bytes.map_or_else(dash, |bytes| bytes_text(bytes as u64)),
                line.latency_seconds.map_or_else(dash, milliseconds),
            ]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut lines: Vec<String> = rows
        .iter()
        .zip(&standing.front)
        .map(|(row, line)| {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
            format!("{}  trial {}", cells.join("  "), line.trial)
        })
        .collect();
    if let (true, Some(last)) = (standing.front_size > lines.len(), lines.last_mut()) {
        let hidden = standing.front_size - standing.front.len() + 1;
        *last = format!("and {hidden} more");
    }
    lines
}

/// A latency with three digits.
fn milliseconds(seconds: f64) -> String {
    let ms = seconds * 1e3;
    match ms {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.0} ms"),
    }
}

/// What is left of the stage, `since` seconds after the standing was told.
pub(crate) fn left(standing: &Standing, since: u64) -> Option<String> {
    standing.seconds_left.map(|seconds| left_text(seconds.saturating_sub(since)))
}

/// The block that a terminal shows: what is done, what runs, the front.
pub(crate) fn block(standing: &Standing, since: u64) -> Vec<String> {
    let Standing { trials, done, from_store, metric, .. } = standing;
    let mut first = format!("  {} {done}/{trials} trials", bar(*done, *trials));
    if *from_store > 0 {
        first += &format!(", {from_store} from the store");
    }
    if let Some(best) = standing.best {
        first += &format!(", best {}", quality(metric, best));
    }
    if let Some(left) = left(standing, since) {
        first += &format!(", {left}");
    }
    let mut lines = vec![first];
    let running = running(standing);
    let mut second = if running.is_empty() { "  between trials".to_owned() } else { format!("  {running}") };
    if standing.rejected > 0 {
        second += &format!("; {} rejected untrained", standing.rejected);
    }
    lines.push(second);
    lines.extend(front(standing).into_iter().map(|line| format!("    {line}")));
    lines
}

/// Columns of a bar.
const BAR: usize = 20;

fn bar(done: usize, of: usize) -> String {
    let filled = (done * BAR).checked_div(of).unwrap_or(0).min(BAR);
    format!("[{}{}]", "=".repeat(filled), " ".repeat(BAR - filled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nasc::pipeline::FrontLine;

    #[test]
    fn times_are_as_rough_as_they_are_known() {
        let texts = [0, 59, 99, 100, 240, 3_600, 5_999, 7_200, 9_000, 400_000].map(time_text);
        let expected =
            ["1 s", "59 s", "99 s", "2 min", "4 min", "60 min", "100 min", "2 h", "2 h 30 min", "5 days"];
        assert_eq!(texts, expected);
        assert_eq!(left_text(200), "about 4 min left");
    }

    #[test]
    fn a_block_has_what_is_done_what_runs_and_the_front() {
        let line = |trial, quality, ram| FrontLine {
            trial,
            quality: Some(quality),
            ram_bytes: Some(ram),
            latency_seconds: Some(0.0123),
        };
        let standing = Standing {
            trials: 8,
            done: 2,
            running: vec![Running { trial: 2, done: 3, of: 40 }, Running { trial: 3, done: 0, of: 0 }],
            metric: "accuracy".into(),
            best: Some(0.9),
            front: vec![line(0, 0.9, 3000.0), line(1, 0.85, 900.0)],
            front_size: 2,
            rejected: 4,
            seconds_left: Some(250),
            ..Standing::default()
        };
        let text = block(&standing, 10).join("\n");
        let expected = "  [=====               ] 2/8 trials, best 90.00 %, about 4 min left\n  \
                        trial 2 epoch 3/40, trial 3; 4 rejected untrained\n    \
                        90.00 %  2.9 KiB (3000 B)  12.3 ms  trial 0\n    \
                        85.00 %             900 B  12.3 ms  trial 1";
        assert_eq!(text, expected, "\n{text}\n");
        let many = Standing { front_size: 9, ..standing };
        assert_eq!(front(&many).last().map(String::as_str), Some("and 8 more"));
    }
}
