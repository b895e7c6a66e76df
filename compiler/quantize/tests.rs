use super::*;
use crate::ops::{
    Activation, AvgPool2d, BatchNorm, Clamp, MaxPool2d, Pad, Param, ParamRole, Reshape, Upsample2d, Window,
};
use crate::tensor::arith;
use proptest::prelude::*;

/// A float network under construction, drawn from a seed.
pub(crate) struct FloatNet {
    pub(crate) graph: Graph,
    pub(crate) weights: Weights,
    state: u64,
    /// Whether weights and biases differ by orders of magnitude and channels may be dead.
    wild: bool,
}

impl FloatNet {
    pub(crate) fn new(seed: u64, wild: bool) -> FloatNet {
        FloatNet { graph: Graph::new(), weights: Weights::new(), state: seed, wild }
    }

    /// A number below `n`: splitmix64.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// A number in `-1.0..1.0`.
    fn real(&mut self) -> f32 {
        self.below(20_001) as f32 / 10_000.0 - 1.0
    }

    fn magnitude(&mut self) -> f32 {
        if self.wild { [0.0, 1e-20, 1e-6, 1e-2, 1.0, 1.0, 100.0, 1e5, 1e12][self.below(9)] } else { 1.0 }
    }

    fn clamp(&mut self) -> Clamp {
        [Clamp::None, Clamp::Relu, Clamp::Relu6][self.below(3)]
    }

