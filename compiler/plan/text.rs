//! The plan as text: a summary, the steps in their order, the buffers with their places and lifetimes.

use std::fmt::Write as _;

use super::{BufferKind, Plan, Problem, Proof, lifetimes, pressure};

impl Plan {
    /// The text. Steps are numbered by their position in the order; `need` is what a step needs at least, so the
    /// greatest need sets the peak. Users snapshot it.
    ///
    /// # Panics
    /// When the plan is not one of the problem's, see [`verify`](super::verify()).
    pub fn to_text(&self, problem: &Problem) -> String {
        let certificate = &self.certificate;
        let verdict = match certificate.proof {
            Proof::Bound => "optimal, the bound is reached".to_string(),
            Proof::Exhausted => "optimal, everything smaller was ruled out".to_string(),
            Proof::Open => {
                format!(
                    "not proved optimal, at most {} B too large",
                    self.arena_bytes - certificate.lower_bound
                )
            }
        };
        let mut out = String::new();
        let line = "a String takes all";
        writeln!(out, "arena {} B, bound {} B: {verdict}", self.arena_bytes, certificate.lower_bound)
            .expect(line);
        writeln!(out, "over {}", certificate.family).expect(line);
        out.push('\n');
        out.push_str(&table(&[&["step", "name", "need"]], self.steps(problem)));
        out.push('\n');
        out.push_str(&table(&[&["buffer", "kind", "offset", "bytes", "live"]], self.buffers(problem)));
        out
    }

    fn steps(&self, problem: &Problem) -> Vec<Vec<String>> {
        let needs = pressure(problem, &self.order);
        let row = |(at, (&step, need)): (usize, (&usize, u64))| {
            vec![at.to_string(), problem.steps[step].name.clone(), need.to_string()]
        };
        self.order.iter().zip(needs).enumerate().map(row).collect()
    }

    fn buffers(&self, problem: &Problem) -> Vec<Vec<String>> {
        let point = |at: usize| match at {
            0 => "start".to_string(),
            at if at > self.order.len() => "end".to_string(),
            at => (at - 1).to_string(),
        };
        let lives = lifetimes(problem, &self.order);
        let row = |((buffer, offset), life): ((&super::Buffer, &u64), &Option<super::Lifetime>)| {
            let kind = match buffer.kind {
                BufferKind::Input => "input",
                BufferKind::Output => "output",
                BufferKind::Internal => "internal",
                BufferKind::Scratch => "scratch",
            };
            let live = life.map_or("never".to_string(), |l| format!("{}..{}", point(l.first), point(l.last)));
            vec![buffer.name.clone(), kind.to_string(), offset.to_string(), buffer.bytes.to_string(), live]
        };
        problem.buffers.iter().zip(&self.offsets).zip(&lives).map(row).collect()
    }
}

/// Columns two spaces apart; numbers to the right, words to the left.
fn table(head: &[&[&str]], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(|cells| cells.iter().map(|&cell| cell.to_string()).collect());
    let all: Vec<Vec<String>> = head.chain(rows).collect();
    let n_columns = all.first().map_or(0, Vec::len);
    let is_number = |cell: &String| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    let widths: Vec<usize> = (0..n_columns)
        .map(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in &all {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let right = column > 0 && all.len() > 1 && all[1..].iter().all(|row| is_number(&row[column]));
            let cell = if right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            line.push_str(&cell);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
