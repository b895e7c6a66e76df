//! Functions and micro-kernels as C.
//!
//! A layer's function is `static void NAME(pointers, scalars)`. Nothing is `restrict`: the plan lets buffers
//! share memory. A micro-kernel is an inline function in two forms that give the same bytes, its Armv7E-M text
//! and its meaning; the preprocessor chooses.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::emit::c::expr::{ExprPrinter, Names};
use crate::emit::c::helper::Helper;
use crate::emit::c::names::{Scope, call};
use crate::kernel::{
    Access, Affine, Buf, BufParam, Expr, Function, MicroArg, MicroKernel, Reg, Special, Stmt, Ty, Var,
};
use crate::tensor::DType;

/// What guards the Armv7E-M text of micro-kernels.
pub(super) const DSP_GUARD: &str = "#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)";

/// The C type of an element.
pub(super) fn c_type(dtype: DType) -> &'static str {
    match dtype {
        DType::I8 => "int8_t",
        DType::I16 => "int16_t",
        DType::I32 => "int32_t",
        DType::F32 => "float",
    }
}

fn c_register(ty: Ty) -> &'static str {
    match ty {
        Ty::I32 => "int32_t",
        Ty::I64 => "int64_t",
    }
}

/// Names of the program's functions and micro-kernels as C knows them.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// By name in the program.
    pub(super) of: std::collections::BTreeMap<String, String>,
}

/// A layer's function.
pub(super) fn function(
    prefix: &str,
    function: &Function,
    symbols: &Symbols,
    helpers: &mut BTreeSet<Helper>,
) -> String {
    let mut printer = BodyPrinter::new(prefix, function, symbols, helpers, None);
    let head = format!("{}_NOINLINE static void {}", prefix.to_uppercase(), symbols.of[&function.name]);
    let mut out = signature(&head, &printer.parameters(&[]));
    out.push_str("{\n");
    printer.mark_unused();
    printer.locals();
    printer.hoisted(0);
    printer.block(&function.body, 1);
    out.push_str(&printer.out);
    out.push_str("}\n");
    out
}

/// A micro-kernel in its two forms.
pub(super) fn micro(
    prefix: &str,
    micro: &MicroKernel,
    symbols: &Symbols,
    helpers: &mut BTreeSet<Helper>,
) -> String {
    let meaning = &micro.meaning;
    let in_out: Vec<String> = (0..micro.n_registers as usize)
        .map(|at| format!("{} *r{at}", c_register(meaning.registers[at])))
        .collect();
    let mut printer = BodyPrinter::new(prefix, meaning, symbols, helpers, Some(micro.n_registers));
    let head = format!("{}_INLINE void {}", prefix.to_uppercase(), symbols.of[&meaning.name]);
    let parameters = printer.parameters(&in_out);
    let head = signature(&head, &parameters);
    printer.mark_unused();
    for at in 0..micro.n_registers as usize {
        let (ty, name) = (c_register(meaning.registers[at]), printer.expr.names.registers[at].clone());
        printer.line(1, &format!("{ty} {name} = *r{at};"));
    }
    printer.hoisted(micro.n_registers);
    printer.block(&meaning.body, 1);
    for at in 0..micro.n_registers as usize {
        let name = printer.expr.names.registers[at].clone();
        printer.line(1, &format!("*r{at} = {name};"));
    }
    let portable = format!("{head}{{\n{}}}\n", printer.out);
    let special = match &micro.armv7em {
        None => return portable,
        Some(Special::Inline(text)) => {
            let mut special = format!("{head}{{\n");
            for line in text.trim_matches('\n').lines() {
                let indent = if line.is_empty() || line.starts_with('#') { "" } else { "    " };
                writeln!(special, "{indent}{line}").expect("a String takes all");
            }
            special.push_str("}\n");
            special
        }
        Some(Special::Assembly(assembly)) => {
            let head = format!("{}_NAKED static void {}", prefix.to_uppercase(), symbols.of[&meaning.name]);
            let unused = |parameter: String| format!("{}_UNUSED {parameter}", prefix.to_uppercase());
            let parameters: Vec<String> = parameters.into_iter().map(unused).collect();
            let head = signature(&head, &parameters);
            let body = |text: &str| format!("{head}{{\n{}}}\n", assembly_text(text));
            if assembly.float == assembly.plain {
                body(&assembly.plain)
            } else {
                format!("#ifdef __ARM_FP\n{}#else\n{}#endif\n", body(&assembly.float), body(&assembly.plain))
            }
        }
    };
    format!("{DSP_GUARD}\n{special}#else\n{portable}#endif\n")
}

