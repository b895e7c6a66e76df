//! Integer networks on this machine, fast and exact: what accuracy is measured with.
//!
//! In: an integer graph. Out: a [`HostNetwork`] that computes, byte for byte, what the graph's reference evaluation
//! does. Convolutions, dense layers, sums, pools and everything that maps bytes to bytes have kernels over vectors,
//! the same source for every instruction set ([`Level`]), and constants in the form that it wants; other steps are host
//! code of [`emit::jit`](crate::emit::jit). Every buffer has a place of its own: a plan is for chips.
//!
//! Why not Cranelift for all: it knows vectors of 128 bits only, which is a third of what AVX-512 multiplies
//! (`cargo bench --bench host`).

#![expect(unsafe_code, reason = "kernels take pointers; what they need is checked where steps are made")]

mod depthwise;
mod lanes;
mod layers;
mod level;
mod lookup;
mod memory;
mod pool;
mod products;
mod rescale;
mod sum;
mod window;

#[cfg(test)]
mod tests;

use crate::emit::jit::Jit;
use crate::graph::Graph;
use crate::kernel::{self, Arg, BufferId, Program};
use crate::target::Isa;

use memory::Bytes;

pub use level::Level;

/// Why a network cannot be run: always a bug, or a machine that Cranelift does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError(pub String);

impl std::fmt::Display for HostError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}

/// Bytes between buffers, so that vectors may read beyond the end of one.
const SPARE: u64 = 64;

/// A buffer's place in the arena.
#[derive(Clone, Copy, Debug)]
struct Slot {
    offset: usize,
    bytes: usize,
}

/// What a step runs.
enum Work {
    Products(products::Products, Slot),
    Depthwise(depthwise::Depthwise, Slot),
    Sum(sum::Sum, [Slot; 2]),
    Pool(pool::Pool, Slot),
    Lookup(lookup::Lookup, Slot),
    /// Steps of the program that follow each other: an entry of the host code.
    Code(usize),
}

struct Step {
    work: Work,
    output: Slot,
}

/// An integer network, ready to run.
pub struct HostNetwork {
    level: Level,
    steps: Vec<Step>,
    code: Option<Jit>,
    arena_bytes: usize,
    scratch_bytes: usize,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
}

impl HostNetwork {
    /// Makes a network ready for the best instruction set of this machine.
    ///
    /// # Errors
    /// When the graph cannot be lowered, or there is no host code for this machine.
    pub fn new(graph: &Graph) -> Result<HostNetwork, HostError> {
        HostNetwork::with_level(graph, Level::detect())
    }

    /// Makes a network ready for an instruction set.
    ///
    /// # Errors
    /// As [`HostNetwork::new`].
    pub fn with_level(graph: &Graph, level: Level) -> Result<HostNetwork, HostError> {
        let program = kernel::lower(graph, Isa::Portable).map_err(|error| HostError(error.to_string()))?;
        let mut offsets = Vec::with_capacity(program.buffers.len());
        let mut end = 0;
        for buffer in &program.buffers {
            offsets.push(end);
            end += (buffer.bytes() + SPARE).next_multiple_of(SPARE);
        }
        let slot = |id: &BufferId| Slot {
            offset: offsets[id.0 as usize] as usize,
            bytes: program.buffers[id.0 as usize].bytes() as usize,
        };
        let mut made = Made::default();
        let order = graph.order();
        for (at, step) in program.steps.iter().enumerate() {
            let output = slot(&step.writes[0]);
            let node = order[step.node];
            let sources: Option<Vec<Slot>> = step.calls[0].buffers[..step.calls[0].buffers.len() - 1]
                .iter()
                .map_while(|arg| match arg {
                    Arg::Buffer(id) => Some(Some(slot(id))),
                    Arg::Table(_) => None,
                })
                .collect();
            let is_layer = step.op == graph.node(node).op.name();
            let work = sources.filter(|_| is_layer).and_then(|from| layers::work(graph, node, level, &from));
            match work {
                Some(work) => made.steps.push(Step { work, output }),
                None => made.code(at, output),
            }
        }
        let code =
            if made.parts.is_empty() { None } else { Some(host_code(&program, &offsets, end, &made.parts)?) };
        let scratch = |step: &Step| match &step.work {
            Work::Products(products, _) => products.scratch_bytes(),
            Work::Depthwise(depthwise, _) => depthwise.scratch_bytes(),
            Work::Sum(..) | Work::Pool(..) | Work::Lookup(..) | Work::Code(_) => 0,
        };
        Ok(HostNetwork {
            level,
            code,
            arena_bytes: end as usize,
            scratch_bytes: made.steps.iter().map(scratch).max().unwrap_or(0),
            inputs: program.inputs.iter().map(slot).collect(),
            outputs: program.outputs.iter().map(slot).collect(),
            steps: made.steps,
        })
    }

