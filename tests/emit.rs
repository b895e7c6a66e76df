//! Emitted C, compiled and run: on this machine with every compiler that is there, and on an emulated
//! Cortex-M4. What a machine lacks is skipped with a note.

#![expect(clippy::print_stdout, reason = "what is skipped is said")]

#[path = "emit/assembly.rs"]
mod assembly;
#[path = "emit/cc.rs"]
mod cc;
#[path = "emit/lowered.rs"]
mod lowered;
#[path = "emit/random.rs"]
mod random;

use std::sync::Arc;
use std::time::Duration;

use cc::{compile_and_run, compiler};
use nasc::data::Element;
use nasc::device::{HostCompiler, STRICT_FLAGS, Samples, find, run_board, run_host, self_test_host};
use nasc::emit::{Borders, Bundle, FrontEnd, Golden, Network, Quantizer, RawInput, RawQuantizer, emit_c};
use nasc::kernel::{
    Access, Affine, Arg, BinOp, Buf, BufParam, Buffer, BufferId, Call, Expr, Function, FunctionId, Local,
    MicroArg, MicroKernel, Program, Reg, Role, Special, Step, Stmt, Table, TableId, TableRole, Ty, Var,
};
use nasc::target::Toolchain;
use nasc::tensor::arith::{Multiplier, Rounding};
use nasc::tensor::{DType, Quant, TensorType};

const LIMIT: Duration = Duration::from_secs(120);
const LEN: usize = 16;
const UNITS: usize = 3;
const TAPS: [i32; 3] = [3, -2, 7];

fn int(value: i64) -> Expr {
    Expr::Const(Ty::I32, value)
}

fn reg(at: u32) -> Expr {
    Expr::Reg(Reg(at))
}

fn bin(op: BinOp, left: Expr, right: Expr) -> Expr {
    Expr::Bin(op, Box::new(left), Box::new(right))
}

fn load(buf: u32, index: Affine) -> Expr {
    Expr::Load { buf: Buf(buf), index }
}

fn set(at: u32, value: Expr) -> Stmt {
    Stmt::Set { reg: Reg(at), value }
}

fn store(buf: u32, index: Affine, value: Expr) -> Stmt {
    Stmt::Store { buf: Buf(buf), index, value }
}

fn for_each(var: u32, lower: i64, upper: Affine, body: Vec<Stmt>) -> Stmt {
    Stmt::For { var: Var(var), lower: Affine::constant(lower), upper, step: 1, body }
}

fn at(var: u32) -> Affine {
    Affine::var(Var(var))
}

