//! A function under construction: fresh names, and loops that vanish where they run once.

use crate::kernel::{
    Access, Affine, BinOp, Buf, BufParam, Derivation, Expr, Function, Local, Reg, Stmt, Ty, Var,
};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// A function under construction. Parameters come before locals, scalars before loops.
#[derive(Default)]
pub(in crate::kernel) struct FunctionBuilder {
    params: Vec<BufParam>,
    n_scalars: u32,
    vars: Vec<String>,
    registers: Vec<Ty>,
    locals: Vec<Local>,
}

impl FunctionBuilder {
    /// A buffer parameter of bytes.
    pub(in crate::kernel) fn int8(&mut self, name: &str, access: Access) -> Buf {
        self.param(name, DType::I8, access)
    }

    /// A buffer parameter.
    pub(in crate::kernel) fn param(&mut self, name: &str, elem: DType, access: Access) -> Buf {
        self.params.push(BufParam { name: name.into(), elem, access });
        Buf(self.params.len() as u32 - 1)
    }

    /// A local; after all parameters.
    pub(in crate::kernel) fn local(&mut self, name: &str, elem: DType, len: usize) -> Buf {
        self.locals.push(Local { name: name.into(), elem, len });
        Buf((self.params.len() + self.locals.len()) as u32 - 1)
    }

    /// A scalar parameter; before all loops.
    pub(in crate::kernel) fn scalar(&mut self, name: &str) -> Var {
        self.n_scalars += 1;
        self.vars.push(name.into());
        Var(self.vars.len() as u32 - 1)
    }

    /// An `I32` register.
    pub(in crate::kernel) fn register(&mut self) -> Reg {
        self.register_of(Ty::I32)
    }

    /// A register.
    pub(in crate::kernel) fn register_of(&mut self, ty: Ty) -> Reg {
        self.registers.push(ty);
        Reg(self.registers.len() as u32 - 1)
    }

    /// A loop variable whose name starts with `name`.
    fn var(&mut self, name: &str) -> Var {
        let fresh = (1..)
            .map(|number| if number == 1 { name.to_string() } else { format!("{name}_{number}") })
            .find(|name| !self.vars.contains(name))
            .expect("numbers do not end");
        self.vars.push(fresh);
        Var(self.vars.len() as u32 - 1)
    }

    /// A loop; only its body where it runs at most once for sure, nothing where it never runs.
    pub(in crate::kernel) fn each(
        &mut self,
        name: &str,
        (lower, upper): (Affine, Affine),
        step: i64,
        body: impl FnOnce(&mut FunctionBuilder, &Affine) -> Vec<Stmt>,
    ) -> Vec<Stmt> {
        let extent = upper.plus(&lower.times(-1));
        match (extent.terms.is_empty(), extent.constant) {
            (true, extent) if extent <= 0 => Vec::new(),
            (true, extent) if extent <= step => body(self, &lower),
            _ => {
                let var = self.var(name);
                let body = body(self, &Affine::var(var));
                vec![Stmt::For { var, lower, upper, step, body }]
            }
        }
    }

    /// A variable that follows from others, and its definition.
    pub(in crate::kernel) fn derive(
        &mut self,
        name: &str,
        derivation: Derivation,
        left: Affine,
        right: Affine,
    ) -> (Affine, Stmt) {
        let var = self.var(name);
        (Affine::var(var), Stmt::Let { var, derivation, left, right })
    }

    /// The function, still without a name.
    pub(in crate::kernel) fn finish(self, body: Vec<Stmt>) -> Function {
        let FunctionBuilder { params, n_scalars, vars, registers, locals } = self;
        Function { name: String::new(), params, n_scalars, vars, registers, locals, body: body.into() }
    }
}

/// The last scalars of most functions: what an accumulator is brought to.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Ending {
    /// Zero point of the output.
    pub(in crate::kernel) zero: Var,
    /// Least value.
    pub(in crate::kernel) low: Var,
    /// Greatest value.
    pub(in crate::kernel) high: Var,
    /// Rounding of the requantization.
    pub(in crate::kernel) rounding: Rounding,
}

impl Ending {
    /// Declares the scalars.
    pub(in crate::kernel) fn new(builder: &mut FunctionBuilder, rounding: Rounding) -> Ending {
        let [zero, low, high] = ["output_zero", "low", "high"].map(|name| builder.scalar(name));
        Ending { zero, low, high, rounding }
    }

    /// The output of an accumulator and its multiplier; with [`Rounding::Wide`] the accumulator is an `I64`, and the
    /// multiplier is [reduced](crate::tensor::arith::Multiplier::reduced).
    pub(in crate::kernel) fn apply(&self, x: Expr, value: Expr, shift: Expr) -> Expr {
        let scaled = requant(x, value, shift, self.rounding);
        self.rescaled(scaled)
    }

    /// The output of what is in its scale.
    pub(in crate::kernel) fn rescaled(&self, x: Expr) -> Expr {
        clamp(binary(BinOp::Add, x, scalar(self.zero)), self.low, self.high)
    }
}

/// An operation.
pub(in crate::kernel) fn binary(op: BinOp, a: Expr, b: Expr) -> Expr {
    Expr::Bin(op, Box::new(a), Box::new(b))
}

/// A scalar's value.
pub(in crate::kernel) fn scalar(var: Var) -> Expr {
    Expr::Index(Affine::var(var))
}

/// An element.
pub(in crate::kernel) fn load(buf: Buf, index: &Affine) -> Expr {
    Expr::Load { buf, index: index.clone() }
}

/// An `I32` constant.
pub(in crate::kernel) fn int(value: i64) -> Expr {
    Expr::Const(Ty::I32, value)
}

/// A requantization.
pub(in crate::kernel) fn requant(x: Expr, value: Expr, shift: Expr, rounding: Rounding) -> Expr {
    Expr::Requant { x: Box::new(x), value: Box::new(value), shift: Box::new(shift), rounding }
}

/// The value within two scalars.
pub(in crate::kernel) fn clamp(x: Expr, low: Var, high: Var) -> Expr {
    binary(BinOp::Min, binary(BinOp::Max, x, scalar(low)), scalar(high))
}