/// Lines of assembly as one statement.
fn assembly_text(text: &str) -> String {
    let mut out = String::from("    __asm__ volatile(\n        \".syntax unified\\n\"\n");
    for line in text.trim_matches('\n').lines() {
        writeln!(out, "        \"{line}\\n\"").expect("a String takes all");
    }
    out.push_str("    );\n");
    out
}

fn signature(head: &str, parameters: &[String]) -> String {
    let parameters = if parameters.is_empty() { vec!["void".to_string()] } else { parameters.to_vec() };
    let text = call("", head, &parameters);
    format!("{}\n", text.trim_end().trim_end_matches(';'))
}

struct BodyPrinter<'a> {
    expr: ExprPrinter<'a>,
    symbols: &'a Symbols,
    /// Registers that are read somewhere; setting another one has no effect.
    read: BTreeSet<Reg>,
    /// Statements that declare the register they set.
    declaring: BTreeSet<*const Stmt>,
    /// Registers declared at some statement.
    declared: BTreeSet<Reg>,
    out: String,
}

impl<'a> BodyPrinter<'a> {
    fn new(
        prefix: &'a str,
        function: &'a Function,
        symbols: &'a Symbols,
        helpers: &'a mut BTreeSet<Helper>,
        in_out: Option<u32>,
    ) -> BodyPrinter<'a> {
        let mut scope = Scope::default();
        let buffers = function.params.iter().map(|p| &p.name).chain(function.locals.iter().map(|l| &l.name));
        let buffers = buffers.map(|name| scope.claim(name)).collect();
        let vars = function.vars.iter().map(|name| scope.claim(name)).collect();
        // In a micro-kernel `r0` is the pointer to the in-out register.
        let letter = if in_out.is_some() { 'v' } else { 'r' };
        let in_out = in_out.unwrap_or(0);
        let registers =
            (0..function.registers.len()).map(|at| scope.claim(&format!("{letter}{at}"))).collect();
        let names = Names { buffers, vars, registers };
        let mut read: BTreeSet<Reg> = (0..in_out).map(Reg).collect();
        registers_read(&function.body, &mut read);
        let expr = ExprPrinter { prefix, function, names, helpers };
        let mut printer = BodyPrinter {
            expr,
            symbols,
            read,
            declaring: BTreeSet::new(),
            declared: BTreeSet::new(),
            out: String::new(),
        };
        for reg in (in_out..function.registers.len() as u32).map(Reg) {
            if let Some(stmt) = declaring_statement(&function.body, reg) {
                printer.declaring.insert(stmt);
                printer.declared.insert(reg);
            }
        }
        printer
    }

    fn parameters(&self, more: &[String]) -> Vec<String> {
        let function = self.expr.function;
        let pointers = function.params.iter().zip(&self.expr.names.buffers).map(|(param, name)| {
            let BufParam { elem, access, .. } = param;
            let constant = if *access == Access::Read { "const " } else { "" };
            format!("{constant}{} *{name}", c_type(*elem))
        });
        let scalars = self.expr.names.vars[..function.n_scalars as usize].iter();
        pointers.chain(scalars.map(|name| format!("int32_t {name}"))).chain(more.iter().cloned()).collect()
    }

    /// Compilers warn of parameters that nothing uses.
    fn mark_unused(&mut self) {
        let function = self.expr.function;
        let mut used = Used::default();
        used.block(&function.body);
        let buffers = (0..function.params.len()).filter(|&at| !used.buffers.contains(&Buf(at as u32)));
        let mut lines: Vec<String> = buffers.map(|at| self.expr.names.buffers[at].clone()).collect();
        let scalars = (0..function.n_scalars).filter(|&at| !used.vars.contains(&Var(at)));
        lines.extend(scalars.map(|at| self.expr.names.vars[at as usize].clone()));
        for name in lines {
            self.line(1, &format!("(void){name};"));
        }
    }

    fn locals(&mut self) {
        let function = self.expr.function;
        for (at, local) in function.locals.iter().enumerate() {
            let name = self.expr.names.buffers[function.params.len() + at].clone();
            self.line(1, &format!("{} {name}[{}];", c_type(local.elem), local.len));
        }
    }

    /// Declares the registers from `first` on whose values live across loops.
    fn hoisted(&mut self, first: u32) {
        for at in first..self.expr.function.registers.len() as u32 {
            if self.read.contains(&Reg(at)) && !self.declared.contains(&Reg(at)) {
                let ty = c_register(self.expr.function.registers[at as usize]);
                let name = self.expr.names.registers[at as usize].clone();
                self.line(1, &format!("{ty} {name} = 0;"));
            }
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        writeln!(self.out, "{}{text}", "    ".repeat(depth)).expect("a String takes all");
    }

    fn block(&mut self, body: &[Stmt], depth: usize) {
        for stmt in body {
            self.stmt(stmt, depth);
        }
    }

    fn stmt(&mut self, stmt: &Stmt, depth: usize) {
        match stmt {
            Stmt::For { var, lower, upper, step, body } => {
                let name = self.expr.names.vars[var.0 as usize].clone();
                let (lower, upper) = (self.expr.affine(lower), self.expr.affine(upper));
                let next = if *step == 1 { format!("++{name}") } else { format!("{name} += {step}") };
                self.line(depth, &format!("for (int32_t {name} = {lower}; {name} < {upper}; {next}) {{"));
                self.block(body, depth + 1);
                self.line(depth, "}");
            }
            Stmt::Let { var, derivation, left, right } => {
                let name = self.expr.names.vars[var.0 as usize].clone();
                let value = self.expr.derived(*derivation, left, right);
                self.line(depth, &format!("const int32_t {name} = {value};"));
            }
            Stmt::Set { reg, value } => {
                if !self.read.contains(reg) {
                    return;
                }
                let value = self.expr.value(value);
                let name = self.expr.names.registers[reg.0 as usize].clone();
                let ty = if self.declaring.contains(&std::ptr::from_ref(stmt)) {
                    format!("{} ", c_register(self.expr.function.registers[reg.0 as usize]))
                } else {
                    String::new()
                };
                self.line(depth, &format!("{ty}{name} = {value};"));
            }
            Stmt::Store { buf, index, value } => {
                let element = self.expr.element(*buf, index);
                let value = self.stored(*buf, value);
                self.line(depth, &format!("{element} = {value};"));
            }
            Stmt::Micro { kernel, registers, arguments } => {
                let mut texts = Vec::with_capacity(arguments.len() + registers.len());
                for argument in arguments {
                    texts.push(match argument {
                        MicroArg::Pointer { buf, index } => self.expr.pointer(*buf, index),
                        MicroArg::Value(value) => self.expr.value(value),
                    });
                }
                let registers = registers.iter().map(|reg| &self.expr.names.registers[reg.0 as usize]);
                texts.extend(registers.map(|name| format!("&{name}")));
                self.out.push_str(&call(&"    ".repeat(depth), &self.symbols.of[kernel], &texts));
            }
        }
    }

    /// A value for an element of a buffer, with a cast where it is wider than the element.
    fn stored(&mut self, buf: Buf, value: &Expr) -> String {
        let elem = self.expr.elem(buf);
        let fits = match value {
            _ if elem == DType::I32 => true,
            Expr::Const(..) => true,
            Expr::Load { buf, .. } | Expr::Lookup { table: buf, .. } => self.expr.elem(*buf) == elem,
            _ => false,
        };
        if fits { self.expr.value(value) } else { self.expr.cast(c_type(elem), value) }
    }
}

