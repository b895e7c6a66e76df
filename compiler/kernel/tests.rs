use super::*;
use crate::graph::{Graph, NodeId};
use crate::ops::{
    Activation, Add, AvgPool2d, Clamp, Constant, Conv2d, Dense, DepthwiseConv2d, Input, MaxPool2d, Op,
    Padding, Requant, Reshape, Window,
};
use crate::target::Isa;
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Shape, TensorType, Value};
use proptest::prelude::*;

mod choice;
mod imported;
mod lookup;
mod recurring;
mod residuals;
mod wide;

/// Random choices from a seed.
struct Dice(u64);

impl Dice {
    /// A number in `low..=high`.
    fn roll(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 >> 33) ^ (self.0 >> 20);
        low + (mixed % (high - low + 1) as u64) as i64
    }

    fn count(&mut self, low: usize, high: usize) -> usize {
        self.roll(low as i64, high as i64) as usize
    }

    fn quant(&mut self) -> Quant {
        Quant::per_tensor(self.roll(10, 90) as f32 / 1000.0, self.roll(-128, 127) as i32)
    }

    fn requant(&mut self, rounding: Rounding) -> Option<Requant> {
        let quant = self.quant();
        Some(Requant { dtype: DType::I8, scale: quant.scales[0], zero_point: quant.zero_point, rounding })
    }

    fn clamp(&mut self) -> Clamp {
        [Clamp::None, Clamp::Relu, Clamp::Relu6][self.count(0, 2)]
    }

    fn window(&mut self, [height, width]: [usize; 2]) -> Window {
        let mut window = Window::valid([1, 1], [1, 1]);
        for (axis, extent) in [height, width].into_iter().enumerate() {
            window.kernel[axis] = self.count(1, extent.min(7));
            window.stride[axis] = self.count(1, 2);
            if window.kernel[axis] > 1 && self.roll(0, 5) == 0 && 2 * window.kernel[axis] <= extent {
                window.dilation[axis] = 2;
            }
        }
        let mut pad =
            |axis: usize| if self.roll(0, 1) == 0 { 0 } else { self.count(0, window.kernel[axis] - 1) };
        let (top, bottom) = (pad(0), pad(0));
        let (left, right) = (pad(1), pad(1));
        window.padding = Padding { top, bottom, left, right };
        window
    }
}

/// A graph under construction; `filled` says whether its constants have data.
struct Net {
    graph: Graph,
    dice: Dice,
    filled: bool,
}

impl Net {
    fn new(seed: u64, filled: bool) -> Net {
        Net { graph: Graph::new(), dice: Dice(seed), filled }
    }

    fn input(&mut self, shape: impl Into<Shape>) -> NodeId {
        let ty = TensorType::quantized(DType::I8, shape, self.dice.quant());
        self.graph.add(Input { ty }, &[]).expect("an input")
    }

    fn constant(&mut self, shape: Shape, dtype: DType, quant: Quant, range: i64) -> NodeId {
        let name = format!("c{}", self.graph.len());
        let values: Vec<i32> = (0..shape.elements()).map(|_| self.dice.roll(-range, range) as i32).collect();
        if self.filled {
            self.graph.set_constant(&name, Value::from_i32_vec(dtype, &shape, &values).expect("fits"));
        }
        self.graph
            .add(Constant { name, ty: TensorType::quantized(dtype, shape, quant) }, &[])
            .expect("a constant")
    }

