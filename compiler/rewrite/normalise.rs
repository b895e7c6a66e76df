//! Batch normalisations that no convolution could take in, as convolutions of their own.
//!
//! After an addition, a product, a concatenation, a pool or at the input there are no weights to fold into. What the
//! normalisation computes is a 1x1 depthwise convolution whose weights and biases are folded from ones and zeros, so
//! the integers need no operator of their own for it. This is no rule of the e-graph: it makes a graph that costs
//! more than the one it was given, and only where nothing else is left.

use std::collections::BTreeMap;

use crate::graph::{Graph, NodeId, VerifyError};
use crate::ops::{
    BatchNorm, Clamp, Constant, DepthwiseConv2d, FoldBias, FoldWeight, Op, Reshape, ShapeError, Window,
};
use crate::tensor::{Shape, TensorType, Value};

/// Whether a graph has a batch normalisation.
pub(super) fn has_batch_norm(graph: &Graph) -> bool {
    graph.order().into_iter().any(|node| matches!(graph.node(node).op, Op::BatchNorm(_)))
}

/// A float graph with depthwise convolutions in the place of its batch normalisations.
///
/// # Errors
/// When the graph did not verify.
pub(super) fn batch_norms_as_convolutions(graph: &Graph) -> Result<Graph, VerifyError> {
    let mut out = Graph::new();
    let mut map: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for (name, value) in graph.constants() {
        out.set_constant(name.clone(), Value::clone(value));
    }
    let mut made = 0;
    for node in graph.order() {
        let inputs: Vec<NodeId> = graph.inputs(node).iter().map(|input| map[input]).collect();
        let known = graph.node(node);
        // Types are those of a graph that verified, so nothing can be wrong with them here.
        let added = match &known.op {
            Op::BatchNorm(op) => {
                made += 1;
                convolution(&mut out, op, &inputs, &format!("normalise.{made}"))
            }
            op => out.add(op.clone(), &inputs).map(|node| vec![node]),
        };
        let added = added.expect("a verified graph stays well typed");
        let is_nameless = known.label.is_empty() && matches!(known.op, Op::BatchNorm(_));
        let label = if is_nameless { "batch_norm" } else { &known.label };
        for &node in &added {
            out.set_origin(node, label, known.span);
        }
        let replaced = *added.last().expect("an operator becomes one or more");
        map.insert(node, replaced);
    }
    for output in graph.outputs() {
        out.add_output(map[output]);
    }
    out.verify()?;
    Ok(out)
}

/// One normalisation: what runs in its place, in order. Vectors go through the convolution as maps of one pixel.
fn convolution(
    graph: &mut Graph,
    op: &BatchNorm,
    inputs: &[NodeId],
    name: &str,
) -> Result<Vec<NodeId>, ShapeError> {
    let &[x, gamma, beta, mean, variance] = inputs else { unreachable!("the verifier counts inputs") };
    let shape = graph.ty(x).shape.clone();
    let channels = shape.0.last().copied().unwrap_or(1);
    let one_pixel = Shape::from([1, 1, 1, channels]);
    let is_map = shape.0.len() == 4;
    let mut added = Vec::new();
    if !is_map {
        let pixels = shape.elements() / channels.max(1);
        added.push(graph.add(Reshape { shape: Shape::from([1, pixels, 1, channels]) }, &[x])?);
    }
    let x = added.last().copied().unwrap_or(x);
    let mut constant = |what: &str, shape: Shape, fill: f32| {
        let name = format!("{name}.{what}");
        let value = Value::from_f32(&shape, vec![fill; channels]);
        graph.set_constant(name.clone(), value.expect("as many values as channels"));
        graph.add(Constant { name, ty: TensorType::f32(shape) }, &[])
    };
    let ones = constant("ones", one_pixel, 1.0)?;
    let zeros = constant("zeros", Shape::from([channels]), 0.0)?;
    let epsilon = op.epsilon;
    let weight = graph.add(FoldWeight { axis: 3, epsilon }, &[ones, gamma, variance])?;
    let bias = graph.add(FoldBias { epsilon }, &[zeros, gamma, beta, mean, variance])?;
    let window = Window::valid([1, 1], [1, 1]);
    let y = graph.add(DepthwiseConv2d { window, clamp: Clamp::None, requant: None }, &[x, weight, bias])?;
    added.push(y);
    if !is_map {
        added.push(graph.add(Reshape { shape }, &[y])?);
    }
    Ok(added)
}
