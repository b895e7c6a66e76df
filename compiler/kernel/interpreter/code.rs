//! Functions with names and types resolved, and their execution.

use super::memory::View;
use super::{Event, Machine, Trap};
use crate::kernel::{Affine, BinOp, Buf, Derivation, Expr, Function, MicroArg, Program, Reg, Stmt, Ty, Var};
use crate::tensor::DType;
use crate::tensor::arith::{Multiplier, PRECISE_BITS, PreciseMultiplier, Rounding};

/// A function made ready.
#[derive(Debug)]
pub(super) struct Code {
    name: String,
    n_vars: usize,
    n_registers: usize,
    pub(super) locals: Vec<(DType, usize)>,
    pub(super) body: Vec<Action>,
}

/// A statement made ready.
#[derive(Debug)]
pub(super) enum Action {
    For { var: Var, lower: Affine, upper: Affine, step: i64, body: Vec<Action> },
    Let { var: Var, derivation: Derivation, left: Affine, right: Affine },
    Set { reg: Reg, value: Term },
    Store { buf: Buf, index: Affine, value: Term },
    Micro { kernel: usize, registers: Vec<Reg>, pointers: Vec<(Buf, Affine)>, values: Vec<Term> },
}

/// An expression made ready: operations know their type.
#[derive(Debug)]
pub(super) enum Term {
    Const(i64),
    Reg(Reg),
    Index(Affine),
    Load(Buf, Affine),
    Lookup(Buf, Box<Term>),
    Bin(BinOp, Ty, Box<(Term, Term)>),
    Select(Box<(Term, Term, Term)>),
    Narrow(Box<Term>),
    Requant(Box<(Term, Term, Term)>, Rounding),
}

/// The variables, registers and buffers of one call.
pub(super) struct Frame {
    pub(super) vars: Vec<i64>,
    registers: Vec<Option<i64>>,
    views: Vec<View>,
}

impl Frame {
    pub(super) fn new(code: &Code, views: Vec<View>) -> Frame {
        Frame { vars: vec![0; code.n_vars], registers: vec![None; code.n_registers], views }
    }
}

/// Makes a function of a program that verifies ready.
pub(super) fn compile(program: &Program, function: &Function) -> Code {
    Code {
        name: function.name.clone(),
        n_vars: function.vars.len(),
        n_registers: function.registers.len(),
        locals: function.locals.iter().map(|local| (local.elem, local.len)).collect(),
        body: actions(program, function, &function.body),
    }
}

fn actions(program: &Program, function: &Function, body: &[Stmt]) -> Vec<Action> {
    let action = |stmt: &Stmt| match stmt {
        Stmt::For { var, lower, upper, step, body } => Action::For {
            var: *var,
            lower: lower.clone(),
            upper: upper.clone(),
            step: *step,
            body: actions(program, function, body),
        },
        Stmt::Let { var, derivation, left, right } => {
            Action::Let { var: *var, derivation: *derivation, left: left.clone(), right: right.clone() }
        }
        Stmt::Set { reg, value } => Action::Set { reg: *reg, value: term(function, value).0 },
        Stmt::Store { buf, index, value } => {
            Action::Store { buf: *buf, index: index.clone(), value: term(function, value).0 }
        }
        Stmt::Micro { kernel, registers, arguments } => {
            let mut pointers = Vec::new();
            let mut values = Vec::new();
            for argument in arguments {
                match argument {
                    MicroArg::Pointer { buf, index } => pointers.push((*buf, index.clone())),
                    MicroArg::Value(value) => values.push(term(function, value).0),
                }
            }
            let kernel = program.micros.iter().position(|micro| micro.meaning.name == *kernel);
            let kernel = kernel.expect("a verified program has the micro-kernels that it names");
            Action::Micro { kernel, registers: registers.clone(), pointers, values }
        }
    };
    body.iter().map(action).collect()
}

fn term(function: &Function, expr: &Expr) -> (Term, Ty) {
    let one = |expr: &Expr| term(function, expr).0;
    match expr {
        Expr::Const(ty, value) => (Term::Const(*value), *ty),
        Expr::Reg(reg) => (Term::Reg(*reg), function.registers[reg.0 as usize]),
        Expr::Index(index) => (Term::Index(index.clone()), Ty::I32),
        Expr::Load { buf, index } => (Term::Load(*buf, index.clone()), Ty::I32),
        Expr::Lookup { table, at } => (Term::Lookup(*table, Box::new(one(at))), Ty::I32),
        Expr::Bin(op, a, b) => {
            let (a, ty) = term(function, a);
            let result = if matches!(op, BinOp::Lt | BinOp::Eq) { Ty::I32 } else { ty };
            (Term::Bin(*op, ty, Box::new((a, one(b)))), result)
        }
        Expr::Select(condition, a, b) => {
            let (a, ty) = term(function, a);
            (Term::Select(Box::new((one(condition), a, one(b)))), ty)
        }
        Expr::Widen(x) => (one(x), Ty::I64),
        Expr::Narrow(x) => (Term::Narrow(Box::new(one(x))), Ty::I32),
        Expr::Requant { x, value, shift, rounding } => {
            (Term::Requant(Box::new((one(x), one(value), one(shift))), *rounding), Ty::I32)
        }
    }
}