    fn weights(&mut self, shape: Vec<usize>, axis: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        let scales = (0..channels).map(|_| self.dice.roll(1, 40) as f32 / 4000.0).collect();
        let quant = Quant::per_channel(scales, axis);
        let weight = self.constant(Shape::from(shape), DType::I8, quant.clone(), 127);
        let bias = Quant { axis: Some(0), ..quant };
        [weight, self.constant([channels].into(), DType::I32, bias, 3000)]
    }

    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("shapes fit")
    }

    fn shape(&self, node: NodeId) -> [usize; 4] {
        self.graph.ty(node).shape.nhwc().expect("a feature map")
    }

    fn conv2d(&mut self, x: NodeId, window: Window, filters: usize) -> NodeId {
        let [_, _, _, channels] = self.shape(x);
        let [w, b] = self.weights(vec![filters, window.kernel[0], window.kernel[1], channels], 0);
        let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Double));
        self.add(Conv2d { window, clamp, requant }, &[x, w, b])
    }

    fn depthwise(&mut self, x: NodeId, window: Window) -> NodeId {
        let [_, _, _, channels] = self.shape(x);
        let [w, b] = self.weights(vec![1, window.kernel[0], window.kernel[1], channels], 3);
        let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Double));
        self.add(DepthwiseConv2d { window, clamp, requant }, &[x, w, b])
    }

    fn dense(&mut self, x: NodeId, units: usize) -> NodeId {
        let features = self.graph.ty(x).shape.0[1];
        let [w, b] = self.weights(vec![units, features], 0);
        let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Single));
        self.add(Dense { clamp, requant }, &[x, w, b])
    }

    /// One random operator on a feature map.
    fn grow(&mut self, x: NodeId) -> NodeId {
        let [_, height, width, _] = self.shape(x);
        let window = self.dice.window([height, width]);
        let clamp = self.dice.clamp();
        match self.dice.roll(0, 8) {
            0 => {
                let filters = self.dice.count(1, 9);
                self.conv2d(x, Window::valid([1, 1], [1, 1]), filters)
            }
            1..=3 => {
                let filters = self.dice.count(1, 9);
                self.conv2d(x, window, filters)
            }
            4 | 5 => self.depthwise(x, window),
            6 => self.add(AvgPool2d { window, clamp }, &[x]),
            7 => self.add(MaxPool2d { window, clamp }, &[x]),
            _ => self.add(Activation { clamp }, &[x]),
        }
    }

    /// A random network of a few operators, with residuals, ending in a dense layer.
    fn random(seed: u64, filled: bool) -> Graph {
        let mut net = Net::new(seed, filled);
        let width = if net.dice.roll(0, 1) == 0 { 1 } else { net.dice.count(2, 9) };
        let extents = [1, net.dice.count(2, 9), width, net.dice.count(1, 6)];
        let mut x = net.input(extents);
        for _ in 0..net.dice.roll(1, 4) {
            x = net.grow(x);
            if net.dice.roll(0, 2) == 0 {
                let other = net.dice.roll(0, 3);
                let y = if other == 0 {
                    x
                } else {
                    net.conv2d(x, Window::valid([1, 1], [1, 1]), net.shape(x)[3])
                };
                let (clamp, requant) = (net.dice.clamp(), net.dice.requant(Rounding::Double));
                x = net.add(Add { clamp, requant }, &[x, y]);
            }
        }
        if net.dice.roll(0, 4) == 0 {
            net.graph.add_output(x);
        }
        let features = net.graph.ty(x).shape.elements();
        let flat = net.add(Reshape { shape: [1, features].into() }, &[x]);
        let units = net.dice.count(1, 9);
        let y = if net.dice.roll(0, 3) == 0 { flat } else { net.dense(flat, units) };
        net.graph.add_output(y);
        net.graph
    }
}

fn random_inputs(graph: &Graph, seed: u64) -> Vec<Value> {
    let mut dice = Dice(seed ^ 0x5555);
    let inputs = graph.network_inputs();
    let value = |&node: &NodeId| {
        let TensorType { dtype, shape, .. } = graph.ty(node);
        let (low, high) = dtype.range().expect("integers");
        let mut roll = || dice.roll(low.into(), high.into()) as i32;
        let elements: Vec<i32> = (0..shape.elements()).map(|_| roll()).collect();
        Value::from_i32_vec(*dtype, shape, &elements).expect("one for each element")
    };
    inputs.iter().map(value).collect()
}

fn bytes(values: &[Value]) -> Vec<Vec<u8>> {
    values.iter().map(Value::to_le_bytes).collect()
}

