//! Expressions and indices as C.

use std::collections::BTreeSet;

use crate::emit::c::helper::Helper;
use crate::emit::c::names::{int32, int64};
use crate::kernel::{Affine, BinOp, Buf, Derivation, Expr, Function, Ty};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// How tightly a text binds: an operand that binds less is put in parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// `c ? a : b`.
    Select,
    /// Comparisons, `&` and shifts, which compilers want in parentheses next to anything.
    Loose,
    /// `+` and `-`.
    Sum,
    /// `*` and `/`.
    Product,
    /// Casts and signs.
    Unary,
    /// Names, calls, elements.
    Primary,
}

/// A printed expression.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    level: Level,
}

impl Text {
    fn new(text: impl Into<String>, level: Level) -> Text {
        Text { text: text.into(), level }
    }

    /// As an operand that must bind at least so tightly.
    fn at(self, level: Level) -> String {
        if self.level < level { format!("({})", self.text) } else { self.text }
    }
}

/// The names of a function's things.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) buffers: Vec<String>,
    pub(super) vars: Vec<String>,
    pub(super) registers: Vec<String>,
}

/// Prints the expressions of one function and notes the helpers they need.
pub(super) struct ExprPrinter<'a> {
    pub(super) prefix: &'a str,
    pub(super) function: &'a Function,
    pub(super) names: Names,
    pub(super) helpers: &'a mut BTreeSet<Helper>,
}

