//! Random expressions: the interpreter and the compilers agree on each of them.

use nasc::device::{HostCompiler, Samples, find, run_host};
use nasc::emit::{Borders, Network, emit_c};
use nasc::kernel::{
    Access, Affine, Arg, BinOp, Buffer, BufferId, Call, Expr, Function, FunctionId, Interpreter, Placement,
    Program, Role, Stmt, Ty, Var,
};
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, TensorType, Value};

use crate::{LIMIT, bin, compiler, int, load, names, param, step, store};

const LEN: usize = 24;
const FUNCTIONS: usize = 40;

/// Makes expressions of `I32` with a bound on their size, so that nothing overflows.
struct Generator(u64);

impl Generator {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit) as i64
    }

    fn leaf(&mut self) -> (Expr, i64) {
        match self.below(3) {
            0 => (load(0, Affine::var(Var(1))), 128),
            1 => {
                let value = self.below(41) - 20;
                (int(value), value.abs())
            }
            _ => {
                let (factor, constant) = (self.below(7) - 3, self.below(9) - 4);
                let index = Affine::var(Var(1)).times(factor).offset(constant);
                (Expr::Index(index), 3 * LEN as i64 + 4)
            }
        }
    }

    fn expr(&mut self, depth: u32) -> (Expr, i64) {
        if depth == 0 {
            return self.leaf();
        }
        let (a, size_a) = self.expr(depth - 1);
        let (b, size_b) = self.expr(depth - 1);
        let greater = size_a.max(size_b);
        let small = greater < 1 << 28;
        match self.below(13) {
            0 if small => (bin(BinOp::Add, a, b), size_a + size_b),
            1 if small => (bin(BinOp::Sub, a, b), size_a + size_b),
            2 if size_a.saturating_mul(size_b) < 1 << 29 => (bin(BinOp::Mul, a, b), size_a * size_b),
            3 => (bin(BinOp::Div, a, int([-7, -1, 2, 5][self.below(4) as usize])), size_a),
            4 => (bin(BinOp::Min, a, b), greater),
            5 => (bin(BinOp::Max, a, b), greater),
            6 if small => (bin(BinOp::Shl, a, int(2)), 4 * size_a),
            7 => (bin(BinOp::Shr, a, int(self.below(6))), size_a),
            8 => (bin(BinOp::And, a, int(self.below(300))), 300),
            9 => (bin([BinOp::Lt, BinOp::Eq][self.below(2) as usize], a, b), 1),
            10 => {
                let condition = Box::new(self.expr(depth - 1).0);
                (Expr::Select(condition, Box::new(a), Box::new(b)), greater)
            }
            11 => {
                let [a, b] = [a, b].map(|x| Expr::Widen(Box::new(x)));
                let product = bin(BinOp::Mul, a, b);
                let sum = bin(BinOp::Sub, product, Expr::Const(Ty::I64, -(self.below(1 << 30))));
                let shifted = bin(BinOp::Shr, sum, int(31));
                let bounded =
                    bin(BinOp::Min, bin(BinOp::Shl, shifted, int(1)), Expr::Const(Ty::I64, 1 << 27));
                (Expr::Narrow(Box::new(bin(BinOp::Max, bounded, Expr::Const(Ty::I64, -(1 << 27))))), 1 << 27)
            }
            12 => {
                let rounding = [Rounding::Double, Rounding::Single][self.below(2) as usize];
                let (value, shift) =
                    (Box::new(int(1_500_000_000 + self.below(1000))), Box::new(int(-self.below(9))));
                (Expr::Requant { x: Box::new(a), value, shift, rounding }, size_a + 1)
            }
            _ => (a, size_a),
        }
    }
}