fn param(name: &str, elem: DType, access: Access) -> BufParam {
    BufParam { name: name.into(), elem, access }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// `y[i] = sum of x[i + k - 1] * w[k]` with the borders peeled, through a local copy.
fn border() -> Function {
    let tap = |buf: u32, index: Affine| bin(BinOp::Mul, load(3, index), load(buf, at(2)));
    let sum = |first: i64, last: i64, place: Affine| {
        let index = place.plus(&at(2)).offset(-1);
        vec![
            set(0, int(0)),
            for_each(2, first, Affine::constant(last), vec![set(0, bin(BinOp::Add, reg(0), tap(1, index)))]),
            store(2, place, reg(0)),
        ]
    };
    let end = at(0).offset(-1);
    let mut body = vec![for_each(1, 0, at(0), vec![store(3, at(1), load(0, at(1)))])];
    body.extend(sum(1, 3, Affine::default()));
    body.push(for_each(1, 1, end.clone(), sum(0, 3, at(1))));
    body.extend(sum(0, 2, end));
    Function {
        name: "border".into(),
        params: vec![
            param("x", DType::I8, Access::Read),
            param("w", DType::I8, Access::Read),
            param("y", DType::I16, Access::Write),
        ],
        n_scalars: 2,
        vars: names(&["n", "i", "k"]),
        registers: vec![Ty::I32],
        locals: vec![Local { name: "copy".into(), elem: DType::I8, len: LEN }],
        body: body.into(),
    }
    .with_unused_scalar()
}

trait WithUnusedScalar {
    fn with_unused_scalar(self) -> Self;
}

impl WithUnusedScalar for Function {
    /// Makes room for a second scalar that nothing uses: compilers must not warn of it.
    fn with_unused_scalar(mut self) -> Function {
        fn shift(affine: &mut Affine) {
            for (var, _) in &mut affine.terms {
                var.0 += u32::from(var.0 > 0);
            }
        }
        fn expr(e: &mut Expr) {
            match e {
                Expr::Load { index, .. } | Expr::Index(index) => shift(index),
                Expr::Bin(_, a, b) => [a, b].into_iter().for_each(|e| expr(e)),
                _ => {}
            }
        }
        fn block(body: &mut [Stmt]) {
            for stmt in body {
                match stmt {
                    Stmt::For { var, lower, upper, body, .. } => {
                        var.0 += 1;
                        [lower, upper].into_iter().for_each(shift);
                        block(body);
                    }
                    Stmt::Let { var, left, right, .. } => {
                        var.0 += 1;
                        [left, right].into_iter().for_each(shift);
                    }
                    Stmt::Set { value, .. } => expr(value),
                    Stmt::Store { index, value, .. } => {
                        shift(index);
                        expr(value);
                    }
                    Stmt::Micro { .. } => {}
                }
            }
        }
        self.vars.insert(1, "unused".into());
        block(Arc::make_mut(&mut self.body));
        self
    }
}

/// Every kind of expression, in place.
fn mix() -> Function {
    let wide = bin(BinOp::Mul, Expr::Widen(Box::new(reg(0))), Expr::Const(Ty::I64, 123_456_789));
    let wide = bin(BinOp::Max, wide, Expr::Const(Ty::I64, -900_000_000_000));
    let select = Expr::Select(
        Box::new(bin(BinOp::Lt, reg(2), int(-5))),
        Box::new(bin(BinOp::Sub, int(7), reg(2))),
        Box::new(bin(BinOp::And, reg(2), int(255))),
    );
    let scaled = bin(BinOp::Div, bin(BinOp::Shl, reg(3), int(3)), int(5));
    let body = vec![
        set(5, int(-100)),
        for_each(
            0,
            0,
            Affine::constant(LEN as i64),
            vec![
                set(0, load(0, at(0))),
                set(1, bin(BinOp::Shr, wide, int(20))),
                set(2, Expr::Narrow(Box::new(reg(1)))),
                set(3, select),
                set(4, bin(BinOp::Add, scaled, bin(BinOp::Eq, reg(0), int(0)))),
                set(5, bin(BinOp::Max, reg(5), reg(4))),
                for_each(
                    1,
                    0,
                    at(0).plus(&Affine::constant(1)),
                    vec![set(6, Expr::Index(at(1).times(-3).offset(2)))],
                ),
                store(
                    0,
                    at(0),
                    bin(
                        BinOp::Sub,
                        bin(BinOp::Min, bin(BinOp::Max, reg(4), int(-3000)), int(3000)),
                        Expr::Index(at(0)),
                    ),
                ),
            ],
        ),
        store(0, Affine::constant(1), bin(BinOp::Add, bin(BinOp::Min, reg(5), int(999)), reg(6))),
    ];
    Function {
        name: "mix".into(),
        params: vec![param("int", DType::I16, Access::ReadWrite)],
        n_scalars: 0,
        vars: names(&["i", "j"]),
        registers: vec![Ty::I32, Ty::I64, Ty::I32, Ty::I32, Ty::I32, Ty::I32, Ty::I32],
        locals: vec![],
        body: body.into(),
    }
}

fn requant(x: Expr, value: Expr, shift: Expr, rounding: Rounding) -> Expr {
    Expr::Requant { x: Box::new(x), value: Box::new(value), shift: Box::new(shift), rounding }
}

fn clamped(x: Expr) -> Expr {
    bin(BinOp::Min, bin(BinOp::Max, x, int(-128)), int(127))
}

fn narrow() -> Function {
    let value = requant(load(0, at(1)), int(1_518_500_250), int(-3), Rounding::Double);
    Function {
        name: "narrow".into(),
        params: vec![param("x", DType::I16, Access::Read), param("y", DType::I8, Access::Write)],
        n_scalars: 1,
        vars: names(&["zero_point", "i"]),
        registers: vec![],
        locals: vec![],
        body: vec![for_each(
            1,
            0,
            Affine::constant(LEN as i64),
            vec![store(1, at(1), clamped(bin(BinOp::Add, value, Expr::Index(at(0)))))],
        )]
        .into(),
    }
}

/// Adds a dot product of bytes to a register.
fn dot() -> MicroKernel {
    let product = bin(BinOp::Mul, load(0, at(1)), load(1, at(1)));
    let meaning = Function {
        name: "dot".into(),
        params: vec![param("x", DType::I8, Access::Read), param("w", DType::I8, Access::Read)],
        n_scalars: 1,
        vars: names(&["n", "k"]),
        registers: vec![Ty::I32],
        locals: vec![],
        body: vec![for_each(1, 0, at(0), vec![set(0, bin(BinOp::Add, reg(0), product))])].into(),
    };
    let text = r#"
int32_t sum = *r0;
for (int32_t k = 0; k < n; k += 4) {
    int32_t a, b;
    memcpy(&a, &x[k], 4);
    memcpy(&b, &w[k], 4);
    sum = (int32_t)__smlad(__sxtb16(a), __sxtb16(b), sum);
    __asm__("sxtb16 %0, %0, ror #8" : "+r"(a));
    __asm__("sxtb16 %0, %0, ror #8" : "+r"(b));
    sum = (int32_t)__smlad(a, b, sum);
}
*r0 = sum;
"#;
    MicroKernel { meaning, n_registers: 1, armv7em: Some(Special::Inline(text.into())) }
}

fn dense() -> Function {
    let row = at(1).times(LEN as i64);
    let micro = Stmt::Micro {
        kernel: "dot".into(),
        registers: vec![Reg(0)],
        arguments: vec![
            MicroArg::Pointer { buf: Buf(0), index: Affine::default() },
            MicroArg::Pointer { buf: Buf(1), index: row },
            MicroArg::Value(int(LEN as i64)),
        ],
    };
    let scaled =
        requant(reg(0), load(3, at(1).times(2)), load(3, at(1).times(2).offset(1)), Rounding::Single);
    Function {
        name: "dense".into(),
        params: vec![
            param("x", DType::I8, Access::Read),
            param("w", DType::I8, Access::Read),
            param("bias", DType::I32, Access::Read),
            param("requant", DType::I32, Access::Read),
            param("y", DType::I8, Access::Write),
        ],
        n_scalars: 1,
        vars: names(&["units", "o"]),
        registers: vec![Ty::I32],
        locals: vec![],
        body: vec![for_each(
            1,
            0,
            at(0),
            vec![set(0, load(2, at(1))), micro, store(4, at(1), clamped(bin(BinOp::Add, scaled, int(-4))))],
        )]
        .into(),
    }
}

fn dense_weights() -> Vec<i32> {
    (0..LEN * UNITS).map(|i| (i as i32 * 37) % 256 - 128).collect()
}

const BIAS: [i32; UNITS] = [100, -2000, i32::MIN / 4];

fn multipliers() -> [Multiplier; UNITS] {
    [Multiplier::new(0.007), Multiplier::new(0.02), Multiplier::new(0.000_000_1)]
}

fn table(name: &str, elem: DType, role: TableRole, values: Vec<i32>) -> Table {
    Table { name: name.into(), elem, role, values: values.into() }
}

fn buffer(name: &str, elem: DType, len: usize, role: Role) -> Buffer {
    Buffer { name: name.into(), elem, len, align: elem.size(), role }
}

fn step(name: &str, function: u32, buffers: Vec<Arg>, scalars: Vec<i32>) -> Step {
    let call = Call { function: FunctionId(function), buffers, scalars };
    Step {
        name: name.into(),
        op: "test".into(),
        node: 0,
        absorbs: None,
        calls: vec![call],
        reads: vec![],
        writes: vec![],
        scratch: vec![],
        overlaps: vec![],
        macs: 0,
        work: Vec::new(),
    }
}

fn program() -> Program {
    let [x, wide, narrowed, y] = [0, 1, 2, 3].map(|at| Arg::Buffer(BufferId(at)));
    let [taps, weights, bias, requants] = [0, 1, 2, 3].map(|at| Arg::Table(TableId(at)));
    let requant_values = multipliers().iter().flat_map(|m| [m.value, m.shift]).collect();
    Program {
        buffers: vec![
            buffer("input", DType::I8, LEN, Role::Input),
            buffer("wide", DType::I16, LEN, Role::Internal),
            buffer("narrow", DType::I8, LEN, Role::Internal),
            buffer("output", DType::I8, UNITS, Role::Output),
        ],
        tables: vec![
            table("taps", DType::I8, TableRole::Weight, TAPS.to_vec()),
            table("weights", DType::I8, TableRole::Weight, dense_weights()),
            table("bias", DType::I32, TableRole::Bias, BIAS.to_vec()),
            table("requant", DType::I32, TableRole::Requant, requant_values),
        ],
        functions: vec![border(), mix(), narrow(), dense()],
        micros: vec![Arc::new(dot())],
        steps: vec![
            step("body.0 */", 0, vec![x, taps, wide], vec![LEN as i32, i32::MIN]),
            step("body.1", 1, vec![wide], vec![]),
            step("body.2", 2, vec![wide, narrowed], vec![-9]),
            step("head", 3, vec![narrowed, weights, bias, requants, y], vec![UNITS as i32]),
        ],
        inputs: vec![BufferId(0)],
        outputs: vec![BufferId(3)],
    }
}

/// What the program computes, said a second time.
fn expected(input: &[i8]) -> Vec<i8> {
    let x = |i: usize| input.get(i).map_or(0, |&x| i32::from(x));
    let mut t: Vec<i32> = (0..LEN)
        .map(|i| if i == 0 { 0 } else { x(i - 1) * TAPS[0] } + x(i) * TAPS[1] + x(i + 1) * TAPS[2])
        .collect();
    let mut greatest = -100;
    for (i, t) in t.iter_mut().enumerate() {
        let r2 = ((i64::from(*t) * 123_456_789).max(-900_000_000_000) >> 20) as i32;
        let r3 = if r2 < -5 { 7 - r2 } else { r2 & 255 };
        let r4 = (r3 << 3) / 5 + i32::from(*t == 0);
        greatest = greatest.max(r4);
        *t = r4.clamp(-3000, 3000) - i as i32;
    }
    t[1] = greatest.min(999) + 2 - 3 * (LEN as i32 - 1);
    let m = Multiplier { value: 1_518_500_250, shift: -3 };
    let h: Vec<i32> = t.iter().map(|&t| (m.apply(t, Rounding::Double) - 9).clamp(-128, 127)).collect();
    let weights = dense_weights();
    (0..UNITS)
        .map(|o| {
            let dot: i32 = (0..LEN).map(|k| h[k] * weights[o * LEN + k]).sum();
            (multipliers()[o].apply(BIAS[o] + dot, Rounding::Single) - 4).clamp(-128, 127) as i8
        })
        .collect()
}

fn inputs(count: usize) -> Vec<Vec<i8>> {
    let mut seed = 7u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as i8
    };
    (0..count).map(|sample| (0..LEN).map(|_| if sample == 0 { 0 } else { next() }).collect()).collect()
}

