//! Random integer networks: small enough to be interpreted, odd enough to find what examples do not.

use nasc::graph::{Graph, NodeId};
use nasc::ops::{
    Activation, Add, AvgPool2d, Clamp, Constant, Conv2d, Dense, DepthwiseConv2d, Input, MaxPool2d, Op,
    Padding, Requant, Reshape, Window,
};
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

/// Activations have at most so many elements.
const MAX_ELEMENTS: usize = 3000;
/// Layers have at most so many multiply-accumulates.
const MAX_MACS: u64 = 200_000;
/// Labels that must not become C, comments or escape sequences.
const LABELS: [&str; 6] =
    ["a*/ int x;\n", "\"%s\" ??/ \\", "größe // \r\n#error", "end", "input", "body.0.conv"];

/// A stream of choices (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<i8> {
        // Some samples sit at the ends of the range, where sums are greatest.
        match self.below(6) {
            0 => vec![self.pick(&[-128, 127, 0]); count],
            1 => (0..count).map(|_| self.pick(&[-128, 127])).collect(),
            _ => (0..count).map(|_| self.next() as i8).collect(),
        }
    }
}

/// A graph under construction.
pub(crate) struct Builder {
    pub(crate) graph: Graph,
    pub(crate) dice: Dice,
    /// Activations that may be used again.
    pub(crate) nodes: Vec<NodeId>,
}

/// The network of this seed; it verifies, but its sums may be too large to be lowered.
pub(crate) fn network(seed: u64) -> Graph {
    let mut b = Builder { graph: Graph::new(), dice: Dice(seed), nodes: Vec::new() };
    let shape = b.input_shape();
    let quant = b.quant();
    let input =
        b.graph.add(Input { ty: TensorType::quantized(DType::I8, shape, quant) }, &[]).expect("an input");
    b.nodes.push(input);
    let output = match seed % 29 {
        0 => input,
        1 => b.reshaped(input),
        2 => b.sum(input, input).unwrap_or(input),
        3 => b.constant_like(input),
        4 => {
            let x = b.reshaped(input);
            b.sum(x, x).unwrap_or(x)
        }
        5..=8 => b.blocks(input),
        _ => b.body(input),
    };
    b.graph.add_output(output);
    b.graph.verify().expect("a random network is well formed");
    b.graph
}

impl Builder {
    fn input_shape(&mut self) -> [usize; 4] {
        match self.dice.below(8) {
            0 => [1, 1, 1, self.dice.pick(&[1, 2, 7, 300])],
            1 | 2 => [1, 1 + self.dice.below(40), 1, self.dice.pick(&[1, 3, 12, 17])],
            3 => [1, 1, 1 + self.dice.below(40), self.dice.pick(&[1, 3, 12])],
            _ => {
                let channels = self.dice.pick(&[1, 1, 2, 3, 4, 5, 8, 16]);
                [1, 1 + self.dice.below(14), 1 + self.dice.below(14), channels]
            }
        }
    }

    fn zero_point(&mut self) -> i32 {
        match self.dice.below(5) {
            0 => -128,
            1 => 127,
            2 => 0,
            _ => self.dice.below(256) as i32 - 128,
        }
    }

    fn quant(&mut self) -> Quant {
        let exponent = if self.dice.one_in(8) { self.dice.pick(&[-30.0, -12.0, 8.0, 25.0]) } else { -2.0 };
        let scale = 10f64.powf(exponent + 2.0 * self.dice.unit() - 1.0);
        Quant::per_tensor(scale as f32, self.zero_point())
    }

    pub(crate) fn clamp(&mut self) -> Clamp {
        self.dice.pick(&[Clamp::None, Clamp::None, Clamp::Relu, Clamp::Relu6])
    }

    /// An output quantization for values of this usual size.
    pub(crate) fn requant(&mut self, size: f64) -> Option<Requant> {
        let factor = match self.dice.below(12) {
            0 => 1e-3,
            1 => 1e4,
            2 => 0.1,
            _ => 0.3 + 2.0 * self.dice.unit(),
        };
        let scale = Scale(((size * factor / 40.0) as f32).clamp(1e-37, 1e37));
        let rounding = self.dice.pick(&[Rounding::Double, Rounding::Single]);
        Some(Requant { dtype: DType::I8, scale, zero_point: self.zero_point(), rounding })
    }

    /// The same with the rounding that schedules in assembly have.
    fn doubled(&mut self, size: f64) -> Option<Requant> {
        self.requant(size).map(|requant| Requant { rounding: Rounding::Double, ..requant })
    }

    pub(crate) fn scale(&self, node: NodeId) -> f64 {
        f64::from(self.graph.ty(node).quant.as_ref().expect("an activation").scale(0))
    }

    pub(crate) fn constant(&mut self, ty: TensorType, value: Option<Value>) -> NodeId {
        let name = format!("c{}", self.graph.len());
        self.graph.set_constant(name.clone(), value.expect("as many elements"));
        self.graph.add(Constant { name, ty }, &[]).expect("a constant")
    }

