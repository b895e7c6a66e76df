//! The arena over time: a rectangle for every buffer, from the step that fills it to the last one that reads it.

use std::fmt::Write as _;

use super::axis::{Kind, Scale};
use super::tables::{END, head};
use super::{Escaped, grouped};
use crate::report::map::kind_word;
use crate::report::{MapBuffer, MemoryMap, TargetReport};

/// Width and height of the drawing in units of its own.
const SIZE: [f64; 2] = [1180.0, 380.0];
const ACROSS: (f64, f64) = (58.0, 1168.0);
const UP: (f64, f64) = (336.0, 30.0);
/// About as wide is a sign of a buffer's name.
const SIGN: f64 = 6.9;

struct Drawing<'a> {
    map: &'a MemoryMap,
    y: Scale,
    /// Width of a point of time.
    column: f64,
    /// Columns before the start: one where a front end uses the arena.
    before: usize,
}

impl Drawing<'_> {
    /// The left edge of a point of time.
    fn x(&self, point: usize) -> f64 {
        let columns = self.map.steps.len() + 2 + self.before;
        ACROSS.0 + self.column * (point.saturating_add(self.before)).min(columns) as f64
    }
}

/// The section of the memory map.
pub(super) fn memory(out: &mut String, target: &TargetReport) {
    let Some(map) = &target.map else { return };
    let memory = &target.memory;
    out.push_str("<h3>Memory over time</h3>\n");
    let ends = map.buffers.iter().map(|buffer| buffer.offset.saturating_add(buffer.bytes));
    let most = ends.chain([memory.arena_bytes, memory.lower_bound_bytes]).max().unwrap_or(0);
    let before = usize::from(map.front_end_bytes > 0);
    let column = (ACROSS.1 - ACROSS.0) / (map.steps.len() + 2 + before) as f64;
    let drawing = Drawing { map, y: Scale::up_to(Kind::Bytes, most as f64, UP), column, before };
    let [width, height] = SIZE;
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Memory map\"><svg class=\"map\" \
         viewBox=\"0 0 {width} {height}\" role=\"group\" aria-label=\"Buffers of the arena by step and address\">"
    );
    frame(out, &drawing);
    if before > 0 {
        let front_end = MapBuffer {
            name: "front end".to_owned(),
            kind: crate::plan::BufferKind::Scratch,
            offset: 0,
            bytes: map.front_end_bytes,
            first: 0,
            last: 0,
        };
        rectangle(out, &drawing, &front_end, (ACROSS.0, drawing.column), "before the network starts");
    }
    for buffer in &map.buffers {
        let left = drawing.x(buffer.first);
        let width = drawing.x(buffer.last.saturating_add(1)) - left;
        let (first, last) = (map.point_text(buffer.first), map.point_text(buffer.last));
        rectangle(out, &drawing, buffer, (left, width.max(1.0)), &format!("live from {first} to {last}"));
    }
    // Above the buffers, which would hide it.
    if let Some(peak) = map.peak() {
        let (x, (bottom, top)) = (drawing.x(peak + 1), UP);
        let _ = writeln!(
            out,
            "<rect class=\"peak\" x=\"{x:.1}\" y=\"{top}\" width=\"{column:.1}\" height=\"{}\"/>",
            bottom - top
        );
    }
    level(out, &drawing, memory.arena_bytes, "arena", "");
    if memory.lower_bound_bytes < memory.arena_bytes {
        level(out, &drawing, memory.lower_bound_bytes, "lower bound", " bound");
    }
    out.push_str("</svg></div>\n<p class=\"key\">");
    for kind in ["input", "internal", "output", "scratch"] {
        let _ = write!(out, "<i class=\"{kind}\"></i>{kind} ");
    }
    out.push_str("<i class=\"peak\"></i>the step that needs most</p>\n");
    peak(out, target, map);
}

