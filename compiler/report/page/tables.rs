//! The tables of the page: finalists, front, layers, confusion, rewrites, provenance.

use std::fmt::Write as _;

use super::axis::Axis;
use super::{Escaped, grouped, pair, plural};
use crate::kernel::Variant;
use crate::report::{
    Finalist, FrontPoint, Layer, Provenance, Quality, Rewrite, SearchReport, genome_text, share_text,
};

/// Classes beyond which a matrix says nothing any more.
const CLASSES: usize = 60;

/// Starts a table that may be wider than the page; its columns that hold words are marked by a leading `:`.
pub(super) fn head(out: &mut String, label: &str, titles: &[&str]) {
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table><thead><tr>"
    );
    for title in titles {
        let _ = match title.strip_prefix(':') {
            Some(title) => write!(out, "<th scope=\"col\" class=\"word\">{title}</th>"),
            None => write!(out, "<th scope=\"col\">{title}</th>"),
        };
    }
    out.push_str("</tr></thead><tbody>\n");
}

pub(super) const END: &str = "</tbody></table></div>\n";

/// The trials that were trained again.
pub(super) fn finalists(out: &mut String, search: &SearchReport) {
    if search.finalists.is_empty() {
        return;
    }
    let axis = Axis::new(search.judged.as_deref().unwrap_or("quality"));
    let _ = writeln!(out, "<h3>Finalists</h3>\n<p>{}</p>", correlation_text(search));
    let has_interval = search.finalists.iter().any(|finalist| finalist.ci95.is_some());
    let interval_title = if has_interval { "95 % of the mean" } else { "" };
    head(
        out,
        "Finalists",
        &[":trial", "in the search", "retrained, mean", interval_title, ":each seed", ":"],
    );
    for finalist in &search.finalists {
        let Finalist { trial, search: found, retrained, mean, ci95, dropped_after } = finalist;
        let is_pick = search.pick == Some(*trial);
        let seeds: Vec<String> = retrained.iter().map(|value| axis.text(*value)).collect();
        let interval =
            ci95.map_or(String::new(), |[low, high]| format!("{} to {}", axis.text(low), axis.text(high)));
        let end = match (is_pick, dropped_after) {
            (true, _) => "taken".to_owned(),
            (false, Some(after)) => format!("given up after {after}"),
            (false, None) => String::new(),
        };
        let class = if is_pick { " class=\"chosen\"" } else { "" };
        let _ = writeln!(
            out,
            "<tr{class}><th scope=\"row\">{trial}</th><td>{}</td><td>{}</td><td>{interval}</td><td class=\"word\">{}</td>\
             <td class=\"word\">{end}</td></tr>",
            axis.text(*found),
            if retrained.is_empty() { "-".to_owned() } else { axis.text(*mean) },
            seeds.join(", ")
        );
    }
    out.push_str(END);
}

/// What the rank correlation says.
pub(in crate::report) fn correlation_text(search: &SearchReport) -> String {
    let count = plural(search.finalists.len(), "trial was", "trials were");
    match search.rank_correlation {
        Some(found) => format!(
            "{count} trained again. Spearman's rank correlation of the figures in the search and the retrained means \
             is {found:.2}."
        ),
        None => format!(
            "{count} trained again: too few, or too alike, to correlate their order with the search's."
        ),
    }
}

/// The best compromises.
pub(super) fn front(out: &mut String, search: &SearchReport) {
    if search.front.is_empty() {
        return;
    }
    out.push_str("<h3>Front</h3>\n");
    let mut axes: Vec<Axis> = search.objectives.iter().map(|name| Axis::new(name)).collect();
    let names = search.front.iter().flat_map(|point| point.metrics.keys());
    let wanted = ["accuracy", "mse", "auc", "ram", "flash", "latency", "macs"];
    for name in names.filter(|name| wanted.contains(&name.split('@').next().unwrap_or_default())) {
        if axes.iter().all(|axis| axis.name != *name) {
            axes.push(Axis::new(name));
        }
    }
    let labels: Vec<String> = axes.iter().map(|axis| Escaped(&axis.label).to_string()).collect();
    let titles: Vec<&str> =
        std::iter::once(":trial").chain(labels.iter().map(String::as_str)).chain([":decisions"]).collect();
    head(out, "Front", &titles);
    for FrontPoint { trial, genome, metrics } in &search.front {
        let class = if search.pick == Some(*trial) { " class=\"chosen\"" } else { "" };
        let _ = write!(out, "<tr{class}><th scope=\"row\">{trial}</th>");
        for axis in &axes {
            let text = metrics.get(&axis.name).map_or("-".to_owned(), |value| axis.shown(*value));
            let _ = write!(out, "<td>{text}</td>");
        }
        let _ = writeln!(out, "<td class=\"text\">{}</td></tr>", Escaped(&genome_text(genome)));
    }
    out.push_str(END);
}