type Outcome<T> = Result<T, Box<Trap>>;

fn trap(code: &Code, message: impl Into<String>) -> Box<Trap> {
    Box::new(Trap { step: String::new(), function: code.name.clone(), message: message.into() })
}

/// The value, if its type holds it.
fn within(code: &Code, ty: Ty, value: Option<i64>, op: &str) -> Outcome<i64> {
    match (ty, value) {
        (Ty::I64, Some(value)) => Ok(value),
        (Ty::I32, Some(value)) if i32::try_from(value).is_ok() => Ok(value),
        _ => Err(trap(code, format!("overflow of {ty:?} in {op}"))),
    }
}

fn binary(code: &Code, op: BinOp, ty: Ty, a: i64, b: i64) -> Outcome<i64> {
    let width = if ty == Ty::I32 { 32 } else { 64 };
    let amount = || match u32::try_from(b) {
        Ok(amount) if amount < width => Ok(amount),
        _ => Err(trap(code, format!("a shift by {b}"))),
    };
    match op {
        BinOp::Add => within(code, ty, a.checked_add(b), "a sum"),
        BinOp::Sub => within(code, ty, a.checked_sub(b), "a difference"),
        BinOp::Mul => within(code, ty, a.checked_mul(b), "a product"),
        BinOp::Div => within(code, ty, a.checked_div(b), "a quotient"),
        BinOp::Min => Ok(a.min(b)),
        BinOp::Max => Ok(a.max(b)),
        BinOp::Shl => {
            let amount = amount()?;
            let shifted = a.wrapping_shl(amount);
            within(code, ty, (shifted >> amount == a).then_some(shifted), "a shift to the left")
        }
        BinOp::Shr => Ok(a >> amount()?),
        BinOp::And => Ok(a & b),
        BinOp::Lt => Ok(i64::from(a < b)),
        BinOp::Eq => Ok(i64::from(a == b)),
    }
}

/// A requantization of 64 bits.
fn wide(code: &Code, x: i64, value: i64, shift: i32) -> Outcome<i64> {
    if value < 0 || !(1..=62).contains(&shift) {
        return Err(trap(code, format!("a multiplier {value} * 2^-{shift}")));
    }
    let sum = x.checked_mul(value).and_then(|product| product.checked_add(1 << (shift - 1)));
    let sum = within(code, Ty::I64, sum, "a product of 64 bits")?;
    within(code, Ty::I32, Some(sum >> shift), "a requantization")
}

/// A requantization by 53 bits.
fn precise(code: &Code, x: i64, value: i64, shift: i32) -> Outcome<i64> {
    if !(0..1 << 53).contains(&value) || !(1..=62).contains(&shift) {
        return Err(trap(code, format!("a multiplier {value} * 2^-{shift}")));
    }
    let high = x.checked_mul(value >> PRECISE_BITS).and_then(|high| high.checked_add(1 << (shift - 1)));
    within(code, Ty::I64, high, "a product of 64 bits")?;
    Ok(PreciseMultiplier { value, shift }.apply(x).into())
}

