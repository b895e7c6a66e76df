//! Kernels: a small typed IR, its interpreter, and the lowering of operators to it.
//!
//! In: an integer graph and a target's features. Out: a [`Program`], whose meaning the interpreter defines and
//! which `emit` prints as C or compiles for the host. Float operators stay out of it.

mod choice;
mod interpreter;
mod ir;
mod lower;
mod micro;
mod schedule;
mod text;
mod verify;
mod work;

pub use choice::{Choice, Variant};
pub use interpreter::{Event, Interpreter, Placement, Trap, run};
pub use ir::{
    Access, Affine, Arg, BinOp, Buf, BufParam, Buffer, BufferId, Call, Derivation, Expr, Function,
    FunctionId, Local, MicroArg, Overlap, Program, Reg, Role, Step, Stmt, Table, TableId, TableRole, Ty,
    Values, Var,
};
pub use lower::{LowerError, lower, lower_with};
pub use micro::{Assembly, MicroKernel, Special};
pub use verify::ProgramError;
pub use work::Work;

#[cfg(test)]
mod tests;