/// The network's parts that outlive the borrow.
struct Parts {
    program: Program,
    input: TensorType,
    output: TensorType,
    raw: RawInput,
    golden: Vec<Golden>,
    labels: Vec<String>,
}

impl Parts {
    fn new() -> Parts {
        let golden = inputs(5).into_iter().map(|input| Golden { output: expected(&input), input }).collect();
        Parts {
            program: program(),
            input: TensorType::quantized(DType::I8, [1, LEN / 2, 1, 2], Quant::per_tensor(0.1, -7)),
            output: TensorType::quantized(DType::I8, [1, UNITS], Quant::per_tensor(1e-5, 3)),
            raw: RawInput {
                front_end: FrontEnd::Values { element: Element::F32, extents: [LEN / 2, 1, 2] },
                quantizer: Quantizer::Float(RawQuantizer {
                    mean: vec![0.5, -1e-20],
                    factor: vec![20.0, 3.333_333],
                    zero_point: -7,
                }),
            },
            golden,
            labels: names(&["yes", "\"no\"\n??/", "µ"]),
        }
    }

    /// The wide buffer lies over the output's end; input and narrow one share their bytes.
    fn network(&self, name: &'static str) -> Network<'_> {
        Network {
            name,
            program: &self.program,
            offsets: &[0, 16, 0, 16],
            arena_bytes: 48,
            arena_align: 16,
            inputs: std::slice::from_ref(&self.input),
            outputs: std::slice::from_ref(&self.output),
            borders: Borders::default(),
            raw: Some(&self.raw),
            macs: 96,
            golden: &self.golden,
            labels: &self.labels,
            readings: &[],
        }
    }
}

fn outputs(samples: &[Vec<i8>]) -> Vec<Vec<i8>> {
    samples.iter().map(|sample| expected(sample)).collect()
}

/// Every compiler that is here, as C and as C++.
fn compilers() -> Vec<HostCompiler> {
    let cxx = ["-x", "c++", "-std=c++11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"];
    let mut found = vec![HostCompiler::default()];
    for name in ["gcc", "clang"] {
        if find(name).is_none() {
            println!("skipped: {name} is not installed");
            continue;
        }
        for level in ["-O0", "-O3"] {
            let mut flags = STRICT_FLAGS.to_vec();
            // Traps need no run-time library, which clang's package may lack.
            let trap =
                if name == "gcc" { "-fsanitize-undefined-trap-on-error" } else { "-fsanitize-trap=all" };
            flags.extend([level, "-fsanitize=undefined", trap]);
            found.push(compiler(name, &flags));
        }
        if find("g++").is_some() {
            found.push(compiler(name, &cxx));
        }
    }
    found
}

#[test]
fn emitted_c_computes_what_the_program_means() {
    let parts = Parts::new();
    let network = parts.network("net");
    let (bundle, interface) = (emit_c(&network), network.interface());
    let samples = inputs(40);
    for compiler in compilers() {
        let got = run_host(&bundle, &interface, Samples::Int8(&samples), &compiler, LIMIT);
        assert_eq!(got.unwrap_or_else(|e| panic!("{compiler:?}: {e:#?}")), outputs(&samples), "{compiler:?}");
    }
}

#[test]
fn raw_values_are_quantized_as_in_training() {
    let parts = Parts::new();
    let network = parts.network("net");
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, -1e38, 0.525, 0.475, -0.0];
    let mut raw: Vec<Vec<f32>> =
        inputs(30).iter().map(|sample| sample.iter().map(|&x| f32::from(x) * 0.071).collect()).collect();
    raw.push(special.iter().chain(&special).copied().collect());
    let quantized: Vec<Vec<i8>> = raw.iter().map(|sample| parts.raw.quantize(sample)).collect();
    let compiler = HostCompiler::default();
    let got = run_host(&emit_c(&network), &network.interface(), Samples::Raw(&raw), &compiler, LIMIT);
    assert_eq!(got.expect("it runs"), outputs(&quantized));
}

