//! The verifier, and with it the static specification of a program. What depends on values (bounds of accesses,
//! overflow, registers and elements that were never written) is the interpreter's.
//!
//! 1. Names of functions, micro-kernels and tables are distinct C identifiers; within a function so are those of
//!    parameters, locals and variables. No two functions are equal but for their names.
//! 2. Elements are `I8`, `I16` or `I32`; buffers, tables and locals are not empty; a table's values fit; an
//!    alignment is a power of two and at least the element's size.
//! 3. Affine terms are in order of their variables, each once, with factors that are not 0, and every variable is
//!    a scalar parameter or belongs to an enclosing loop.
//! 4. A loop's variable is no scalar parameter and not that of an enclosing loop; its step is at least 1.
//! 5. Operands have the types that their operation takes; a register is set to its own type.
//! 6. Only parameters that are read are loaded from, only those that are written are stored to; locals take both.
//! 7. A micro-kernel exists, takes the registers and arguments given, and has itself neither locals nor
//!    micro-kernels.
//! 8. A call gives one argument of the right element type for each parameter and one value for each scalar;
//!    tables are only read.
//!    A lookup is into a parameter, by an `I8` element, for which a call gives a table of 256 elements at least, or by
//!    what constants bound, for which it gives one that is long enough.
//! 9. A step's calls read and write exactly the buffers that it declares; scratch belongs to one step.
//! 10. Every buffer but inputs and scratch is written by exactly one step, and read by later steps only; inputs
//!     are written by none. Inputs and outputs are listed once each and have their role.
//! 11. An overlap pairs a buffer read with one written by its step, each pair once, with ordered intervals.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::{
    Access, Affine, Arg, BinOp, Buf, BufferId, Call, Expr, Function, MicroArg, MicroKernel, Program, Reg,
    Role, Special, Step, Stmt, Ty, Var,
};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// A broken rule: always a bug of what made the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramError {
    /// The function, step, buffer or table.
    pub place: String,
    /// What is broken.
    pub message: String,
}

impl std::fmt::Display for ProgramError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.place, self.message)
    }
}

impl std::error::Error for ProgramError {}

type Rule = Result<(), String>;

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Rule {
    if holds { Ok(()) } else { Err(message()) }
}

