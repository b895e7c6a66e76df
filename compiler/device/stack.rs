//! A bound on the stack: the deepest path of calls, by the sizes of frames that GCC gives with
//! `-fcallgraph-info=su`.

use std::collections::{BTreeMap, BTreeSet};

/// Stack of a function of the C library or of the compiler's run time, whose frames GCC does not know: above
/// those of newlib's `memmove` and of libgcc's 64-bit division.
const EXTERNAL_BYTES: u64 = 96;

/// Frames and calls of one or more files.
#[derive(Debug, Default)]
pub(super) struct CallGraph {
    frames: BTreeMap<String, u64>,
    calls: BTreeMap<String, BTreeSet<String>>,
}

impl CallGraph {
    /// Adds what GCC wrote for one file. `None` if a frame has no fixed size.
    pub(super) fn add(&mut self, text: &str) -> Option<()> {
        for line in text.lines() {
            if line.starts_with("node:") && !line.contains("shape : ellipse") {
                let title = quoted(line, "title: \"")?;
                let label = quoted(line, "label: \"")?;
                let frame = label.split("\\n").find_map(|part| part.strip_suffix(" bytes (static)"))?;
                self.frames.insert(title.to_string(), frame.parse().ok()?);
            } else if line.starts_with("edge:") {
                let (from, to) = (quoted(line, "sourcename: \"")?, quoted(line, "targetname: \"")?);
                self.calls.entry(from.to_string()).or_default().insert(to.to_string());
            }
        }
        Some(())
    }

    /// Adds the frames of functions in assembly, whose sizes GCC takes for 0, from the source that GCC compiled. They
    /// call nothing. Where a function has two forms, the larger frame counts.
    pub(super) fn add_assembly(&mut self, source: &str) {
        let mut frames: BTreeMap<&str, u64> = BTreeMap::new();
        let mut current = None;
        let mut frame = 0;
        for line in source.lines() {
            if let Some((_, rest)) = line.split_once("_NAKED static void ") {
                (current, frame) = (rest.split('(').next(), 0);
            } else if let Some((_, registers)) = line.split_once("\"push {") {
                frame += 4 * registers.split('}').next().map_or(0, n_registers);
            } else if let Some((_, bytes)) = line.split_once("\"sub sp, #") {
                let digits = bytes.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
                frame += digits.parse::<u64>().unwrap_or(0);
            }
            if let Some(name) = current {
                let greatest = frames.entry(name).or_default();
                *greatest = frame.max(*greatest);
            }
        }
        for (title, size) in &mut self.frames {
            let name = title.rsplit(':').next().unwrap_or(title);
            *size = frames.get(name).copied().unwrap_or(0).max(*size);
        }
    }

    /// The stack that a call of `function` takes at most. `None` if it is unknown or calls itself.
    pub(super) fn bound(&self, function: &str) -> Option<u64> {
        self.frames.get(function)?;
        self.deepest(function, &mut Vec::new())
    }

    fn deepest<'a>(&'a self, function: &'a str, path: &mut Vec<&'a str>) -> Option<u64> {
        if path.contains(&function) {
            return None;
        }
        let Some(&frame) = self.frames.get(function) else {
            return Some(EXTERNAL_BYTES);
        };
        path.push(function);
        let mut below = 0;
        for callee in self.calls.get(function).into_iter().flatten() {
            below = below.max(self.deepest(callee, path)?);
        }
        path.pop();
        Some(frame + below)
    }
}

/// Registers of a list such as `r4-r11, lr`.
fn n_registers(list: &str) -> u64 {
    let number = |name: &str| name.trim().trim_start_matches('r').parse::<u64>().ok();
    let count = |part: &str| match part.split_once('-') {
        Some((first, last)) => number(last).zip(number(first)).map_or(1, |(last, first)| last - first + 1),
        None => 1,
    };
    list.split(',').map(count).sum()
}

fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = &line[line.find(key)? + key.len()..];
    rest.get(..rest.find('"')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_assembly_come_from_its_text() {
        let mut graph = CallGraph::default();
        let node = r#"node: { title: "a.c:f" label: "f\na.c:3:39\n0 bytes (static)" }"#;
        graph.add(node).expect("fixed frames");
        let text = "A_NAKED static void f(A_UNUSED int x)\n\"push {r4-r11, lr}\\n\"\n\"sub sp, #40\\n\"\n";
        graph.add_assembly(text);
        assert_eq!(graph.bound("a.c:f"), Some(36 + 40));
    }

    #[test]
    fn the_bound_is_the_deepest_path() {
        let text = r#"graph: { title: "a.c"
node: { title: "a.c:f" label: "f\na.c:3:39\n56 bytes (static)" }
node: { title: "memmove" label: "memmove\n<built-in>" shape : ellipse }
edge: { sourcename: "a.c:f" targetname: "memmove" }
node: { title: "run" label: "run\na.c:4:5\n16 bytes (static)" }
edge: { sourcename: "run" targetname: "a.c:f" label: "a.c:4:37" }
}"#;
        let mut graph = CallGraph::default();
        graph.add(text).expect("fixed frames");
        assert_eq!(graph.bound("run"), Some(16 + 56 + EXTERNAL_BYTES));
        assert_eq!(graph.bound("walk"), None);
        graph.add(r#"edge: { sourcename: "a.c:f" targetname: "run" }"#).expect("an edge");
        assert_eq!(graph.bound("run"), None);
        let dynamic = r#"node: { title: "g" label: "g\na.c:1:1\n16 bytes (dynamic)" }"#;
        assert_eq!(graph.add(dynamic), None);
    }
}