    pub(crate) fn constant_like(&mut self, node: NodeId) -> NodeId {
        // With its scale: GCC drops the table of a term whose factor is below 2^-32, and the sizes would differ.
        let TensorType { shape, quant, .. } = self.graph.ty(node).clone();
        let values = self.dice.bytes(shape.elements());
        let quant = quant.expect("an activation");
        self.constant(TensorType::quantized(DType::I8, shape.clone(), quant), Value::from_i8(&shape, values))
    }

    /// Weights, bias and the usual size of the output.
    pub(crate) fn weights(&mut self, x: NodeId, shape: &[usize], axis: usize) -> ([NodeId; 2], f64) {
        let channels = shape[axis];
        let shape = Shape::from(shape);
        let base = 10f64.powf(-4.0 * self.dice.unit());
        let scales: Vec<f32> = (0..channels).map(|_| (base * (0.1 + self.dice.unit())) as f32).collect();
        let quant = if self.dice.one_in(5) {
            Quant::per_tensor(base as f32, 0)
        } else {
            Quant::per_channel(scales, axis)
        };
        let sparse = self.dice.one_in(6);
        let mut values = self.dice.bytes(shape.elements());
        if sparse {
            values.iter_mut().for_each(|w| *w = if self.dice.one_in(3) { *w } else { 0 });
        }
        let taps = (shape.elements() / channels) as f64;
        let w = self
            .constant(TensorType::quantized(DType::I8, shape.clone(), quant), Value::from_i8(&shape, values));
        let bits = self.dice.pick(&[0, 4, 8, 12, 12, 16, 29]);
        let range = 1usize << bits;
        let bias = (0..channels).map(|_| self.dice.below(2 * range) as i32 - range as i32).collect();
        let shape = Shape::from([channels]);
        let ty = TensorType { dtype: DType::I32, shape: shape.clone(), quant: None };
        let b = self.constant(ty, Value::from_i32(&shape, bias));
        let size = self.scale(x) * base * (73.0 * 73.0 * taps.sqrt()).max(range as f64 / 4.0);
        ([w, b], size)
    }

    fn window(&mut self, [height, width]: [usize; 2], pool: bool) -> Window {
        let mut extent = |of: usize| match self.dice.below(4) {
            0 => 1,
            1 => of,
            _ => 1 + self.dice.below(of.min(6)),
        };
        let kernel = [extent(height), extent(width)];
        let stride = [0, 1].map(|_| self.dice.pick(&[1, 1, 2, 3, 7]));
        let mut window = match self.dice.below(3) {
            0 => Window::valid(kernel, stride),
            1 => Window::same(kernel, stride, [height, width]),
            _ => {
                let mut window = Window::valid(kernel, stride);
                let [top, bottom, left, right] =
                    [0, 0, 1, 1].map(|axis| self.dice.below(if pool { kernel[axis] } else { 4 }));
                window.padding = Padding { top, bottom, left, right };
                window
            }
        };
        if self.dice.one_in(6) {
            window.dilation = [1 + self.dice.below(2), 1 + self.dice.below(3)];
        }
        window
    }