fn at(place: &str, rule: Rule) -> Result<(), ProgramError> {
    rule.map_err(|message| ProgramError { place: place.into(), message })
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Program {
    /// Checks every rule of the module's documentation.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn verify(&self) -> Result<(), ProgramError> {
        self.verify_names()?;
        for buffer in &self.buffers {
            at(&buffer.name, verify_elements(buffer.elem, buffer.len))?;
            let aligned = buffer.align.is_power_of_two() && buffer.align >= buffer.elem.size();
            at(&buffer.name, ensure(aligned, || format!("has alignment {}", buffer.align)))?;
        }
        for table in &self.tables {
            at(&table.name, verify_elements(table.elem, table.values.len()))?;
            let (low, high) = table.elem.range().unwrap_or((0, 0));
            let wrong = table.values.iter().find(|&value| value < low || value > high);
            at(&table.name, ensure(wrong.is_none(), || format!("{wrong:?} does not fit {}", table.elem)))?;
        }
        let mut bodies = BTreeSet::new();
        for function in &self.functions {
            at(&function.name, verify_function(self, function, false))?;
            let fresh = bodies.insert(Function { name: String::new(), ..function.clone() });
            at(&function.name, ensure(fresh, || "equals another function".into()))?;
        }
        for micro in &self.micros {
            at(&micro.meaning.name, verify_micro(self, micro))?;
        }
        for step in &self.steps {
            at(&step.name, self.verify_step(step))?;
        }
        self.verify_flow()
    }

    fn verify_names(&self) -> Result<(), ProgramError> {
        let functions = self.functions.iter().map(|function| &function.name);
        let micros = self.micros.iter().map(|micro| &micro.meaning.name);
        let mut names = BTreeSet::new();
        for name in functions.chain(micros).chain(self.tables.iter().map(|table| &table.name)) {
            at(name, ensure(is_identifier(name), || "is no C identifier".into()))?;
            at(name, ensure(names.insert(name), || "is the name of two things".into()))?;
        }
        Ok(())
    }

    fn verify_call(
        &self,
        call: &Call,
        read: &mut BTreeSet<BufferId>,
        written: &mut BTreeSet<BufferId>,
    ) -> Rule {
        let function =
            self.functions.get(call.function.0 as usize).ok_or("calls a function that is not there")?;
        let name = &function.name;
        ensure(call.buffers.len() == function.params.len(), || format!("calls `{name}` with other buffers"))?;
        ensure(call.scalars.len() == function.n_scalars as usize, || {
            format!("calls `{name}` with other scalars")
        })?;
        let looked_up = lookups(&function.body);
        for (at, (param, arg)) in function.params.iter().zip(&call.buffers).enumerate() {
            let len = match *arg {
                Arg::Table(id) => self.tables.get(id.0 as usize).map(|table| table.values.len()),
                Arg::Buffer(_) => None,
            };
            if let Some(&least) = looked_up.get(&Buf(at as u32)) {
                let complete = len.is_some_and(|len| len >= least);
                ensure(complete, || format!("looks up in `{}`, which is no table of {least}", param.name))?;
            }
            let elem = match *arg {
                Arg::Table(id) => {
                    ensure(param.access == Access::Read, || format!("`{name}` writes a table"))?;
                    self.tables.get(id.0 as usize).map(|table| table.elem)
                }
                Arg::Buffer(id) => {
                    if param.access != Access::Write {
                        read.insert(id);
                    }
                    if param.access != Access::Read {
                        written.insert(id);
                    }
                    self.buffers.get(id.0 as usize).map(|buffer| buffer.elem)
                }
            };
            ensure(elem == Some(param.elem), || format!("gives {elem:?} for `{}` of `{name}`", param.name))?;
        }
        Ok(())
    }

    fn verify_step(&self, step: &Step) -> Rule {
        let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
        for call in &step.calls {
            self.verify_call(call, &mut read, &mut written)?;
        }
        let scratch: BTreeSet<BufferId> = step.scratch.iter().copied().collect();
        let declared = |list: &[BufferId]| list.iter().copied().collect::<BTreeSet<_>>();
        let touched: BTreeSet<BufferId> = read.union(&written).copied().collect();
        ensure(scratch.is_subset(&touched), || "has scratch that it does not use".into())?;
        for (what, used, list) in [("reads", &read, &step.reads), ("writes", &written, &step.writes)] {
            let found: BTreeSet<BufferId> = used.difference(&scratch).copied().collect();
            let exact = found == declared(list) && found.len() == list.len();
            ensure(exact, || format!("declares that it {what} {list:?}, its calls say {found:?}"))?;
        }
        let mut pairs = BTreeSet::new();
        for overlap in &step.overlaps {
            let known = step.reads.contains(&overlap.read) && step.writes.contains(&overlap.written);
            ensure(known && pairs.insert((overlap.read, overlap.written)), || "has a stray overlap".into())?;
            let ordered = overlap.safe.iter().all(|&(low, high)| low <= high)
                && overlap.safe.windows(2).all(|pair| pair[0].1 < pair[1].0);
            ensure(ordered, || format!("has overlap intervals {:?}", overlap.safe))?;
        }
        Ok(())
    }

    fn verify_flow(&self) -> Result<(), ProgramError> {
        let name = |id: BufferId| self.buffers[id.0 as usize].name.as_str();
        for (list, role) in [(&self.inputs, Role::Input), (&self.outputs, Role::Output)] {
            let known = list.iter().all(|id| self.buffers.get(id.0 as usize).is_some_and(|b| b.role == role));
            let all = self.buffers.iter().filter(|buffer| buffer.role == role).count();
            let distinct = list.iter().collect::<BTreeSet<_>>().len();
            let exact = known && distinct == list.len() && all == list.len();
            at("program", ensure(exact, || format!("does not list each {role:?} once")))?;
        }
        let mut written: BTreeSet<BufferId> = self.inputs.iter().copied().collect();
        let mut scratch: BTreeMap<BufferId, &str> = BTreeMap::new();
        for step in &self.steps {
            for &id in &step.scratch {
                let own = self.buffers[id.0 as usize].role == Role::Scratch;
                let fresh = scratch.insert(id, &step.name).is_none();
                at(&step.name, ensure(own && fresh, || format!("takes `{}` as its scratch", name(id))))?;
            }
            for &id in &step.reads {
                at(&step.name, ensure(written.contains(&id), || format!("reads `{}` too early", name(id))))?;
            }
            for &id in &step.writes {
                let fresh = written.insert(id) && self.buffers[id.0 as usize].role != Role::Scratch;
                at(&step.name, ensure(fresh, || format!("writes `{}` a second time", name(id))))?;
            }
        }
        for (index, buffer) in self.buffers.iter().enumerate() {
            let id = BufferId(index as u32);
            let used =
                if buffer.role == Role::Scratch { scratch.contains_key(&id) } else { written.contains(&id) };
            at(&buffer.name, ensure(used, || "is written by no step".into()))?;
        }
        Ok(())
    }
}

