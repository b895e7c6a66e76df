//! The kernel IR: what it is and what it means.
//!
//! A [`Program`] is a straight list of steps, one for each operator of an integer graph. A step calls functions
//! on buffers of the arena and on constant tables. Control flow never depends on data, so one run of the
//! interpreter shows every address that any run touches.
//!
//! **Values.** Registers hold `i32` or `i64`. Loads of narrower elements sign-extend to `i32`; a store must fit
//! its element. Signed overflow is an error: lowering proves that it cannot happen, the interpreter checks.
//! Shifts right are arithmetic; amounts lie within the width. Division truncates; divisors are not 0.
//!
//! **Loops.** `for var in (lower..upper).step_by(step)`; the bounds are affine in scalar parameters and in outer
//! loop variables, and are evaluated once. An empty range runs nothing. [`Stmt::Let`] derives further variables from
//! these, so that one loop can walk the pixels of a map and clip windows at its borders.
//!
//! **Buffers.** A function sees its buffer parameters as pointers to elements; they may overlap in memory only
//! as its step's [`Overlap`]s say. Locals are fresh for each call and start undefined.
//!
//! **Lookups.** [`Expr::Lookup`] is the one access whose place depends on data. It reads constants only, so it
//! changes nothing in what was said of control flow and of the arena.
//!
//! **Micro-kernels.** A [`MicroKernel`] has a body in this IR, which is its meaning. A back end may use another
//! implementation that gives the same bytes: inline assembly or intrinsics in C.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::kernel::{MicroKernel, Work};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// The type of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ty {
    /// 32 bit signed.
    I32,
    /// 64 bit signed.
    I64,
}

/// A loop variable or scalar parameter of a function: an index into [`Function::vars`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Var(pub u32);

/// A register: an index into [`Function::registers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reg(pub u32);

/// A buffer that a function sees: its parameters first, then its locals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Buf(pub u32);

/// `constant + sum of factor * variable`; variables in order, each once, factors not 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Affine {
    /// Variables with their factors.
    pub terms: Vec<(Var, i64)>,
    /// The constant.
    pub constant: i64,
}

impl Affine {
    /// A constant.
    pub fn constant(constant: i64) -> Affine {
        Affine { terms: Vec::new(), constant }
    }

    /// A variable.
    pub fn var(var: Var) -> Affine {
        Affine { terms: vec![(var, 1)], constant: 0 }
    }

    /// The sum.
    #[must_use]
    pub fn plus(&self, other: &Affine) -> Affine {
        let mut sum = self.clone();
        sum.constant += other.constant;
        for &(var, factor) in &other.terms {
            match sum.terms.binary_search_by_key(&var, |&(v, _)| v) {
                Ok(at) => sum.terms[at].1 += factor,
                Err(at) => sum.terms.insert(at, (var, factor)),
            }
        }
        sum.terms.retain(|&(_, factor)| factor != 0);
        sum
    }

    /// The multiple.
    #[must_use]
    pub fn times(&self, factor: i64) -> Affine {
        if factor == 0 {
            return Affine::default();
        }
        Affine {
            terms: self.terms.iter().map(|&(var, f)| (var, f * factor)).collect(),
            constant: self.constant * factor,
        }
    }

    /// The sum with a constant.
    #[must_use]
    pub fn offset(&self, constant: i64) -> Affine {
        Affine { terms: self.terms.clone(), constant: self.constant + constant }
    }

    /// The value, given that of each variable.
    pub fn eval(&self, vars: &[i64]) -> i64 {
        self.terms.iter().map(|&(var, factor)| vars[var.0 as usize] * factor).sum::<i64>() + self.constant
    }
}

/// How one variable follows from two whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Derivation {
    /// The lesser.
    Min,
    /// The greater.
    Max,
    /// The quotient, whose operands are not negative and whose divisor is not 0.
    Quotient,
    /// What the quotient leaves.
    Remainder,
    /// The product.
    Product,
}

impl Derivation {
    /// The value; `None` where it has none.
    pub fn apply(self, left: i64, right: i64) -> Option<i64> {
        let divides = left >= 0 && right > 0;
        match self {
            Derivation::Min => Some(left.min(right)),
            Derivation::Max => Some(left.max(right)),
            Derivation::Quotient => divides.then(|| left / right),
            Derivation::Remainder => divides.then(|| left % right),
            Derivation::Product => left.checked_mul(right),
        }
    }
}

/// Two operands of one type; comparisons give 0 or 1 as `I32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BinOp {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient, truncated.
    Div,
    /// Lesser.
    Min,
    /// Greater.
    Max,
    /// Shift left; the right operand is `I32`.
    Shl,
    /// Arithmetic shift right; the right operand is `I32`.
    Shr,
    /// Bits in both.
    And,
    /// Less than.
    Lt,
    /// Equal.
    Eq,
}

