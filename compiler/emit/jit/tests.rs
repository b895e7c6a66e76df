use super::*;
use crate::estimate;
use crate::graph::{Graph, NodeId, Weights};
use crate::kernel::{
    Access, Affine, Buf, BufParam, Buffer, Call, Expr, Function, FunctionId, Interpreter, Placement, Role,
    Step, Stmt, Var, lower,
};
use crate::ops::{
    Activation, Add, AvgPool2d, Clamp, Constant, Conv2d, Dense, DepthwiseConv2d, Input, MaxPool2d, Op,
    Requant, Reshape, Window,
};
use crate::plan::{self, Effort};
use crate::target::Isa;
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, Quant, Shape, TensorType, Value};
use proptest::prelude::*;

/// An integer network under construction, drawn from a seed.
pub(crate) struct Net {
    pub(crate) graph: Graph,
    pub(crate) state: u64,
}

impl Net {
    /// A number below `n`: splitmix64.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub(crate) fn quant(&mut self) -> Quant {
        Quant::per_tensor(0.01 + self.below(90) as f32 / 1000.0, self.below(256) as i32 - 128)
    }

    pub(crate) fn requant(&mut self, rounding: Rounding) -> Option<Requant> {
        let quant = self.quant();
        Some(Requant { dtype: DType::I8, scale: quant.scales[0], zero_point: quant.zero_point, rounding })
    }

    pub(crate) fn clamp(&mut self) -> Clamp {
        [Clamp::None, Clamp::None, Clamp::Relu, Clamp::Relu6][self.below(4)]
    }

    pub(crate) fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("shapes fit")
    }

    pub(crate) fn shape(&self, x: NodeId) -> [usize; 4] {
        self.graph.ty(x).shape.nhwc().expect("a feature map")
    }

    pub(crate) fn constant(&mut self, shape: Vec<usize>, dtype: DType, quant: Quant, range: usize) -> NodeId {
        let (name, shape) = (format!("c{}", self.graph.len()), Shape::from(shape));
        let values: Vec<i32> =
            (0..shape.elements()).map(|_| self.below(2 * range + 1) as i32 - range as i32).collect();
        self.graph.set_constant(&name, Value::from_i32_vec(dtype, &shape, &values).expect("they fit"));
        self.add(Constant { name, ty: TensorType::quantized(dtype, shape, quant) }, &[])
    }

    pub(crate) fn weights(&mut self, shape: Vec<usize>, axis: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        let scales = (0..channels).map(|_| 0.0003 + self.below(60) as f32 / 6_000.0).collect();
        let quant = Quant::per_channel(scales, axis);
        let bias = Quant { axis: Some(0), ..quant.clone() };
        [self.constant(shape, DType::I8, quant, 127), self.constant(vec![channels], DType::I32, bias, 3000)]
    }

    pub(crate) fn conv2d(&mut self, x: NodeId, window: Window, filters: usize) -> NodeId {
        let [kh, kw] = window.kernel;
        let [w, b] = self.weights(vec![filters, kh, kw, self.shape(x)[3]], 0);
        let (clamp, requant) = (self.clamp(), self.requant(Rounding::Double));
        self.add(Conv2d { window, clamp, requant }, &[x, w, b])
    }

    pub(crate) fn depthwise(&mut self, x: NodeId, window: Window) -> NodeId {
        let [kh, kw] = window.kernel;
        let [w, b] = self.weights(vec![1, kh, kw, self.shape(x)[3]], 3);
        let (clamp, requant) = (self.clamp(), self.requant(Rounding::Double));
        self.add(DepthwiseConv2d { window, clamp, requant }, &[x, w, b])
    }

    pub(crate) fn sum(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let (clamp, requant) = (self.clamp(), self.requant(Rounding::Double));
        self.add(Add { clamp, requant }, &[a, b])
    }

    fn layer(&mut self, maps: &[NodeId]) -> NodeId {
        let x = if self.below(3) > 0 { maps[maps.len() - 1] } else { maps[self.below(maps.len())] };
        let [_, height, width, channels] = self.shape(x);
        let kernel = [1 + self.below(height.min(4)), 1 + self.below(width.min(4))];
        let stride = [1 + self.below(2), 1 + self.below(2)];
        let mut window = if self.below(2) == 0 {
            Window::valid(kernel, stride)
        } else {
            Window::same(kernel, stride, [height, width])
        };
        if self.below(5) == 0 && 2 * kernel[0] <= height {
            window.dilation[0] = 2;
        }
        let clamp = self.clamp();
        match self.below(10) {
            0 | 1 => {
                let filters = 1 + self.below(9);
                self.conv2d(x, window, filters)
            }
            2 => {
                let filters = 1 + self.below(9);
                self.conv2d(x, Window::valid([1, 1], [1, 1]), filters)
            }
            3 => self.depthwise(x, window),
            4 | 5 => {
                let like: Vec<NodeId> =
                    maps.iter().copied().filter(|&m| self.shape(m) == self.shape(x)).collect();
                let other = like[self.below(like.len())];
                self.sum(x, other)
            }
            6 => {
                let y = self.conv2d(x, Window::valid([1, 1], [1, 1]), channels);
                self.sum(x, y)
            }
            7 => self.add(AvgPool2d { window, clamp }, &[x]),
            8 => self.add(MaxPool2d { window, clamp }, &[x]),
            _ => self.add(Activation { clamp }, &[x]),
        }
    }

    /// A network of one to eight layers with branches, and one to three outputs.
    pub(crate) fn random(seed: u64) -> Graph {
        let mut net = Net { graph: Graph::new(), state: seed };
        let width = if net.below(2) == 0 { 1 } else { 2 + net.below(7) };
        let shape = [1, 2 + net.below(8), width, 1 + net.below(6)];
        let ty = TensorType::quantized(DType::I8, shape, net.quant());
        let mut maps = vec![net.add(Input { ty }, &[])];
        for _ in 0..1 + net.below(8) {
            let map = net.layer(&maps);
            maps.push(map);
        }
        let last = maps[maps.len() - 1];
        let features = net.graph.ty(last).shape.elements();
        let flat = net.add(Reshape { shape: [1, features].into() }, &[last]);
        let units = 1 + net.below(9);
        let [w, b] = net.weights(vec![units, features], 0);
        let (clamp, requant) = (net.clamp(), net.requant(Rounding::Single));
        let y = net.add(Dense { clamp, requant }, &[flat, w, b]);
        net.graph.add_output(y);
        for _ in 0..net.below(3) {
            let other = maps[net.below(maps.len())];
            net.graph.add_output(other);
        }
        net.graph
    }
}

