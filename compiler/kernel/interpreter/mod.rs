//! The interpreter: what a program means.
//!
//! In: a program that verifies, the start of each buffer in the arena, and the network's inputs. Out: its outputs,
//! or the first [`Trap`]. Everything is checked: bounds, integer ranges, registers and locals that were never set,
//! and, by a shadow of the arena, elements that another buffer has overwritten. Speed is not its aim.

mod code;
mod memory;

use crate::kernel::{Arg, BufferId, Program, ProgramError};
use crate::tensor::{Shape, Value};

use code::{Code, Frame, compile};
use memory::{Local, Memory, View};

/// Where the buffers of a program start in the arena, in bytes, by [`BufferId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Start of each buffer.
    pub offsets: Vec<u64>,
}

impl Placement {
    /// All buffers one after the other, each aligned.
    pub fn disjoint(program: &Program) -> Placement {
        let mut end = 0u64;
        let mut offsets = Vec::with_capacity(program.buffers.len());
        for buffer in &program.buffers {
            let start = end.next_multiple_of(buffer.align.max(1) as u64);
            offsets.push(start);
            end = start + buffer.bytes();
        }
        Placement { offsets }
    }

    /// Bytes of the arena.
    pub fn arena_bytes(&self, program: &Program) -> u64 {
        self.offsets
            .iter()
            .zip(&program.buffers)
            .map(|(start, buffer)| start + buffer.bytes())
            .max()
            .unwrap_or(0)
    }
}

/// A broken rule at run time: a bug of lowering, of a schedule's declared overlaps, or of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The step's name; empty outside of steps.
    pub step: String,
    /// The function or micro-kernel.
    pub function: String,
    /// What happened.
    pub message: String,
}

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step `{}`, function `{}`: {}", self.step, self.function, self.message)
    }
}

impl std::error::Error for Trap {}

/// One access of the arena, in the order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Index of the step.
    pub step: usize,
    /// The buffer.
    pub buffer: BufferId,
    /// Its element.
    pub element: usize,
    /// Whether it is stored to, or else loaded from.
    pub write: bool,
}

/// A program made ready to be run.
#[derive(Debug)]
pub struct Interpreter<'p> {
    program: &'p Program,
    functions: Vec<Code>,
    micros: Vec<Code>,
}

/// The state of one run.
struct Machine<'p> {
    program: &'p Program,
    micros: &'p [Code],
    memory: Memory,
    locals: Vec<Local>,
    step: usize,
    trace: Option<Vec<Event>>,
}

impl<'p> Interpreter<'p> {
    /// Verifies the program and makes it ready.
    ///
    /// # Errors
    /// The first broken rule of the IR.
    pub fn new(program: &'p Program) -> Result<Interpreter<'p>, ProgramError> {
        program.verify()?;
        Ok(Interpreter {
            program,
            functions: program.functions.iter().map(|function| compile(program, function)).collect(),
            micros: program.micros.iter().map(|micro| compile(program, &micro.meaning)).collect(),
        })
    }

    /// Runs the program once. Inputs are in the program's order; their elements count, not their shapes. Outputs
    /// are vectors `[elements]`.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn run(&self, placement: &Placement, inputs: &[Value]) -> Result<Vec<Value>, Trap> {
        let machine = self.execute(placement, inputs, None)?;
        self.program.outputs.iter().map(|&output| self.fetch(&machine, output)).collect()
    }

    /// Every access of the arena by the steps of one run on zeros; since control flow never depends on data, of
    /// any run.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn trace(&self) -> Result<Vec<Event>, Trap> {
        let zeros = |&id: &BufferId| {
            let buffer = &self.program.buffers[id.0 as usize];
            Value::from_i32_vec(buffer.elem, &[buffer.len].into(), &vec![0; buffer.len])
        };
        let inputs: Option<Vec<Value>> = self.program.inputs.iter().map(zeros).collect();
        let inputs = inputs.ok_or_else(|| outside("an input buffer is not of integers"))?;
        let machine = self.execute(&Placement::disjoint(self.program), &inputs, Some(Vec::new()))?;
        Ok(machine.trace.unwrap_or_default())
    }

    fn execute(
        &self,
        placement: &Placement,
        inputs: &[Value],
        trace: Option<Vec<Event>>,
    ) -> Result<Machine<'_>, Trap> {
        let program = self.program;
        if placement.offsets.len() != program.buffers.len() {
            return Err(outside("the placement has not one offset for each buffer"));
        }
        let memory = Memory::new(program, placement);
        let mut machine =
            Machine { program, micros: &self.micros, memory, locals: Vec::new(), step: 0, trace: None };
        if inputs.len() != program.inputs.len() {
            return Err(outside(format!("{} inputs instead of {}", inputs.len(), program.inputs.len())));
        }
        for (&id, value) in program.inputs.iter().zip(inputs) {
            let buffer = &program.buffers[id.0 as usize];
            let elements = value
                .to_i32_vec()
                .filter(|elements| elements.len() == buffer.len && value.dtype() == buffer.elem)
                .ok_or_else(|| {
                    outside(format!("`{}` is given {}{}", buffer.name, value.dtype(), value.shape()))
                })?;
            for (index, &element) in elements.iter().enumerate() {
                machine.memory.store(id, index as i64, i64::from(element)).map_err(outside)?;
            }
        }
        machine.trace = trace;
        for (index, step) in program.steps.iter().enumerate() {
            machine.step = index;
            for call in &step.calls {
                self.call(&mut machine, call).map_err(|mut trap| {
                    trap.step.clone_from(&step.name);
                    *trap
                })?;
            }
        }
        Ok(machine)
    }

    fn call(&self, machine: &mut Machine<'_>, call: &crate::kernel::Call) -> Result<(), Box<Trap>> {
        let code = &self.functions[call.function.0 as usize];
        machine.locals = code.locals.iter().map(|&(elem, len)| Local::new(elem, len)).collect();
        let mut views: Vec<View> = call
            .buffers
            .iter()
            .map(|arg| match *arg {
                Arg::Buffer(id) => View::Arena(id, 0),
                Arg::Table(id) => View::Table(id, 0),
            })
            .collect();
        views.extend((0..code.locals.len()).map(|local| View::Local(local, 0)));
        let mut frame = Frame::new(code, views);
        for (var, &scalar) in frame.vars.iter_mut().zip(&call.scalars) {
            *var = i64::from(scalar);
        }
        machine.block(code, &mut frame, &code.body)
    }

    fn fetch(&self, machine: &Machine<'_>, id: BufferId) -> Result<Value, Trap> {
        let buffer = &self.program.buffers[id.0 as usize];
        let elements: Result<Vec<i32>, String> =
            (0..buffer.len).map(|index| machine.memory.load(id, index as i64).map(|x| x as i32)).collect();
        let elements = elements.map_err(outside)?;
        Value::from_i32_vec(buffer.elem, &Shape::from([buffer.len]), &elements)
            .ok_or_else(|| outside(format!("output `{}` is not of integers", buffer.name)))
    }
}

/// A trap outside of all steps.
fn outside(message: impl Into<String>) -> Trap {
    Trap { step: String::new(), function: String::new(), message: message.into() }
}

/// Runs a program once; [`Interpreter`] saves work where there are several runs.
///
/// # Errors
/// A broken rule of the IR, or the first one at run time.
pub fn run(program: &Program, placement: &Placement, inputs: &[Value]) -> Result<Vec<Value>, Trap> {
    let interpreter = Interpreter::new(program).map_err(|error| outside(error.to_string()))?;
    interpreter.run(placement, inputs)
}