impl Machine<'_> {
    pub(super) fn block(&mut self, code: &Code, frame: &mut Frame, body: &[Action]) -> Outcome<()> {
        for action in body {
            match action {
                Action::For { var, lower, upper, step, body } => {
                    let mut at = lower.eval(&frame.vars);
                    let end = upper.eval(&frame.vars);
                    while at < end {
                        frame.vars[var.0 as usize] = at;
                        self.block(code, frame, body)?;
                        at += step;
                    }
                }
                Action::Let { var, derivation, left, right } => {
                    let (left, right) = (left.eval(&frame.vars), right.eval(&frame.vars));
                    let value = derivation.apply(left, right);
                    let value = within(code, Ty::I32, value, "a derived variable")?;
                    frame.vars[var.0 as usize] = value;
                }
                Action::Set { reg, value } => {
                    let value = self.eval(code, frame, value)?;
                    frame.registers[reg.0 as usize] = Some(value);
                }
                Action::Store { buf, index, value } => {
                    let value = self.eval(code, frame, value)?;
                    self.store(code, frame.views[buf.0 as usize].offset(index.eval(&frame.vars)), value)?;
                }
                Action::Micro { kernel, registers, pointers, values } => {
                    self.micro(code, frame, *kernel, (registers, pointers, values))?;
                }
            }
        }
        Ok(())
    }

    fn micro(
        &mut self,
        code: &Code,
        frame: &mut Frame,
        kernel: usize,
        (registers, pointers, values): (&[Reg], &[(Buf, Affine)], &[Term]),
    ) -> Outcome<()> {
        let micros = self.micros;
        let callee = &micros[kernel];
        let view = |(buf, index): &(Buf, Affine)| frame.views[buf.0 as usize].offset(index.eval(&frame.vars));
        let mut inner = Frame::new(callee, pointers.iter().map(view).collect());
        for (at, value) in values.iter().enumerate() {
            inner.vars[at] = self.eval(code, frame, value)?;
        }
        for (at, reg) in registers.iter().enumerate() {
            inner.registers[at] = frame.registers[reg.0 as usize];
        }
        self.block(callee, &mut inner, &callee.body)?;
        for (at, reg) in registers.iter().enumerate() {
            frame.registers[reg.0 as usize] = inner.registers[at];
        }
        Ok(())
    }

    fn eval(&mut self, code: &Code, frame: &Frame, term: &Term) -> Outcome<i64> {
        match term {
            Term::Const(value) => Ok(*value),
            Term::Reg(reg) => frame.registers[reg.0 as usize]
                .ok_or_else(|| trap(code, format!("register r{} is read before it is set", reg.0))),
            Term::Index(index) => within(code, Ty::I32, Some(index.eval(&frame.vars)), "an index"),
            Term::Load(buf, index) => {
                self.load(code, frame.views[buf.0 as usize].offset(index.eval(&frame.vars)))
            }
            Term::Lookup(table, at) => {
                let at = self.eval(code, frame, at)?;
                self.load(code, frame.views[table.0 as usize].offset(at + 128))
            }
            Term::Bin(op, ty, operands) => {
                let a = self.eval(code, frame, &operands.0)?;
                let b = self.eval(code, frame, &operands.1)?;
                binary(code, *op, *ty, a, b)
            }
            Term::Select(operands) => {
                let condition = self.eval(code, frame, &operands.0)?;
                let a = self.eval(code, frame, &operands.1)?;
                let b = self.eval(code, frame, &operands.2)?;
                Ok(if condition != 0 { a } else { b })
            }
            Term::Narrow(x) => {
                let x = self.eval(code, frame, x)?;
                within(code, Ty::I32, Some(x), "a narrowing")
            }
            Term::Requant(operands, rounding) => {
                let x = self.eval(code, frame, &operands.0)?;
                let value = self.eval(code, frame, &operands.1)?;
                let shift = self.eval(code, frame, &operands.2)? as i32;
                match rounding {
                    Rounding::Wide => return wide(code, x, value, shift),
                    Rounding::Precise => return precise(code, x, value, shift),
                    Rounding::Double | Rounding::Single => {}
                }
                let value = value as i32;
                if value < 0 || !(-31..=30).contains(&shift) {
                    return Err(trap(code, format!("a multiplier {value} * 2^({shift} - 31)")));
                }
                Ok(i64::from(Multiplier { value, shift }.apply(x as i32, *rounding)))
            }
        }
    }

    fn load(&mut self, code: &Code, view: View) -> Outcome<i64> {
        match view {
            View::Arena(buffer, index) => {
                let value = self.memory.load(buffer, index).map_err(|message| trap(code, message))?;
                if let Some(trace) = &mut self.trace {
                    trace.push(Event { step: self.step, buffer, element: index as usize, write: false });
                }
                Ok(value)
            }
            View::Table(id, index) => {
                let table = &self.program.tables[id.0 as usize];
                let value = usize::try_from(index).ok().and_then(|index| table.values.get(index));
                value
                    .map(i64::from)
                    .ok_or_else(|| trap(code, format!("table `{}` has no element {index}", table.name)))
            }
            View::Local(local, index) => {
                self.locals[local].load(index).map_err(|message| trap(code, message))
            }
        }
    }

    fn store(&mut self, code: &Code, view: View, value: i64) -> Outcome<()> {
        match view {
            View::Arena(buffer, index) => {
                self.memory.store(buffer, index, value).map_err(|message| trap(code, message))?;
                if let Some(trace) = &mut self.trace {
                    trace.push(Event { step: self.step, buffer, element: index as usize, write: true });
                }
                Ok(())
            }
            View::Table(id, _) => {
                let name = &self.program.tables[id.0 as usize].name;
                Err(trap(code, format!("a store to table `{name}`")))
            }
            View::Local(local, index) => {
                self.locals[local].store(index, value).map_err(|message| trap(code, message))
            }
        }
    }
}
