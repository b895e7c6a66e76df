//! A convolution and the sum that adds it to a residual, as one step on Armv7E-M.
//!
//! Four pixels of the convolution are computed at a time, into working memory of that size, and added to the residual
//! at once. So the sum may take the place of the residual, or that of the convolution's input at the convolution's
//! distances, and the convolution's output never exists as a whole. The functions in assembly are those of the two
//! steps, whose bytes it gives: the one that sums is called for each tile instead of once.

use super::conv2d::window_geometry;
use super::filters::Parameters;
use super::sums;
use super::{FunctionBuilder, Kernel, Layer, Lowering, tiles};
use crate::graph::NodeId;
use crate::kernel::schedule::armv7em::tile::LANES;
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::schedule::overlap;
use crate::kernel::{
    Access, Affine, Arg, Buf, BufferId, Derivation, Expr, MicroArg, Stmt, Var, Variant, Work,
};
use crate::ops::{Add, Conv2d, Op};
use crate::target::Schedules;

/// The name of the operator of such a step.
const NAME: &str = "conv2d_add";

/// A convolution that waits for its sum.
pub(super) struct Absorbed {
    layer: Layer,
    geometry: Geometry,
    parameters: Parameters,
}

/// What a convolution adds its outputs to, and how.
pub(super) struct Term {
    /// Working memory for what a tile computes.
    strip: BufferId,
    /// The other term.
    residual: Arg,
    /// The micro-kernel of the sum.
    kernel: String,
    /// Whether the tile's outputs are its first input.
    strip_first: bool,
    /// Its scalars but the count.
    values: Vec<i32>,
    /// What it does for the whole sum.
    work: Vec<(Work, u64)>,
}

/// The parameters of a function for that.
pub(super) struct Strips {
    strip: Buf,
    residual: Buf,
    kernel: String,
    /// 1 where the strip is the sum's first input, else 0: so layers share a function before and after training.
    strip_first: Var,
    values: Vec<Var>,
}

impl Lowering<'_> {
    /// The convolution that a node, if it is a sum, is to compute itself: one that nothing else reads. Of two that
    /// with more products, whose input is the harder to write over; else the later one.
    fn absorbed(&self, sum: NodeId) -> Option<NodeId> {
        let graph = self.graph;
        let &[a, b] = graph.inputs(sum) else { return None };
        let is_wanted = self.choice.of(self.positions[sum.index()]) == Variant::Fused
            && matches!(graph.node(sum).op, Op::Add(_))
            && self.only_value(sum).is_none();
        if !is_wanted || a == b {
            return None;
        }
        let is_free = |&node: &NodeId| {
            matches!(graph.node(node).op, Op::Conv2d(_))
                && graph.users(node) == [sum]
                && !graph.outputs().contains(&node)
        };
        let macs = |node: &NodeId| graph.node(*node).op.macs(&graph.input_types(*node), graph.ty(*node)).0;
        [a, b].into_iter().filter(is_free).max_by_key(|node| (macs(node), self.positions[node.index()]))
    }

    /// The sum that is to compute a node, if that is a convolution.
    pub(super) fn absorber(&self, node: NodeId) -> Option<NodeId> {
        if !self.choice.has_fused()
            || self.isa.schedules() != Schedules::ArmDsp
            || !matches!(self.graph.node(node).op, Op::Conv2d(_))
        {
            return None;
        }
        let &[sum] = self.graph.users(node).as_slice() else { return None };
        (self.absorbed(sum) == Some(node)).then_some(sum)
    }

    /// Keeps a convolution for its sum, if there is one that can compute it.
    pub(super) fn absorb(&mut self, layer: &Layer) -> Result<bool, String> {
        let Some(sum) = self.absorber(layer.node) else { return Ok(false) };
        let (Op::Conv2d(op), Op::Add(add)) = (&self.graph.node(layer.node).op, &self.graph.node(sum).op)
        else {
            return Ok(false);
        };
        let requant = op.requant.as_ref().ok_or("is not quantized")?;
        let inputs = self.graph.input_types(layer.node);
        let geometry = window_geometry(&op.window, &inputs, self.graph.ty(layer.node))?.contracted();
        let taps = geometry.window.kernel[0] * geometry.window.kernel[1] * geometry.channels;
        let parameters = self.parameters(layer, requant, |index| index / taps)?;
        let summed = self.sum_of(sum, add).is_ok_and(|sum| sums::applies(self.isa, &sum));
        if !summed || !tiles::applies(self.isa, &geometry, requant, &parameters) {
            return Ok(false);
        }
        let layer = Layer { name: layer.name.clone(), ..*layer };
        self.waiting.insert(layer.node, Absorbed { layer, geometry, parameters });
        Ok(true)
    }

    /// A sum with the convolution that was kept for it; false if there is none.
    pub(super) fn absorbing_sum(&mut self, layer: &Layer) -> Result<bool, String> {
        let Some(conv) = self.absorbed(layer.node) else { return Ok(false) };
        let Some(Absorbed { layer: own, geometry, parameters }) = self.waiting.remove(&conv) else {
            return Ok(false);
        };
        let nodes = (&self.graph.node(layer.node).op, &self.graph.node(conv).op);
        let (Op::Add(add), Op::Conv2d(Conv2d { requant: Some(requant), clamp, .. })) = nodes else {
            return Ok(false);
        };
        let term = self.term(layer, add, (&own, parameters.biases.len()))?;
        let kernel = self.tiles(&own, &geometry, requant, *clamp, &parameters, Some(&term));
        let macs = [layer.node, conv]
            .map(|node| self.graph.node(node).op.macs(&self.graph.input_types(node), self.graph.ty(node)).0);
        let elements = self.graph.ty(layer.node).shape.elements();
        self.step(layer, NAME, kernel, macs.iter().sum())?;
        let Some(step) = self.program.steps.last_mut() else { return Ok(false) };
        step.absorbs = Some(own.position);
        let of_sum = overlap::elementwise(elements as i64);
        for overlap in step.overlaps.iter_mut().filter(|overlap| Arg::Buffer(overlap.read) == term.residual) {
            // What the convolution reads as well keeps to both.
            let is_both = parameters.source == term.residual;
            overlap.safe = if is_both { overlap::both(&overlap.safe, &of_sum) } else { of_sum.clone() };
        }
        Ok(true)
    }

    /// What a convolution with so many filters adds its outputs to.
    fn term(&mut self, layer: &Layer, add: &Add, (own, filters): (&Layer, usize)) -> Result<Term, String> {
        let strip = self.bytes(own, "strip", LANES * filters);
        let &[a, b] = self.graph.inputs(layer.node) else { return Err("has not two terms".into()) };
        let (at, other) = if a == own.node { (0, b) } else { (1, a) };
        let residual = self.source(other)?;
        let sum = self.sum_of(layer.node, add)?;
        let ready = self.ready(layer, &sum, true);
        Ok(Term {
            strip,
            residual,
            kernel: self.micro(ready.micro()),
            strip_first: ready.order[0] == at,
            work: ready.work(self.graph.ty(layer.node).shape.elements()),
            values: ready.values,
        })
    }
}