fn program(seed: u64) -> Program {
    let mut generator = Generator(seed);
    let functions: Vec<Function> = (0..FUNCTIONS)
        .map(|at| {
            let value = bin(BinOp::Sub, bin(BinOp::And, generator.expr(4).0, int(255)), int(128));
            let place = Affine::var(Var(0)).plus(&Affine::var(Var(1)));
            let body = vec![store(1, place, value)];
            let upper = Affine::constant(LEN as i64);
            let body = vec![Stmt::For { var: Var(1), lower: Affine::default(), upper, step: 1, body }];
            Function {
                name: format!("random{at}"),
                params: vec![param("x", DType::I8, Access::Read), param("y", DType::I8, Access::Write)],
                n_scalars: 1,
                vars: names(&["base", "i"]),
                registers: vec![],
                locals: vec![],
                body: body.into(),
            }
        })
        .collect();
    let buffer = |name: &str, len: usize, role: Role| Buffer {
        name: name.into(),
        elem: DType::I8,
        len,
        align: 1,
        role,
    };
    let (read, written) = (BufferId(0), BufferId(1));
    let arguments = vec![Arg::Buffer(read), Arg::Buffer(written)];
    let mut whole = step("random", 0, arguments.clone(), vec![0]);
    (whole.reads, whole.writes) = (vec![read], vec![written]);
    let call = |at: usize| Call {
        function: FunctionId(at as u32),
        buffers: arguments.clone(),
        scalars: vec![(at * LEN) as i32],
    };
    whole.calls = (0..FUNCTIONS).map(call).collect();
    Program {
        buffers: vec![buffer("x", LEN, Role::Input), buffer("y", LEN * FUNCTIONS, Role::Output)],
        functions,
        steps: vec![whole],
        inputs: vec![read],
        outputs: vec![written],
        ..Program::default()
    }
}

#[test]
fn random_expressions_mean_the_same_in_c() {
    for seed in 0..4 {
        let program = program(seed);
        agree(&program, &Placement::disjoint(&program));
    }
}

fn agree(program: &Program, placement: &Placement) {
    let [input, output] = [LEN, LEN * FUNCTIONS]
        .map(|len| TensorType::quantized(DType::I8, [1, len], Quant::per_tensor(0.5, 0)));
    let samples: Vec<Vec<i8>> =
        (0..8).map(|sample| (0..LEN).map(|i| (i * 83 + sample * 29) as u8 as i8).collect()).collect();
    let interpreter = Interpreter::new(program).expect("it verifies");
    let wanted: Vec<Vec<i8>> = samples
        .iter()
        .map(|sample| {
            let input = Value::from_i8(&[LEN].into(), sample.clone()).expect("as many");
            let outputs = interpreter.run(placement, &[input]).expect("nothing overflows");
            outputs[0].as_i8().expect("bytes").iter().copied().collect()
        })
        .collect();
    let network = Network {
        name: "random",
        program,
        offsets: &placement.offsets,
        arena_bytes: placement.arena_bytes(program),
        arena_align: 16,
        inputs: std::slice::from_ref(&input),
        outputs: std::slice::from_ref(&output),
        borders: Borders::default(),
        raw: None,
        macs: 0,
        golden: &[],
        labels: &[],
        readings: &[],
    };
    for program in ["cc", "clang"].into_iter().filter(|program| find(program).is_some()) {
        // Random expressions compare things with themselves, which no lowering does.
        let mut flags = vec!["-std=c99", "-Wall", "-Wconversion", "-Wpedantic", "-Werror"];
        flags.extend([
            "-Wno-unknown-warning-option",
            "-Wno-tautological-compare",
            "-Wno-bool-compare",
            "-O1",
            "-fsanitize=undefined",
        ]);
        flags.push(if program == "cc" {
            "-fsanitize-undefined-trap-on-error"
        } else {
            "-fsanitize-trap=all"
        });
        let compiler: HostCompiler = compiler(program, &flags);
        let got =
            run_host(&emit_c(&network), &network.interface(), Samples::Int8(&samples), &compiler, LIMIT);
        assert_eq!(got.unwrap_or_else(|e| panic!("{program}: {e:#?}")), wanted, "{program}");
    }
}
