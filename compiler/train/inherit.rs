//! Weights that a changed network takes over from the network that it was changed from.
//!
//! In: two training graphs and the weights of the first. Out: weights to begin with for the second. Layers are matched
//! in their order, so that a layer that came or went between others shifts nothing. What a layer has more than its
//! counterpart begins so that it disturbs least: further inputs and the rim of a larger window at 0, further outputs
//! drawn as for a training from the start.
//!
//! Source  T. Chen, I. Goodfellow, J. Shlens, "Net2Net", arXiv:1511.05641; M. Fedorov et al., SpArSe,
//! arXiv:1905.12107 section 4.3, for search by such changes.

use crate::diagnostic::Diagnostic;
use crate::graph::{Graph, Weights};
use crate::ops::{Op, Param};
use crate::tensor::Value;
use crate::train::network::Network;
use crate::train::stream::initial_weights;

/// An operator with parameters.
struct Layer<'g> {
    op: &'static str,
    params: Vec<&'g Param>,
}

/// Weights to begin a training of `child` with: those of `parent` where layers match, the rest drawn by `seed` as
/// [`initial_weights`] draws it. Between equal graphs all are taken over, running statistics among them.
///
/// # Errors
/// Those of [`Network::new`] for `child`; parameters that `weights` lacks or has in another shape are drawn.
pub fn inherit(parent: &Graph, weights: &Weights, child: &Graph, seed: u64) -> Result<Weights, Diagnostic> {
    let network = Network::new(child)?;
    let mut begin = initial_weights(network.params(), seed);
    let (from, to) = (layers(parent), layers(child));
    for (old, new) in matched(&from, &to) {
        for (old_param, new_param) in from[old].params.iter().zip(&to[new].params) {
            let value = weights.get(&old_param.name).filter(|value| value.shape() == old_param.ty.shape);
            if let (Some(value), Some(drawn)) = (value, begin.get(&new_param.name))
                && let Some(taken) = taken_over(value, drawn, output_axis(to[new].op))
            {
                begin.insert(new_param.name.clone(), taken);
            }
        }
    }
    Ok(begin)
}

/// The operators with parameters, in their order.
fn layers(graph: &Graph) -> Vec<Layer<'_>> {
    let param = |node: &crate::graph::NodeId| match &graph.node(*node).op {
        Op::Param(param) => Some(param),
        _ => None,
    };
    let order = graph.order();
    let layer = |node| {
        let params: Vec<&Param> = graph.inputs(node).iter().filter_map(param).collect();
        (!params.is_empty()).then(|| Layer { op: graph.node(node).op.name(), params })
    };
    order.into_iter().filter_map(layer).collect()
}

/// How well a layer can take over from another; 0 for not at all.
fn likeness(old: &Layer<'_>, new: &Layer<'_>) -> usize {
    let ranks =
        |layer: &Layer<'_>| layer.params.iter().map(|param| param.ty.shape.rank()).collect::<Vec<_>>();
    if old.op != new.op || ranks(old) != ranks(new) {
        return 0;
    }
    let mut shapes = old.params.iter().zip(&new.params).map(|(old, new)| (&old.ty.shape.0, &new.ty.shape.0));
    if shapes.clone().all(|(old, new)| old == new) {
        return 4;
    }
    let window = |extents: &[usize]| (extents.len() == 4).then(|| [extents[1], extents[2]]);
    if shapes.all(|(old, new)| window(old) == window(new)) { 3 } else { 2 }
}

