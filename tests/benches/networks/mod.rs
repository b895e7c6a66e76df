//! Networks whose shapes are known from MLPerf Tiny, with random weights.

use nasc::graph::{Graph, NodeId};
use nasc::ops::{
    Add, AvgPool2d, Clamp, Constant, Conv2d, Dense, DepthwiseConv2d, Input, Op, Requant, Reshape, Window,
};
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

/// Scale of all activations.
const SCALE: f32 = 0.02;

/// A network under construction, with weights of a seed.
pub(crate) struct Net {
    /// The graph.
    pub(crate) graph: Graph,
    state: u64,
    /// Bytes of weights and biases.
    pub(crate) parameters: u64,
}

impl Net {
    fn new() -> Net {
        Net { graph: Graph::new(), state: 7, parameters: 0 }
    }

    fn next(&mut self) -> i32 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 56) as i32 - 128
    }

    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("shapes fit")
    }

    fn shape(&self, x: NodeId) -> [usize; 4] {
        self.graph.ty(x).shape.nhwc().expect("a feature map")
    }

    fn input(&mut self, shape: [usize; 4]) -> NodeId {
        let ty = TensorType::quantized(DType::I8, shape, Quant::per_tensor(SCALE, -11));
        self.add(Input { ty }, &[])
    }

    fn constant(&mut self, shape: Vec<usize>, dtype: DType, quant: Quant, factor: i32) -> NodeId {
        let (name, shape) = (format!("c{}", self.graph.len()), Shape::from(shape));
        let values: Vec<i32> = (0..shape.elements()).map(|_| self.next().max(-127) * factor).collect();
        self.parameters += (shape.elements() * dtype.size()) as u64;
        self.graph.set_constant(&name, Value::from_i32_vec(dtype, &shape, &values).expect("they fit"));
        self.add(Constant { name, ty: TensorType::quantized(dtype, shape, quant) }, &[])
    }

    /// Weights of `taps` products for each output, and biases; the scales are such that outputs use their range.
    fn weights(&mut self, shape: Vec<usize>, axis: usize, taps: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        let typical = 1.0 / (74.0 * (taps as f32).sqrt());
        let scales = (0..channels).map(|at| typical * (0.7 + 0.6 * at as f32 / channels as f32)).collect();
        let quant = Quant::per_channel(scales, axis);
        let bias = Quant { axis: Some(0), ..quant.clone() };
        [self.constant(shape, DType::I8, quant, 1), self.constant(vec![channels], DType::I32, bias, 20)]
    }

    fn requant(zero_point: i32, rounding: Rounding) -> Option<Requant> {
        Some(Requant { dtype: DType::I8, scale: Scale(SCALE), zero_point, rounding })
    }

    fn ending(clamp: Clamp) -> i32 {
        if clamp == Clamp::None { 3 } else { -128 }
    }

    fn conv2d(
        &mut self,
        x: NodeId,
        kernel: [usize; 2],
        stride: usize,
        filters: usize,
        clamp: Clamp,
    ) -> NodeId {
        let [_, height, width, channels] = self.shape(x);
        let window = Window::same(kernel, [stride, stride], [height, width]);
        let shape = vec![filters, kernel[0], kernel[1], channels];
        let [w, b] = self.weights(shape, 0, kernel[0] * kernel[1] * channels);
        let requant = Net::requant(Net::ending(clamp), Rounding::Double);
        self.add(Conv2d { window, clamp, requant }, &[x, w, b])
    }

    fn depthwise(&mut self, x: NodeId, stride: usize) -> NodeId {
        let [_, height, width, channels] = self.shape(x);
        let window = Window::same([3, 3], [stride, stride], [height, width]);
        let [w, b] = self.weights(vec![1, 3, 3, channels], 3, 9);
        let requant = Net::requant(-128, Rounding::Double);
        self.add(DepthwiseConv2d { window, clamp: Clamp::Relu, requant }, &[x, w, b])
    }

    fn dense(&mut self, x: NodeId, units: usize, clamp: Clamp) -> NodeId {
        let features = self.graph.ty(x).shape.0[1];
        let [w, b] = self.weights(vec![units, features], 0, features);
        let requant = Net::requant(Net::ending(clamp), Rounding::Single);
        self.add(Dense { clamp, requant }, &[x, w, b])
    }

    fn sum(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let requant = Net::requant(-128, Rounding::Double);
        self.add(Add { clamp: Clamp::Relu, requant }, &[a, b])
    }

    /// The mean over a map, and a classifier.
    fn classify(mut self, x: NodeId, classes: usize) -> Net {
        let [_, height, width, channels] = self.shape(x);
        let window = Window::valid([height, width], [1, 1]);
        let x = self.add(AvgPool2d { window, clamp: Clamp::None }, &[x]);
        let x = self.add(Reshape { shape: [1, channels].into() }, &[x]);
        let x = self.dense(x, classes, Clamp::None);
        self.graph.add_output(x);
        self
    }
}

/// Keyword spotting: DS-CNN, 49 x 10, 64 channels.
pub(crate) fn ds_cnn() -> Net {
    let mut net = Net::new();
    let x = net.input([1, 49, 10, 1]);
    let mut x = net.conv2d(x, [10, 4], 2, 64, Clamp::Relu);
    for _ in 0..4 {
        x = net.depthwise(x, 1);
        x = net.conv2d(x, [1, 1], 1, 64, Clamp::Relu);
    }
    net.classify(x, 12)
}

/// Image classification: ResNet-8 on 32 x 32 x 3.
pub(crate) fn resnet8() -> Net {
    let mut net = Net::new();
    let x = net.input([1, 32, 32, 3]);
    let mut x = net.conv2d(x, [3, 3], 1, 16, Clamp::Relu);
    for (filters, stride) in [(16, 1), (32, 2), (64, 2)] {
        let y = net.conv2d(x, [3, 3], stride, filters, Clamp::Relu);
        let y = net.conv2d(y, [3, 3], 1, filters, Clamp::None);
        let short = if stride == 1 { x } else { net.conv2d(x, [1, 1], stride, filters, Clamp::None) };
        x = net.sum(short, y);
    }
    net.classify(x, 10)
}

/// Visual wake words: MobileNet v1, width 0.25, on 96 x 96 x 3.
pub(crate) fn mobilenet() -> Net {
    let mut net = Net::new();
    let x = net.input([1, 96, 96, 3]);
    let mut x = net.conv2d(x, [3, 3], 2, 8, Clamp::Relu);
    for (filters, stride) in [
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        (128, 1),
        (128, 1),
        (128, 1),
        (128, 1),
        (128, 1),
        (256, 2),
        (256, 1),
    ] {
        x = net.depthwise(x, stride);
        x = net.conv2d(x, [1, 1], 1, filters, Clamp::Relu);
    }
    net.classify(x, 2)
}

/// Anomaly detection: autoencoder of dense layers, 640 features.
pub(crate) fn autoencoder() -> Net {
    let mut net = Net::new();
    let ty = TensorType::quantized(DType::I8, [1, 640], Quant::per_tensor(SCALE, -11));
    let mut x = net.add(Input { ty }, &[]);
    for units in [128, 128, 128, 128, 8, 128, 128, 128, 128] {
        x = net.dense(x, units, Clamp::Relu);
    }
    let x = net.dense(x, 640, Clamp::None);
    net.graph.add_output(x);
    net
}