/// A pure expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Expr {
    /// A constant.
    Const(Ty, i64),
    /// A register's current value.
    Reg(Reg),
    /// An index as `I32`.
    Index(Affine),
    /// An element, sign-extended to `I32` (`i64` elements do not exist).
    Load {
        /// Where.
        buf: Buf,
        /// Which element.
        index: Affine,
    },
    /// The element that a number chooses: `table[at + 128]`, sign-extended to `I32`. The buffer is a parameter, and `at`
    /// either loads an `I8` element, for which every call gives a table of 256 elements at least, or is the lesser of a
    /// constant and of the greater of a constant and anything, which say how long tables have to be: no value can miss.
    Lookup {
        /// Of what.
        table: Buf,
        /// Which.
        at: Box<Expr>,
    },
    /// An operation.
    Bin(BinOp, Box<Expr>, Box<Expr>),
    /// The first where the condition is not 0, else the second; both are evaluated.
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `I32` to `I64`.
    Widen(Box<Expr>),
    /// `I64` to `I32`; the value must fit.
    Narrow(Box<Expr>),
    /// `Multiplier { value, shift }.apply(x, rounding)`, all `I32`; with [`Rounding::Wide`] the accumulator is an `I64`,
    /// and mantissa and shift are [reduced](crate::tensor::arith::Multiplier::reduced): `(x * value + half) >> shift`.
    /// With [`Rounding::Precise`] accumulator and mantissa are `I64`s, of which the product of the first with the upper 31
    /// bits of the second has 64, and those of a [`PreciseMultiplier`](crate::tensor::arith::PreciseMultiplier).
    Requant {
        /// The accumulator.
        x: Box<Expr>,
        /// Mantissa.
        value: Box<Expr>,
        /// Power of two, positive to the left.
        shift: Box<Expr>,
        /// How it rounds.
        rounding: Rounding,
    },
}

/// An argument of a micro-kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MicroArg {
    /// A pointer to an element.
    Pointer {
        /// Into which buffer.
        buf: Buf,
        /// To which element.
        index: Affine,
    },
    /// A value.
    Value(Expr),
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stmt {
    /// A loop.
    For {
        /// Its variable, defined in the body only.
        var: Var,
        /// First value.
        lower: Affine,
        /// One past the greatest value.
        upper: Affine,
        /// Distance of values, at least 1.
        step: i64,
        /// What is repeated.
        body: Vec<Stmt>,
    },
    /// Defines a variable for the statements after it in the same block.
    Let {
        /// The variable.
        var: Var,
        /// How its value follows.
        derivation: Derivation,
        /// The first operand.
        left: Affine,
        /// The second.
        right: Affine,
    },
    /// Gives a register a value; registers may be set again, and keep their value across iterations.
    Set {
        /// Which.
        reg: Reg,
        /// The value.
        value: Expr,
    },
    /// Puts a value into an element.
    Store {
        /// Where.
        buf: Buf,
        /// Which element.
        index: Affine,
        /// The value, which fits the element.
        value: Expr,
    },
    /// Runs a micro-kernel.
    Micro {
        /// Its name in [`Program::micros`].
        kernel: String,
        /// Registers that its own in-out registers start from and end in, in order.
        registers: Vec<Reg>,
        /// Its arguments in order.
        arguments: Vec<MicroArg>,
    },
}

/// What a function does with a buffer parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// It only loads.
    Read,
    /// It only stores.
    Write,
    /// It does both.
    ReadWrite,
}

/// A buffer parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BufParam {
    /// For people and for C.
    pub name: String,
    /// Type of its elements: `I8`, `I16` or `I32`.
    pub elem: DType,
    /// What is done with it.
    pub access: Access,
}

/// A buffer that lives for one call, on the stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Local {
    /// For people and for C.
    pub name: String,
    /// Type of its elements.
    pub elem: DType,
    /// Number of elements.
    pub len: usize,
}

/// A function. Equal functions but for their name are one in a [`Program`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Function {
    /// Its name, unique in the program, a C identifier.
    pub name: String,
    /// Buffer parameters: `Buf(0)` and on.
    pub params: Vec<BufParam>,
    /// Number of scalar parameters: `Var(0)` and on, all `I32`.
    pub n_scalars: u32,
    /// Names of all variables, scalar parameters first.
    pub vars: Vec<String>,
    /// Types of all registers.
    pub registers: Vec<Ty>,
    /// Local buffers: the `Buf`s after the parameters.
    pub locals: Vec<Local>,
    /// What it does. Shared, since a search lowers the same layers again and again.
    pub body: Arc<[Stmt]>,
}

/// A function: an index into [`Program::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId(pub u32);

/// A buffer of the arena: an index into [`Program::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BufferId(pub u32);