/// Elements of a table that a byte chooses from.
const LOOKUP_LEN: usize = 256;

/// Elements of a table that is looked up in by this at least; `None` where nothing bounds it.
fn lookup_len(at: &Expr) -> Option<usize> {
    let constant = |expr: &Expr| match expr {
        Expr::Const(Ty::I32, value) => Some(*value),
        _ => None,
    };
    match at {
        Expr::Load { .. } => Some(LOOKUP_LEN),
        Expr::Bin(BinOp::Min, lower, high) => {
            let Expr::Bin(BinOp::Max, _, low) = &**lower else { return None };
            let (low, high) = (constant(low)?, constant(high)?);
            (-128 <= low && low <= high).then(|| usize::try_from(high + 129).ok()).flatten()
        }
        _ => None,
    }
}

/// The buffers that statements look up in, with the elements that each has to have.
fn lookups(body: &[Stmt]) -> BTreeMap<Buf, usize> {
    fn widen(found: &mut BTreeMap<Buf, usize>, table: Buf, len: usize) {
        let known = found.entry(table).or_default();
        *known = len.max(*known);
    }
    fn note(expr: &Expr, found: &mut BTreeMap<Buf, usize>) {
        match expr {
            Expr::Const(..) | Expr::Reg(_) | Expr::Index(_) | Expr::Load { .. } => {}
            Expr::Lookup { table, at } => {
                widen(found, *table, lookup_len(at).unwrap_or(usize::MAX));
                note(at, found);
            }
            Expr::Widen(x) | Expr::Narrow(x) => note(x, found),
            Expr::Bin(_, a, b) => [a, b].into_iter().for_each(|x| note(x, found)),
            Expr::Select(a, b, c) | Expr::Requant { x: a, value: b, shift: c, .. } => {
                [a, b, c].into_iter().for_each(|x| note(x, found));
            }
        }
    }
    let mut found = BTreeMap::new();
    for stmt in body {
        match stmt {
            Stmt::For { body, .. } => {
                lookups(body).into_iter().for_each(|(table, len)| widen(&mut found, table, len));
            }
            Stmt::Let { .. } => {}
            Stmt::Set { value, .. } | Stmt::Store { value, .. } => note(value, &mut found),
            Stmt::Micro { arguments, .. } => arguments.iter().for_each(|argument| {
                if let MicroArg::Value(value) = argument {
                    note(value, &mut found);
                }
            }),
        }
    }
    found
}

fn verify_elements(elem: DType, len: usize) -> Rule {
    ensure(len > 0, || "has no elements".into())?;
    ensure(elem != DType::F32, || "has float elements".into())
}

fn verify_micro(program: &Program, micro: &MicroKernel) -> Rule {
    let meaning = &micro.meaning;
    ensure(meaning.locals.is_empty(), || "has locals".into())?;
    let enough = micro.n_registers as usize <= meaning.registers.len();
    ensure(enough, || "has fewer registers than it shares".into())?;
    let whole = matches!(micro.armv7em, Some(Special::Assembly(_)));
    ensure(!whole || micro.n_registers == 0, || "is assembly and shares registers".into())?;
    verify_function(program, meaning, true)
}