#[test]
fn the_self_test_sees_a_wrong_byte() {
    let mut parts = Parts::new();
    let network = parts.network("net");
    let compiler = HostCompiler::default();
    self_test_host(&emit_c(&network), &network.interface(), &compiler, LIMIT).expect("golden vectors agree");
    parts.golden[3].output[1] ^= 1;
    let network = parts.network("net");
    self_test_host(&emit_c(&network), &network.interface(), &compiler, LIMIT).expect_err("one byte differs");
}

#[test]
fn two_networks_link_and_errors_have_codes() {
    let parts = Parts::new();
    let mut files = emit_c(&parts.network("net")).files;
    let page = String::from_utf8(files["README.md"].clone()).expect("text");
    let example =
        page.split("```").nth(1).and_then(|block| block.strip_prefix("c\n")).expect("an example in C");
    files.insert("example.c".into(), example.as_bytes().to_vec());
    files.extend(emit_c(&parts.network("other")).files);
    let main = "
#include \"net.h\"
#include \"other.h\"
#define CHECK(condition) checks += (condition) ? 0 : 1
NET_ALIGNED static unsigned char arena[NET_ARENA_BYTES + 1];
static const char *const labels[] = NET_LABELS;
int classify(const net_raw_t *values);
int main(void)
{
    int checks = 0;
    net_ctx ctx = {NULL};
    net_output_t output[NET_OUTPUT_SIZE];
    CHECK(net_run(&ctx, NULL, NULL) == NET_ERROR_NULL);
    CHECK(net_run(NULL, NULL, NULL) == NET_ERROR_NULL);
    CHECK(net_input(NULL) == NULL);
    CHECK(net_init(NULL, arena, sizeof arena) == NET_ERROR_NULL);
    CHECK(net_init(&ctx, NULL, sizeof arena) == NET_ERROR_NULL);
    CHECK(net_init(&ctx, arena, NET_ARENA_BYTES - 1) == NET_ERROR_SIZE);
    CHECK(net_init(&ctx, arena + 1, NET_ARENA_BYTES) == NET_ERROR_ALIGN);
    CHECK(net_output(&ctx) == NULL);
    CHECK(net_init(&ctx, arena, NET_ARENA_BYTES) == NET_OK);
    CHECK(net_run_raw(&ctx, NULL, output) == NET_ERROR_NULL);
    CHECK(net_input(&ctx) == (net_input_t *)arena);
    CHECK(NET_INPUT_SCALE == 0.1f && NET_INPUT_ZERO_POINT == -7 && NET_OUTPUT_SCALE == 1e-5f);
    CHECK(sizeof labels / sizeof labels[0] == NET_OUTPUT_SIZE && labels[1][0] == '\"');
    {
        const net_raw_t raw[NET_RAW_SIZE] = {0.0f};
        const int best = classify(raw);
        CHECK(best >= 0 && best < NET_OUTPUT_SIZE);
    }
    CHECK(net_test() == 0 && other_test() == 0);
    return checks;
}
";
    files.insert("main.c".into(), main.into());
    let sources = [
        "main.c",
        "example.c",
        "net.c",
        "net_weights.c",
        "net_test.c",
        "other.c",
        "other_weights.c",
        "other_test.c",
    ];
    assert_eq!(compile_and_run(&files, &sources, STRICT_FLAGS, &[]), 0);
}

