//! A bound on the size of the code that a program becomes.
//!
//! The model counts what the C compiler has to emit for each construct of the kernel IR, in bytes of Thumb-2 at
//! `-O2`. The factors were fitted to linked images of lowered networks and then raised until none was above its
//! bound; other compilers may be larger.

use crate::kernel::{Expr, Function, MicroArg, Program, Stmt};

/// Interface functions: init, run with its two copies, input, output, quantization of raw input.
const INTERFACE: u64 = 320;
/// A call of a function with its arguments.
const CALL: u64 = 12;
/// An argument of a call, kept in registers or on the stack.
const ARGUMENT: u64 = 6;
/// Prologue and epilogue of a function.
const FUNCTION: u64 = 24;
/// A loop: initial value, increment, comparison and branch.
const LOOP: u64 = 14;
/// A store with its address.
const STORE: u64 = 8;
/// A register that is set.
const SET: u64 = 2;
/// An operation.
const OPERATION: u64 = 4;
/// A load with its address.
const LOAD: u64 = 8;
/// A requantization.
const REQUANT: u64 = 72;

/// Bytes that the code of a program does not exceed.
pub(super) fn bound(program: &Program) -> u64 {
    let functions: u64 = program.functions.iter().map(|function| function_bytes(program, function)).sum();
    let calls = program.steps.iter().flat_map(|step| &step.calls);
    let calls: u64 =
        calls.map(|call| CALL + ARGUMENT * (call.buffers.len() + call.scalars.len()) as u64).sum();
    INTERFACE + functions + calls
}

fn function_bytes(program: &Program, function: &Function) -> u64 {
    FUNCTION + body_bytes(program, &function.body)
}

fn body_bytes(program: &Program, body: &[Stmt]) -> u64 {
    body.iter().map(|statement| statement_bytes(program, statement)).sum()
}

fn statement_bytes(program: &Program, statement: &Stmt) -> u64 {
    match statement {
        Stmt::For { body, .. } => LOOP + body_bytes(program, body),
        Stmt::Set { value, .. } => SET + expr_bytes(value),
        Stmt::Store { value, .. } => STORE + expr_bytes(value),
        Stmt::Micro { kernel, arguments, .. } => {
            let values: u64 = arguments
                .iter()
                .map(|argument| match argument {
                    MicroArg::Pointer { .. } => ARGUMENT,
                    MicroArg::Value(value) => expr_bytes(value),
                })
                .sum();
            let micro = program.micros.iter().find(|micro| micro.meaning.name == *kernel);
            values + micro.map_or(0, |micro| 2 * body_bytes(program, &micro.meaning.body))
        }
    }
}

fn expr_bytes(expr: &Expr) -> u64 {
    match expr {
        Expr::Const(..) | Expr::Reg(_) => 0,
        Expr::Index(_) => OPERATION,
        Expr::Load { .. } => LOAD,
        Expr::Bin(_, a, b) => OPERATION + expr_bytes(a) + expr_bytes(b),
        Expr::Select(c, a, b) => OPERATION + expr_bytes(c) + expr_bytes(a) + expr_bytes(b),
        Expr::Widen(x) | Expr::Narrow(x) => expr_bytes(x),
        Expr::Requant { x, value, shift, .. } => {
            REQUANT + expr_bytes(x) + expr_bytes(value) + expr_bytes(shift)
        }
    }
}