    /// Adds an operator if it fits and is small; its constants stay behind unused where it is not.
    pub(crate) fn layer(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> Option<NodeId> {
        let op = op.into();
        let types: Vec<&TensorType> = inputs.iter().map(|&input| self.graph.ty(input)).collect();
        let ty = op.infer(&types).ok()?;
        if ty.shape.elements() > MAX_ELEMENTS || op.macs(&types, &ty).0 > MAX_MACS {
            return None;
        }
        let node = self.graph.add(op, inputs).expect("it was inferred");
        if self.dice.one_in(3) {
            let label = self.dice.pick(&LABELS);
            self.graph.set_origin(node, label, None);
        }
        self.nodes.push(node);
        Some(node)
    }

    fn reshaped(&mut self, x: NodeId) -> NodeId {
        let elements = self.graph.ty(x).shape.clone();
        let shape = match elements.nhwc() {
            Some([n, h, w, c]) => {
                self.dice.pick(&[[n, w, h, c], [n, h * w, 1, c], [n, 1, w, h * c], [n, h, w, c]])
            }
            None => [1, 1, 1, elements.elements()],
        };
        self.layer(Reshape { shape: shape.into() }, &[x]).unwrap_or(x)
    }

    fn sum(&mut self, a: NodeId, b: NodeId) -> Option<NodeId> {
        let size = 80.0 * self.scale(a).max(self.scale(b));
        let add = Add { clamp: self.clamp(), requant: self.requant(size) };
        self.layer(add, &[a, b])
    }

    fn body(&mut self, input: NodeId) -> NodeId {
        let mut x = input;
        for _ in 0..1 + self.dice.below(7) {
            let Some([_, height, width, channels]) = self.graph.ty(x).shape.nhwc() else { break };
            let next = match self.dice.below(18) {
                15..=17 => self.imported(x),
                10..=14 => self.other(x),
                0..=3 => self.conv(x, [height, width, channels]),
                4 | 5 => self.depthwise(x, [height, width, channels]),
                6 => self.pool(x, [height, width]),
                7 => self.residual(x),
                8 => Some(self.reshaped(x)),
                _ => {
                    let clamp = self.clamp();
                    self.layer(Activation { clamp }, &[x])
                }
            };
            x = next.unwrap_or(x);
        }
        if self.dice.one_in(3) { x } else { self.head(x) }
    }

    fn conv(&mut self, x: NodeId, [height, width, channels]: [usize; 3]) -> Option<NodeId> {
        let window = if self.dice.one_in(3) {
            Window::valid([1, 1], [1, 1])
        } else {
            self.window([height, width], false)
        };
        let filters = self.dice.pick(&[1, 2, 3, 4, 5, 6, 8, 11, channels, channels]);
        let [kh, kw] = window.kernel;
        let ([w, b], size) = self.weights(x, &[filters, kh, kw, channels], 0);
        let conv = Conv2d { window, clamp: self.clamp(), requant: self.requant(size) };
        self.layer(conv, &[x, w, b])
    }

    /// A convolution that keeps its input's shape.
    fn like(&mut self, x: NodeId) -> Option<NodeId> {
        let [_, height, width, channels] = self.graph.ty(x).shape.nhwc()?;
        let kernel = [height, width].map(|extent| 1 + self.dice.below(extent.min(4)));
        let window = Window::same(kernel, [1, 1], [height, width]);
        let ([w, b], size) = self.weights(x, &[channels, kernel[0], kernel[1], channels], 0);
        let conv = Conv2d { window, clamp: self.clamp(), requant: self.doubled(size) };
        self.layer(conv, &[x, w, b])
    }

    fn depthwise(&mut self, x: NodeId, [height, width, channels]: [usize; 3]) -> Option<NodeId> {
        let window = self.window([height, width], false);
        let [kh, kw] = window.kernel;
        let ([w, b], size) = self.weights(x, &[1, kh, kw, channels], 3);
        let conv = DepthwiseConv2d { window, clamp: self.clamp(), requant: self.requant(size) };
        self.layer(conv, &[x, w, b])
    }

    pub(crate) fn pool(&mut self, x: NodeId, extent: [usize; 2]) -> Option<NodeId> {
        let (window, clamp) = (self.window(extent, true), self.clamp());
        if self.dice.one_in(2) {
            self.layer(AvgPool2d { window, clamp }, &[x])
        } else {
            self.layer(MaxPool2d { window, clamp }, &[x])
        }
    }

    fn residual(&mut self, x: NodeId) -> Option<NodeId> {
        let x = if self.dice.one_in(2) { self.like(x).unwrap_or(x) } else { x };
        let shape = &self.graph.ty(x).shape;
        let equal: Vec<NodeId> =
            self.nodes.iter().copied().filter(|&node| self.graph.ty(node).shape == *shape).collect();
        let other = if self.dice.one_in(5) { self.constant_like(x) } else { self.dice.pick(&equal) };
        self.sum(x, other)
    }

    /// Convolutions with what goes around them.
    fn blocks(&mut self, input: NodeId) -> NodeId {
        let mut x = input;
        for _ in 0..1 + self.dice.below(3) {
            let first = self.like(x);
            let second = if self.dice.one_in(2) { first.and_then(|y| self.like(y)) } else { first };
            let Some(y) = second else { break };
            let [a, b] = if self.dice.one_in(2) { [x, y] } else { [y, x] };
            let size = 80.0 * self.scale(a).max(self.scale(b));
            let add = Add { clamp: self.clamp(), requant: self.doubled(size) };
            x = self.layer(add, &[a, b]).unwrap_or(y);
        }
        if self.dice.one_in(3) { x } else { self.head(x) }
    }

    fn head(&mut self, x: NodeId) -> NodeId {
        let elements = self.graph.ty(x).shape.elements();
        let Some(mut x) = self.layer(Reshape { shape: [1, elements].into() }, &[x]) else { return x };
        for _ in 0..1 + self.dice.below(3) {
            let features = self.graph.ty(x).shape.0[1];
            let units = self.dice.pick(&[1, 2, 3, 4, 5, 9, 10, 16, 21]);
            let ([w, b], size) = self.weights(x, &[units, features], 0);
            let dense = Dense { clamp: self.clamp(), requant: self.requant(size) };
            x = self.layer(dense, &[x, w, b]).unwrap_or(x);
            if self.dice.one_in(4) {
                x = self.residual(x).unwrap_or(x);
            }
            if self.dice.one_in(6) {
                x = self.other(x).unwrap_or(x);
            }
        }
        x
    }
}
