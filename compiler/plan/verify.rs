//! The plan's verifier: straight from the meaning of a problem, sharing no code with what makes plans.
//!
//! It walks through the order keeping the set of live buffers. Plans come from bundles too, so nothing about one is
//! taken for granted.

use super::{BufferId, BufferKind, Plan, Problem, Proof, Step};

/// Checks a plan against its problem: the order, alignments, that buffers live together lie apart or at a declared
/// distance, the arena's size and the certificate's consistency.
///
/// # Errors
/// The first rule broken, with the buffers and the step.
pub fn verify(problem: &Problem, plan: &Plan) -> Result<(), String> {
    problem.check()?;
    check_order(problem, plan)?;
    check_offsets(problem, plan)?;
    let walk = Walk { problem, plan };
    let greatest_end = walk.check()?;
    if greatest_end != plan.arena_bytes {
        return Err(format!("buffers end at {greatest_end}, the arena at {}", plan.arena_bytes));
    }
    check_certificate(plan)
}

fn check_order(problem: &Problem, plan: &Plan) -> Result<(), String> {
    let mut position = vec![None; problem.steps.len()];
    for (at, &step) in plan.order.iter().enumerate() {
        match position.get_mut(step) {
            Some(slot @ None) => *slot = Some(at),
            _ => return Err(format!("step {step} of the order is unknown or repeated")),
        }
    }
    if plan.order.len() != problem.steps.len() {
        return Err(format!("the order has {} of {} steps", plan.order.len(), problem.steps.len()));
    }
    for writer in 0..problem.steps.len() {
        for reader in 0..problem.steps.len() {
            let flows =
                problem.steps[writer].writes.iter().any(|id| problem.steps[reader].reads.contains(id));
            if flows && position[writer] >= position[reader] {
                let (writer, reader) = (&problem.steps[writer].name, &problem.steps[reader].name);
                return Err(format!("step `{reader}` runs before `{writer}`, whose result it reads"));
            }
        }
    }
    Ok(())
}

fn check_offsets(problem: &Problem, plan: &Plan) -> Result<(), String> {
    if plan.offsets.len() != problem.buffers.len() {
        return Err(format!("{} offsets for {} buffers", plan.offsets.len(), problem.buffers.len()));
    }
    for (buffer, &offset) in problem.buffers.iter().zip(&plan.offsets) {
        if offset % buffer.align != 0 {
            return Err(format!("`{}` at {offset} is not aligned to {}", buffer.name, buffer.align));
        }
        // With this, ends and distances below fit an i64.
        if offset > plan.arena_bytes || i64::try_from(offset).is_err() {
            return Err(format!("`{}` at {offset} is beyond the arena", buffer.name));
        }
    }
    Ok(())
}

fn check_certificate(plan: &Plan) -> Result<(), String> {
    let certificate = &plan.certificate;
    let arena = plan.arena_bytes;
    if certificate.lower_bound > arena {
        return Err(format!("the lower bound {} is above the arena {arena}", certificate.lower_bound));
    }
    let at_bound = certificate.lower_bound == arena;
    if at_bound != (certificate.proof == Proof::Bound) {
        return Err(format!("the proof is {:?} at bound {}", certificate.proof, certificate.lower_bound));
    }
    if certificate.optimal != (certificate.proof != Proof::Open) {
        return Err(format!("optimal is {} but the proof is {:?}", certificate.optimal, certificate.proof));
    }
    if certificate.optimal && certificate.family.is_empty() {
        return Err("the certificate does not name its family".to_string());
    }
    Ok(())
}

/// A plan whose order and offsets are in range.
struct Walk<'a> {
    problem: &'a Problem,
    plan: &'a Plan,
}

impl Walk<'_> {
    /// Walks through time; the greatest end of what was ever live.
    fn check(&self) -> Result<u64, String> {
        let mut live = self.of_kind(BufferKind::Input);
        self.apart(&live, "the start")?;
        let mut greatest_end = self.greatest_end(&live);
        for (at, &number) in self.plan.order.iter().enumerate() {
            let step = &self.problem.steps[number];
            let rest = &self.plan.order[at + 1..];
            live.retain(|&id| step.reads.contains(&id) || self.is_needed(id, rest));
            for &id in step.writes.iter().chain(&step.scratch) {
                for &other in &live {
                    let dies = !self.is_needed(other, rest);
                    let may_overlap = dies && self.is_declared(step, other, id);
                    if !may_overlap && !self.are_apart(id, other) {
                        return Err(self.clash(id, other, &step.name));
                    }
                }
            }
            let filled: Vec<BufferId> = step.writes.iter().chain(&step.scratch).copied().collect();
            self.apart(&filled, &step.name)?;
            greatest_end = greatest_end.max(self.greatest_end(&filled));
            live.extend(&step.writes);
            live.retain(|&id| self.is_needed(id, rest));
        }
        self.apart(&self.of_kind(BufferKind::Output), "the end")?;
        Ok(greatest_end)
    }

    fn of_kind(&self, kind: BufferKind) -> Vec<BufferId> {
        (0..self.problem.buffers.len())
            .filter(|&b| self.problem.buffers[b].kind == kind)
            .map(BufferId)
            .collect()
    }

    /// Whether any of these steps or the caller still reads the buffer.
    fn is_needed(&self, id: BufferId, rest: &[usize]) -> bool {
        self.problem.buffers[id.0].kind == BufferKind::Output
            || rest.iter().any(|&step| self.problem.steps[step].reads.contains(&id))
    }

    /// Whether the step declares the distance of what it writes to what it reads, in every entry for the two.
    fn is_declared(&self, step: &Step, read: BufferId, written: BufferId) -> bool {
        let distance = self.plan.offsets[written.0] as i64 - self.plan.offsets[read.0] as i64;
        let mut entries =
            step.overlaps.iter().filter(|entry| entry.read == read && entry.written == written).peekable();
        entries.peek().is_some()
            && entries.all(|entry| entry.safe.iter().any(|i| i.low <= distance && distance <= i.high))
    }

    fn are_apart(&self, x: BufferId, y: BufferId) -> bool {
        let (from_x, from_y) = (self.plan.offsets[x.0], self.plan.offsets[y.0]);
        let (bytes_x, bytes_y) = (self.problem.buffers[x.0].bytes, self.problem.buffers[y.0].bytes);
        bytes_x == 0 || bytes_y == 0 || from_x + bytes_x <= from_y || from_y + bytes_y <= from_x
    }

    fn apart(&self, buffers: &[BufferId], when: &str) -> Result<(), String> {
        for (at, &x) in buffers.iter().enumerate() {
            if let Some(&y) = buffers[at + 1..].iter().find(|&&y| !self.are_apart(x, y)) {
                return Err(self.clash(x, y, when));
            }
        }
        Ok(())
    }

    fn greatest_end(&self, buffers: &[BufferId]) -> u64 {
        let end = |id: &BufferId| match self.problem.buffers[id.0].bytes {
            0 => 0,
            bytes => self.plan.offsets[id.0] + bytes,
        };
        buffers.iter().map(end).max().unwrap_or(0)
    }

    fn clash(&self, x: BufferId, y: BufferId, when: &str) -> String {
        let place = |id: BufferId| {
            let offset = self.plan.offsets[id.0];
            format!(
                "`{}` at {offset}..{}",
                self.problem.buffers[id.0].name,
                offset + self.problem.buffers[id.0].bytes
            )
        };
        format!("{} and {} overlap at {when}", place(x), place(y))
    }
}