pub(crate) fn random_input(graph: &Graph, seed: u64) -> Value {
    let mut dice = Net { graph: Graph::new(), state: !seed };
    let shape = &graph.ty(graph.network_inputs()[0]).shape;
    let values = (0..shape.elements()).map(|_| dice.below(256) as u8 as i8).collect();
    Value::from_i8(shape, values).expect("as many")
}

fn bytes(values: &[Value]) -> Vec<Vec<u8>> {
    values.iter().map(Value::to_le_bytes).collect()
}

/// Plans a network with every overlap that its kernels allow, and compares the evaluator, the interpreter under
/// its shadow of the arena, and the host code. Says how many bytes the overlaps saved.
fn check(graph: &Graph, seed: u64, isa: Isa, effort: Effort) -> Result<u64, TestCaseError> {
    let mut program = lower(graph, isa).expect("lowers");
    let problem = estimate::problem(&program);
    let plan = plan::plan(&problem, effort);
    plan::verify(&problem, &plan).expect("a plan without conflicts");
    program.steps = plan.order.iter().map(|&step| program.steps[step].clone()).collect();
    let placement = Placement { offsets: plan.offsets.clone() };
    let interpreter = Interpreter::new(&program).expect("verifies");
    let jit = Jit::compile(&program, &plan.offsets, plan.arena_bytes).expect("this machine is known");
    let mut arena = jit.arena();
    for sample in 0..3 {
        let input = random_input(graph, seed ^ sample);
        let wanted = bytes(&graph.evaluate(std::slice::from_ref(&input), &Weights::new()).expect("complete"));
        let found = interpreter.run(&placement, std::slice::from_ref(&input));
        let found = found.map_err(|trap| TestCaseError::fail(format!("{isa:?}: {trap}")))?;
        prop_assert_eq!(&bytes(&found), &wanted, "interpreter, {:?}", isa);
        let found = jit.run(&mut arena, &[&input.to_le_bytes()]).expect("one input");
        prop_assert_eq!(&found, &wanted, "host code, {:?}", isa);
    }
    let apart = plan::Problem {
        steps: problem.steps.iter().map(|step| plan::Step { overlaps: Vec::new(), ..step.clone() }).collect(),
        ..problem
    };
    Ok(plan::plan(&apart, Effort::Search).arena_bytes.saturating_sub(plan.arena_bytes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn planned_programs_compute_what_graphs_do(seed in any::<u64>()) {
        let graph = Net::random(seed);
        check(&graph, seed, Isa::Portable, Effort::Search)?;
        check(&graph, seed, Isa::Armv7em, Effort::Search)?;
    }

    #[test]
    fn host_requantization_is_that_of_the_specification(
        x in any::<i32>(),
        value in 1i32 << 30..=i32::MAX,
        shift in -31i32..=30,
    ) {
        check_requant(&[(x, value, shift)])?;
    }
}

#[test]
fn plans_that_the_tests_run_do_overlap() {
    let saved =
        |seed: u64| check(&Net::random(seed), seed, Isa::Portable, Effort::Search).expect("equal bytes");
    let saving = (0..40).filter(|&seed| saved(seed) > 0).count();
    assert!(saving >= 10, "overlaps save memory in {saving} of 40 networks");
}

/// A program that requantizes: `out[i] = requant(x[i], value[i], shift[i])`, all 32 bit.
fn requant_program(len: usize, rounding: Rounding) -> Program {
    let at = |buf: u32| Box::new(Expr::Load { buf: Buf(buf), index: Affine::var(Var(0)) });
    let value = Expr::Requant { x: at(0), value: at(1), shift: at(2), rounding };
    let store = Stmt::Store { buf: Buf(3), index: Affine::var(Var(0)), value };
    let param = |name: &str, access| BufParam { name: name.into(), elem: DType::I32, access };
    let function = Function {
        name: "requant".into(),
        params: vec![
            param("x", Access::Read),
            param("value", Access::Read),
            param("shift", Access::Read),
            param("out", Access::Write),
        ],
        n_scalars: 0,
        vars: vec!["i".into()],
        registers: Vec::new(),
        locals: Vec::new(),
        body: vec![Stmt::For {
            var: Var(0),
            lower: Affine::constant(0),
            upper: Affine::constant(len as i64),
            step: 1,
            body: vec![store],
        }]
        .into(),
    };
    let buffer = |name: &str, role| Buffer { name: name.into(), elem: DType::I32, len, align: 4, role };
    let ids: Vec<BufferId> = (0..4).map(BufferId).collect();
    let call = Call {
        function: FunctionId(0),
        buffers: ids.iter().map(|&id| Arg::Buffer(id)).collect(),
        scalars: Vec::new(),
    };
    Program {
        buffers: vec![
            buffer("x", Role::Input),
            buffer("value", Role::Input),
            buffer("shift", Role::Input),
            buffer("out", Role::Output),
        ],
        functions: vec![function],
        steps: vec![Step {
            name: "requant".into(),
            op: "requant".into(),
            node: 0,
            absorbs: None,
            calls: vec![call],
            reads: ids[..3].to_vec(),
            writes: vec![ids[3]],
            scratch: Vec::new(),
            overlaps: Vec::new(),
            macs: 0,
            work: Vec::new(),
        }],
        inputs: ids[..3].to_vec(),
        outputs: vec![ids[3]],
        ..Program::default()
    }
}

/// Whether lowering lets a value meet this multiplier: nothing passes 32 bits on the way.
fn is_legal(x: i32, multiplier: Multiplier) -> bool {
    let left = multiplier.shift.max(0);
    let shifted = i64::from(x) << left;
    i32::try_from(shifted).is_ok()
        && i32::try_from((i128::from(x) * i128::from(multiplier.value)) >> (31 - multiplier.shift)).is_ok()
}

fn check_requant(cases: &[(i32, i32, i32)]) -> Result<(), TestCaseError> {
    let legal = |&&(x, value, shift): &&(i32, i32, i32)| is_legal(x, Multiplier { value, shift });
    let cases: Vec<(i32, i32, i32)> = cases.iter().filter(legal).copied().collect();
    let column = |pick: fn(&(i32, i32, i32)) -> i32| -> Vec<i32> { cases.iter().map(pick).collect() };
    let columns = [column(|case| case.0), column(|case| case.1), column(|case| case.2)];
    for rounding in [Rounding::Double, Rounding::Single] {
        let program = requant_program(cases.len(), rounding);
        let placement = Placement::disjoint(&program);
        let jit =
            Jit::compile(&program, &placement.offsets, placement.arena_bytes(&program)).expect("compiles");
        let inputs: Vec<Vec<u8>> =
            columns.iter().map(|column| column.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let found = jit.run(&mut jit.arena(), &inputs).expect("three inputs");
        for (&(x, value, shift), found) in cases.iter().zip(found[0].chunks_exact(4)) {
            let found = i32::from_le_bytes(found.try_into().expect("four bytes"));
            let wanted = Multiplier { value, shift }.apply(x, rounding);
            prop_assert_eq!(found, wanted, "{} times {} shifted by {}, {:?}", x, value, shift, rounding);
        }
    }
    Ok(())
}

#[test]
fn extremes_are_requantized_as_specified() {
    let mut cases = Vec::new();
    let near = |x: i64| (x - 2..=x + 2).filter_map(|x| i32::try_from(x).ok());
    let powers = (0..=31).flat_map(|power| [1i64 << power, -(1i64 << power), 3i64 << power.min(29)]);
    let xs: Vec<i32> = powers.flat_map(near).chain([0]).collect();
    for shift in -31..=30 {
        for value in [0, 1 << 30, (1 << 30) + 1, 1_518_500_250, i32::MAX - 1, i32::MAX] {
            cases.extend(xs.iter().map(|&x| (x, value, shift)));
        }
    }
    let legal = cases.iter().filter(|&&(x, value, shift)| is_legal(x, Multiplier { value, shift })).count();
    assert!(legal > 50_000, "{legal} of {} cases", cases.len());
    check_requant(&cases).expect("as specified");
}

#[test]
fn wrong_calls_are_refused() {
    let program = lower(&Net::random(1), Isa::Portable).expect("lowers");
    let placement = Placement::disjoint(&program);
    let bytes = placement.arena_bytes(&program);
    assert!(Jit::compile(&program, &placement.offsets, bytes - 1).is_err(), "a buffer beyond the arena");
    let outside = vec![u64::MAX; placement.offsets.len()];
    assert!(Jit::compile(&program, &outside, bytes).is_err(), "offsets that wrap");
    let jit = Jit::compile(&program, &placement.offsets, bytes).expect("compiles");
    let mut arena = jit.arena();
    assert!(jit.run(&mut arena, &[]).is_err(), "no input");
    assert!(jit.run(&mut arena, &[&[0]]).is_err(), "a short input");
    let mut small = Arena(Vec::new());
    assert!(jit.run(&mut small, &[&[0]]).is_err(), "the arena of another network");
}
