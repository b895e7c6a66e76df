//! What lies where in the arena, and when.

use serde::{Deserialize, Serialize};

use crate::estimate::Deployment;
use crate::plan::{self, BufferKind};

/// The memory plan of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryMap {
    /// The steps in their order.
    pub steps: Vec<MapStep>,
    /// The buffers that are ever live.
    pub buffers: Vec<MapBuffer>,
    /// Bytes from the start of the arena that the front end uses before the input is there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub front_end_bytes: u64,
}

/// A step of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapStep {
    /// Its name.
    pub name: String,
    /// What it needs at least: aligned live bytes after overlap credit.
    pub need_bytes: u64,
}

/// A buffer in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapBuffer {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: BufferKind,
    /// Its first byte.
    pub offset: u64,
    /// Its size.
    pub bytes: u64,
    /// When it is filled: 0 is before the first step, 1 the first step, and so on.
    pub first: usize,
    /// When it is read for the last time; one more than there are steps is after the last one.
    pub last: usize,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

impl MemoryMap {
    /// Of a deployment.
    pub fn new(deployment: &Deployment) -> MemoryMap {
        let Deployment { plan, problem, .. } = deployment;
        let needs = plan::pressure(problem, &plan.order);
        let steps = plan
            .order
            .iter()
            .zip(needs)
            .map(|(&step, need_bytes)| MapStep { name: problem.steps[step].name.clone(), need_bytes });
        let lives = plan::lifetimes(problem, &plan.order);
        let buffers = problem.buffers.iter().zip(&plan.offsets).zip(lives);
        let buffers = buffers.filter_map(|((buffer, &offset), life)| {
            let life = life.filter(|_| buffer.bytes > 0)?;
            let (name, kind, bytes) = (buffer.name.clone(), buffer.kind, buffer.bytes);
            Some(MapBuffer { name, kind, offset, bytes, first: life.first, last: life.last })
        });
        MemoryMap {
            steps: steps.collect(),
            buffers: buffers.collect(),
            front_end_bytes: deployment.front_end.scratch_bytes,
        }
    }

    /// The step that needs most, the first of equal ones; `None` without steps.
    pub fn peak(&self) -> Option<usize> {
        let most = self.steps.iter().map(|step| step.need_bytes).max()?;
        self.steps.iter().position(|step| step.need_bytes == most)
    }

    /// The buffers that are live during a step, by their place.
    pub fn live(&self, step: usize) -> Vec<&MapBuffer> {
        let point = step + 1;
        let mut live: Vec<&MapBuffer> =
            self.buffers.iter().filter(|buffer| buffer.first <= point && point <= buffer.last).collect();
        live.sort_by_key(|buffer| (buffer.offset, buffer.first));
        live
    }

    /// A point of time as people read it; steps are numbered from 1 as in the table of layers.
    pub fn point_text(&self, point: usize) -> String {
        match point {
            0 => "start".to_owned(),
            point if point > self.steps.len() => "end".to_owned(),
            point => point.to_string(),
        }
    }
}

/// What a buffer is for, in a word.
pub(super) fn kind_word(kind: BufferKind) -> &'static str {
    match kind {
        BufferKind::Input => "input",
        BufferKind::Output => "output",
        BufferKind::Internal => "internal",
        BufferKind::Scratch => "scratch",
    }
}