/// Why candidates were no trials.
pub(super) fn rejected(out: &mut String, search: &SearchReport) {
    let total = search.rejected.values().fold(0u64, |sum, count| sum.saturating_add(*count));
    if total == 0 {
        return;
    }
    let mut reasons: Vec<(&String, &u64)> = search.rejected.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let _ = writeln!(
        out,
        "<details><summary>{} before training</summary><ul>",
        plural(
            usize::try_from(total).unwrap_or(usize::MAX),
            "candidate was rejected",
            "candidates were rejected"
        )
    );
    for (reason, count) in reasons {
        let _ = writeln!(out, "<li>{}: {}</li>", grouped(*count), Escaped(reason));
    }
    out.push_str("</ul></details>\n");
}

/// Layer by layer.
pub(super) fn layers(out: &mut String, layers: &[Layer]) {
    let most = layers.iter().filter_map(|layer| layer.cycles_estimated).max().unwrap_or(0).max(1);
    let sum = |of: &dyn Fn(&Layer) -> u64| {
        grouped(layers.iter().fold(0u64, |sum, layer| sum.saturating_add(of(layer))))
    };
    let titles =
        [":step", ":layer", ":operator", ":schedule", "MACs", "outputs", "table bytes", "cycles, about", ":"];
    head(out, "Layers", &titles);
    let is_front_end = |layer: &Layer| layer.name == crate::report::FRONT_END;
    let mut step = 0;
    for layer in layers {
        let number = if is_front_end(layer) {
            String::new()
        } else {
            step += 1;
            step.to_string()
        };
        let schedule = match layer.schedule {
            Some(Variant::Lean) => "lean",
            Some(Variant::Fused) => "fused",
            Some(Variant::Fast) | None if is_front_end(layer) || layer.op == "copy" => "",
            Some(Variant::Fast) | None => "fast",
        };
        let cycles = layer.cycles_estimated.map_or("-".to_owned(), grouped);
        let bar = layer.cycles_estimated.map_or(0.0, |cycles| 90.0 * cycles as f64 / most as f64);
        let _ = writeln!(
            out,
            "<tr><td class=\"word\">{number}</td><th scope=\"row\">{}</th><td class=\"word\">{}</td>\
             <td class=\"word\">{schedule}</td><td>{}</td><td>{}</td><td>{}</td><td>{cycles}</td>\
             <td><svg class=\"bar\" viewBox=\"0 0 90 10\" aria-hidden=\"true\"><rect width=\"{bar:.1}\" height=\"10\"/>\
             </svg></td></tr>",
            Escaped(&layer.name),
            Escaped(&layer.op),
            grouped(layer.macs),
            grouped(layer.outputs as u64),
            grouped(layer.weights_bytes)
        );
    }
    let _ = writeln!(
        out,
        "<tr class=\"sum\"><td></td><th scope=\"row\">all</th><td></td><td></td><td>{}</td><td></td><td>{}</td>\
         <td>{}</td><td></td></tr>",
        sum(&|layer| layer.macs),
        sum(&|layer| layer.weights_bytes),
        sum(&|layer| layer.cycles_estimated.unwrap_or(0))
    );
    out.push_str(END);
}

/// The name of a class.
pub(in crate::report) fn class_name(quality: &Quality, class: usize) -> String {
    quality.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
}

