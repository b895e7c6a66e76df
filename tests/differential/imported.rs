//! Random operators that imported graphs alone have.

use nasc::graph::NodeId;
use nasc::ops::{
    Clamp, Elementwise, ElementwiseFunction, Lookup, ResizeBilinear, ResizeMode, TransposeConv2d, Window,
};
use nasc::tensor::{DType, Quant, Shape, TensorType, Value};

use super::network::Builder;

impl Builder {
    /// One of them on a feature map.
    pub(crate) fn imported(&mut self, x: NodeId) -> Option<NodeId> {
        match self.dice.below(6) {
            0 | 1 => self.elementwise(x),
            2 | 3 => self.transposed(x),
            4 => self.resized(x),
            _ => self.looked_up(x),
        }
    }

    /// With itself, with an earlier map of extents that go together, or with a constant of some of its extents.
    fn elementwise(&mut self, x: NodeId) -> Option<NodeId> {
        let function = self.dice.pick(&ElementwiseFunction::ALL);
        let is_choice = matches!(function, ElementwiseFunction::Maximum | ElementwiseFunction::Minimum);
        let ty = self.graph.ty(x).clone();
        let quant = ty.quant.clone()?;
        let b = if !is_choice && self.dice.one_in(2) {
            let nodes = self.nodes.clone();
            self.dice.pick(&nodes)
        } else {
            let shape = Shape(ty.shape.0.iter().map(|&extent| self.dice.pick(&[1, extent])).collect());
            let values = self.dice.bytes(shape.elements());
            let of_some = TensorType::quantized(DType::I8, shape.clone(), quant.clone());
            self.constant(of_some, Value::from_i8(&shape, values))
        };
        let scales = [self.scale(x), self.scale(b)];
        let size = match function {
            ElementwiseFunction::Mul | ElementwiseFunction::Prelu => scales[0] * scales[1] * 73.0 * 73.0,
            _ => 80.0 * scales[0].max(scales[1]),
        };
        let mut requant = self.requant(size)?;
        if is_choice {
            (requant.scale, requant.zero_point) = (quant.scales[0], quant.zero_point);
        }
        let clamp = if is_choice { Clamp::None } else { self.clamp() };
        let sides = if self.dice.one_in(2) { [x, b] } else { [b, x] };
        self.layer(Elementwise { function, clamp, requant }, &sides)
    }

    fn transposed(&mut self, x: NodeId) -> Option<NodeId> {
        let [_, height, width, channels] = self.graph.ty(x).shape.nhwc()?;
        let kernel = [0, 1].map(|_| self.dice.pick(&[1, 2, 3, 3, 4, 5]));
        let stride = [0, 1].map(|_| self.dice.pick(&[1, 2, 2, 3]));
        let same = self.dice.one_in(2);
        let output: [usize; 2] = std::array::from_fn(|axis| {
            let extent = [height, width][axis];
            let over = self.dice.below(stride[axis]);
            if same { extent * stride[axis] - over } else { (extent - 1) * stride[axis] + kernel[axis] }
        });
        let window = if same { Window::same(kernel, stride, output) } else { Window::valid(kernel, stride) };
        let filters = self.dice.pick(&[1, 2, 3, 4, 5, 8]);
        let ([w, b], size) = self.weights(x, &[filters, kernel[0], kernel[1], channels], 0);
        let (clamp, requant) = (self.clamp(), self.requant(size)?);
        self.layer(TransposeConv2d { window, output, clamp, requant }, &[x, w, b])
    }

    fn resized(&mut self, x: NodeId) -> Option<NodeId> {
        let output = [0, 1].map(|_| 1 + self.dice.below(15));
        let modes = [ResizeMode::Asymmetric, ResizeMode::AlignCorners, ResizeMode::HalfPixelCenters];
        let mode = self.dice.pick(&modes);
        self.layer(ResizeBilinear { output, mode }, &[x])
    }

    fn looked_up(&mut self, x: NodeId) -> Option<NodeId> {
        let shape = Shape::from([256]);
        let values = self.dice.bytes(256);
        let ty = TensorType::quantized(DType::I8, shape.clone(), Quant::per_tensor(1.0, 0));
        let table = self.constant(ty, Value::from_i8(&shape, values));
        let size = 80.0 * self.scale(x);
        let requant = self.requant(size)?;
        self.layer(Lookup { requant }, &[x, table])
    }
}
