//! Well-typed graphs for tests, float or quantized, small and drawn from a seed.

use crate::graph::{Graph, NodeId, Weights};
use crate::ops::{
    Activation, Add, AvgPool2d, BatchNorm, Clamp, Concat, Constant, Conv2d, Curve, CurveFunction, Dense,
    DepthwiseConv2d, Dropout, Input, MaxPool2d, Mul, Op, Pad, Padding, Param, ParamRole, Requant, Requantize,
    Reshape, Upsample2d, Window,
};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

pub(super) struct Build {
    pub(super) graph: Graph,
    pub(super) weights: Weights,
    quantized: bool,
    state: u64,
}

impl Build {
    pub(super) fn new(seed: u64, quantized: bool) -> Build {
        Build { graph: Graph::new(), weights: Weights::new(), quantized, state: seed }
    }

    /// A number below `n`: splitmix64.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// A number in `low..high`, of a thousand steps.
    fn real(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.below(1000) as f32 / 1000.0
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(super) fn clamp(&mut self) -> Clamp {
        self.pick(&[Clamp::None, Clamp::Relu, Clamp::Relu6])
    }

    pub(super) fn label(&mut self, node: NodeId, label: &str) {
        self.graph.set_origin(node, label, None);
    }

    pub(super) fn node(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("well typed")
    }

    pub(super) fn shape(&self, node: NodeId) -> Vec<usize> {
        self.graph.ty(node).shape.0.to_vec()
    }

    fn ty(&mut self, shape: Shape) -> TensorType {
        if self.quantized {
            let zero_point = self.pick(&[-128, -5, 0, 17]);
            TensorType::quantized(DType::I8, shape, Quant::per_tensor(self.real(0.02, 0.1), zero_point))
        } else {
            TensorType::f32(shape)
        }
    }

    fn value(&mut self, ty: &TensorType) -> Value {
        let n = ty.shape.elements();
        match ty.dtype {
            DType::F32 => Value::from_f32(&ty.shape, (0..n).map(|_| self.real(-2.0, 2.0)).collect()),
            DType::I8 => Value::from_i8(&ty.shape, (0..n).map(|_| self.below(256) as u8 as i8).collect()),
            DType::I16 => {
                Value::from_i16(&ty.shape, (0..n).map(|_| self.below(65536) as u16 as i16).collect())
            }
            DType::I32 => {
                Value::from_i32(&ty.shape, (0..n).map(|_| self.below(4000) as i32 - 2000).collect())
            }
        }
        .expect("as many as the shape says")
    }

    pub(super) fn input(&mut self, shape: impl Into<Shape>) -> NodeId {
        let ty = self.ty(shape.into());
        self.node(Input { ty }, &[])
    }

    /// A constant with data, of the type of `like` if there is one.
    pub(super) fn constant(&mut self, ty: TensorType) -> NodeId {
        let name = format!("c{}", self.graph.len());
        let value = self.value(&ty);
        self.graph.set_constant(name.clone(), value);
        self.node(Constant { name, ty }, &[])
    }

    pub(super) fn known(&mut self, shape: impl Into<Shape>) -> NodeId {
        let ty = self.ty(shape.into());
        self.constant(ty)
    }

    fn param(&mut self, role: ParamRole, shape: Vec<usize>) -> NodeId {
        let name = format!("p{}", self.graph.len());
        let ty = TensorType::f32(Shape::from(shape));
        let n = ty.shape.elements();
        let (low, high) = match role {
            ParamRole::Variance => (0.2, 2.0),
            ParamRole::Gamma => (-1.5, 1.5),
            _ => (-0.8, 0.8),
        };
        let values = (0..n).map(|_| self.real(low, high)).collect();
        self.weights.insert(name.clone(), Value::from_f32(&ty.shape, values).expect("as many"));
        self.node(Param { name, role, ty, fan_in: 0 }, &[])
    }

    /// Weights and bias for an input, channels along `axis`.
    fn parameters(&mut self, x: NodeId, shape: Vec<usize>, axis: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        if !self.quantized {
            return [self.param(ParamRole::Weight, shape), self.param(ParamRole::Bias, vec![channels])];
        }
        let scales: Vec<f32> = (0..channels).map(|_| self.real(0.005, 0.02)).collect();
        let x_scale = self.graph.ty(x).quant.as_ref().expect("quantized").scale(0);
        let bias_scales = scales.iter().map(|scale| scale * x_scale).collect();
        let w = TensorType::quantized(DType::I8, Shape::from(shape), Quant::per_channel(scales, axis));
        let b = TensorType::quantized(DType::I32, [channels], Quant::per_channel(bias_scales, 0));
        [self.constant(w), self.constant(b)]
    }

    pub(super) fn requant(&mut self, rounding: Rounding) -> Option<Requant> {
        let zero_point = self.pick(&[-128, -7, 0, 20]);
        let scale = Scale(self.real(0.02, 0.2));
        self.quantized.then_some(Requant { dtype: DType::I8, scale, zero_point, rounding })
    }

    pub(super) fn conv2d(&mut self, x: NodeId, window: Window, filters: usize, clamp: Clamp) -> NodeId {
        let [kh, kw] = window.kernel;
        let depth = self.shape(x)[3];
        let [w, b] = self.parameters(x, vec![filters, kh, kw, depth], 0);
        let requant = self.requant(Rounding::Double);
        self.node(Conv2d { window, clamp, requant }, &[x, w, b])
    }

    pub(super) fn depthwise_conv2d(&mut self, x: NodeId, window: Window, clamp: Clamp) -> NodeId {
        let [kh, kw] = window.kernel;
        let depth = self.shape(x)[3];
        let [w, b] = self.parameters(x, vec![1, kh, kw, depth], 3);
        let requant = self.requant(Rounding::Double);
        self.node(DepthwiseConv2d { window, clamp, requant }, &[x, w, b])
    }

    pub(super) fn dense(&mut self, x: NodeId, units: usize, clamp: Clamp) -> NodeId {
        let features = self.shape(x)[1];
        let [w, b] = self.parameters(x, vec![units, features], 0);
        let requant = self.requant(Rounding::Single);
        self.node(Dense { clamp, requant }, &[x, w, b])
    }

    pub(super) fn batch_norm(&mut self, x: NodeId) -> NodeId {
        let channels = *self.shape(x).last().expect("a dimension");
        let roles = [ParamRole::Gamma, ParamRole::Beta, ParamRole::Mean, ParamRole::Variance];
        let params = roles.map(|role| self.param(role, vec![channels]));
        let epsilon = Scale(self.pick(&[1e-3, 1e-5]));
        self.node(BatchNorm { epsilon }, &[x, params[0], params[1], params[2], params[3]])
    }

    pub(super) fn activation(&mut self, x: NodeId, clamp: Clamp) -> NodeId {
        self.node(Activation { clamp }, &[x])
    }

    pub(super) fn add(&mut self, a: NodeId, b: NodeId, clamp: Clamp) -> NodeId {
        let requant = self.requant(Rounding::Double);
        self.node(Add { clamp, requant }, &[a, b])
    }

    pub(super) fn mul(&mut self, a: NodeId, b: NodeId, clamp: Clamp) -> NodeId {
        let requant = self.requant(Rounding::Double);
        self.node(Mul { clamp, requant }, &[a, b])
    }

    pub(super) fn curve(&mut self, x: NodeId) -> NodeId {
        let function = self.pick(&CurveFunction::ALL);
        let requant = self.requant(Rounding::Double);
        self.node(Curve { function, requant }, &[x])
    }

    /// The quantization that a quantized node has.
    pub(super) fn requant_of(&self, node: NodeId) -> Requant {
        let quant = self.graph.ty(node).quant.as_ref().expect("quantized");
        let (scale, zero_point) = (quant.scales[0], quant.zero_point);
        Requant { dtype: DType::I8, scale, zero_point, rounding: Rounding::Double }
    }

    /// Two maps side by side, both under the quantization of the first.
    fn concat(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if !self.quantized {
            return self.node(Concat {}, &[a, b]);
        }
        let requant = self.requant_of(a);
        let b = self.node(Requantize { requant }, &[b]);
        self.node(Concat {}, &[a, b])
    }

    /// An operator that only moves elements, or noise of training.
    fn moved(&mut self, x: NodeId) -> NodeId {
        let few = |net: &mut Build| [(); 3].map(|()| net.below(2));
        match self.below(3) {
            0 => {
                let (before, after) = (few(self), few(self));
                self.node(Pad { before, after }, &[x])
            }
            1 => {
                let factor = [1 + self.below(2), 1 + self.below(2)];
                self.node(Upsample2d { factor }, &[x])
            }
            _ if self.quantized => self.activation(x, Clamp::Relu),
            _ => self.node(Dropout { rate: Scale(0.5) }, &[x]),
        }
    }

    pub(super) fn avg_pool2d(&mut self, x: NodeId, window: Window, clamp: Clamp) -> NodeId {
        self.node(AvgPool2d { window, clamp }, &[x])
    }

    pub(super) fn max_pool2d(&mut self, x: NodeId, window: Window, clamp: Clamp) -> NodeId {
        self.node(MaxPool2d { window, clamp }, &[x])
    }

    pub(super) fn reshape(&mut self, x: NodeId, shape: Vec<usize>) -> NodeId {
        self.node(Reshape { shape: Shape::from(shape) }, &[x])
    }

    /// A window that fits the feature map, with padding below the kernel's extent.
    pub(super) fn window(&mut self, x: NodeId) -> Window {
        let shape = self.shape(x);
        let kernel = [1 + self.below(shape[1].min(3)), 1 + self.below(shape[2].min(3))];
        let stride = [1 + self.below(2), 1 + self.below(2)];
        match self.below(3) {
            0 => Window::valid(kernel, stride),
            1 => Window::same(kernel, stride, [shape[1], shape[2]]),
            _ => {
                let mut side = |extent: usize| self.below(extent);
                let [top, bottom] = [side(kernel[0]), side(kernel[0])];
                let [left, right] = [side(kernel[1]), side(kernel[1])];
                Window { padding: Padding { top, bottom, left, right }, ..Window::valid(kernel, stride) }
            }
        }
    }

    /// As [`Build::window`], with taps further apart where they fit: for convolutions.
    pub(super) fn dilated_window(&mut self, x: NodeId) -> Window {
        let window = self.window(x);
        let dilated = Window { dilation: [1 + self.below(2), 1 + self.below(2)], ..window };
        let shape = self.shape(x);
        if dilated.output("conv2d", [shape[1], shape[2]]).is_ok() { dilated } else { window }
    }

    pub(super) fn any_input(&mut self) -> NodeId {
        let shape = [1, 1 + self.below(5), 1 + self.below(5), 1 + self.below(3)];
        self.input(shape)
    }

    fn layer(&mut self, maps: &[NodeId]) -> NodeId {
        let recent = self.below(4) > 0;
        let x = if recent { maps[maps.len() - 1] } else { self.pick(maps) };
        let clamp = if self.below(3) == 0 { self.clamp() } else { Clamp::None };
        match self.below(14) {
            0 | 1 => {
                let (window, filters) = (self.window(x), 1 + self.below(3));
                self.conv2d(x, window, filters, clamp)
            }
            2 => {
                let window = self.window(x);
                self.depthwise_conv2d(x, window, clamp)
            }
            3 | 4 if !self.quantized => self.batch_norm(x),
            3..=5 => {
                let clamp = self.clamp();
                self.activation(x, clamp)
            }
            6 => {
                let like: Vec<NodeId> =
                    maps.iter().copied().filter(|&m| self.shape(m) == self.shape(x)).collect();
                let other = self.pick(&like);
                self.add(x, other, clamp)
            }
            7 => {
                let window = self.window(x);
                self.avg_pool2d(x, window, clamp)
            }
            10 => self.curve(x),
            11 => self.moved(x),
            12 => {
                let shape = self.shape(x);
                let like = |net: &Build, m: NodeId| net.shape(m)[..3] == shape[..3];
                let like: Vec<NodeId> = maps.iter().copied().filter(|&m| like(self, m)).collect();
                let other = self.pick(&like);
                self.concat(x, other)
            }
            13 => self.mul(x, x, clamp),
            8 => {
                let window = self.window(x);
                self.max_pool2d(x, window, clamp)
            }
            _ => {
                let [n, h, w, c] = self.graph.ty(x).shape.nhwc().expect("a feature map");
                let shape = self.pick(&[[n, h, w, c], [n, h * w, 1, c], [n, w, h, c]]);
                self.reshape(x, shape.to_vec())
            }
        }
    }

    /// A small network of feature maps with a classifier, one or two outputs.
    pub(super) fn random(seed: u64, quantized: bool) -> Build {
        let mut net = Build::new(seed, quantized);
        let mut maps = vec![net.any_input()];
        if quantized && net.below(3) == 0 {
            let shape = net.shape(maps[0]);
            maps.insert(0, net.known(Shape::from(shape)));
        }
        for _ in 0..2 + net.below(9) {
            let map = net.layer(&maps);
            maps.push(map);
        }
        let last = maps[maps.len() - 1];
        let elements = net.graph.ty(last).shape.elements();
        let flat = net.reshape(last, vec![1, elements]);
        let units = 1 + net.below(4);
        let mut y = net.dense(flat, units, Clamp::None);
        if !quantized && net.below(2) == 0 {
            y = net.batch_norm(y);
        }
        if net.below(2) == 0 {
            let clamp = net.clamp();
            y = net.activation(y, clamp);
        }
        net.graph.add_output(y);
        if net.below(3) == 0 {
            let other = net.pick(&maps);
            net.graph.add_output(other);
        }
        net
    }
}

/// Floats agree to a tolerance, integers bit for bit.
fn assert_same(a: &Value, b: &Value) {
    match (a.as_f32(), b.as_f32()) {
        (Some(a), Some(b)) => {
            assert_eq!(a.shape(), b.shape());
            let size = a.iter().fold(1.0f32, |size, x| size.max(x.abs()));
            a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() <= 2e-4 * size, "{a} is not {b}"));
        }
        _ => assert_eq!(a, b),
    }
}

impl Build {
    /// Checks on drawn inputs that another graph computes what this one does.
    pub(super) fn check_same_function(&self, other: &Graph) {
        let mut draw = Build::new(self.state, self.quantized);
        let types: Vec<TensorType> =
            self.graph.network_inputs().iter().map(|&input| self.graph.ty(input).clone()).collect();
        for _ in 0..3 {
            let inputs: Vec<Value> = types.iter().map(|ty| draw.value(ty)).collect();
            let wanted = self.graph.evaluate(&inputs, &self.weights).expect("complete");
            let found = other.evaluate(&inputs, &self.weights).expect("complete");
            assert_eq!(wanted.len(), found.len());
            wanted.iter().zip(&found).for_each(|(a, b)| assert_same(a, b));
        }
    }
}