/// Pairs of layers in the order of both that are most alike together; of equally good ways the one that pairs late
/// layers, which stand before the outputs.
fn matched(from: &[Layer<'_>], to: &[Layer<'_>]) -> Vec<(usize, usize)> {
    let columns = to.len() + 1;
    let mut best = vec![0; (from.len() + 1) * columns];
    for (i, old) in from.iter().enumerate() {
        for (j, new) in to.iter().enumerate() {
            let likeness = likeness(old, new);
            let paired = if likeness == 0 { 0 } else { best[i * columns + j] + likeness };
            let apart = best[i * columns + j + 1].max(best[(i + 1) * columns + j]);
            best[(i + 1) * columns + j + 1] = paired.max(apart);
        }
    }
    let (mut i, mut j) = (from.len(), to.len());
    let mut pairs = Vec::new();
    while i > 0 && j > 0 {
        let likeness = likeness(&from[i - 1], &to[j - 1]);
        let here = best[i * columns + j];
        if likeness > 0 && here == best[(i - 1) * columns + j - 1] + likeness {
            (i, j) = (i - 1, j - 1);
            pairs.push((i, j));
        } else if here == best[(i - 1) * columns + j] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    pairs.reverse();
    pairs
}

/// The dimension of a weight that counts outputs.
fn output_axis(op: &str) -> usize {
    if op == "depthwise_conv2d" { 3 } else { 0 }
}

/// `old` in the shape of `drawn`: windows centred, further outputs as drawn, all else that `old` does not have 0.
/// `None` where one has no floats.
fn taken_over(old: &Value, drawn: &Value, output_axis: usize) -> Option<Value> {
    let (old, new) = (old.as_f32()?, drawn.as_f32()?);
    let (from, to) = (old.shape().to_vec(), new.shape().to_vec());
    if from.len() != to.len() {
        return None;
    }
    let is_window = |axis: usize| to.len() == 4 && matches!(axis, 1 | 2);
    let mut place = vec![0; from.len()];
    let elements = new.indexed_iter().map(|(index, &drawn)| {
        let mut is_there = true;
        for (axis, here) in place.iter_mut().enumerate() {
            let at = if is_window(axis) {
                // Division rounds towards 0: a window that grows by one grows behind, and shrinks there.
                (index[axis] as isize) - (to[axis] as isize - from[axis] as isize) / 2
            } else {
                index[axis] as isize
            };
            if axis == output_axis.min(to.len() - 1) && at >= from[axis] as isize {
                return drawn;
            }
            is_there &= (0..from[axis] as isize).contains(&at);
            *here = at.max(0) as usize;
        }
        if is_there { old[place.as_slice()] } else { 0.0 }
    });
    let elements: Vec<f32> = elements.collect();
    Value::from_f32(&drawn.shape(), elements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    fn value(extents: &[usize], elements: impl IntoIterator<Item = f32>) -> Value {
        Value::from_f32(&Shape::from(extents), elements.into_iter().collect())
            .expect("as many as the shape has")
    }

    fn elements(value: &Value) -> Vec<f32> {
        value.as_f32().expect("floats").iter().copied().collect()
    }

    #[test]
    fn further_inputs_begin_at_zero_and_further_outputs_as_drawn() {
        let old = value(&[1, 2], [1.0, 2.0]);
        let drawn = value(&[2, 3], [9.0; 6]);
        let taken = taken_over(&old, &drawn, 0).expect("floats");
        assert_eq!(elements(&taken), [1.0, 2.0, 0.0, 9.0, 9.0, 9.0]);
        // And what is no longer there goes.
        let taken = taken_over(&drawn, &old, 0).expect("floats");
        assert_eq!(elements(&taken), [9.0, 9.0]);
    }

    #[test]
    fn windows_are_centred() {
        let old = value(&[1, 3, 1, 1], [1.0, 2.0, 3.0]);
        let wide = taken_over(&old, &value(&[1, 5, 1, 1], [9.0; 5]), 0).expect("floats");
        assert_eq!(elements(&wide), [0.0, 1.0, 2.0, 3.0, 0.0]);
        let back = taken_over(&wide, &old, 0).expect("floats");
        assert_eq!(elements(&back), [1.0, 2.0, 3.0]);
        let even = taken_over(&old, &value(&[1, 4, 1, 1], [9.0; 4]), 0).expect("floats");
        assert_eq!(elements(&even), [1.0, 2.0, 3.0, 0.0]);
        let odd = taken_over(&even, &old, 0).expect("floats");
        assert_eq!(elements(&odd), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn channels_of_a_depthwise_convolution_are_outputs() {
        let old = value(&[1, 1, 1, 2], [1.0, 2.0]);
        let taken = taken_over(&old, &value(&[1, 1, 1, 3], [9.0; 3]), 3).expect("floats");
        assert_eq!(elements(&taken), [1.0, 2.0, 9.0]);
    }
}
