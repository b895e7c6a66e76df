//! A bound on the flash that is not tables: code, and the padding between tables.
//!
//! In: a program. Out: what the compiler has to emit for it, counted by kind ([`terms`]), and the [`bound`]: the
//! counts times bytes of Thumb-2 at `-O2`. The bytes were fitted to about 1,180 linked images, so that none is above
//! its bound by a margin of 1.5 % + 60 B: networks of the standard library's spaces (`cargo bench --bench images`) and
//! random ones with all operators (`code_size`), the latter for two instruction sets. Of 900 networks of the spaces and
//! 100 random ones that the fit had not seen none is above it, and 996 are within 10 % + 512 B (arm-none-eabi-gcc 12.2,
//! Cortex-M4). Other compilers and options may be larger.
//!
//! Where all calls of a function give a scalar or a table the same value, GCC moves it into the function, so that
//! such an argument is counted apart from one that is passed. That is counted only where one layer makes all the
//! calls: between layers it would depend on their quantization, and a candidate has none before its training.

use crate::kernel::{
    Affine, Arg, BinOp, BufferId, Call, Derivation, Expr, Function, MicroArg, Program, Special, Step, Stmt,
};
use crate::target::Isa;
use crate::tensor::arith::Rounding;

/// Registers that arguments are passed in.
///
/// Source  Procedure Call Standard for the Arm Architecture, IHI 0042
const ARGUMENT_REGISTERS: usize = 4;

/// Alignment that GCC gives to arrays of constants, and the emitted code to weights.
const TABLE_ALIGN: u64 = 4;