/// Which classes are taken for which, with the share of each that is found.
pub(super) fn confusion(out: &mut String, quality: &Quality) {
    let matrix = &quality.confusion;
    if matrix.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<h2>Classes</h2>\n<p>A row for each class of the {} part, a column for each answer of the integer network.</p>",
        Escaped(&quality.split)
    );
    let is_drawn = matrix.len() <= CLASSES;
    let answers: Vec<String> = (0..matrix.len())
        .filter(|_| is_drawn)
        .map(|class| format!("<th scope=\"col\">{}</th>", Escaped(&class_name(quality, class))))
        .collect();
    let _ = writeln!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion matrix\"><table class=\"heat\"><thead><tr>\
         <th scope=\"col\" class=\"word\">class</th>{}<th scope=\"col\">samples</th><th scope=\"col\">found</th></tr></thead>\
         <tbody>",
        answers.concat()
    );
    for (class, row) in matrix.iter().enumerate() {
        let samples = row.iter().fold(0usize, |sum, count| sum.saturating_add(*count));
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", Escaped(&class_name(quality, class)));
        for (answer, &count) in row.iter().enumerate().filter(|_| is_drawn) {
            let share = count as f64 / samples.max(1) as f64;
            let heat = if count == 0 { 0 } else { 1 + (share * 8.0).round() as usize };
            let kind = if class == answer { "right" } else { "wrong" };
            let shown =
                if count == 0 { String::from("<span class=\"none\">0</span>") } else { count.to_string() };
            let _ = write!(out, "<td class=\"{kind} h{heat}\">{shown}</td>");
        }
        let right = row.get(class).copied().unwrap_or(0);
        let found = if samples == 0 { "-".to_owned() } else { share_text(right as f64 / samples as f64) };
        let _ = writeln!(out, "<td>{}</td><td>{found}</td></tr>", grouped(samples as u64));
    }
    out.push_str(END);
}

/// Why layers are computed otherwise than they were written.
pub(super) fn rewrites(out: &mut String, rewrites: &[Rewrite]) {
    if rewrites.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Rewrites</h2>\n<p>What computes a layer where it is not computed as it was written, and the rules that led \
         there. Rules for integers are those that need no weights.</p>\n",
    );
    head(out, "Rewrites", &[":pass", ":written", ":computed by", ":rules"]);
    for Rewrite { pass, layer, written, rules } in rewrites {
        let _ = writeln!(
            out,
            "<tr><td class=\"word\">{}</td><th scope=\"row\">{}</th><td class=\"word\">{}</td><td class=\"text\">{}</td></tr>",
            Escaped(pass),
            Escaped(written),
            Escaped(layer),
            Escaped(&rules.join(", "))
        );
    }
    out.push_str(END);
}

/// What the result follows from.
pub(super) fn provenance(out: &mut String, provenance: &Provenance, search: &SearchReport) {
    let Provenance { nasc, data, engine, model, seed, sections, weights, files } = provenance;
    out.push_str("<h2>Provenance</h2>\n<p>The same gives the same files, on every machine.</p>\n");
    head(out, "Provenance", &[":what", ":is"]);
    pair(out, "nasc", nasc);
    model.iter().for_each(|model| pair(out, "model", model));
    if !search.is_none() {
        pair(out, "strategy", &format!("{}, {}", search.strategy, plural(search.trials, "trial", "trials")));
        pair(out, "seed", &seed.to_string());
    }
    engine.iter().for_each(|engine| pair(out, "engine", engine));
    if !data.is_empty() {
        pair(out, "data", data);
    }
    pair(out, "weights", weights);
    out.push_str(END);
    let list = |out: &mut String, title: &str, hashes: &std::collections::BTreeMap<String, String>| {
        if !hashes.is_empty() {
            let _ = writeln!(out, "<details><summary>Hashes of {title}</summary>");
            head(out, title, &[":what", ":SHA-256"]);
            hashes.iter().for_each(|(name, hash)| pair(out, name, hash));
            let _ = writeln!(out, "{END}</details>");
        }
    };
    list(out, "the spec's sections", sections);
    list(out, "the bundle's files", files);
}
