//! The page of `nasc data --html`: one file without scripts, which asks no network for anything.

use std::fmt::Write as _;

use super::sheet::{Figure, Sheet};
use super::words::{duration_text, number_text};
use super::{Inspected, Range};
use crate::data::Element;
use crate::diagnostic::Diagnostic;
use crate::report::escape;

/// Classes of the table; the command's JSON has all of them.
const CLASSES: usize = 200;
/// Channels of the table.
const CHANNELS: usize = 32;

/// The whole page.
pub(super) fn page(found: &Inspected, sheet: &Sheet) -> String {
    let mut out = String::new();
    let name = escape(&found.name);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n<title>{name}: data</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n",
        include_str!("page.css")
    );
    let _ = writeln!(out, "<header><h1>{name}</h1><code>{}</code></header>", escape(&found.source.text));
    headline(&mut out, found);
    messages(&mut out, found);
    out.push_str("<div class=\"two\"><section>");
    balance(&mut out, found);
    out.push_str("</section><section>");
    input(&mut out, found);
    values(&mut out, found);
    out.push_str("</section></div>\n");
    samples(&mut out, found, sheet);
    let _ = writeln!(
        out,
        "<footer>nasc {} · hash of the data <code>{}</code></footer>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION"),
        found.hash
    );
    out
}

fn headline(out: &mut String, found: &Inspected) {
    out.push_str("<div class=\"facts\">");
    let mut fact = |value: String, of: &str| {
        let _ = write!(out, "<div><b>{}</b><span>{of}</span></div>", escape(&value));
    };
    let text = |[height, width, channels]: [usize; 3]| format!("{height} × {width} × {channels}");
    let unit = match found.element {
        Element::U8 => "bytes",
        Element::I16 => "16-bit numbers",
        Element::F32 => "floats",
    };
    fact(found.samples.to_string(), "samples");
    if !found.classes.is_empty() {
        fact(found.classes.len().to_string(), "classes");
    }
    fact(found.source.files.to_string(), "files");
    fact(text(found.extents), &format!("a sample, in {unit}"));
    if let (Some(rate), Some(seconds)) = (found.rate, found.seconds) {
        fact(duration_text(seconds), &format!("of signal at {rate} Hz"));
    }
    if let Some(input) = &found.input {
        fact(text(input.extents), "the network's input");
    }
    out.push_str("</div>\n");
}

fn messages(out: &mut String, found: &Inspected) {
    let mut one = |message: &Diagnostic, class: &str| {
        let _ =
            write!(out, "<div class=\"note{class}\"><b>{}</b> {}", message.code, escape(&message.message));
        for more in message.notes.iter().chain(&message.help) {
            let _ = write!(out, "<div>{}</div>", escape(more));
        }
        out.push_str("</div>\n");
    };
    found.problems.0.iter().for_each(|problem| one(problem, " bad"));
    found.warnings.0.iter().for_each(|warning| one(warning, ""));
    if found.problems.0.is_empty() && found.warnings.0.is_empty() {
        out.push_str("<p class=\"soft\" style=\"margin-top:14px\">No warnings.</p>\n");
    }
}

