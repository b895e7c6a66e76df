//! Networks that are trained to measure and to compare, with random data for them.

use nasc::graph::{Graph, NodeId};
use nasc::ops::{
    Activation, Add, AvgPool2d, BatchNorm, Clamp, Conv2d, Dense, DepthwiseConv2d, Input, MaxPool2d, Op,
    Param, ParamRole, Reshape, Window,
};
use nasc::tensor::{Scale, Shape, TensorType, Value};

/// A network as a training graph.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) graph: Graph,
    /// Extents of a sample.
    pub(crate) input: [usize; 3],
    pub(crate) classes: usize,
}

/// `ds-cnn` for spoken words, `resnet-8` for pictures, `vowels` for the data of that example, or `tiny`, which has every kind of layer with extents that
/// no vector length divides.
pub(crate) fn named(name: &str) -> Option<Workload> {
    match name {
        "ds-cnn" => Some(ds_cnn()),
        "resnet-8" => Some(resnet_8()),
        "tiny" => Some(tiny()),
        "vowels" => Some(vowels()),
        "digits" => Some(digits()),
        _ => None,
    }
}

impl Workload {
    /// Samples uniform in -1..1 and labels, the same on every machine.
    pub(crate) fn data(&self, count: usize) -> (Value, Vec<u32>) {
        let mut state = 7_u64;
        // splitmix64.
        let mut draw = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let [h, w, c] = self.input;
        let elements =
            (0..count * h * w * c).map(|_| (draw() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect();
        let labels = (0..count).map(|_| (draw() >> 33) as u32 % self.classes as u32).collect();
        (Value::from_f32(&[count, h, w, c].into(), elements).expect("as many as the shape has"), labels)
    }
}

/// Source  arXiv:1711.07128 with the sizes of MLPerf Tiny (keyword spotting).
fn ds_cnn() -> Workload {
    let input = [49, 10, 1];
    let (mut net, x) = Builder::new(input);
    let mut x = net.conv_norm(x, (64, [10, 4], [2, 2]), Clamp::Relu);
    for _ in 0..4 {
        x = net.depthwise_norm(x, [3, 3], [1, 1], Clamp::Relu);
        x = net.conv_norm(x, (64, [1, 1], [1, 1]), Clamp::Relu);
    }
    Workload { name: "ds-cnn", graph: net.classify(x, 12), input, classes: 12 }
}

/// Source  MLPerf Tiny (image classification): no normalisation on the shortcuts.
fn resnet_8() -> Workload {
    let input = [32, 32, 3];
    let (mut net, x) = Builder::new(input);
    let mut x = net.conv_norm(x, (16, [3, 3], [1, 1]), Clamp::Relu);
    for (filters, stride) in [(16, 1), (32, 2), (64, 2)] {
        let stride = [stride, stride];
        let y = net.conv_norm(x, (filters, [3, 3], stride), Clamp::Relu);
        let y = net.conv_norm(y, (filters, [3, 3], [1, 1]), Clamp::None);
        if stride != [1, 1] {
            x = net.conv(x, (filters, [1, 1], stride), ParamRole::Bias);
        }
        let sum = net.add(Add { clamp: Clamp::None, requant: None }, &[x, y]);
        x = net.add(Activation { clamp: Clamp::Relu }, &[sum]);
    }
    Workload { name: "resnet-8", graph: net.classify(x, 10), input, classes: 10 }
}

/// A network of the space of the vowels example.
fn vowels() -> Workload {
    let input = [25, 1, 12];
    let (mut net, x) = Builder::new(input);
    let x = net.conv_norm(x, (32, [5, 1], [1, 1]), Clamp::Relu);
    let x = net.conv_norm(x, (32, [3, 1], [2, 1]), Clamp::Relu);
    let x = net.depthwise_norm(x, [3, 1], [1, 1], Clamp::Relu);
    let x = net.conv_norm(x, (32, [1, 1], [1, 1]), Clamp::Relu);
    Workload { name: "vowels", graph: net.classify(x, 9), input, classes: 9 }
}

/// A small network for spoken digits.
fn digits() -> Workload {
    let input = [49, 10, 1];
    let (mut net, x) = Builder::new(input);
    let mut x = net.conv_norm(x, (24, [10, 4], [2, 2]), Clamp::Relu);
    for _ in 0..2 {
        x = net.depthwise_norm(x, [3, 3], [1, 1], Clamp::Relu);
        x = net.conv_norm(x, (24, [1, 1], [1, 1]), Clamp::Relu);
    }
    Workload { name: "digits", graph: net.classify(x, 10), input, classes: 10 }
}

fn tiny() -> Workload {
    let input = [13, 7, 3];
    let (mut net, x) = Builder::new(input);
    let x = net.conv_norm(x, (13, [3, 2], [2, 1]), Clamp::Relu6);
    let y = net.depthwise_norm(x, [3, 3], [1, 1], Clamp::Relu);
    let y = net.conv_norm(y, (13, [1, 1], [1, 1]), Clamp::None);
    let x = net.add(Add { clamp: Clamp::Relu, requant: None }, &[x, y]);
    let window = Window::same([2, 2], [2, 2], [7, 7]);
    let x = net.add(MaxPool2d { window, clamp: Clamp::None }, &[x]);
    let x = net.conv(x, (19, [3, 3], [1, 1]), ParamRole::Bias);
    Workload { name: "tiny", graph: net.classify(x, 5), input, classes: 5 }
}

/// Filters, kernel and stride.
type Filters = (usize, [usize; 2], [usize; 2]);

struct Builder {
    graph: Graph,
    params: usize,
}

impl Builder {
    fn new([h, w, c]: [usize; 3]) -> (Builder, NodeId) {
        let mut net = Builder { graph: Graph::new(), params: 0 };
        let x = net.add(Input { ty: TensorType::f32([1, h, w, c]) }, &[]);
        (net, x)
    }

    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("a network that fits")
    }

    fn param(&mut self, role: ParamRole, shape: &[usize], fan_in: usize) -> NodeId {
        self.params += 1;
        let ty = TensorType::f32(Shape::from(shape));
        self.add(Param { name: format!("p{:02}", self.params), role, ty, fan_in }, &[])
    }

    fn shape(&self, x: NodeId) -> [usize; 4] {
        self.graph.ty(x).shape.nhwc().expect("a feature map")
    }

    fn conv(&mut self, x: NodeId, (filters, kernel, stride): Filters, bias: ParamRole) -> NodeId {
        let [_, h, w, c] = self.shape(x);
        let [kh, kw] = kernel;
        let weight = self.param(ParamRole::Weight, &[filters, kh, kw, c], kh * kw * c);
        let bias = self.param(bias, &[filters], 0);
        let window = Window::same(kernel, stride, [h, w]);
        self.add(Conv2d { window, clamp: Clamp::None, requant: None }, &[x, weight, bias])
    }

    fn conv_norm(&mut self, x: NodeId, filters: Filters, clamp: Clamp) -> NodeId {
        let y = self.conv(x, filters, ParamRole::NoBias);
        self.norm(y, clamp)
    }

    fn depthwise_norm(&mut self, x: NodeId, kernel: [usize; 2], stride: [usize; 2], clamp: Clamp) -> NodeId {
        let [_, h, w, c] = self.shape(x);
        let [kh, kw] = kernel;
        let weight = self.param(ParamRole::Weight, &[1, kh, kw, c], kh * kw);
        let bias = self.param(ParamRole::NoBias, &[c], 0);
        let window = Window::same(kernel, stride, [h, w]);
        let y = self.add(DepthwiseConv2d { window, clamp: Clamp::None, requant: None }, &[x, weight, bias]);
        self.norm(y, clamp)
    }

    fn norm(&mut self, x: NodeId, clamp: Clamp) -> NodeId {
        let c = self.shape(x)[3];
        let roles = [ParamRole::Gamma, ParamRole::Beta, ParamRole::Mean, ParamRole::Variance];
        let [gamma, beta, mean, variance] = roles.map(|role| self.param(role, &[c], 0));
        let y = self.add(BatchNorm { epsilon: Scale(1e-3) }, &[x, gamma, beta, mean, variance]);
        match clamp {
            Clamp::None => y,
            clamp => self.add(Activation { clamp }, &[y]),
        }
    }

    /// Global average pool and dense layer; ends the network.
    fn classify(mut self, x: NodeId, classes: usize) -> Graph {
        let [_, h, w, c] = self.shape(x);
        let x = self.add(AvgPool2d { window: Window::valid([h, w], [1, 1]), clamp: Clamp::None }, &[x]);
        let x = self.add(Reshape { shape: [1, c].into() }, &[x]);
        let weight = self.param(ParamRole::Weight, &[classes, c], c);
        let bias = self.param(ParamRole::Bias, &[classes], 0);
        let y = self.add(Dense { clamp: Clamp::None, requant: None }, &[x, weight, bias]);
        self.graph.add_output(y);
        self.graph.verify().expect("well formed");
        self.graph
    }
}