#[test]
fn requantization_is_the_specification() {
    let parts = Parts::new();
    let mut files = emit_c(&parts.network("net")).files;
    let mut rows = String::new();
    let mut seed = 3u64;
    for _ in 0..3000 {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 32) as u32
        };
        let x = match next() % 5 {
            0 => i32::MIN,
            1 => i32::MAX,
            2 => (next() % 9) as i32 - 4,
            _ => next() as i32 >> (next() % 30),
        };
        let m = Multiplier { value: ((next() >> 2) | 1 << 30) as i32, shift: (next() % 62) as i32 - 31 };
        let (double, single) = (m.apply(x, Rounding::Double), m.apply(x, Rounding::Single));
        let wide = i64::from(x);
        rows.push_str(&format!("{{(int32_t)INT64_C({wide}), {}, {}, ", m.value, m.shift));
        rows.push_str(&format!("(int32_t)INT64_C({double}), (int32_t)INT64_C({single})}},\n"));
    }
    let main = format!(
        "#include \"net.c\"
static const int32_t rows[3000][5] = {{\n{rows}}};
int main(void)
{{
    for (int i = 0; i < 3000; ++i) {{
        if (net_requant_double(rows[i][0], rows[i][1], rows[i][2]) != rows[i][3]) {{
            return 1;
        }}
        if (net_requant_single(rows[i][0], rows[i][1], rows[i][2]) != rows[i][4]) {{
            return 2;
        }}
    }}
    return 0;
}}
"
    );
    files.insert("main.c".into(), main.into());
    assert_eq!(compile_and_run(&files, &["main.c", "net_weights.c"], STRICT_FLAGS, &[]), 0);
}