/// A constant table: an index into [`Program::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableId(pub u32);

/// What a buffer of the arena is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// The network's input.
    Input,
    /// The network's output.
    Output,
    /// Between two steps.
    Internal,
    /// Within one step.
    Scratch,
}

/// A buffer of the arena.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Buffer {
    /// For people.
    pub name: String,
    /// Type of its elements.
    pub elem: DType,
    /// Number of elements.
    pub len: usize,
    /// Alignment in bytes.
    pub align: usize,
    /// What it is for.
    pub role: Role,
}

impl Buffer {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        (self.len * self.elem.size()) as u64
    }
}

/// What a table holds; `_WEIGHTS_BYTES` counts all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TableRole {
    /// Weights.
    Weight,
    /// Biases, with input offsets folded in where lowering does so.
    Bias,
    /// Mantissas and shifts of requantization.
    Requant,
    /// What a function makes of each of the 256 bytes.
    Lookup,
}

/// Constants in flash. Equal tables are one in a [`Program`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Table {
    /// Its name, unique in the program, a C identifier.
    pub name: String,
    /// Type of its elements.
    pub elem: DType,
    /// What it holds.
    pub role: TableRole,
    /// Its elements, each of which fits `elem`.
    pub values: Values,
}

/// Elements of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Values {
    /// These.
    Known(Arc<[i32]>),
    /// So many zeros: those of a network without weights.
    Zeros(usize),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Known(values) => values.len(),
            Values::Zeros(len) => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one at a place.
    pub fn get(&self, at: usize) -> Option<i32> {
        match self {
            Values::Known(values) => values.get(at).copied(),
            Values::Zeros(len) => (at < *len).then_some(0),
        }
    }

    /// All in order.
    pub fn iter(&self) -> impl Iterator<Item = i32> + '_ {
        let (known, zeros) = match self {
            Values::Known(values) => (&values[..], 0),
            Values::Zeros(len) => (&[][..], *len),
        };
        known.iter().copied().chain(std::iter::repeat_n(0, zeros))
    }
}

impl From<Vec<i32>> for Values {
    fn from(values: Vec<i32>) -> Values {
        Values::Known(values.into())
    }
}

impl Table {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        (self.values.len() * self.elem.size()) as u64
    }
}

/// An argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Arg {
    /// A buffer of the arena.
    Buffer(BufferId),
    /// A table.
    Table(TableId),
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    /// Which.
    pub function: FunctionId,
    /// One for each buffer parameter.
    pub buffers: Vec<Arg>,
    /// One for each scalar parameter.
    pub scalars: Vec<i32>,
}

/// Where a written buffer may start beside being disjoint: `safe` holds closed intervals of
/// `offset(written) - offset(read)` in bytes. 0 is in place; negative is lower in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Overlap {
    /// A buffer that the step reads. Whether somebody reads it later, or it is an output, depends on the order:
    /// a plan uses the overlap only where this is the last use.
    pub read: BufferId,
    /// A buffer that the step writes.
    pub written: BufferId,
    /// The safe distances.
    pub safe: Vec<(i64, i64)>,
}

/// An operator as calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The layer, for people.
    pub name: String,
    /// The operator's name.
    pub op: String,
    /// Position of its node in the order of the graph.
    pub node: usize,
    /// Position of a node before that one which it computes too: a convolution whose outputs are summed at once.
    pub absorbs: Option<usize>,
    /// Its calls in order.
    pub calls: Vec<Call>,
    /// Buffers that it loads from, but scratch.
    pub reads: Vec<BufferId>,
    /// Buffers that it stores to, but scratch.
    pub writes: Vec<BufferId>,
    /// Buffers that live within it.
    pub scratch: Vec<BufferId>,
    /// What may share memory.
    pub overlaps: Vec<Overlap>,
    /// Multiply-accumulates, for reports.
    pub macs: u64,
    /// What its schedule does and how often, for cost models; nothing where it is plain loops.
    pub work: Vec<(Work, u64)>,
}

/// A lowered network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Buffers of the arena.
    pub buffers: Vec<Buffer>,
    /// Constants.
    pub tables: Vec<Table>,
    /// Functions.
    pub functions: Vec<Function>,
    /// Micro-kernels in use.
    pub micros: Vec<Arc<MicroKernel>>,
    /// What is run, in a valid order.
    pub steps: Vec<Step>,
    /// The network's inputs in order.
    pub inputs: Vec<BufferId>,
    /// The network's outputs in order.
    pub outputs: Vec<BufferId>,
}

impl Program {
    /// Alignment that the arena needs for its buffers.
    pub fn align(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.align).max().unwrap_or(1)
    }

    /// Bytes of all tables.
    pub fn table_bytes(&self) -> u64 {
        self.tables.iter().map(Table::bytes).sum()
    }
}