fn verify_function(program: &Program, function: &Function, is_micro: bool) -> Rule {
    let n_scalars = function.n_scalars as usize;
    ensure(n_scalars <= function.vars.len(), || "has fewer variables than scalars".into())?;
    let mut names = BTreeSet::new();
    let params = function.params.iter().map(|param| &param.name);
    let locals = function.locals.iter().map(|local| &local.name);
    for name in params.chain(locals).chain(&function.vars) {
        let good = is_identifier(name) && names.insert(name);
        ensure(good, || format!("`{name}` is no distinct C identifier"))?;
    }
    for param in &function.params {
        verify_elements(param.elem, 1)?;
    }
    for local in &function.locals {
        verify_elements(local.elem, local.len)
            .map_err(|message| format!("local `{}` {message}", local.name))?;
    }
    let mut scope = Scope { program, function, is_micro, defined: vec![false; function.vars.len()] };
    scope.defined[..n_scalars].fill(true);
    scope.block(&function.body)
}

/// What is known at a place in a function.
struct Scope<'a> {
    program: &'a Program,
    function: &'a Function,
    is_micro: bool,
    defined: Vec<bool>,
}

impl Scope<'_> {
    fn block(&mut self, body: &[Stmt]) -> Rule {
        body.iter().try_for_each(|stmt| self.stmt(stmt))?;
        for stmt in body {
            if let Stmt::Let { var: Var(var), .. } = stmt {
                self.defined[*var as usize] = false;
            }
        }
        Ok(())
    }

    fn stmt(&mut self, stmt: &Stmt) -> Rule {
        match stmt {
            Stmt::For { var: Var(var), lower, upper, step, body } => {
                self.affine(lower)?;
                self.affine(upper)?;
                ensure(*step >= 1, || format!("a loop has step {step}"))?;
                let free = self.defined.get(*var as usize) == Some(&false);
                ensure(free, || format!("a loop takes variable {var}, which is not free"))?;
                self.defined[*var as usize] = true;
                self.block(body)?;
                self.defined[*var as usize] = false;
                Ok(())
            }
            Stmt::Let { var: Var(var), left, right, .. } => {
                self.affine(left)?;
                self.affine(right)?;
                let free = self.defined.get(*var as usize) == Some(&false);
                ensure(free, || format!("variable {var} is derived, but is not free"))?;
                self.defined[*var as usize] = true;
                Ok(())
            }
            Stmt::Set { reg, value } => {
                let (wanted, found) = (self.register(*reg)?, self.expr(value)?);
                ensure(wanted == found, || format!("r{} is {wanted:?}, its value {found:?}", reg.0))
            }
            Stmt::Store { buf, index, value } => {
                self.affine(index)?;
                self.access(*buf, false)?;
                self.want(value, Ty::I32)
            }
            Stmt::Micro { kernel, registers, arguments } => {
                ensure(!self.is_micro, || "runs a micro-kernel inside one".into())?;
                self.micro(kernel, registers, arguments)
            }
        }
    }

    fn micro(&self, kernel: &str, registers: &[Reg], arguments: &[MicroArg]) -> Rule {
        let micro = self.program.micros.iter().find(|micro| micro.meaning.name == kernel);
        let micro = micro.ok_or_else(|| format!("there is no micro-kernel `{kernel}`"))?;
        let meaning = &micro.meaning;
        ensure(registers.len() == micro.n_registers as usize, || {
            format!("`{kernel}` takes other registers")
        })?;
        let distinct = registers.iter().collect::<BTreeSet<_>>().len() == registers.len();
        ensure(distinct, || format!("`{kernel}` is given a register twice"))?;
        for (reg, &wanted) in registers.iter().zip(&meaning.registers) {
            let found = self.register(*reg)?;
            ensure(found == wanted, || format!("`{kernel}` takes {wanted:?} for r{}", reg.0))?;
        }
        let (mut pointers, mut values) = (meaning.params.iter(), 0);
        for argument in arguments {
            match argument {
                MicroArg::Pointer { buf, index } => {
                    let param = pointers.next().ok_or_else(|| format!("`{kernel}` takes fewer pointers"))?;
                    self.affine(index)?;
                    let elem = self.elem(*buf)?;
                    ensure(elem == param.elem, || format!("`{kernel}` takes {} elements", param.elem))?;
                    for (used, load) in [(Access::Write, true), (Access::Read, false)] {
                        if param.access != used {
                            self.access(*buf, load)?;
                        }
                    }
                }
                MicroArg::Value(value) => {
                    values += 1;
                    self.want(value, Ty::I32)?;
                }
            }
        }
        let complete = pointers.next().is_none() && values == meaning.n_scalars;
        ensure(complete, || format!("`{kernel}` takes other arguments"))
    }

    fn register(&self, reg: Reg) -> Result<Ty, String> {
        let ty = self.function.registers.get(reg.0 as usize).copied();
        ty.ok_or_else(|| format!("there is no register r{}", reg.0))
    }

    fn elem(&self, Buf(buf): Buf) -> Result<DType, String> {
        let Function { params, locals, .. } = self.function;
        let elems = params.iter().map(|param| param.elem).chain(locals.iter().map(|local| local.elem));
        elems.into_iter().nth(buf as usize).ok_or_else(|| format!("there is no buffer {buf}"))
    }

    fn access(&self, buf: Buf, load: bool) -> Rule {
        self.elem(buf)?;
        let refused = if load { Access::Write } else { Access::Read };
        let verb = if load { "loads from" } else { "stores to" };
        match self.function.params.get(buf.0 as usize) {
            Some(param) => ensure(param.access != refused, || format!("{verb} `{}`", param.name)),
            None => Ok(()),
        }
    }

    fn affine(&self, affine: &Affine) -> Rule {
        let ordered = affine.terms.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let normal = ordered && affine.terms.iter().all(|&(_, factor)| factor != 0);
        ensure(normal, || format!("{affine:?} is not in normal form"))?;
        let lost = affine.terms.iter().find(|(var, _)| self.defined.get(var.0 as usize) != Some(&true));
        ensure(lost.is_none(), || format!("variable {lost:?} is used outside of its loop"))
    }

    fn want(&self, expr: &Expr, wanted: Ty) -> Rule {
        let found = self.expr(expr)?;
        ensure(found == wanted, || format!("{found:?} is used as {wanted:?}"))
    }

    fn expr(&self, expr: &Expr) -> Result<Ty, String> {
        match expr {
            Expr::Const(ty, value) => {
                let fits = *ty == Ty::I64 || i32::try_from(*value).is_ok();
                ensure(fits, || format!("{value} does not fit {ty:?}"))?;
                Ok(*ty)
            }
            Expr::Reg(reg) => self.register(*reg),
            Expr::Index(index) => self.affine(index).map(|()| Ty::I32),
            Expr::Load { buf, index } => {
                self.affine(index)?;
                self.access(*buf, true).map(|()| Ty::I32)
            }
            Expr::Lookup { table, at } => {
                let known = (table.0 as usize) < self.function.params.len() && !self.is_micro;
                ensure(known, || "looks up in what is no parameter of a layer's function".into())?;
                self.access(*table, true)?;
                ensure(lookup_len(at).is_some(), || "looks up by what is no element".into())?;
                if let Expr::Load { buf, .. } = &**at {
                    ensure(self.elem(*buf)? == DType::I8, || "looks up by an element of more bits".into())?;
                }
                self.want(at, Ty::I32).map(|()| Ty::I32)
            }
            Expr::Bin(op, a, b) => {
                let ty = self.expr(a)?;
                let shift = matches!(op, BinOp::Shl | BinOp::Shr);
                self.want(b, if shift { Ty::I32 } else { ty })?;
                Ok(if matches!(op, BinOp::Lt | BinOp::Eq) { Ty::I32 } else { ty })
            }
            Expr::Select(condition, a, b) => {
                self.want(condition, Ty::I32)?;
                let ty = self.expr(a)?;
                self.want(b, ty).map(|()| ty)
            }
            Expr::Widen(x) => self.want(x, Ty::I32).map(|()| Ty::I64),
            Expr::Narrow(x) => self.want(x, Ty::I64).map(|()| Ty::I32),
            Expr::Requant { x, value, shift, rounding } => {
                let (sum, mantissa) = match rounding {
                    Rounding::Double | Rounding::Single => (Ty::I32, Ty::I32),
                    Rounding::Wide => (Ty::I64, Ty::I32),
                    Rounding::Precise => (Ty::I64, Ty::I64),
                };
                self.want(x, sum)?;
                self.want(value, mantissa)?;
                [shift].into_iter().try_for_each(|operand| self.want(operand, Ty::I32))?;
                Ok(Ty::I32)
            }
        }
    }
}