    /// Memory for [`HostNetwork::run`], to be used again and again.
    pub fn memory(&self) -> Memory {
        Memory { arena: Bytes::new(self.arena_bytes), scratch: Bytes::new(self.scratch_bytes) }
    }

    /// How many steps have a kernel of their own, and how many entries of host code there are.
    pub fn parts(&self) -> (usize, usize) {
        let n_code = self.steps.iter().filter(|step| matches!(step.work, Work::Code(_))).count();
        (self.steps.len() - n_code, n_code)
    }

    /// Runs the network: the bytes of each input in, those of each output out. Elements of 16 bits are two bytes in the
    /// machine's order.
    ///
    /// # Errors
    /// When the number of inputs, or of an input's bytes, is wrong, or the memory is another network's.
    pub fn run(&self, memory: &mut Memory, inputs: &[&[i8]]) -> Result<Vec<Vec<i8>>, HostError> {
        if memory.arena.len() < self.arena_bytes || memory.scratch.len() < self.scratch_bytes {
            return Err(HostError("the memory belongs to another network".into()));
        }
        if inputs.len() != self.inputs.len() {
            return Err(HostError(format!("{} inputs instead of {}", inputs.len(), self.inputs.len())));
        }
        for (slot, input) in self.inputs.iter().zip(inputs) {
            if input.len() != slot.bytes {
                let found = input.len();
                return Err(HostError(format!("an input has {found} bytes instead of {}", slot.bytes)));
            }
            let to = &mut memory.arena.as_mut_slice()[slot.offset..slot.offset + slot.bytes];
            to.iter_mut().zip(*input).for_each(|(to, &x)| *to = x as u8);
        }
        let (arena, scratch) = (memory.arena.as_mut_ptr(), memory.scratch.as_mut_ptr());
        for step in &self.steps {
            // SAFETY: buffers lie in the arena, disjoint and a vector apart, scratch is as large as any step's.
            unsafe { self.step(step, arena, scratch) };
        }
        let read = |slot: &Slot| {
            let from = &memory.arena.as_mut_slice()[slot.offset..slot.offset + slot.bytes];
            from.iter().map(|&x| x as i8).collect()
        };
        Ok(self.outputs.iter().map(read).collect())
    }

    /// Runs one step.
    ///
    /// # Safety
    /// The arena and the scratch are those of this network's memory.
    unsafe fn step(&self, step: &Step, arena: *mut u8, scratch: *mut u8) {
        // SAFETY: that of the caller; kernels were made for the sizes of their buffers.
        unsafe {
            let from = |slot: &Slot| arena.add(slot.offset).cast::<i8>().cast_const();
            let output = arena.add(step.output.offset).cast::<i8>();
            match &step.work {
                Work::Products(products, input) => products.run(self.level, from(input), output, scratch),
                Work::Depthwise(depthwise, input) => depthwise.run(self.level, from(input), output, scratch),
                Work::Sum(sum, [a, b]) => sum.run(self.level, from(a), from(b), output),
                Work::Pool(pool, input) => pool.run(self.level, from(input), output),
                Work::Lookup(lookup, input) => lookup.run(from(input), output),
                Work::Code(entry) => {
                    if let Some(code) = &self.code {
                        code.enter(*entry, arena);
                    }
                }
            }
        }
    }
}

/// Steps as they are made.
#[derive(Default)]
struct Made {
    steps: Vec<Step>,
    /// Steps of the program that are host code, those of an entry together.
    parts: Vec<Vec<usize>>,
}

impl Made {
    /// Adds a step of host code.
    fn code(&mut self, at: usize, output: Slot) {
        match (self.steps.last(), self.parts.last_mut()) {
            (Some(Step { work: Work::Code(_), .. }), Some(part)) => part.push(at),
            _ => {
                self.steps.push(Step { work: Work::Code(self.parts.len()), output });
                self.parts.push(vec![at]);
            }
        }
    }
}

fn host_code(
    program: &Program,
    offsets: &[u64],
    arena_bytes: u64,
    parts: &[Vec<usize>],
) -> Result<Jit, HostError> {
    Jit::compile_parts(program, offsets, arena_bytes, parts).map_err(|error| HostError(error.0))
}

/// What a network runs in.
pub struct Memory {
    arena: Bytes,
    scratch: Bytes,
}
