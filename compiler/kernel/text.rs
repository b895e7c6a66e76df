//! A program as text, for people and snapshots: buffers, tables (sizes, not values), functions as pseudo-code,
//! steps. Users snapshot it with `--emit ir:after=kernel`.

use std::fmt::{Display, Formatter, Result, Write as _};

use crate::kernel::{
    Access, Affine, Arg, BinOp, Buf, BufferId, Derivation, Expr, Function, MicroArg, Program, Reg, Stmt, Ty,
};
use crate::tensor::arith::Rounding;

impl Program {
    /// The text; see [`Display`].
    pub fn to_text(&self) -> String {
        self.to_string()
    }

    fn names(&self, ids: &[BufferId]) -> String {
        let names: Vec<&str> = ids.iter().map(|id| self.buffers[id.0 as usize].name.as_str()).collect();
        names.join(", ")
    }

    fn write_steps(&self, f: &mut Formatter<'_>) -> Result {
        for step in &self.steps {
            let reads = self.names(&step.reads);
            writeln!(
                f,
                "step {} {} {reads} -> {} macs={}",
                step.op,
                step.name,
                self.names(&step.writes),
                step.macs
            )?;
            for overlap in &step.overlaps {
                let (read, written) = (self.names(&[overlap.read]), self.names(&[overlap.written]));
                let safe: Vec<String> = overlap.safe.iter().map(|&(low, high)| interval(low, high)).collect();
                writeln!(f, "  {written} may start at {read} + {}", safe.join(" or "))?;
            }
            for call in &step.calls {
                let function = &self.functions[call.function.0 as usize];
                let buffers = call.buffers.iter().map(|arg| match *arg {
                    Arg::Buffer(id) => self.buffers[id.0 as usize].name.clone(),
                    Arg::Table(id) => self.tables[id.0 as usize].name.clone(),
                });
                let scalars =
                    call.scalars.iter().zip(&function.vars).map(|(value, name)| format!("{name}={value}"));
                let arguments: Vec<String> = buffers.chain(scalars).collect();
                writeln!(f, "  {}({})", function.name, arguments.join(", "))?;
            }
        }
        Ok(())
    }
}

/// An interval of distances; ends beyond every arena are left open.
fn interval(low: i64, high: i64) -> String {
    const FAR: i64 = i64::MAX / 4;
    match (low < -FAR, high > FAR) {
        (true, true) => "..".into(),
        (true, false) => format!("..={high}"),
        (false, true) => format!("{low}.."),
        (false, false) => format!("{low}..={high}"),
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for buffer in &self.buffers {
            let role = format!("{:?}", buffer.role).to_lowercase();
            writeln!(
                f,
                "buffer {} : {}[{}] align={} {role}",
                buffer.name, buffer.elem, buffer.len, buffer.align
            )?;
        }
        for table in &self.tables {
            let role = format!("{:?}", table.role).to_lowercase();
            writeln!(f, "table {} : {}[{}] {role}", table.name, table.elem, table.values.len())?;
        }
        for micro in &self.micros {
            write!(f, "{}", Listing { kind: "micro", function: &micro.meaning })?;
        }
        for function in &self.functions {
            write!(f, "{}", Listing { kind: "fn", function })?;
        }
        self.write_steps(f)?;
        writeln!(f, "return {}", self.names(&self.outputs))
    }
}

/// A function under its heading.
struct Listing<'a> {
    kind: &'a str,
    function: &'a Function,
}

impl Display for Listing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let function = self.function;
        let buffers = function.params.iter().map(|param| {
            let access = match param.access {
                Access::Read => "in",
                Access::Write => "out",
                Access::ReadWrite => "inout",
            };
            format!("{access} {}: {}", param.name, param.elem)
        });
        let scalars = function.vars[..function.n_scalars as usize].iter().cloned();
        let params: Vec<String> = buffers.chain(scalars).collect();
        writeln!(f, "{} {}({}) {{", self.kind, function.name, params.join(", "))?;
        for local in &function.locals {
            writeln!(f, "  let {}: {}[{}]", local.name, local.elem, local.len)?;
        }
        self.block(f, &function.body, 1)?;
        writeln!(f, "}}")
    }
}