fn reference(graph: &Graph, inputs: &[Value]) -> Vec<Vec<u8>> {
    bytes(&graph.evaluate(inputs, &Default::default()).expect("an integer graph evaluates"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn programs_compute_what_graphs_do(seed in any::<u64>()) {
        let graph = Net::random(seed, true);
        let inputs = random_inputs(&graph, seed);
        let wanted = reference(&graph, &inputs);
        for isa in [Isa::Portable, Isa::Armv7em] {
            let program = lower(&graph, isa).expect("lowers");
            program.verify().expect("verifies");
            let found = run(&program, &Placement::disjoint(&program), &inputs);
            prop_assert_eq!(bytes(&found.map_err(|trap| TestCaseError::fail(trap.to_string()))?), wanted.clone());
        }
    }

    #[test]
    fn skeletons_have_the_sizes_of_trained_networks(seed in any::<u64>(), is_portable in any::<bool>()) {
        let isa = if is_portable { Isa::Portable } else { Isa::Armv7em };
        let trained = lower(&Net::random(seed, true), isa).expect("lowers");
        let skeleton = lower(&Net::random(seed, false), isa).expect("lowers");
        prop_assert!(trained.table_bytes() <= skeleton.table_bytes());
        // Only of a trained network is it known that a layer has one value, and what only such layers read goes.
        let fills = |program: &Program| program.steps.iter().filter(|step| step.op == "fill").count();
        prop_assert!(fills(&skeleton) <= fills(&trained));
        if fills(&skeleton) < fills(&trained) {
            let bytes = |program: &Program| program.buffers.iter().map(Buffer::bytes).sum::<u64>();
            prop_assert!(bytes(&trained) <= bytes(&skeleton));
            prop_assert!(trained.steps.len() <= skeleton.steps.len());
            return Ok(());
        }
        // How values end follows from scales, which an untrained network has not.
        if is_portable {
            prop_assert_eq!(&trained.functions, &skeleton.functions);
        }
        prop_assert_eq!(&trained.buffers, &skeleton.buffers);
        let overlaps = |program: &Program| program.steps.iter().map(|s| s.overlaps.clone()).collect::<Vec<_>>();
        prop_assert_eq!(overlaps(&trained), overlaps(&skeleton));
    }

    #[test]
    fn pools_of_large_maps_compute_what_graphs_do(seed in any::<u64>()) {
        let mut net = Net::new(seed, true);
        let extents = [1, net.dice.count(7, 9), net.dice.count(7, 9), net.dice.count(4, 9)];
        let x = net.input(extents);
        let (window, clamp) = (net.dice.window([extents[1], extents[2]]), net.dice.clamp());
        let y = match net.dice.roll(0, 1) {
            0 => net.add(MaxPool2d { window, clamp }, &[x]),
            _ => net.add(AvgPool2d { window, clamp }, &[x]),
        };
        net.graph.add_output(y);
        let inputs = random_inputs(&net.graph, seed);
        let program = lower(&net.graph, Isa::Armv7em).expect("lowers");
        program.verify().expect("verifies");
        let found = run(&program, &Placement::disjoint(&program), &inputs).expect("runs");
        prop_assert_eq!(bytes(&found), reference(&net.graph, &inputs));
    }

    #[test]
    fn declared_distances_are_safe(seed in any::<u64>()) {
        let graph = one_operator(seed);
        for isa in [Isa::Portable, Isa::Armv7em] {
            check_distances(&graph, seed, isa)?;
        }
    }
}

/// A network of one operator, and of its input.
fn one_operator(seed: u64) -> Graph {
    let mut net = Net::new(seed, true);
    let width = if net.dice.roll(0, 1) == 0 { 1 } else { net.dice.count(2, 7) };
    let extents = [1, net.dice.count(1, 7), width, net.dice.count(1, 6)];
    let x = net.input(extents);
    let y = net.grow(x);
    net.graph.add_output(y);
    net.graph
}

/// For each distance of a written buffer from one that is read, from `-out` to `in`, whether the trace forbids it.
fn forbidden(program: &Program, read: BufferId, written: BufferId) -> Vec<(i64, bool)> {
    let length = |id: BufferId| program.buffers[id.0 as usize].len;
    let mut last_load = vec![None; length(read)];
    let mut first_store = vec![usize::MAX; length(written)];
    for (time, event) in
        Interpreter::new(program).expect("verifies").trace().expect("runs").iter().enumerate()
    {
        if event.write && event.buffer == written {
            first_store[event.element] = first_store[event.element].min(time);
        } else if event.buffer == read {
            last_load[event.element] = Some(time);
        }
    }
    let clash = |distance: i64| {
        first_store.iter().enumerate().any(|(element, &store)| {
            let under = usize::try_from(element as i64 + distance).ok().and_then(|at| last_load.get(at));
            under.is_some_and(|load| load.is_some_and(|load| load > store))
        })
    };
    (-(length(written) as i64)..=length(read) as i64).map(|distance| (distance, clash(distance))).collect()
}

fn check_distances(graph: &Graph, seed: u64, isa: Isa) -> Result<(), TestCaseError> {
    let program = lower(graph, isa).expect("lowers");
    let inputs = random_inputs(graph, seed);
    let wanted = reference(graph, &inputs);
    let step = &program.steps[0];
    let Some(safe) = step.overlaps.first().map(|overlap| overlap.safe.clone()) else {
        prop_assert!(step.reads.is_empty(), "a step that reads declares its overlaps");
        return Ok(());
    };
    // Distances are counted in elements here.
    let [read, written] =
        [program.inputs[0], program.outputs[0]].map(|id| program.buffers[id.0 as usize].elem);
    if read != written {
        prop_assert!(safe.is_empty(), "elements of two sizes stay apart");
        return Ok(());
    }
    let size = read.size() as i64;
    let bounds = |&(low, high): &(i64, i64)| (low.div_euclid(size), high.div_euclid(size));
    let safe: Vec<(i64, i64)> = safe.iter().map(bounds).collect();
    let declared = |distance: i64| safe.iter().any(|&(low, high)| low <= distance && distance <= high);
    let interpreter = Interpreter::new(&program).expect("verifies");
    let at = |distance: i64| {
        let written = program.outputs[0].0 as usize;
        let base = program.buffers[written].bytes() + size as u64;
        let mut offsets = vec![base; program.buffers.len()];
        offsets[written] = (base as i64 + distance * size) as u64;
        // Scratch lies behind all else.
        let mut end = (2 * base + program.buffers[0].bytes()).next_multiple_of(8);
        for (buffer, offset) in program.buffers.iter().zip(&mut offsets) {
            if buffer.role == Role::Scratch {
                *offset = end;
                end += buffer.bytes().next_multiple_of(8);
            }
        }
        Placement { offsets }
    };
    let exact = forbidden(&program, program.inputs[0], program.outputs[0]);
    for &(distance, clash) in &exact {
        prop_assert!(!(clash && declared(distance)), "distance {distance} is declared safe, {safe:?}");
        let result = interpreter.run(&at(distance), &inputs);
        prop_assert_eq!(result.is_err(), clash, "the shadow and the trace disagree at {}", distance);
        if let Ok(found) = result {
            prop_assert_eq!(bytes(&found), wanted.clone(), "distance {}", distance);
        }
    }
    // The bound below is exact: beyond it lies either no distance that overlaps, or a forbidden one.
    let Some(&(_, bound)) = safe.first() else { return Ok(()) };
    if let Some(&(_, clash)) = exact.iter().find(|&&(distance, _)| distance == bound + 1) {
        let gaps = exact.iter().filter(|&&(distance, clash)| distance > bound && !clash).count();
        prop_assert!(clash || gaps > 0, "the bound {bound} is not exact");
    }
    Ok(())
}

#[test]
fn bounds_are_exact_for_touching_windows() {
    for (kernel, stride, extents) in [
        ([1, 1], [1, 1], [1, 6, 5, 4]),
        ([3, 3], [1, 1], [1, 6, 5, 4]),
        ([3, 1], [1, 1], [1, 9, 1, 4]),
        ([3, 3], [2, 2], [1, 7, 7, 3]),
    ] {
        for filters in [2, 4, 8] {
            for depthwise in [false, true] {
                let mut net = Net::new(7, true);
                let x = net.input(extents);
                let window = Window::same(kernel, stride, [extents[1], extents[2]]);
                let y = if depthwise { net.depthwise(x, window) } else { net.conv2d(x, window, filters) };
                net.graph.add_output(y);
                let program = lower(&net.graph, Isa::Armv7em).expect("lowers");
                let bound = program.steps[0].overlaps[0].safe[0].1;
                let exact = forbidden(&program, program.inputs[0], program.outputs[0]);
                // Channels that are all taken apart before the first is computed clash nowhere.
                let first = exact.iter().find(|&&(_, clash)| clash).map_or(i64::MAX / 2 + 1, |&(at, _)| at);
                let case = format!("{kernel:?} {stride:?} {extents:?} {filters} {depthwise}");
                match depthwise {
                    // Planes may be at more distances than are declared.
                    true => assert!(bound < first, "{case}"),
                    false => assert_eq!(bound + 1, first, "{case}"),
                }
            }
        }
    }
}

#[test]
fn an_input_that_is_an_output_is_copied() {
    let mut net = Net::new(3, true);
    let x = net.input([1, 2, 2, 3]);
    let flat = net.add(Reshape { shape: [1, 12].into() }, &[x]);
    net.graph.add_output(flat);
    net.graph.add_output(flat);
    let inputs = random_inputs(&net.graph, 3);
    let program = lower(&net.graph, Isa::Portable).expect("lowers");
    assert_eq!(program.steps.len(), 2);
    assert_eq!(program.functions.len(), 1);
    let found = run(&program, &Placement::disjoint(&program), &inputs).expect("runs");
    assert_eq!(bytes(&found), reference(&net.graph, &inputs));
    // The last copy may be in place.
    let same = Placement { offsets: vec![0, 12, 0] };
    assert_eq!(bytes(&run(&program, &same, &inputs).expect("runs")), bytes(&found));
}

#[test]
fn layers_of_one_shape_share_their_function() {
    let mut net = Net::new(11, true);
    let mut x = net.input([1, 8, 1, 8]);
    for _ in 0..3 {
        x = net.conv2d(x, Window::same([3, 1], [1, 1], [8, 1]), 8);
    }
    net.graph.add_output(x);
    let program = lower(&net.graph, Isa::Portable).expect("lowers");
    assert_eq!(program.functions.len(), 1);
    assert_eq!(program.steps[2].calls.len(), 3, "top, interior and bottom");
}

#[test]
fn floats_are_refused() {
    let mut graph = Graph::new();
    let x = graph.add(Input { ty: TensorType::f32([1, 4]) }, &[]).expect("an input");
    graph.add_output(x);
    let error = lower(&graph, Isa::Portable).expect_err("floats");
    assert!(error.to_string().contains("instead of int8"), "{error}");
}

#[test]
fn sums_that_may_overflow_are_refused() {
    let mut net = Net::new(5, false);
    let x = net.input([1, 2]);
    let y = net.dense(x, 1);
    net.graph.add_output(y);
    let bias = net.graph.inputs(y)[2];
    let Op::Constant(constant) = net.graph.node(bias).op.clone() else { panic!("a bias is constant") };
    net.graph.set_constant(constant.name, Value::from_i32(&[1].into(), vec![i32::MIN]).expect("one"));
    let error = lower(&net.graph, Isa::Portable).expect_err("may overflow");
    assert!(error.message.contains("overflow"), "{error}");
}

#[test]
fn the_verifier_finds_broken_rules() {
    let mut net = Net::new(9, true);
    let x = net.input([1, 4, 1, 4]);
    let y = net.conv2d(x, Window::valid([3, 1], [1, 1]), 5);
    net.graph.add_output(y);
    let good = lower(&net.graph, Isa::Portable).expect("lowers");
    good.verify().expect("verifies");
    type Break = fn(&mut Program);
    let breaks: [(Break, &str); 8] = [
        (|p| p.tables[0].values = vec![300; p.tables[0].values.len()].into(), "does not fit"),
        (|p| p.tables[1].name = p.tables[0].name.clone(), "name of two"),
        (|p| p.functions[0].params[0].access = Access::Write, "loads from"),
        (|p| p.functions[0].registers[0] = Ty::I64, "r0"),
        (|p| p.micros.clear(), "no micro-kernel"),
        (|p| p.steps[0].reads.clear(), "declares that it reads"),
        (|p| p.steps[0].calls[0].scalars.truncate(1), "other scalars"),
        (|p| p.steps.clear(), "written by no step"),
    ];
    for (change, message) in breaks {
        let mut program = good.clone();
        change(&mut program);
        let error = program.verify().expect_err(message);
        assert!(error.message.contains(message), "{error} instead of {message}");
    }
}

#[test]
fn programs_print() {
    let mut net = Net::new(1, true);
    let x = net.input([1, 4, 1, 2]);
    let requant = net.dice.requant(Rounding::Double);
    let y = net.conv2d(x, Window::same([3, 1], [1, 1], [4, 1]), 1);
    let z = net.add(Add { clamp: Clamp::None, requant }, &[y, y]);
    net.graph.add_output(z);
    let program = lower(&net.graph, Isa::Portable).expect("lowers");
    insta::assert_snapshot!(program.to_text(), @r#"
    buffer input_0 : i8[8] align=1 input
    buffer conv2d_3 : i8[4] align=1 internal
    buffer add_4 : i8[4] align=1 output
    table conv2d_3_weight : i8[6] weight
    table conv2d_3_bias : i32[1] bias
    table conv2d_3_mantissa : i32[1] requant
    table conv2d_3_shift : i8[1] requant
    micro dot_i8_1(in x: i8, in w: i8, n, stride, zero) {
      for k in 0..n {
        r1 = (x[k] - zero)
        r0 = (r0 + (r1 * w[k]))
      }
    }
    fn conv2d_0(in input: i8, in weight: i8, in bias: i32, in mantissa: i32, in shift: i8, out output: i8, x_begin, x_end, kx_begin, kx_end, input_zero, output_zero, low, high) {
      for x in x_begin..x_end {
        r0 = bias[0]
        dot_i8_1[r0](&input[2*kx_begin + 2*x - 2], &weight[2*kx_begin], (-2*kx_begin + 2*kx_end), 6, input_zero)
        output[x] = min(max((requant2(r0, mantissa[0], shift[0]) + output_zero), low), high)
      }
    }
    fn add_1(in a: i8, in b: i8, out output: i8, count, a_zero, a_value, a_shift, b_zero, b_value, b_shift, sum_value, sum_shift, output_zero, low, high) {
      for i in 0..count {
        output[i] = min(max((requant2((requant2(((a[i] - a_zero) << 20), a_value, a_shift) + requant2(((b[i] - b_zero) << 20), b_value, b_shift)), sum_value, sum_shift) + output_zero), low), high)
      }
    }
    step conv2d conv2d_3 input_0 -> conv2d_3 macs=24
      conv2d_3 may start at input_0 + ..=-1 or 8..
      conv2d_0(input_0, conv2d_3_weight, conv2d_3_bias, conv2d_3_mantissa, conv2d_3_shift, conv2d_3, x_begin=0, x_end=1, kx_begin=1, kx_end=3, input_zero=-67, output_zero=126, low=126, high=127)
      conv2d_0(input_0, conv2d_3_weight, conv2d_3_bias, conv2d_3_mantissa, conv2d_3_shift, conv2d_3, x_begin=1, x_end=3, kx_begin=0, kx_end=3, input_zero=-67, output_zero=126, low=126, high=127)
      conv2d_0(input_0, conv2d_3_weight, conv2d_3_bias, conv2d_3_mantissa, conv2d_3_shift, conv2d_3, x_begin=3, x_end=4, kx_begin=0, kx_end=2, input_zero=-67, output_zero=126, low=126, high=127)
    step add add_4 conv2d_3 -> add_4 macs=0
      add_4 may start at conv2d_3 + ..=0 or 4..
      add_1(conv2d_3, conv2d_3, add_4, count=4, a_zero=126, a_value=1073741824, a_shift=0, b_zero=126, b_value=1073741824, b_shift=0, sum_value=1478595262, sum_shift=-18, output_zero=127, low=-128, high=127)
    return add_4
    "#);
}

#[test]
fn traps_name_their_place() {
    let mut net = Net::new(2, true);
    let x = net.input([1, 6]);
    let y = net.dense(x, 8);
    net.graph.add_output(y);
    let program = lower(&net.graph, Isa::Portable).expect("lowers");
    let inputs = random_inputs(&net.graph, 2);
    let trap = run(&program, &Placement { offsets: vec![0, 0] }, &inputs).expect_err("overlaps");
    assert_eq!(trap.step, program.steps[0].name);
    assert_eq!(trap.function, "dot_i8_4");
    assert!(trap.message.contains("is read after element 0 of buffer"), "{trap}");
}

#[test]
fn the_dot_product_has_a_body_for_armv7em() {
    let text =
        |rows: usize| match schedule::dot::dot(rows, schedule::dot::Run::I8, Isa::Armv7em).armv7em.clone() {
            Some(Special::Inline(text)) => text,
            other => panic!("{other:?}"),
        };
    let four = text(4);
    assert_eq!(four.matches("smlad").count(), 8);
    insta::assert_snapshot!(text(1), @r#"
    const uint32_t offset = (uint32_t)(uint16_t)(-zero) * 0x10001u;
    const int8_t *const end = x + (n & ~3);
    int32_t a0 = *r0;
    while (x != end) {
      uint32_t even, odd, p, v;
      __asm__ volatile("ldr %1, [%2], #4\n\tsxtab16 %0, %3, %1\n\tsxtab16 %1, %3, %1, ror #8"
                       : "=&r"(even), "=&r"(odd), "+r"(x) : "r"(offset) : "memory");
      __asm__ volatile("ldr %2, [%3], #4\n\tsxtb16 %1, %2\n\tsxtb16 %2, %2, ror #8\n\t"
                       "smlad %0, %4, %1, %0\n\tsmlad %0, %5, %2, %0"
                       : "+r"(a0), "=&r"(p), "=&r"(v), "+r"(w)
                       : "r"(even), "r"(odd), "r"(stride) : "memory");
    }
    for (n &= 3; n != 0; n--) {
      const int32_t v = *x++ - zero;
      a0 += v * w[0];
      w++;
    }
    *r0 = a0;
    "#);
    assert_eq!(schedule::dot::dot(4, schedule::dot::Run::I8, Isa::Portable).armv7em, None);
}