impl Term {
    /// Adds what the sum takes to a convolution of so many tiles.
    pub(super) fn complete(&self, kernel: &mut Kernel, tiles: usize) {
        kernel.inputs.extend([Arg::Buffer(self.strip), self.residual]);
        kernel.scratch.push(self.strip);
        for scalars in &mut kernel.scalars {
            let own = [i32::from(self.strip_first)].into_iter().chain(self.values.iter().copied());
            scalars.splice(0..0, own);
        }
        kernel.work.extend(&self.work);
        kernel.work.push((Work::Strip, tiles as u64));
    }
}

impl Strips {
    /// Declares them.
    pub(super) fn new(builder: &mut FunctionBuilder, term: &Term) -> Strips {
        Strips {
            strip: builder.int8("strip", Access::ReadWrite),
            residual: builder.int8("residual", Access::Read),
            kernel: term.kernel.clone(),
            strip_first: builder.scalar("strip_first"),
            values: (0..term.values.len()).map(|at| builder.scalar(&format!("p{at}"))).collect(),
        }
    }

    /// Where a tile's outputs go.
    pub(super) fn pointer(&self) -> MicroArg {
        MicroArg::Pointer { buf: self.strip, index: Affine::default() }
    }

    /// Sums the outputs of the tile that starts at a pixel.
    pub(super) fn sum(
        &self,
        builder: &mut FunctionBuilder,
        output: Buf,
        first: &Affine,
        [pixels, filters]: [usize; 2],
    ) -> Vec<Stmt> {
        let mut stmts = Vec::new();
        let lanes = Affine::constant(LANES as i64);
        // Lanes to spare computed the last pixel again, whose place the sum may have taken by then.
        let count = if pixels.is_multiple_of(LANES) {
            lanes
        } else {
            let left = first.times(-1).offset(pixels as i64);
            let (count, definition) = builder.derive("lanes", Derivation::Min, left, lanes);
            stmts.push(definition);
            count
        };
        let (count, at) = (count.times(filters as i64), first.times(filters as i64));
        let residual = MicroArg::Pointer { buf: self.residual, index: at.clone() };
        let strip_first = Affine::var(self.strip_first);
        let ways = [
            ((Affine::default(), strip_first.clone()), [self.pointer(), residual.clone()]),
            ((strip_first, Affine::constant(1)), [residual, self.pointer()]),
        ];
        for (bounds, terms) in ways {
            let mut arguments = terms.to_vec();
            arguments.push(MicroArg::Pointer { buf: output, index: at.clone() });
            let values = self.values.iter().map(|&var| Affine::var(var));
            arguments
                .extend([count.clone()].into_iter().chain(values).map(|x| MicroArg::Value(Expr::Index(x))));
            let call = Stmt::Micro { kernel: self.kernel.clone(), registers: Vec::new(), arguments };
            stmts.extend(builder.each("once", bounds, 1, |_, _| vec![call]));
        }
        stmts
    }
}