    pub(crate) fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("well typed")
    }

    pub(crate) fn input(&mut self, shape: impl Into<Shape>) -> NodeId {
        self.add(Input { ty: TensorType::f32(shape) }, &[])
    }

    pub(crate) fn param(&mut self, role: ParamRole, shape: Vec<usize>, values: Vec<f32>) -> NodeId {
        let (name, ty) = (format!("p{}", self.graph.len()), TensorType::f32(Shape::from(shape)));
        self.weights.insert(name.clone(), Value::from_f32(&ty.shape, values).expect("as many"));
        self.add(Param { name, role, ty, fan_in: 0 }, &[])
    }

    /// Weights and a bias, channels along `axis`.
    fn parameters(&mut self, shape: Vec<usize>, axis: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        let (elements, inner) =
            (shape.iter().product::<usize>(), shape[axis + 1..].iter().product::<usize>());
        let size = 1.0 / ((elements / channels) as f32).sqrt();
        let magnitudes: Vec<f32> = (0..channels).map(|_| self.magnitude() * size).collect();
        let values = (0..elements).map(|at| self.real() * magnitudes[at / inner % channels]).collect();
        let weight = self.param(ParamRole::Weight, shape, values);
        let bias = (0..channels).map(|_| self.real() * 0.3 * self.magnitude()).collect();
        [weight, self.param(ParamRole::Bias, vec![channels], bias)]
    }

    fn shape(&self, node: NodeId) -> [usize; 4] {
        self.graph.ty(node).shape.nhwc().expect("a feature map")
    }

    pub(crate) fn conv2d(&mut self, x: NodeId, window: Window, filters: usize, clamp: Clamp) -> NodeId {
        let [kh, kw] = window.kernel;
        let [w, b] = self.parameters(vec![filters, kh, kw, self.shape(x)[3]], 0);
        self.add(Conv2d { window, clamp, requant: None }, &[x, w, b])
    }

    fn depthwise(&mut self, x: NodeId, window: Window, clamp: Clamp) -> NodeId {
        let [kh, kw] = window.kernel;
        let [w, b] = self.parameters(vec![1, kh, kw, self.shape(x)[3]], 3);
        self.add(DepthwiseConv2d { window, clamp, requant: None }, &[x, w, b])
    }

    pub(crate) fn dense(&mut self, x: NodeId, units: usize, clamp: Clamp) -> NodeId {
        let [w, b] = self.parameters(vec![units, self.graph.ty(x).shape.0[1]], 0);
        self.add(Dense { clamp, requant: None }, &[x, w, b])
    }

    /// Batch normalisation of drawn statistics, as training graphs have it.
    pub(crate) fn batch_norm(&mut self, x: NodeId) -> NodeId {
        let channels = *self.graph.ty(x).shape.0.last().expect("a dimension");
        let roles = [ParamRole::Gamma, ParamRole::Beta, ParamRole::Mean, ParamRole::Variance];
        let params = roles.map(|role| {
            let value = |x: f32| if role == ParamRole::Variance { 1.0 + x.abs() } else { x };
            let values = (0..channels).map(|_| value(self.real())).collect();
            self.param(role, vec![channels], values)
        });
        let [gamma, beta, mean, variance] = params;
        self.add(BatchNorm { epsilon: Scale(1e-3) }, &[x, gamma, beta, mean, variance])
    }

    pub(crate) fn flat(&mut self, x: NodeId) -> NodeId {
        let elements = self.graph.ty(x).shape.elements();
        self.add(Reshape { shape: [1, elements].into() }, &[x])
    }

    /// Squeeze and excite: each channel by a factor of its mean.
    fn product(&mut self, x: NodeId) -> NodeId {
        let [_, height, width, channels] = self.shape(x);
        let window = Window::valid([height, width], [1, 1]);
        let mean = self.add(AvgPool2d { window, clamp: Clamp::None }, &[x]);
        let mean = self.flat(mean);
        let factors = self.dense(mean, channels, Clamp::None);
        let function = [CurveFunction::Sigmoid, CurveFunction::Hsigmoid][self.below(2)];
        let factors = self.add(Curve { function, requant: None }, &[factors]);
        let clamp = self.clamp();
        self.add(Mul { clamp, requant: None }, &[x, factors])
    }

    /// Two to four maps side by side: earlier ones, and new ones of this one.
    fn beside(&mut self, x: NodeId, maps: &[NodeId]) -> NodeId {
        let extent = |net: &FloatNet, m: NodeId| net.shape(m)[..3].to_vec();
        let like: Vec<NodeId> =
            maps.iter().copied().filter(|&m| extent(self, m) == extent(self, x)).collect();
        let mut parts = vec![x];
        for _ in 0..1 + self.below(3) {
            let part = match self.below(3) {
                0 => like[self.below(like.len())],
                1 => self.conv2d(x, Window::valid([1, 1], [1, 1]), 2, Clamp::Relu),
                _ => {
                    let inner = self.conv2d(x, Window::valid([1, 1], [1, 1]), 2, Clamp::None);
                    let other = self.add(Curve { function: CurveFunction::Hswish, requant: None }, &[x]);
                    self.add(Concat {}, &[inner, other])
                }
            };
            parts.push(part);
        }
        self.add(Concat {}, &parts)
    }

    fn layer(&mut self, maps: &[NodeId]) -> NodeId {
        let x = if self.below(4) > 0 { maps[maps.len() - 1] } else { maps[self.below(maps.len())] };
        let [_, height, width, channels] = self.shape(x);
        let kernel = [1 + self.below(height.min(3)), 1 + self.below(width.min(3))];
        let stride = [1 + self.below(2), 1 + self.below(2)];
        let window = if self.below(2) == 0 {
            Window::valid(kernel, stride)
        } else {
            Window::same(kernel, stride, [height, width])
        };
        let clamp = self.clamp();
        match self.below(14) {
            9 => self.product(x),
            10 => {
                let function = CurveFunction::ALL[self.below(3)];
                self.add(Curve { function, requant: None }, &[x])
            }
            11 => {
                let [before, after] = [(); 2].map(|()| [(); 3].map(|()| self.below(2)));
                self.add(Pad { before, after }, &[x])
            }
            12 => {
                let factor = [1 + self.below(2), 1 + self.below(2)];
                self.add(Upsample2d { factor }, &[x])
            }
            13 => self.beside(x, maps),
            0..=2 => {
                let filters = 1 + self.below(6);
                self.conv2d(x, window, filters, clamp)
            }
            3 => self.depthwise(x, window, clamp),
            4 => {
                let like: Vec<NodeId> =
                    maps.iter().copied().filter(|&m| self.shape(m) == self.shape(x)).collect();
                let other = like[self.below(like.len())];
                self.add(Add { clamp, requant: None }, &[x, other])
            }
            5 => {
                let y = self.conv2d(x, Window::valid([1, 1], [1, 1]), channels, clamp);
                self.add(Add { clamp, requant: None }, &[x, y])
            }
            6 => self.add(AvgPool2d { window, clamp }, &[x]),
            7 => self.add(MaxPool2d { window, clamp }, &[x]),
            _ => self.add(Activation { clamp }, &[x]),
        }
    }

    /// A network of up to `depth` layers, residual sums among them, with a classifier and at times a second
    /// output.
    pub(crate) fn random(seed: u64, depth: usize, wild: bool) -> FloatNet {
        let mut net = FloatNet::new(seed, wild);
        let shape = [1, 1 + net.below(6), 1 + net.below(5), 1 + net.below(4)];
        let mut maps = vec![net.input(shape)];
        for _ in 0..1 + net.below(depth) {
            let map = net.layer(&maps);
            maps.push(map);
        }
        let x = net.flat(maps[maps.len() - 1]);
        let units = 1 + net.below(5);
        let y = net.dense(x, units, Clamp::None);
        net.graph.add_output(y);
        if net.below(3) == 0 {
            let other = maps[net.below(maps.len())];
            net.graph.add_output(other);
        }
        net
    }

    /// `count` samples for the network's one input.
    pub(crate) fn samples(&mut self, count: usize) -> Value {
        let mut shape = self.graph.ty(self.graph.network_inputs()[0]).shape.clone();
        shape.0[0] = count;
        let magnitude = if self.wild { [0.0, 1e-6, 1.0, 1e6][self.below(4)] } else { 2.0 };
        let values = (0..shape.elements()).map(|_| self.real() * magnitude).collect();
        Value::from_f32(&shape, values).expect("as many")
    }

    pub(crate) fn quantized(&self, samples: &Value) -> Result<Graph, QuantizeError> {
        let ranges = calibrate(&self.graph, &self.weights, samples)?;
        quantize(&self.graph, &self.weights, &ranges)
    }
}

