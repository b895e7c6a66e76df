//! Kernels: a small typed IR, its interpreter, and the lowering of operators to it.
//!
//! In: an integer graph and a target's features. Out: a [`Program`], whose meaning the interpreter defines and
//! which `emit` prints as C or compiles for the host. Float operators stay out of it.

mod interpreter;
mod ir;
mod lower;
mod schedule;
mod text;
mod verify;

pub use interpreter::{Event, Interpreter, Placement, Trap, run};
pub use ir::{
    Access, Affine, Arg, Assembly, BinOp, Buf, BufParam, Buffer, BufferId, Call, Derivation, Expr, Function,
    FunctionId, Local, MicroArg, MicroKernel, Overlap, Program, Reg, Role, Special, Step, Stmt, Table,
    TableId, TableRole, Ty, Var, Work,
};
pub use lower::{LowerError, lower};
pub use verify::ProgramError;

#[cfg(test)]
mod tests;