fn frame(out: &mut String, drawing: &Drawing<'_>) {
    let ((left, right), (bottom, top)) = (ACROSS, UP);
    let map = drawing.map;
    out.push_str("<g class=\"frame\">");
    for (place, text) in drawing.y.ticks() {
        let _ = write!(
            out,
            "<line x1=\"{left}\" y1=\"{place:.1}\" x2=\"{right}\" y2=\"{place:.1}\"/><text class=\"end\" x=\"{}\" \
             y=\"{:.1}\">{text}</text>",
            left - 7.0,
            place + 4.0
        );
    }
    let unit = drawing.y.unit;
    let _ =
        write!(out, "<text class=\"title up\" x=\"{}\" y=\"{}\">address, {unit}</text>", left, top - 14.0);
    let every = ((SIGN * 4.0) / drawing.column).ceil().max(1.0) as usize;
    let last = map.steps.len() + 1;
    let shown = |point: &usize| *point == 0 || *point == last || point.is_multiple_of(every);
    for point in (0..=last).filter(shown) {
        let x = drawing.x(point) + drawing.column / 2.0;
        let text = map.point_text(point);
        let name = point.checked_sub(1).and_then(|step| map.steps.get(step));
        let title = name.map_or_else(String::new, |step| {
            format!("<title>{}: {} B</title>", Escaped(&step.name), grouped(step.need_bytes))
        });
        let _ =
            write!(out, "<text class=\"middle\" x=\"{x:.1}\" y=\"{}\">{text}{title}</text>", bottom + 18.0);
    }
    let _ =
        writeln!(out, "<text class=\"title across\" x=\"{right}\" y=\"{}\">step</text></g>", bottom + 36.0);
}

fn rectangle(
    out: &mut String,
    drawing: &Drawing<'_>,
    buffer: &MapBuffer,
    (left, width): (f64, f64),
    when: &str,
) {
    let end = buffer.offset.saturating_add(buffer.bytes);
    let (top, bottom) = (drawing.y.place(end as f64), drawing.y.place(buffer.offset as f64));
    let height = (bottom - top).max(1.0);
    let (class, name) = (kind_word(buffer.kind), Escaped(&buffer.name));
    let _ = write!(
        out,
        "<g class=\"buffer {class}\"><title>{name}, {class}\n{} B at {} to {end}\n{when}</title><rect x=\"{:.1}\" \
         y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"2\"/>",
        grouped(buffer.bytes),
        buffer.offset,
        left + 0.5,
        (width - 1.0).max(1.0)
    );
    // Within the step that fills it, since in the next one the buffer that takes its place begins.
    if let Some(text) = label(&buffer.name, width.min(drawing.column)).filter(|_| height >= 16.0) {
        let (x, y) = (left + 7.0, top + height / 2.0 + 4.0);
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", Escaped(&text));
    }
    out.push_str("</g>\n");
}

/// As much of a name as so many units hold: its end tells more than its beginning.
fn label(name: &str, width: f64) -> Option<String> {
    let most = ((width - 12.0) / SIGN).floor().max(0.0) as usize;
    let length = name.chars().count();
    match length <= most {
        true => Some(name.to_owned()),
        false if most < 4 => None,
        false => Some(std::iter::once('…').chain(name.chars().skip(length + 1 - most)).collect()),
    }
}

/// A line across the drawing.
fn level(out: &mut String, drawing: &Drawing<'_>, bytes: u64, name: &str, class: &str) {
    let (y, (left, right)) = (drawing.y.place(bytes as f64), ACROSS);
    let _ = writeln!(
        out,
        "<g class=\"level{class}\"><line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/><text class=\"end\" \
         x=\"{right}\" y=\"{:.1}\">{name} {} B</text></g>",
        y - 6.0,
        grouped(bytes)
    );
}

/// What the arena holds while it holds most.
fn peak(out: &mut String, target: &TargetReport, map: &MemoryMap) {
    let Some(peak) = map.peak() else { return };
    let step = &map.steps[peak];
    let _ = write!(
        out,
        "<p>Step {} <code>{}</code> needs most: {} B of the arena's {} B.",
        peak + 1,
        Escaped(&step.name),
        grouped(step.need_bytes),
        grouped(target.memory.arena_bytes)
    );
    out.push_str(" Where two buffers overlap in the drawing, a step writes over what it reads.");
    if map.front_end_bytes > step.need_bytes {
        let _ = write!(out, " The front end, before it, uses {} B.", grouped(map.front_end_bytes));
    }
    out.push_str("</p>\n<p class=\"soft\">Live in this step:</p>\n");
    let titles = [":buffer", ":kind", "bytes", "offset", "end", "from step", "to step"];
    head(out, "Buffers at the peak", &titles);
    for buffer in map.live(peak) {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"word\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td></tr>",
            Escaped(&buffer.name),
            kind_word(buffer.kind),
            grouped(buffer.bytes),
            grouped(buffer.offset),
            grouped(buffer.offset.saturating_add(buffer.bytes)),
            map.point_text(buffer.first),
            map.point_text(buffer.last)
        );
    }
    out.push_str(END);
}