/// The statement that may declare a register: the first that mentions it in the smallest block that holds all
/// its mentions, if it sets the register without reading it. The value then never crosses an iteration.
fn declaring_statement(body: &[Stmt], reg: Reg) -> Option<*const Stmt> {
    let mut mentions = body.iter().filter(|stmt| mentions(stmt, reg));
    let first = mentions.next()?;
    match first {
        Stmt::Set { reg: set, value } if *set == reg && !reads(value, reg) => Some(std::ptr::from_ref(first)),
        Stmt::For { body, .. } if mentions.next().is_none() => declaring_statement(body, reg),
        _ => None,
    }
}

fn mentions(stmt: &Stmt, reg: Reg) -> bool {
    match stmt {
        Stmt::For { body, .. } => body.iter().any(|stmt| mentions(stmt, reg)),
        Stmt::Let { .. } => false,
        Stmt::Set { reg: set, value } => *set == reg || reads(value, reg),
        Stmt::Store { value, .. } => reads(value, reg),
        Stmt::Micro { registers, arguments, .. } => {
            registers.contains(&reg)
                || arguments.iter().any(|a| matches!(a, MicroArg::Value(value) if reads(value, reg)))
        }
    }
}

fn reads(expr: &Expr, reg: Reg) -> bool {
    let mut found = false;
    walk(expr, &mut |inner| found |= *inner == Expr::Reg(reg));
    found
}