impl ExprPrinter<'_> {
    /// The element type of a buffer.
    pub(super) fn elem(&self, buf: Buf) -> DType {
        let at = buf.0 as usize;
        let params = &self.function.params;
        if at < params.len() { params[at].elem } else { self.function.locals[at - params.len()].elem }
    }

    fn ty(&self, expr: &Expr) -> Ty {
        match expr {
            Expr::Const(ty, _) => *ty,
            Expr::Reg(reg) => self.function.registers[reg.0 as usize],
            Expr::Bin(BinOp::Lt | BinOp::Eq, ..) => Ty::I32,
            Expr::Bin(_, left, _) => self.ty(left),
            Expr::Select(_, then, _) => self.ty(then),
            Expr::Widen(_) => Ty::I64,
            Expr::Index(_)
            | Expr::Load { .. }
            | Expr::Lookup { .. }
            | Expr::Narrow(_)
            | Expr::Requant { .. } => Ty::I32,
        }
    }

    /// An index.
    pub(super) fn affine(&self, affine: &Affine) -> String {
        self.affine_text(affine).text
    }

    fn affine_text(&self, affine: &Affine) -> Text {
        let mut out = String::new();
        let mut pieces = 0;
        for &(var, factor) in &affine.terms {
            let name = &self.names.vars[var.0 as usize];
            let size = factor.unsigned_abs();
            let term = if size == 1 { name.clone() } else { format!("{size} * {name}") };
            push_signed(&mut out, factor < 0, &term);
            pieces += if size == 1 && factor > 0 { 1 } else { 2 };
        }
        if affine.constant != 0 || out.is_empty() {
            let literal = affine.constant.unsigned_abs().to_string();
            push_signed(&mut out, affine.constant < 0, &literal);
            pieces += if affine.constant < 0 { 2 } else { 1 };
        }
        Text::new(out, if pieces > 1 { Level::Sum } else { Level::Primary })
    }

    /// What a variable is derived as.
    pub(super) fn derived(&mut self, derivation: Derivation, left: &Affine, right: &Affine) -> String {
        let (left, right) = (self.affine_text(left), self.affine_text(right));
        match derivation {
            Derivation::Min => self.call(Helper::Min32, &[left.text, right.text]).text,
            Derivation::Max => self.call(Helper::Max32, &[left.text, right.text]).text,
            Derivation::Quotient => format!("{} / {}", left.at(Level::Product), right.at(Level::Primary)),
            Derivation::Remainder => format!("{} % {}", left.at(Level::Product), right.at(Level::Primary)),
            Derivation::Product => format!("{} * {}", left.at(Level::Product), right.at(Level::Primary)),
        }
    }

    /// A pointer to an element.
    pub(super) fn pointer(&self, buf: Buf, index: &Affine) -> String {
        let name = &self.names.buffers[buf.0 as usize];
        if *index == Affine::default() { name.clone() } else { format!("&{name}[{}]", self.affine(index)) }
    }

    /// An element.
    pub(super) fn element(&self, buf: Buf, index: &Affine) -> String {
        format!("{}[{}]", self.names.buffers[buf.0 as usize], self.affine(index))
    }

    /// An expression that stands alone.
    pub(super) fn value(&mut self, expr: &Expr) -> String {
        self.expr(expr).text
    }

    /// An expression as the operand of a cast.
    pub(super) fn cast(&mut self, ty: &str, expr: &Expr) -> String {
        format!("({ty}){}", self.expr(expr).at(Level::Unary))
    }

    fn expr(&mut self, expr: &Expr) -> Text {
        match expr {
            Expr::Const(Ty::I32, value) => {
                Text::new(int32(*value), if *value < 0 { Level::Unary } else { Level::Primary })
            }
            Expr::Const(Ty::I64, value) => Text::new(int64(*value), Level::Primary),
            Expr::Reg(reg) => Text::new(self.names.registers[reg.0 as usize].clone(), Level::Primary),
            Expr::Index(affine) => self.affine_text(affine),
            Expr::Load { buf, index } => Text::new(self.element(*buf, index), Level::Primary),
            Expr::Lookup { table, at } => {
                let at = self.expr(at).at(Level::Sum);
                let name = &self.names.buffers[table.0 as usize];
                Text::new(format!("{name}[{at} + 128]"), Level::Primary)
            }
            Expr::Bin(op, left, right) => self.bin(*op, left, right),
            Expr::Select(condition, then, other) => {
                let condition = self.condition(condition);
                let then = self.expr(then).at(Level::Loose);
                let other = self.expr(other).at(Level::Loose);
                Text::new(format!("{condition} ? {then} : {other}"), Level::Select)
            }
            Expr::Widen(inner) => Text::new(self.cast("int64_t", inner), Level::Unary),
            Expr::Narrow(inner) => Text::new(self.cast("int32_t", inner), Level::Unary),
            Expr::Requant { x, value, shift, rounding } => {
                let helper = match rounding {
                    Rounding::Double => Helper::RequantDouble,
                    Rounding::Single => Helper::RequantSingle,
                    Rounding::Wide => Helper::RequantWide,
                    Rounding::Precise => Helper::RequantPrecise,
                };
                let arguments = [self.value(x), self.value(value), self.value(shift)];
                self.call(helper, &arguments)
            }
        }
    }

    /// What stands before a `?`.
    fn condition(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::Bin(op @ (BinOp::Lt | BinOp::Eq), left, right) => self.comparison(*op, left, right),
            _ => format!("{} != 0", self.expr(expr).at(Level::Sum)),
        }
    }

    fn comparison(&mut self, op: BinOp, left: &Expr, right: &Expr) -> String {
        let sign = if op == BinOp::Lt { "<" } else { "==" };
        format!("{} {sign} {}", self.expr(left).at(Level::Sum), self.expr(right).at(Level::Sum))
    }

    fn bin(&mut self, op: BinOp, left: &Expr, right: &Expr) -> Text {
        match op {
            BinOp::Add | BinOp::Sub => self.sum(op, left, right),
            BinOp::Mul | BinOp::Div => {
                let sign = if op == BinOp::Mul { "*" } else { "/" };
                let left = self.expr(left).at(Level::Product);
                Text::new(format!("{left} {sign} {}", self.expr(right).at(Level::Unary)), Level::Product)
            }
            BinOp::Min | BinOp::Max => {
                let helper = match (op, self.ty(left)) {
                    (BinOp::Min, Ty::I32) => Helper::Min32,
                    (BinOp::Min, Ty::I64) => Helper::Min64,
                    (_, Ty::I32) => Helper::Max32,
                    (_, Ty::I64) => Helper::Max64,
                };
                let arguments = [self.value(left), self.value(right)];
                self.call(helper, &arguments)
            }
            BinOp::Shl => {
                let helper = if self.ty(left) == Ty::I32 { Helper::Shl32 } else { Helper::Shl64 };
                let arguments = [self.value(left), self.value(right)];
                self.call(helper, &arguments)
            }
            BinOp::Shr | BinOp::And => {
                let sign = if op == BinOp::Shr { ">>" } else { "&" };
                let left = self.expr(left).at(Level::Unary);
                Text::new(format!("{left} {sign} {}", self.expr(right).at(Level::Unary)), Level::Loose)
            }
            BinOp::Lt | BinOp::Eq => {
                Text::new(format!("(int32_t)({})", self.comparison(op, left, right)), Level::Unary)
            }
        }
    }

    fn sum(&mut self, op: BinOp, left: &Expr, right: &Expr) -> Text {
        let left = self.expr(left).at(Level::Sum);
        let minus = op == BinOp::Sub;
        // Adding a negative constant reads as a subtraction; the least one has no opposite.
        if let Expr::Const(Ty::I32, value) = right
            && (-i64::from(i32::MAX)..0).contains(value)
        {
            let sign = if minus { "+" } else { "-" };
            return Text::new(format!("{left} {sign} {}", -value), Level::Sum);
        }
        let sign = if minus { "-" } else { "+" };
        Text::new(format!("{left} {sign} {}", self.expr(right).at(Level::Product)), Level::Sum)
    }

    fn call(&mut self, helper: Helper, arguments: &[String]) -> Text {
        self.helpers.insert(helper);
        Text::new(format!("{}_{}({})", self.prefix, helper.name(), arguments.join(", ")), Level::Primary)
    }
}

/// Appends a term with its sign.
fn push_signed(out: &mut String, negative: bool, term: &str) {
    match (out.is_empty(), negative) {
        (true, false) => {}
        (true, true) => out.push('-'),
        (false, false) => out.push_str(" + "),
        (false, true) => out.push_str(" - "),
    }
    out.push_str(term);
}