fn cortex_m4() -> Option<Toolchain> {
    for program in ["arm-none-eabi-gcc", "qemu-system-arm"] {
        if find(program).is_none() {
            println!("skipped: {program} is not installed");
            return None;
        }
    }
    let flags = ["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"];
    Some(Toolchain {
        cc: "arm-none-eabi-gcc".into(),
        flags: flags.iter().chain(STRICT_FLAGS).map(ToString::to_string).collect(),
        machine: Some("mps2-an386".into()),
    })
}

#[test]
fn the_board_gives_the_same_bytes_and_the_image_the_promised_sizes() {
    let Some(toolchain) = cortex_m4() else { return };
    let parts = Parts::new();
    let network = parts.network("net");
    let (bundle, interface) = (emit_c(&network), network.interface());
    let samples = inputs(25);
    let wanted = outputs(&samples);
    let run = run_board(&bundle, &interface, Samples::Int8(&samples), &wanted, &toolchain, LIMIT);
    let run = run.unwrap_or_else(|e| panic!("{e:#?}"));
    assert_eq!(run.outputs, wanted);
    let device = &run.measured.device;
    assert_eq!((device.mismatched_bytes, device.samples), (0, 25));
    assert_eq!((device.ctx_bytes, device.data_bytes, device.bss_bytes), (4, 0, 0));
    assert!(
        (400..20_000).contains(&device.instructions) && device.instructions.is_multiple_of(40),
        "{device:?}"
    );
    assert!(device.stack_bytes > 8 && device.stack_bytes <= device.stack_bound_bytes, "{device:?}");
    assert!(device.stack_bound_bytes < 1024, "{device:?}");
    assert!((200..8000).contains(&device.text_bytes), "{device:?}");
    // Without a call of `_run_raw` the linker drops its tables.
    assert_eq!(device.weights_bytes_linked, parts.program.table_bytes());
    assert!(device.rodata_bytes >= device.weights_bytes_linked);

    let raw: Vec<Vec<f32>> =
        samples.iter().map(|sample| sample.iter().map(|&x| f32::from(x) * 0.3).collect()).collect();
    let quantized: Vec<Vec<i8>> = raw.iter().map(|sample| parts.raw.quantize(sample)).collect();
    let run = run_board(&bundle, &interface, Samples::Raw(&raw), &outputs(&quantized), &toolchain, LIMIT);
    let device = run.unwrap_or_else(|e| panic!("{e:#?}")).measured.device;
    assert_eq!((device.mismatched_bytes, device.weights_bytes_linked), (0, network.weights_bytes()));
    assert_eq!(device.ram_bytes(48), 52);
}