fn registers_read(body: &[Stmt], read: &mut BTreeSet<Reg>) {
    let mut note = |expr: &Expr| {
        if let Expr::Reg(reg) = expr {
            read.insert(*reg);
        }
    };
    let mut micros = Vec::new();
    each_expr(body, &mut |expr| walk(expr, &mut note), &mut |registers| micros.extend_from_slice(registers));
    read.extend(micros);
}

/// Calls `on_expr` for each expression of the statements, and `on_registers` for those of micro-kernel calls.
fn each_expr(body: &[Stmt], on_expr: &mut impl FnMut(&Expr), on_registers: &mut impl FnMut(&[Reg])) {
    for stmt in body {
        match stmt {
            Stmt::For { body, .. } => each_expr(body, on_expr, on_registers),
            Stmt::Let { .. } => {}
            Stmt::Set { value, .. } | Stmt::Store { value, .. } => on_expr(value),
            Stmt::Micro { registers, arguments, .. } => {
                on_registers(registers);
                for argument in arguments {
                    if let MicroArg::Value(value) = argument {
                        on_expr(value);
                    }
                }
            }
        }
    }
}

fn walk(expr: &Expr, visit: &mut impl FnMut(&Expr)) {
    visit(expr);
    match expr {
        Expr::Const(..) | Expr::Reg(_) | Expr::Index(_) | Expr::Load { .. } => {}
        Expr::Bin(_, left, right) => [left, right].into_iter().for_each(|inner| walk(inner, visit)),
        Expr::Select(a, b, c) | Expr::Requant { x: a, value: b, shift: c, .. } => {
            [a, b, c].into_iter().for_each(|inner| walk(inner, visit));
        }
        Expr::Widen(inner) | Expr::Narrow(inner) | Expr::Lookup { at: inner, .. } => walk(inner, visit),
    }
}

/// Buffers and variables that a body mentions.
#[derive(Default)]
struct Used {
    buffers: BTreeSet<Buf>,
    vars: BTreeSet<Var>,
}

impl Used {
    fn affine(&mut self, affine: &Affine) {
        self.vars.extend(affine.terms.iter().map(|&(var, _)| var));
    }

    fn expr(&mut self, expr: &Expr) {
        walk(expr, &mut |inner| match inner {
            Expr::Index(affine) => self.affine(affine),
            Expr::Load { buf, index } => {
                self.buffers.insert(*buf);
                self.affine(index);
            }
            Expr::Lookup { table, .. } => {
                self.buffers.insert(*table);
            }
            _ => {}
        });
    }

    fn block(&mut self, body: &[Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::For { lower, upper, body, .. } => {
                    self.affine(lower);
                    self.affine(upper);
                    self.block(body);
                }
                Stmt::Let { left, right, .. } => {
                    self.affine(left);
                    self.affine(right);
                }
                Stmt::Set { value, .. } => self.expr(value),
                Stmt::Store { buf, index, value } => {
                    self.buffers.insert(*buf);
                    self.affine(index);
                    self.expr(value);
                }
                Stmt::Micro { arguments, .. } => arguments.iter().for_each(|argument| match argument {
                    MicroArg::Pointer { buf, index } => {
                        self.buffers.insert(*buf);
                        self.affine(index);
                    }
                    MicroArg::Value(value) => self.expr(value),
                }),
            }
        }
    }
}
