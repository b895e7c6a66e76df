//! The verifier, and with it the specification of a graph.
//!
//! 1. A node comes after its inputs, so that there is no cycle.
//! 2. A node's type is the one that its operator infers from its inputs.
//! 3. There is at least one output, and every output is a node of the graph.
//! 4. Parameters have distinct names; so have constants.
//! 5. A constant's data has the type that its node says.
//! 6. Quantized types have one scale, or one for each index of their axis; scales are positive and finite, and the zero
//!    point is a value of the type.
//! 7. Every dimension is at least 1.

use rustc_hash::FxHashSet;

use crate::graph::{Graph, Node, NodeId};
use crate::ops::Op;
use crate::tensor::{DType, TensorType};

/// A broken rule: always a bug of the pass that made the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// The node, where there is one.
    pub node: Option<NodeId>,
    /// What is broken.
    pub message: String,
}

impl std::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.node {
            Some(node) => write!(f, "node {}: {}", node.index(), self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Graph {
    /// Checks every rule of the module's documentation.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn verify(&self) -> Result<(), VerifyError> {
        let fail = |node: Option<NodeId>, message: String| Err(VerifyError { node, message });
        if self.outputs.is_empty() {
            return fail(None, "the graph has no output".into());
        }
        if let Some(&lost) = self.outputs.iter().find(|&&output| output.index() >= self.len()) {
            return fail(None, format!("output {} is no node", lost.index()));
        }
        let mut params = FxHashSet::default();
        let mut constants = FxHashSet::default();
        for node in self.ids() {
            self.verify_node(node).map_err(|message| VerifyError { node: Some(node), message })?;
            match &self.node(node).op {
                Op::Param(param) if !params.insert(&param.name) => {
                    return fail(Some(node), format!("second parameter `{}`", param.name));
                }
                Op::Constant(constant) if !constants.insert(&constant.name) => {
                    return fail(Some(node), format!("second constant `{}`", constant.name));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn verify_node(&self, node: NodeId) -> Result<(), String> {
        if let Some(input) = self.inputs(node).iter().find(|input| input.index() >= node.index()) {
            return Err(format!("has the input {}, which does not come before it", input.index()));
        }
        let Node { op, ty, .. } = self.node(node);
        let inferred = op.infer(&self.input_types(node)).map_err(|error| error.message)?;
        if inferred != *ty {
            return Err(format!("has type {ty}, its operator infers {inferred}"));
        }
        verify_type(ty)?;
        if let Op::Constant(constant) = op
            && let Some(value) = self.constant(&constant.name)
            && (value.dtype() != ty.dtype || value.shape() != ty.shape)
        {
            return Err(format!("constant `{}` holds {}{}", constant.name, value.dtype(), value.shape()));
        }
        Ok(())
    }
}

fn verify_type(ty: &TensorType) -> Result<(), String> {
    if ty.shape.0.contains(&0) {
        return Err(format!("has an empty dimension: {}", ty.shape));
    }
    let Some(quant) = &ty.quant else {
        return Ok(());
    };
    let wanted = match quant.axis {
        None => 1,
        Some(axis) => *ty.shape.0.get(axis).ok_or(format!("has no axis {axis} for its scales"))?,
    };
    if quant.scales.len() != wanted {
        return Err(format!("has {} scales instead of {wanted}", quant.scales.len()));
    }
    if quant.scales.iter().any(|scale| !(scale.0 > 0.0 && scale.0.is_finite())) {
        return Err("has a scale that is not positive and finite".into());
    }
    if let Some((low, high)) = ty.dtype.range()
        && !(low..=high).contains(&quant.zero_point)
    {
        return Err(format!("has the zero point {}, which is no {}", quant.zero_point, ty.dtype));
    }
    match ty.dtype {
        DType::F32 => Err("is a float with a quantization".into()),
        DType::I8 | DType::I16 | DType::I32 => Ok(()),
    }
}
