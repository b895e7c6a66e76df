//! A layer whose clamp leaves one value only, a sum whose factor is below 2^-32, or a product, a curve or a
//! requantization with which all inputs give one value: nothing is computed and no table kept, nor is what only such
//! layers read. A compiler that sees the bounds would drop the tables too, and the image would not have the promised
//! bytes. The scales of an untrained network are placeholders and say nothing of the kind.

use super::filters::holds;
use super::{FunctionBuilder, Kernel, Layer, Lowering, clamp_range, scalar};
use crate::graph::NodeId;
use crate::kernel::{Access, Affine, Stmt};
use crate::ops::{
    Activation, Add, AvgPool2d, Clamp, Conv2d, Dense, DepthwiseConv2d, Elementwise, ElementwiseParameters,
    MaxPool2d, Mul, Op,
};
use crate::tensor::TensorType;

/// What a product, a curve or a requantization gives for all inputs, if that is one value.
fn the_one_value(op: &Op, types: &[&TensorType], output: &TensorType) -> Option<i32> {
    let range = |ty: &TensorType| {
        let zero = ty.quant.as_ref().map_or(0, |quant| quant.zero_point);
        let (low, high) = ty.dtype.range().unwrap_or_default();
        [low, high].map(|x| x.saturating_sub(zero))
    };
    let (requant, clamp, multiplier, ends) = match (op, types) {
        (Op::Curve(op), [x]) => {
            let table = op.table(x, output);
            let same = table.iter().all(|&value| value == table[0]);
            return same.then(|| i32::from(table[0]));
        }
        (Op::Mul(op), &[a, b]) => {
            let ends = range(a).into_iter().flat_map(|a| range(b).map(|b| a.saturating_mul(b))).collect();
            (op.requant?, op.clamp, op.multiplier(a, b, output), ends)
        }
        (Op::Elementwise(op), &[a, b]) => return combined_value(op, op.parameters(a, b, output)),
        (Op::Requantize(op), &[x]) => (op.requant, Clamp::None, op.multiplier(x, output), range(x).to_vec()),
        _ => return None,
    };
    let ends: Vec<i32> = ends;
    if !holds(ends.iter().map(|end| i64::from(end.unsigned_abs())).max()?, multiplier) {
        return None;
    }
    let (low, high) = clamp.range(&requant);
    let value =
        |x: i32| multiplier.apply(x, requant.rounding).saturating_add(requant.zero_point).clamp(low, high);
    // The outputs rise with the accumulator, so the ends say all.
    let first = value(*ends.iter().min()?);
    (value(*ends.iter().max()?) == first).then_some(first)
}

/// What a function of two tensors gives for all inputs where its factors are 0.
fn combined_value(op: &Elementwise, parameters: ElementwiseParameters) -> Option<i32> {
    let is_nothing = match parameters {
        ElementwiseParameters::Sum(sum) => sum.output.value == 0,
        ElementwiseParameters::Product(factor) => factor.value == 0,
        ElementwiseParameters::Choice => false,
        ElementwiseParameters::Prelu(alone, product) => alone.value == 0 && product.value == 0,
    };
    let (low, high) = op.clamp.range(&op.requant);
    is_nothing.then(|| op.requant.zero_point.clamp(low, high))
}

impl Lowering<'_> {
    /// By index whether a node is an input of the network or read for an output; layers of one value read nothing.
    pub(super) fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.graph.len()];
        self.graph.network_inputs().into_iter().for_each(|input| needed[input.index()] = true);
        let mut stack = self.graph.outputs().to_vec();
        while let Some(node) = stack.pop() {
            let is_new = !std::mem::replace(&mut needed[node.index()], true);
            // A sum may compute a convolution of one value like any other.
            if is_new && (self.only_value(node).is_none() || self.absorber(node).is_some()) {
                stack.extend(self.graph.inputs(node));
            }
        }
        needed
    }

    /// The only value of the node's output; `None` where there are several, or may be once the network is trained.
    pub(super) fn only_value(&self, node: NodeId) -> Option<i32> {
        if self.is_skeleton {
            return None;
        }
        let types = self.graph.input_types(node);
        if let Op::Lookup(_) = self.graph.node(node).op {
            let (table, _) = self.constant(self.graph.inputs(node)[1]).ok()?;
            return table.iter().all(|value| *value == table[0]).then_some(table[0]);
        }
        let node = self.graph.node(node);
        if let Op::Add(op) = &node.op
            && let Some(requant) = &op.requant
            && let [a, b] = types[..]
            && op.parameters(a, b, &node.ty).output.value == 0
        {
            let (low, high) = op.clamp.range(requant);
            return Some(requant.zero_point.clamp(low, high));
        }
        if let Some(value) = the_one_value(&node.op, &types, &node.ty) {
            return Some(value);
        }
        let (low, high) = match &node.op {
            Op::Conv2d(Conv2d { clamp, requant, .. })
            | Op::DepthwiseConv2d(DepthwiseConv2d { clamp, requant, .. })
            | Op::Dense(Dense { clamp, requant })
            | Op::Add(Add { clamp, requant })
            | Op::Mul(Mul { clamp, requant }) => clamp.range(requant.as_ref()?),
            Op::TransposeConv2d(op) => op.clamp.range(&op.requant),
            Op::Elementwise(op) => op.clamp.range(&op.requant),
            Op::Activation(Activation { clamp })
            | Op::AvgPool2d(AvgPool2d { clamp, .. })
            | Op::MaxPool2d(MaxPool2d { clamp, .. }) => clamp_range(*clamp, &node.ty).ok()?.into(),
            Op::Input(_)
            | Op::Constant(_)
            | Op::Reshape(_)
            | Op::Concat(_)
            | Op::Pad(_)
            | Op::Curve(_)
            | Op::Upsample2d(_)
            | Op::Dropout(_)
            | Op::Requantize(_)
            | Op::Softmax(_)
            | Op::Squash(_)
            | Op::Slice(_)
            | Op::Mean(_)
            | Op::Lookup(_)
            | Op::ResizeBilinear(_)
            | Op::Transpose(_)
            | Op::Param(_)
            | Op::BatchNorm(_)
            | Op::FoldWeight(_)
            | Op::FoldBias(_) => return None,
        };
        (low == high).then_some(low)
    }

    /// Every element of the output is this value.
    pub(super) fn fill(&mut self, layer: &Layer, value: i32) -> Kernel {
        let elements = self.graph.ty(layer.node).shape.elements();
        let mut builder = FunctionBuilder::default();
        let output = builder.param("output", self.graph.ty(layer.node).dtype, Access::Write);
        let [count, only] = ["count", "value"].map(|name| builder.scalar(name));
        let body = builder.each("i", (Affine::constant(0), Affine::var(count)), 1, |_, at| {
            vec![Stmt::Store { buf: output, index: at.clone(), value: scalar(only) }]
        });
        Kernel {
            function: builder.finish(body),
            inputs: Vec::new(),
            scalars: vec![vec![elements as i32, value]],
            safe: Vec::new(),
            scratch: Vec::new(),
            work: Vec::new(),
        }
    }
}
