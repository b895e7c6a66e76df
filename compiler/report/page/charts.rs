//! The charts of a search: trials by two figures that the reader chooses, and quality from trial to trial.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Escaped;
use super::axis::{Axis, Scale};
use crate::report::{SearchReport, genome_text};

/// Width and height of a chart in units of its own.
const SIZE: [f64; 2] = [620.0, 366.0];
/// Where the drawing starts and ends from left to right, and from below upwards.
const ACROSS: (f64, f64) = (58.0, 606.0);
const UP: (f64, f64) = (312.0, 28.0);
/// Figures that a reader can choose from.
const AXES: usize = 24;

/// A trial with all that is known of it.
struct Point<'a> {
    trial: usize,
    leg: usize,
    metrics: BTreeMap<&'a str, f64>,
    genome: Option<&'a serde_json::Value>,
}

/// All trials that are known, in order.
fn points(search: &SearchReport) -> Vec<Point<'_>> {
    let mut points: BTreeMap<usize, Point<'_>> = BTreeMap::new();
    for trial in &search.history {
        let mut metrics: BTreeMap<&str, f64> = named(&trial.metrics);
        if let (Some(judged), Some(quality)) = (&search.judged, trial.quality) {
            metrics.insert(judged, quality);
        }
        points.insert(trial.trial, Point { trial: trial.trial, leg: trial.leg, metrics, genome: None });
    }
    for found in &search.front {
        let point = points.entry(found.trial).or_insert_with(|| Point {
            trial: found.trial,
            leg: 0,
            metrics: BTreeMap::new(),
            genome: None,
        });
        point.metrics.extend(named(&found.metrics));
        point.genome = Some(&found.genome);
    }
    points.into_values().filter(|point| !point.metrics.is_empty()).collect()
}