/// Code for Armv6-M on the Cortex-M3, where the harness has unaligned accesses trapped: another machine, other
/// schedules, another bound of the code.
#[test]
fn a_small_core_gives_the_same_bytes() {
    let Some(_) = cortex_m4() else { return };
    let target = nasc::elaborate::stdlib_targets().remove("cortex-m0+").expect("a target of the library");
    let parts = Parts::new();
    let network = parts.network("net");
    let (bundle, interface) = (emit_c(&network), network.interface());
    let samples = inputs(3);
    let wanted = outputs(&samples);
    let toolchain = target.toolchain.expect("a cross compiler");
    let run = run_board(&bundle, &interface, Samples::Int8(&samples), &wanted, &toolchain, LIMIT);
    let run = run.unwrap_or_else(|e| panic!("{e:#?}"));
    assert_eq!(run.outputs, wanted);
    let device = &run.measured.device;
    assert_eq!((device.core.as_str(), device.ctx_bytes, device.data_bytes), ("mps2-an385", 4, 0));
    assert!(device.instructions > 400 && device.instructions.is_multiple_of(40), "{device:?}");
}

#[test]
fn faults_on_the_board_are_reported() {
    let Some(toolchain) = cortex_m4() else { return };
    let parts = Parts::new();
    let network = parts.network("net");
    let mut bundle = emit_c(&network);
    let text = bundle.text("net.c").expect("the code").replacen("net_steps(ctx->arena);", "for (;;) {}", 1);
    bundle.files.insert("net.c".into(), text.into_bytes());
    let flags = toolchain.flags.iter().filter(|flag| *flag != "-Werror").cloned().collect();
    let toolchain = Toolchain { flags, ..toolchain };
    let limit = Duration::from_secs(2);
    let error = run_board(&bundle, &network.interface(), Samples::Int8(&inputs(1)), &[], &toolchain, limit);
    let error = error.expect_err("it hangs").0.remove(0);
    assert!(error.message.contains("stopped after 2 s"), "{error:?}");
}

fn function_text(bundle: &Bundle, name: &str) -> String {
    let text = bundle.text("net.c").expect("the code");
    let start = text.find(&format!("NET_NOINLINE static void net_{name}(")).expect("the function");
    let end = text[start..].find("\n}\n").expect("its end");
    text[start..start + end + 3].to_string()
}

#[test]
fn emitted_c_reads_well() {
    let parts = Parts::new();
    let bundle = emit_c(&parts.network("net"));
    insta::assert_snapshot!("header", bundle.text("net.h").expect("the header"));
    let functions = ["border", "mix", "narrow", "dense"].map(|name| function_text(&bundle, name));
    insta::assert_snapshot!("functions", functions.join("\n"));
}