impl Listing<'_> {
    fn block(&self, f: &mut Formatter<'_>, body: &[Stmt], depth: usize) -> Result {
        for stmt in body {
            write!(f, "{:1$}", "", 2 * depth)?;
            match stmt {
                Stmt::For { var, lower, upper, step, body } => {
                    let name = &self.function.vars[var.0 as usize];
                    let by = if *step == 1 { String::new() } else { format!(" by {step}") };
                    writeln!(f, "for {name} in {}..{}{by} {{", self.affine(lower), self.affine(upper))?;
                    self.block(f, body, depth + 1)?;
                    writeln!(f, "{:1$}}}", "", 2 * depth)?;
                }
                Stmt::Let { var, derivation, left, right } => {
                    let name = &self.function.vars[var.0 as usize];
                    let (left, right) = (self.affine(left), self.affine(right));
                    match derivation {
                        Derivation::Min => writeln!(f, "let {name} = min({left}, {right})")?,
                        Derivation::Max => writeln!(f, "let {name} = max({left}, {right})")?,
                        Derivation::Quotient => writeln!(f, "let {name} = ({left}) / ({right})")?,
                        Derivation::Remainder => writeln!(f, "let {name} = ({left}) % ({right})")?,
                        Derivation::Product => writeln!(f, "let {name} = ({left}) * ({right})")?,
                    }
                }
                Stmt::Set { reg, value } => writeln!(f, "r{} = {}", reg.0, self.expr(value))?,
                Stmt::Store { buf, index, value } => {
                    writeln!(f, "{}[{}] = {}", self.buf(*buf), self.affine(index), self.expr(value))?;
                }
                Stmt::Micro { kernel, registers, arguments } => {
                    let registers: Vec<String> = registers.iter().map(|Reg(reg)| format!("r{reg}")).collect();
                    let arguments: Vec<String> =
                        arguments.iter().map(|argument| self.argument(argument)).collect();
                    writeln!(f, "{kernel}[{}]({})", registers.join(", "), arguments.join(", "))?;
                }
            }
        }
        Ok(())
    }

    fn argument(&self, argument: &MicroArg) -> String {
        match argument {
            MicroArg::Pointer { buf, index } => format!("&{}[{}]", self.buf(*buf), self.affine(index)),
            MicroArg::Value(value) => self.expr(value),
        }
    }

    fn buf(&self, Buf(buf): Buf) -> &str {
        let Function { params, locals, .. } = self.function;
        let names = params.iter().map(|param| &param.name).chain(locals.iter().map(|local| &local.name));
        names.into_iter().nth(buf as usize).map_or("?", String::as_str)
    }

    fn affine(&self, affine: &Affine) -> String {
        let mut text = String::new();
        for &(var, factor) in &affine.terms {
            let name = &self.function.vars[var.0 as usize];
            let sign = if factor < 0 { "-" } else { "+" };
            if !text.is_empty() {
                text.push_str(&format!(" {sign} "));
            } else if factor < 0 {
                text.push('-');
            }
            match factor.unsigned_abs() {
                1 => text.push_str(name),
                factor => text.push_str(&format!("{factor}*{name}")),
            }
        }
        match (text.is_empty(), affine.constant) {
            (true, constant) => constant.to_string(),
            (false, 0) => text,
            (false, constant) if constant < 0 => format!("{text} - {}", constant.unsigned_abs()),
            (false, constant) => format!("{text} + {constant}"),
        }
    }

    fn expr(&self, expr: &Expr) -> String {
        let mut text = String::new();
        self.write_expr(&mut text, expr).expect("a String takes all");
        text
    }

    fn write_expr(&self, out: &mut String, expr: &Expr) -> Result {
        match expr {
            Expr::Const(Ty::I32, value) => write!(out, "{value}"),
            Expr::Const(Ty::I64, value) => write!(out, "{value}i64"),
            Expr::Reg(Reg(reg)) => write!(out, "r{reg}"),
            Expr::Index(index) if index.terms.len() + usize::from(index.constant != 0) <= 1 => {
                out.write_str(&self.affine(index))
            }
            Expr::Index(index) => write!(out, "({})", self.affine(index)),
            Expr::Load { buf, index } => write!(out, "{}[{}]", self.buf(*buf), self.affine(index)),
            Expr::Lookup { table, at } => write!(out, "{}[{} + 128]", self.buf(*table), self.expr(at)),
            Expr::Bin(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                match op {
                    BinOp::Min => write!(out, "min({a}, {b})"),
                    BinOp::Max => write!(out, "max({a}, {b})"),
                    _ => write!(out, "({a} {} {b})", sign(*op)),
                }
            }
            Expr::Select(condition, a, b) => {
                write!(out, "select({}, {}, {})", self.expr(condition), self.expr(a), self.expr(b))
            }
            Expr::Widen(x) => write!(out, "i64({})", self.expr(x)),
            Expr::Narrow(x) => write!(out, "i32({})", self.expr(x)),
            Expr::Requant { x, value, shift, rounding } => {
                let name = match rounding {
                    Rounding::Double => "requant2",
                    Rounding::Single => "requant1",
                    Rounding::Wide => "requant64",
                    Rounding::Precise => "requant53",
                };
                write!(out, "{name}({}, {}, {})", self.expr(x), self.expr(value), self.expr(shift))
            }
        }
    }
}

fn sign(op: BinOp) -> &'static str {
    match op {
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::Div => "/",
        BinOp::Shl => "<<",
        BinOp::Shr => ">>",
        BinOp::And => "&",
        BinOp::Lt => "<",
        BinOp::Eq => "==",
        BinOp::Min => "min",
        BinOp::Max => "max",
    }
}