fn balance(out: &mut String, found: &Inspected) {
    out.push_str(
        "<h2>Parts <small class=\"key\"><i class=\"train\"></i>train<i class=\"val\"></i>val<i \
         class=\"test\"></i>test</small></h2>\n<div class=\"scroll\"><table><tr><th>class</th><th>train</th>\
         <th>val</th><th>test</th><th>all</th><th></th></tr>\n",
    );
    let most = found.classes.iter().map(super::ClassFacts::total).max().unwrap_or(0).max(1) as f64;
    for class in found.classes.iter().take(CLASSES) {
        let [train, val, test] = class.samples;
        let share = |count: usize| 100.0 * count as f64 / most;
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{train}</td><td>{val}</td><td>{test}</td><td>{}</td><td><div class=\"balance\">\
             <i class=\"train\" style=\"width:{:.2}%\"></i><i class=\"val\" style=\"width:{:.2}%\"></i><i \
             class=\"test\" style=\"width:{:.2}%\"></i></div></td></tr>",
            escape(&class.name),
            class.total(),
            share(train),
            share(val),
            share(test)
        );
    }
    if found.classes.len() > CLASSES {
        let _ = writeln!(out, "<tr><td>{} more</td></tr>", found.classes.len() - CLASSES);
    }
    let mut sum = |name: &str, of: &dyn Fn(&super::PartFacts) -> usize, all: Option<usize>| {
        let cells: String = found.parts.iter().map(|part| format!("<td>{}</td>", of(part))).collect();
        let all = all.map(|all| all.to_string()).unwrap_or_default();
        let _ = writeln!(out, "<tr class=\"sum\"><td>{name}</td>{cells}<td>{all}</td><td></td></tr>");
    };
    sum("samples", &|part| part.samples, Some(found.samples - found.unused));
    if found.parts.iter().any(|part| part.groups > 0) {
        sum("groups", &|part| part.groups, None);
    }
    sum("files", &|part| part.files, Some(found.source.files));
    let _ = writeln!(out, "</table></div><p class=\"soft\">Split: {}.</p>", escape(&found.split));
    if found.unused > 0 {
        let _ = writeln!(out, "<p class=\"soft\">{} samples are in no part.</p>", found.unused);
    }
}

fn input(out: &mut String, found: &Inspected) {
    let Some(input) = &found.input else { return };
    out.push_str("<h2>What the network sees</h2><dl>");
    let mut line = |name: &str, text: &str| {
        let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", escape(text));
    };
    line("features", &input.front_end);
    line("normalize", &input.normalize);
    let none = ["nothing".to_owned()];
    let changes = if input.augment.is_empty() { &none[..] } else { &input.augment };
    line("augment", &changes.join(", "));
    if input.is_one_of_several {
        line("search", "decides something of this; shown is one of the possible inputs");
    }
    out.push_str("</dl>\n");
}

fn values(out: &mut String, found: &Inspected) {
    out.push_str("<h2>Numbers</h2><div class=\"scroll\"><table><tr><th></th><th>min</th><th>max</th><th>mean</th><th>deviation</th></tr>");
    let mut line = |name: String, range: &Range| {
        let Range { min, max, mean, deviation } = range;
        let cells: String =
            [min, max, mean, deviation].map(|x| format!("<td>{}</td>", number_text(*x))).concat();
        let _ = write!(out, "<tr><td>{name}</td>{cells}</tr>");
    };
    line("all".to_owned(), &found.values.all);
    for (channel, range) in found.values.channels.iter().take(CHANNELS).enumerate() {
        line(format!("channel {channel}"), range);
    }
    for (at, range) in found.targets.iter().take(CHANNELS).enumerate() {
        line(format!("to predict {at}"), range);
    }
    out.push_str("</table></div>");
    for fact in &found.oddities {
        let _ = write!(out, "<div class=\"note\">{}</div>", escape(fact));
    }
}

fn samples(out: &mut String, found: &Inspected, sheet: &Sheet) {
    let _ = writeln!(out, "<h2>Samples</h2><p class=\"soft\">{}</p>", sheet.legend);
    for (at, row) in sheet.rows.iter().enumerate() {
        let total = found.classes.get(at).map_or(found.samples - found.unused, super::ClassFacts::total);
        let name = if row.class.is_empty() { "all" } else { &row.class };
        let _ =
            writeln!(out, "<h3>{} <small>{total} samples</small></h3><div class=\"sheet\">", escape(name));
        row.figures.iter().chain(&row.changed).for_each(|one| figure(out, one));
        out.push_str("</div>\n");
    }
    if sheet.left_out > 0 {
        let _ = writeln!(out, "<p class=\"soft\">{} more classes are not shown.</p>", sheet.left_out);
    }
}

fn figure(out: &mut String, figure: &Figure) {
    let Figure { drawing, name, part, detail } = figure;
    let name = escape(name);
    let detail = if detail.is_empty() { String::new() } else { format!(" · {}", escape(detail)) };
    // The end of a long path tells more than its beginning; the mark keeps signs in their order.
    let _ = writeln!(
        out,
        "<figure class=\"{part}\">{drawing}<figcaption><span title=\"{name}\">&lrm;{name}</span>{part}{detail}\
         </figcaption></figure>"
    );
}