fn quant_of(graph: &Graph, node: NodeId) -> (f32, i32) {
    let quant = graph.ty(node).quant.as_ref().expect("quantized");
    (quant.scale(0), quant.zero_point)
}

/// Real values as the integers of a type.
fn integers(reals: &[f32], ty: &TensorType) -> Value {
    let quant = ty.quant.as_ref().expect("quantized");
    let q = |&x: &f32| arith::quantize(x, quant.scale(0), quant.zero_point, (-128, 127)) as i8;
    Value::from_i8(&ty.shape, reals.iter().map(q).collect()).expect("as many")
}

/// Greatest and mean distance of the integer network's first output from the float one's, in output scales.
fn distance(net: &FloatNet, integer: &Graph, samples: &Value) -> (f32, f32) {
    let input = integer.network_inputs()[0];
    let (scale, zero) = quant_of(integer, integer.outputs()[0]);
    let floats = samples.as_f32().expect("floats");
    let (mut worst, mut sum, mut count) = (0.0f32, 0.0f32, 0);
    for sample in floats.as_slice().expect("in order").chunks_exact(integer.ty(input).shape.elements()) {
        let real = Value::from_f32(&integer.ty(input).shape, sample.to_vec()).expect("as many");
        let wanted = net.graph.evaluate(&[real], &net.weights).expect("complete");
        let found =
            integer.evaluate(&[integers(sample, integer.ty(input))], &Weights::new()).expect("complete");
        let wanted = wanted[0].as_f32().expect("floats");
        for (wanted, &found) in wanted.iter().zip(found[0].as_i8().expect("8 bit")) {
            let error = (wanted / scale - (i32::from(found) - zero) as f32).abs();
            (worst, sum, count) = (worst.max(error), sum + error, count + 1);
        }
    }
    (worst, sum / count as f32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn integer_networks_are_near_the_float_ones(seed in any::<u64>()) {
        let mut net = FloatNet::random(seed, 3, false);
        let samples = net.samples(20);
        let integer = net.quantized(&samples).expect("finite");
        integer.verify().expect("verifies");
        let (worst, mean) = distance(&net, &integer, &samples);
        prop_assert!(worst <= 16.0 && mean <= 4.0, "greatest error {worst} scales, mean {mean}");
    }

    #[test]
    fn any_finite_network_is_quantized_or_refused(seed in any::<u64>()) {
        let mut net = FloatNet::random(seed, 6, true);
        let samples = net.samples(4);
        if let Ok(integer) = net.quantized(&samples) {
            integer.verify().expect("verifies");
        }
    }

    #[test]
    fn skeletons_have_the_structure_of_trained_networks(seed in any::<u64>()) {
        let mut net = FloatNet::random(seed, 6, false);
        let samples = net.samples(4);
        let (trained, skeleton) = (net.quantized(&samples).expect("finite"), skeleton(&net.graph).expect("floats"));
        skeleton.verify().expect("verifies");
        prop_assert!(skeleton.constants().is_empty());
        prop_assert_eq!(trained.len(), skeleton.len());
        prop_assert_eq!(trained.outputs(), skeleton.outputs());
        for (a, b) in trained.order().into_iter().zip(skeleton.order()) {
            prop_assert_eq!(a, b);
            prop_assert_eq!(trained.inputs(a), skeleton.inputs(a));
            prop_assert_eq!(trained.node(a).op.name(), skeleton.node(a).op.name());
            let (x, y) = (trained.ty(a), skeleton.ty(a));
            prop_assert_eq!((x.dtype, &x.shape), (y.dtype, &y.shape));
            let axes = [x, y].map(|ty| ty.quant.as_ref().map(|quant| (quant.axis, quant.scales.len())));
            prop_assert_eq!(axes[0], axes[1]);
        }
    }

    #[test]
    fn ranges_hold_zero_exactly(low in -1e6f32..1e6, size in 0.0f32..1e6) {
        let quant = activation_quant(low, low + size);
        let (scale, zero) = (quant.scale(0), quant.zero_point);
        prop_assert!((-128..=127).contains(&zero));
        prop_assert_eq!(arith::quantize(0.0, scale, zero, (-128, 127)), zero);
        // Both ends of the range are at most half a step beyond what is representable.
        let (low, high) = (low.min(0.0), (low + size).max(0.0));
        prop_assert!((-128 - zero) as f32 * scale <= low + 0.501 * scale);
        prop_assert!((127 - zero) as f32 * scale >= high - 0.501 * scale);
    }
}

#[test]
fn ranges_without_zero_are_widened_to_it() {
    assert_eq!(activation_quant(2.0, 5.1), activation_quant(0.0, 5.1));
    assert_eq!(activation_quant(-5.1, -2.0), activation_quant(-5.1, 0.0));
    assert_eq!(activation_quant(0.0, 2.55).zero_point, -128);
    assert_eq!(activation_quant(-2.55, 0.0).zero_point, 127);
    let extreme = activation_quant(-f32::MAX, f32::MAX);
    assert!(extreme.scale(0).is_finite() && extreme.zero_point.abs() <= 1);
    assert!(activation_quant(0.0, 0.0).scale(0).is_normal());
    assert!(activation_quant(-1e-40, 1e-40).scale(0).is_normal());
}

/// One convolution with these weights and biases for two channels, on an input of one channel.
fn two_channels(weights: [f32; 2], bias: [f32; 2], clamp: Clamp) -> FloatNet {
    let mut net = FloatNet::new(0, false);
    let x = net.input([1, 1, 1, 1]);
    let w = net.param(ParamRole::Weight, vec![2, 1, 1, 1], weights.to_vec());
    let b = net.param(ParamRole::Bias, vec![2], bias.to_vec());
    let y = net.add(Conv2d { window: Window::valid([1, 1], [1, 1]), clamp, requant: None }, &[x, w, b]);
    net.graph.add_output(y);
    net
}

fn column(values: &[f32]) -> Value {
    Value::from_f32(&[values.len(), 1, 1, 1].into(), values.to_vec()).expect("as many")
}

#[test]
fn dead_channels_keep_their_bias() {
    for bias in [0.0, 3.0, -1e4, 1e9] {
        let net = two_channels([0.0, 1e-30], [bias, -bias], Clamp::None);
        let samples = column(&[-1.0, 0.5, 1.0]);
        let integer = net.quantized(&samples).expect("finite");
        let (worst, _) = distance(&net, &integer, &samples);
        assert!(worst <= 1.0, "bias {bias}: {worst} scales");
    }
}

#[test]
fn a_rectified_output_has_a_range_from_zero() {
    let net = two_channels([1.0, -2.0], [0.1, 0.2], Clamp::Relu);
    let integer = net.quantized(&column(&[-1.0, 2.0])).expect("finite");
    let (scale, zero) = quant_of(&integer, integer.outputs()[0]);
    assert_eq!(zero, -128);
    assert!((scale * 255.0 - 2.2).abs() < 1e-4, "{scale}");
}

#[test]
fn an_output_that_is_always_zero_is_zero() {
    let net = two_channels([1.0, 2.0], [-9.0, -9.0], Clamp::Relu);
    let samples = column(&[-1.0, 2.0]);
    let integer = net.quantized(&samples).expect("finite");
    let (worst, _) = distance(&net, &integer, &samples);
    assert_eq!(worst, 0.0);
}

#[test]
fn constant_and_large_inputs_are_quantized() {
    for value in [0.0, 5.0, -5.0, 1e-30, 1e30] {
        let net = two_channels([1.0, -0.25], [0.0, 0.0], Clamp::None);
        let samples = column(&[value, value]);
        let integer = net.quantized(&samples).expect("finite");
        integer.verify().expect("verifies");
        let (worst, _) = distance(&net, &integer, &samples);
        assert!(worst <= 2.0, "{value}: {worst}");
    }
}

#[test]
fn what_is_not_finite_is_refused() {
    let samples = column(&[1.0, 2.0]);
    for bad in [f32::NAN, f32::INFINITY] {
        let net = two_channels([bad, 1.0], [0.0, 0.0], Clamp::None);
        let error = net.quantized(&samples).expect_err("not finite");
        assert!(error.0.contains("not finite"), "{error}");
        let ranges =
            calibrate(&two_channels([1.0, 1.0], [0.0; 2], Clamp::None).graph, &net.weights, &samples);
        assert!(ranges.is_err(), "the same weights");
        // With ranges from elsewhere, the weights themselves are refused.
        let good = two_channels([1.0, 1.0], [0.0; 2], Clamp::None);
        let ranges = calibrate(&good.graph, &good.weights, &samples).expect("finite");
        let error = quantize(&net.graph, &net.weights, &ranges).expect_err("not finite");
        assert_eq!(error.0, "a weight is not finite");
    }
    let net = two_channels([1.0, 1.0], [0.0, 0.0], Clamp::None);
    net.quantized(&column(&[f32::NAN])).expect_err("a sample is not finite");
    net.quantized(&column(&[])).expect_err("no sample");
    quantize(&net.graph, &Weights::new(), &Ranges::new()).expect_err("no weights");
}

#[test]
fn pools_and_reshapes_keep_the_quantization() {
    let mut net = FloatNet::new(1, false);
    let x = net.input([1, 4, 4, 2]);
    let x = net.conv2d(x, Window::valid([1, 1], [1, 1]), 3, Clamp::None);
    let window = Window::valid([2, 2], [2, 2]);
    let a = net.add(MaxPool2d { window, clamp: Clamp::None }, &[x]);
    let b = net.add(AvgPool2d { window, clamp: Clamp::Relu }, &[a]);
    let c = net.add(Activation { clamp: Clamp::Relu6 }, &[b]);
    let d = net.flat(c);
    net.graph.add_output(d);
    let samples = net.samples(5);
    let integer = net.quantized(&samples).expect("finite");
    let weighted = |&node: &NodeId| matches!(integer.node(node).op, Op::Conv2d(_));
    let conv = integer.order().into_iter().find(weighted).expect("a convolution");
    for node in integer.order().into_iter().skip_while(|&node| node != conv) {
        assert_eq!(quant_of(&integer, node), quant_of(&integer, conv), "{}", integer.node(node).op.name());
    }
    let (worst, _) = distance(&net, &integer, &samples);
    assert!(worst <= 3.0, "{worst}");
}

#[test]
fn concatenations_have_one_quantization() {
    let mut net = FloatNet::new(4, false);
    let x = net.input([1, 4, 4, 2]);
    let pointwise = Window::valid([1, 1], [1, 1]);
    let a = net.conv2d(x, pointwise, 3, Clamp::Relu);
    let b = net.conv2d(x, pointwise, 3, Clamp::None);
    let b = net.add(Upsample2d { factor: [1, 1] }, &[b]);
    let inner = net.add(Concat {}, &[a, b]);
    let used_twice = net.conv2d(x, pointwise, 2, Clamp::None);
    let sigmoid = net.add(Curve { function: CurveFunction::Sigmoid, requant: None }, &[used_twice]);
    let outer = net.add(Concat {}, &[inner, used_twice, sigmoid, x]);
    net.graph.add_output(outer);
    let samples = net.samples(9);
    let integer = net.quantized(&samples).expect("finite");
    integer.verify().expect("verifies");
    let named = |name: &str| -> Vec<NodeId> {
        integer.order().into_iter().filter(|&node| integer.node(node).op.name() == name).collect()
    };
    let output = integer.outputs()[0];
    let joined =
        named("conv2d").into_iter().filter(|&conv| quant_of(&integer, conv) == quant_of(&integer, output));
    assert_eq!((joined.count(), named("concat").len()), (2, 2));
    // What others use too, what has a quantization of its own by specification, and the input.
    assert_eq!(named("requantize").len(), 3);
    let (worst, _) = distance(&net, &integer, &samples);
    assert!(worst <= 2.5, "{worst}");
}

#[test]
fn a_concatenation_takes_the_scale_that_its_coarsest_maker_needs() {
    // The second part is constant, and its own scale would be far below one step of its sums.
    let mut net = FloatNet::new(9, false);
    let x = net.input([1, 1, 1, 1]);
    let window = Window::valid([1, 1], [1, 1]);
    let mut part = |weight: f32, bias: f32| {
        let w = net.param(ParamRole::Weight, vec![1, 1, 1, 1], vec![weight]);
        let b = net.param(ParamRole::Bias, vec![1], vec![bias]);
        net.add(Conv2d { window, clamp: Clamp::Relu, requant: None }, &[x, w, b])
    };
    let (a, b) = (part(1.0, -1e6), part(1.0, -2e6));
    let y = net.add(Concat {}, &[a, b]);
    net.graph.add_output(y);
    let samples = net.samples(3);
    let integer = net.quantized(&samples).expect("settles");
    integer.verify().expect("verifies");
    assert_eq!(integer.len(), skeleton(&net.graph).expect("floats").len());
}

#[test]
fn dense_layers_have_a_scale_for_each_unit() {
    let mut net = FloatNet::new(2, false);
    let x = net.input([1, 8]);
    let y = net.dense(x, 5, Clamp::None);
    net.graph.add_output(y);
    let samples = net.samples(9);
    let integer = net.quantized(&samples).expect("finite");
    let inputs = integer.input_types(integer.outputs()[0]);
    let [weight, bias] = [inputs[1], inputs[2]].map(|ty| ty.quant.as_ref().expect("quantized"));
    assert_eq!((weight.axis, weight.scales.len(), bias.scales.len()), (Some(0), 5, 5));
    let input_scale = inputs[0].quant.as_ref().expect("quantized").scale(0);
    for channel in 0..5 {
        assert_eq!(bias.scale(channel), weight.scale(channel) * input_scale);
    }
}

#[test]
fn normalisation_is_refused() {
    let mut net = FloatNet::new(3, false);
    let x = net.input([1, 2, 2, 2]);
    let y = net.batch_norm(x);
    net.graph.add_output(y);
    let error = skeleton(&net.graph).expect_err("a float operator");
    assert!(error.0.contains("batch_norm"), "{error}");
}