/// What is counted, each with a name.
macro_rules! terms {
    ($($(#[$doc:meta])* $term:ident $name:literal $tenths:literal,)*) => {
        /// A kind of code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        enum Term {
            $($(#[$doc])* $term,)*
        }

        impl Term {
            const ALL: &[Term] = &[$(Term::$term,)*];

            fn name(self) -> &'static str {
                match self { $(Term::$term => $name,)* }
            }

            /// Tenths of a byte for each.
            fn tenths(self) -> u64 {
                match self { $(Term::$term => $tenths,)* }
            }
        }
    };
}

terms! {
    /// Interface functions: init, run with its two copies, input, output, the frame of the steps.
    Interface "interface" 2000,
    /// An input or output beyond the first: its slot, and its copy in `run`.
    Port "port" 640,
    /// A function: prologue and epilogue.
    Function "function" 0,
    /// A parameter that GCC keeps and that is passed on the stack.
    StackParameter "stack_parameter" 20,
    /// A parameter that is moved into the function.
    ConstantParameter "constant_parameter" 95,
    /// A call.
    Call "call" 40,
    /// An argument of a call in a register.
    RegisterArgument "register_argument" 29,
    /// An argument of a call on the stack.
    StackArgument "stack_argument" 63,
    /// A loop: initial value, increment, comparison and branch.
    Loop "loop" 74,
    /// A register that is set.
    Set "set" 5,
    /// A store.
    Store "store" 76,
    /// A load.
    Load "load" 20,
    /// An addition or other simple operation.
    Operation "operation" 1,
    /// A minimum, maximum or selection.
    Selection "selection" 97,
    /// A quotient among sums, as an interpolation ends in, with the places and shares of its four neighbours. By images
    /// of bilinear maps alone.
    Quotient "quotient" 850,
    /// An extension to 64 bits with its share of what is done in them. By images of networks with 16 bits alone.
    Wide "wide" 160,
    /// A term of an index.
    Index "index" 10,
    /// A term of an index with a factor that is no power of two.
    Product "product" 22,
    /// A requantization that rounds twice.
    RequantDouble "requant_double" 829,
    /// A requantization that rounds twice, whose shift is moved into the function.
    RequantConstant "requant_constant" 50,
    /// A requantization that rounds once.
    RequantSingle "requant_single" 1166,
    /// A dot product of several rows in assembly.
    DotRows "dot_rows" 1500,
    /// A dot product of one row in assembly.
    DotRow "dot_row" 810,
    /// A micro-kernel by its meaning: its statements are counted besides.
    Micro "micro" 224,
    /// Bytes of functions in assembly, which are exact.
    Assembly "assembly" 10,
    /// A piece of assembly between statements.
    Inline "inline" 411,
    /// A quotient, a remainder or a product.
    Derived "derived" 40,
    /// A value beyond the registers, which is kept on the stack.
    Spill "spill" 80,
}

/// Values that fit the registers beside addresses under way.
const FREE_REGISTERS: u64 = 9;

/// How often each kind of code occurs in a program, by name.
pub fn terms(program: &Program) -> Vec<(&'static str, u64)> {
    let counts = count(program);
    Term::ALL.iter().map(|&term| (term.name(), counts[term as usize])).collect()
}

/// Bytes that the code of a program and the padding of its tables do not exceed on an instruction set.
pub(super) fn bound(program: &Program, isa: Isa) -> u64 {
    let tenths: u64 = Term::ALL.iter().zip(count(program)).map(|(term, count)| term.tenths() * count).sum();
    (tenths * percent(isa)).div_ceil(1000) + padding(program)
}

/// Code of an instruction set in percent of Thumb-2.
pub fn percent(isa: Isa) -> u64 {
    match isa {
        // No image of 50 networks for a Cortex-M0+ is above 118 % of the counts; of RV32IMC, whose objects had at most
        // 117 % of an earlier fit, none was linked since.
        Isa::Armv6m | Isa::Rv32imc => 118,
        Isa::Portable | Isa::Armv7m | Isa::Armv7em | Isa::Armv8mMain | Isa::Armv8_1m | Isa::X86_64 => 100,
    }
}

/// Bytes between tables. Those of the front end are counted with its code.
pub fn padding(program: &Program) -> u64 {
    program.tables.iter().map(|table| table.bytes().next_multiple_of(TABLE_ALIGN) - table.bytes()).sum()
}

fn count(program: &Program) -> [u64; Term::ALL.len()] {
    let mut counter = Counter { program, counts: [0; Term::ALL.len()], constant: Vec::new(), live: 0 };
    counter.add(Term::Interface, 1);
    let beyond = |slots: &[BufferId]| (slots.len() as u64).saturating_sub(1);
    counter.add(Term::Port, beyond(&program.inputs) + beyond(&program.outputs));
    for micro in &program.micros {
        if let Some(Special::Assembly(assembly)) = &micro.armv7em {
            counter.add(Term::Assembly, assembly.bytes.next_multiple_of(4));
        }
    }
    for (id, function) in program.functions.iter().enumerate() {
        let of_step = |step: &Step| step.calls.iter().filter(|call| call.function.0 as usize == id).count();
        let n_steps = program.steps.iter().filter(|step| of_step(step) > 0).count();
        let calls: Vec<&Call> = program
            .steps
            .iter()
            .flat_map(|step| &step.calls)
            .filter(|call| call.function.0 as usize == id)
            .collect();
        counter.function(function, &calls, n_steps == 1);
    }
    counter.counts
}

struct Counter<'p> {
    program: &'p Program,
    counts: [u64; Term::ALL.len()],
    /// Of the function's scalars, those that are counted as moved into it.
    constant: Vec<bool>,
    /// Values that live across the function's innermost loops.
    live: u64,
}

impl Counter<'_> {
    fn add(&mut self, term: Term, count: u64) {
        self.counts[term as usize] += count;
    }

    /// A function and the calls of it, which `one_layer` makes or several do.
    fn function(&mut self, function: &Function, calls: &[&Call], one_layer: bool) {
        let Some((first, others)) = calls.split_first() else { return };
        self.constant = (0..function.n_scalars as usize)
            .map(|at| one_layer && others.iter().all(|call| call.scalars[at] == first.scalars[at]))
            .collect();
        let fixed = |at: &usize| {
            one_layer
                && matches!(first.buffers[*at], Arg::Table(_))
                && others.iter().all(|call| call.buffers[*at] == first.buffers[*at])
        };
        let tables = (0..function.params.len()).filter(fixed).count();
        let constants = tables + self.constant.iter().filter(|&&constant| constant).count();
        let passed = function.params.len() + function.n_scalars as usize - constants;
        let stacked = passed.saturating_sub(ARGUMENT_REGISTERS);
        self.add(Term::Function, 1);
        self.add(Term::StackParameter, stacked as u64);
        self.add(Term::ConstantParameter, constants as u64);
        let n_calls = calls.len() as u64;
        self.add(Term::Call, n_calls);
        self.add(Term::RegisterArgument, n_calls * (passed - stacked) as u64);
        self.add(Term::StackArgument, n_calls * stacked as u64);
        self.live = (passed + tables) as u64;
        self.block(&function.body, 0);
    }

    fn block(&mut self, body: &[Stmt], depth: u64) {
        for statement in body {
            self.statement(statement, depth);
        }
    }

    fn statement(&mut self, statement: &Stmt, depth: u64) {
        match statement {
            Stmt::For { lower, upper, body, .. } => {
                self.add(Term::Loop, 1);
                self.affine(lower);
                self.affine(upper);
                if !body.iter().any(|inner| matches!(inner, Stmt::For { .. })) {
                    self.add(Term::Spill, (self.live + 2 * depth).saturating_sub(FREE_REGISTERS));
                }
                self.block(body, depth + 1);
            }
            Stmt::Let { derivation, left, right, .. } => {
                self.affine(left);
                self.affine(right);
                let selects = matches!(derivation, Derivation::Min | Derivation::Max);
                self.add(if selects { Term::Selection } else { Term::Derived }, 1);
            }
            Stmt::Set { value, .. } => {
                self.add(Term::Set, 1);
                self.expr(value);
            }
            Stmt::Store { index, value, .. } => {
                self.add(Term::Store, 1);
                self.affine(index);
                self.expr(value);
            }
            Stmt::Micro { kernel, arguments, .. } => {
                for argument in arguments {
                    match argument {
                        MicroArg::Pointer { index, .. } => self.affine(index),
                        MicroArg::Value(value) => self.expr(value),
                    }
                }
                let program = self.program;
                let Some(micro) = program.micros.iter().find(|micro| micro.meaning.name == *kernel) else {
                    return;
                };
                match (&micro.armv7em, micro.n_registers) {
                    (Some(Special::Assembly(_)), _) => self.call(arguments.len()),
                    (Some(Special::Inline(_)), 0) => self.add(Term::Inline, 1),
                    (Some(Special::Inline(_)), 1) => self.add(Term::DotRow, 1),
                    (Some(Special::Inline(_)), _) => self.add(Term::DotRows, 1),
                    (None, _) => {
                        self.add(Term::Micro, 1);
                        let constant = std::mem::take(&mut self.constant);
                        self.block(&micro.meaning.body, depth);
                        self.constant = constant;
                    }
                }
            }
        }
    }

    /// A call with so many arguments, all of which are made on the way.
    fn call(&mut self, arguments: usize) {
        let stacked = arguments.saturating_sub(ARGUMENT_REGISTERS);
        self.add(Term::Call, 1);
        self.add(Term::RegisterArgument, (arguments - stacked) as u64);
        self.add(Term::Store, stacked as u64);
    }

    fn affine(&mut self, affine: &Affine) {
        self.add(Term::Index, affine.terms.len() as u64);
        let product = |&&(_, factor): &&(_, i64)| !factor.unsigned_abs().is_power_of_two();
        self.add(Term::Product, affine.terms.iter().filter(product).count() as u64);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(..) | Expr::Reg(_) => {}
            Expr::Index(affine) => self.affine(affine),
            Expr::Load { index, .. } => {
                self.add(Term::Load, 1);
                self.affine(index);
            }
            Expr::Lookup { at, .. } => {
                self.add(Term::Load, 1);
                self.add(Term::Operation, 1);
                self.expr(at);
            }
            Expr::Bin(op, a, b) => {
                let term = match op {
                    BinOp::Min | BinOp::Max => Term::Selection,
                    BinOp::Div => Term::Quotient,
                    _ => Term::Operation,
                };
                self.add(term, 1);
                self.expr(a);
                self.expr(b);
            }
            Expr::Select(condition, a, b) => {
                self.add(Term::Selection, 1);
                [condition, a, b].into_iter().for_each(|inner| self.expr(inner));
            }
            Expr::Widen(x) => {
                self.add(Term::Wide, 1);
                self.expr(x);
            }
            Expr::Narrow(x) => self.expr(x),
            Expr::Requant { x, value, shift, rounding } => {
                let term = match rounding {
                    Rounding::Single | Rounding::Wide | Rounding::Precise => Term::RequantSingle,
                    Rounding::Double if self.is_constant(shift) => Term::RequantConstant,
                    Rounding::Double => Term::RequantDouble,
                };
                self.add(term, 1);
                [x, value, shift].into_iter().for_each(|inner| self.expr(inner));
            }
        }
    }

    /// Whether an expression is a scalar that all calls give the same value.
    fn is_constant(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Index(affine) => affine
                .terms
                .iter()
                .all(|(var, _)| self.constant.get(var.0 as usize).copied().unwrap_or(false)),
            _ => false,
        }
    }
}