fn named(metrics: &BTreeMap<String, f64>) -> BTreeMap<&str, f64> {
    metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

/// The figures that trials have, the objectives first; with the two that are shown without a choice.
fn axes(search: &SearchReport, points: &[Point<'_>]) -> Option<(Vec<Axis>, [usize; 2])> {
    let count = |name: &str| points.iter().filter(|point| point.metrics.contains_key(name)).count();
    let mut names: Vec<&str> = search.objectives.iter().map(String::as_str).collect();
    names.extend(search.judged.as_deref());
    names.extend(points.iter().flat_map(|point| point.metrics.keys().copied()));
    let mut axes: Vec<Axis> = Vec::new();
    for name in names {
        if count(name) > 0 && axes.len() < AXES && axes.iter().all(|known| known.name != name) {
            axes.push(Axis::new(name));
        }
    }
    let up = axes.iter().position(Axis::is_quality).unwrap_or(0);
    let by_name = |word: &str| {
        axes.iter().position(|axis| axis.name.split('@').next() == Some(word) && !axis.is_quality())
    };
    let objective = axes.iter().take(search.objectives.len()).position(|axis| !axis.is_quality());
    let across = objective.or_else(|| by_name("ram")).or_else(|| (0..axes.len()).find(|&at| at != up))?;
    Some((axes, [across, up]))
}

/// The trials by two figures. Without a script the first objectives; with it the reader chooses.
pub(super) fn scatter(out: &mut String, search: &SearchReport) {
    let points = points(search);
    let Some((axes, [across, up])) = axes(search, &points) else { return };
    out.push_str("<figure class=\"chart\" id=\"front\"><h3>Trials</h3>\n<form class=\"axes\" hidden>");
    for (name, chosen, title) in [("x", across, "across"), ("y", up, "up")] {
        let _ = write!(out, "<label>{title} <select name=\"{name}\">");
        for (at, axis) in axes.iter().enumerate() {
            let selected = if at == chosen { " selected" } else { "" };
            let label = Escaped(&axis.label);
            let kind = axis.kind_name();
            let _ = write!(out, "<option value=\"{at}\" data-kind=\"{kind}\"{selected}>{label}</option>");
        }
        out.push_str("</select></label> ");
    }
    out.push_str("</form>\n");
    let values = |axis: usize| -> Vec<f64> {
        points.iter().filter_map(|point| point.metrics.get(axes[axis].name.as_str()).copied()).collect()
    };
    let x = Scale::of(axes[across].kind, &values(across), ACROSS);
    let y = Scale::of(axes[up].kind, &values(up), UP);
    let [width, height] = SIZE;
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"group\" aria-label=\"Trials by {} and {}\">",
        Escaped(&axes[across].label),
        Escaped(&axes[up].label)
    );
    frame(out, Some((&x, &axes[across])), (&y, &axes[up]));
    let on_front = |trial: usize| search.front.iter().any(|point| point.trial == trial);
    let rank = |point: &&Point<'_>| (search.pick == Some(point.trial), on_front(point.trial));
    let mut drawn: Vec<&Point<'_>> = points.iter().collect();
    drawn.sort_by_key(rank);
    for point in drawn {
        let (is_pick, on_front) = rank(&point);
        let class = if is_pick {
            "pick"
        } else if on_front {
            "best"
        } else {
            "trial"
        };
        mark(out, point, class, (&x, &y), (&axes, [across, up]));
    }
    out.push_str("</svg>\n<p class=\"key\">");
    if search.pick.is_some() {
        out.push_str("<i class=\"pick\"></i>the network of this report ");
    }
    out.push_str("<i class=\"best\"></i>front: no other trial beats it in everything");
    if !search.history.is_empty() {
        out.push_str(" <i class=\"trial\"></i>other trials");
    }
    out.push_str("</p><p class=\"detail soft\" aria-live=\"polite\"></p></figure>\n");
}

/// A trial's name.
pub(in crate::report) fn trial_text(trial: usize, leg: usize) -> String {
    if leg == 0 { format!("trial {trial}") } else { format!("trial {trial}, leg {}", leg + 1) }
}

/// A trial as a mark with all its figures.
fn mark(
    out: &mut String,
    point: &Point<'_>,
    class: &str,
    (x, y): (&Scale, &Scale),
    (axes, [across, up]): (&[Axis], [usize; 2]),
) {
    let value = |axis: &Axis| point.metrics.get(axis.name.as_str()).copied();
    let all: Vec<String> =
        axes.iter().map(|axis| value(axis).map_or("-".to_owned(), |value| value.to_string())).collect();
    let place = (value(&axes[across]), value(&axes[up]));
    let (place, hidden) = match place {
        (Some(a), Some(b)) => ((x.place(a), y.place(b)), ""),
        _ => ((ACROSS.0, UP.0), " visibility=\"hidden\""),
    };
    let mut text = trial_text(point.trial, point.leg);
    for axis in axes {
        if let Some(value) = value(axis) {
            let _ = write!(text, "\n{} {}", axis.label, axis.text(value));
        }
    }
    if let Some(genome) = point.genome {
        let _ = write!(text, "\n{}", genome_text(genome));
    }
    let radius = match class {
        "pick" => 7,
        "best" => 5,
        _ => 4,
    };
    let text = Escaped(&text);
    let _ = writeln!(
        out,
        "<circle class=\"{class}\" tabindex=\"0\" role=\"img\" aria-label=\"{text}\" data-v=\"{}\" \
         cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"{hidden}><title>{text}</title></circle>",
        all.join(" "),
        place.0,
        place.1
    );
}

/// Lines and texts around a chart. Every second text is left out where the page is narrow.
fn frame(out: &mut String, x: Option<(&Scale, &Axis)>, (y, up): (&Scale, &Axis)) {
    let ((left, right), (bottom, top)) = (ACROSS, UP);
    out.push_str("<g class=\"frame\">");
    for (at, (place, text)) in y.ticks().iter().enumerate() {
        let minor = if at % 2 == 1 { " minor" } else { "" };
        let _ = write!(
            out,
            "<line x1=\"{left}\" y1=\"{place:.1}\" x2=\"{right}\" y2=\"{place:.1}\"/><text class=\"end{minor}\" \
             x=\"{}\" y=\"{:.1}\">{text}</text>",
            left - 7.0,
            place + 4.0
        );
    }
    for (at, (place, text)) in x.iter().flat_map(|(x, _)| x.ticks()).enumerate() {
        let minor = if at % 2 == 1 { " minor" } else { "" };
        let _ = write!(
            out,
            "<line x1=\"{place:.1}\" y1=\"{top}\" x2=\"{place:.1}\" y2=\"{bottom}\"/><text class=\"middle{minor}\" \
             x=\"{place:.1}\" y=\"{}\">{text}</text>",
            bottom + 18.0
        );
    }
    if let Some((x, across)) = x {
        title(out, "across", (right, bottom + 44.0), across, x);
    }
    title(out, "up", (left, top - 10.0), up, y);
    out.push_str("</g>\n");
}

fn title(out: &mut String, class: &str, (x, y): (f64, f64), axis: &Axis, scale: &Scale) {
    let unit = if scale.unit.is_empty() { String::new() } else { format!(", {}", scale.unit) };
    let _ = write!(
        out,
        "<text class=\"title {class}\" x=\"{x}\" y=\"{y}\">{}{unit}</text>",
        Escaped(&axis.label)
    );
}

/// The quality of the trials in order, and of the best so far.
pub(super) fn progress(out: &mut String, search: &SearchReport) {
    let Some(judged) = search.judged.as_ref().filter(|_| !search.history.is_empty()) else { return };
    let axis = Axis::new(judged);
    let values: Vec<f64> = search.history.iter().filter_map(|trial| trial.quality).collect();
    let y = Scale::of(axis.kind, &values, UP);
    let [width, height] = SIZE;
    let ((left, right), (bottom, _)) = (ACROSS, UP);
    let _ = write!(
        out,
        "<figure class=\"chart\"><h3>Progress</h3>\n<svg viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{} of the trials in order\">",
        Escaped(&axis.label)
    );
    frame(out, None, (&y, &axis));
    let count = search.history.len();
    let x = |at: usize| left + (right - left) * (at as f64 + 0.5) / count as f64;
    for at in (0..count).step_by(count.div_ceil(10)) {
        let trial = search.history[at].trial;
        let (place, below) = (x(at), bottom + 18.0);
        let _ = write!(out, "<text class=\"middle frame\" x=\"{place:.1}\" y=\"{below}\">{trial}</text>");
    }
    let (middle, below) = (right, bottom + 44.0);
    let _ = writeln!(out, "<text class=\"title across frame\" x=\"{middle}\" y=\"{below}\">trial</text>");
    best_so_far(out, search, &axis, (&x, &y));
    let small = if count > 150 { 2.5 } else { 4.0 };
    for (at, trial) in search.history.iter().enumerate() {
        let (number, place, name) = (trial.trial, x(at), trial_text(trial.trial, trial.leg));
        let (class, radius) =
            if search.pick == Some(number) { ("pick", small + 2.0) } else { ("trial", small) };
        let _ = match trial.quality {
            Some(quality) => writeln!(
                out,
                "<circle class=\"{class}\" cx=\"{place:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{name}: \
                 {}</title></circle>",
                y.place(quality),
                axis.text(quality)
            ),
            None => writeln!(
                out,
                "<path class=\"diverged\" d=\"M{:.1} {:.1}l6 6m0 -6l-6 6\"><title>{name} diverged</title></path>",
                place - 3.0,
                bottom - 9.0
            ),
        };
    }
    out.push_str("</svg>\n<p class=\"key\"><i class=\"trial\"></i>a trial <i class=\"line\"></i>best so far");
    if values.len() < count {
        out.push_str(" <span class=\"cross\">×</span> diverged");
    }
    out.push_str("</p></figure>\n");
}

/// Steps along the best trial so far.
fn best_so_far(
    out: &mut String,
    search: &SearchReport,
    axis: &Axis,
    (x, y): (&dyn Fn(usize) -> f64, &Scale),
) {
    let mut path = String::new();
    let mut best: Option<f64> = None;
    for (at, trial) in search.history.iter().enumerate() {
        let is_better = |quality: &f64| {
            best.is_none_or(|best| if axis.is_gain() { *quality > best } else { *quality < best })
        };
        if let Some(quality) = trial.quality.filter(is_better) {
            let (place, level) = (x(at), y.place(quality));
            let _ = match best {
                None => write!(path, "M{place:.1} {level:.1}"),
                Some(_) => write!(path, "H{place:.1}V{level:.1}"),
            };
            best = Some(quality);
        }
    }
    if best.is_some() {
        let _ = writeln!(out, "<path class=\"line\" d=\"{path}H{}\"/>", ACROSS.1);
    }
}

/// The size of a drawing as the page's script has it.
#[cfg(test)]
pub(super) fn constants() -> String {
    let ((left, right), (bottom, top)) = (ACROSS, UP);
    format!("const LEFT = {left}, RIGHT = {right}, BOTTOM = {bottom}, TOP = {top};")
}
