//! How branches come together.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::NodeId;
use crate::ops::{Add, Clamp, Concat, MaxPool2d, Mul, Pad, Reshape, Window};
use crate::source::Span;
use crate::space::instantiate::{Builder, Built};
use crate::space::layer::written;
use crate::space::{Merge, MergeKind};
use crate::tensor::Shape;

/// The end of a branch.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    /// Its output.
    pub(crate) node: NodeId,
    /// Its label.
    pub(crate) name: String,
    /// Where it is written.
    pub(crate) span: Span,
}

impl Builder<'_> {
    /// The branches as one; `None` of none, a lone one as it is.
    ///
    /// # Errors
    /// E0303 where two have shapes that do not go together.
    pub(crate) fn merge(
        &mut self,
        merge: Merge,
        branches: Vec<Branch>,
        path: &str,
        span: Span,
    ) -> Built<Option<NodeId>> {
        if branches.len() < 2 {
            return Ok(branches.first().map(|branch| branch.node));
        }
        let is_map = |branch: &Branch| self.ty(branch.node).shape.rank() == 4;
        let (mut maps, mut vectors): (Vec<Branch>, Vec<Branch>) = branches.into_iter().partition(is_map);
        if let (Some(map), Some(vector)) = (maps.first(), vectors.first())
            && merge.kind != MergeKind::Mul
        {
            return Err(self.apart(merge.kind, map, vector));
        }
        if merge.pool {
            self.pool_to_smallest(&mut maps, path, span)?;
        }
        if merge.pad {
            self.pad_to_widest(&mut maps, &mut vectors, path, span)?;
        }
        self.check_equal(merge.kind, &maps)?;
        self.check_equal(merge.kind, &vectors)?;
        if let (Some(map), Some(vector)) = (maps.first(), vectors.first())
            && self.channels(map) != self.channels(vector)
        {
            return Err(self.apart(merge.kind, map, vector));
        }
        let mut maps: Vec<NodeId> = maps.into_iter().map(|branch| branch.node).collect();
        let mut vectors: Vec<NodeId> = vectors.into_iter().map(|branch| branch.node).collect();
        if merge.kind == MergeKind::Concat {
            maps.extend(vectors);
            return self.add(Concat {}, &maps, path, span).map(Some);
        }
        self.sort(&mut maps);
        self.sort(&mut vectors);
        // Maps come first: the second operand of a product may be one factor for each channel.
        let mut operands = maps.into_iter().chain(vectors);
        let mut merged = operands.next();
        for operand in operands {
            merged = match (merge.kind, merged) {
                (MergeKind::Mul, Some(a)) => {
                    Some(self.add(Mul { clamp: Clamp::None, requant: None }, &[a, operand], path, span)?)
                }
                (_, Some(a)) => {
                    Some(self.add(Add { clamp: Clamp::None, requant: None }, &[a, operand], path, span)?)
                }
                (_, None) => Some(operand),
            };
        }
        Ok(merged)
    }

    fn channels(&self, branch: &Branch) -> usize {
        self.ty(branch.node).shape.0.last().copied().unwrap_or(1)
    }

    /// Max-pools feature maps to the least height and the least width among them: the window moves by as many pixels
    /// as go into the target, and is as large as brings it to the end.
    fn pool_to_smallest(&mut self, maps: &mut [Branch], path: &str, span: Span) -> Built<()> {
        let sides = |builder: &Self, branch: &Branch| {
            builder.ty(branch.node).shape.nhwc().map(|[_, height, width, _]| [height, width])
        };
        let all: Vec<[usize; 2]> = maps.iter().filter_map(|branch| sides(self, branch)).collect();
        let least = |axis: usize| all.iter().map(|sides| sides[axis]).min().unwrap_or(1).max(1);
        let target = [least(0), least(1)];
        for branch in maps {
            let Some(have) = sides(self, branch).filter(|have| *have != target) else { continue };
            let stride = [have[0] / target[0], have[1] / target[1]];
            let kernel = [0, 1].map(|axis| have[axis] - (target[axis] - 1) * stride[axis]);
            let pool = MaxPool2d { window: Window::valid(kernel, stride), clamp: Clamp::None };
            branch.node = self.add(pool, &[branch.node], path, span)?;
        }
        Ok(())
    }

    /// Puts channels of zeros behind those of the narrower branches.
    fn pad_to_widest(
        &mut self,
        maps: &mut [Branch],
        vectors: &mut [Branch],
        path: &str,
        span: Span,
    ) -> Built<()> {
        let all = || maps.iter().chain(vectors.iter());
        let widest = all().map(|branch| self.channels(branch)).max().unwrap_or(1);
        for branch in maps.iter_mut().chain(vectors) {
            let missing = widest - self.channels(branch);
            if missing == 0 {
                continue;
            }
            let pad = Pad { before: [0; 3], after: [0, 0, missing] };
            let shape = &self.ty(branch.node).shape;
            branch.node = if shape.rank() == 4 {
                self.add(pad, &[branch.node], path, span)?
            } else {
                let map = Shape::from([1, 1, 1, widest - missing]);
                let map = self.add(Reshape { shape: map }, &[branch.node], path, span)?;
                let padded = self.add(pad, &[map], path, span)?;
                self.add(Reshape { shape: Shape::from([1, widest]) }, &[padded], path, span)?
            };
        }
        Ok(())
    }

    /// Whether branches of one rank have equal shapes; those of `concat` may differ in channels.
    fn check_equal(&self, kind: MergeKind, branches: &[Branch]) -> Built<()> {
        let compared = |branch: &Branch| {
            let shape = &self.ty(branch.node).shape.0;
            let end = shape.len() - usize::from(kind == MergeKind::Concat).min(shape.len());
            shape[..end].to_vec()
        };
        let Some(first) = branches.first() else { return Ok(()) };
        match branches.iter().find(|branch| compared(branch) != compared(first)) {
            Some(other) => Err(self.apart(kind, first, other)),
            None => Ok(()),
        }
    }

    /// E0303: two branches that do not go together.
    fn apart(&self, kind: MergeKind, a: &Branch, b: &Branch) -> Box<Diagnostic> {
        let (a_shape, b_shape) = (&self.ty(a.node).shape, &self.ty(b.node).shape);
        let (a_text, b_text) = (written(a_shape), written(b_shape));
        let what = match kind {
            MergeKind::Add => "added",
            MergeKind::Concat => "joined",
            MergeKind::Mul => "multiplied",
        };
        let message =
            format!("the branches `{}` of {a_text} and `{}` of {b_text} cannot be {what}", a.name, b.name);
        let mut error = Diagnostic::error(Code::SHAPE, message).at(a.span, format!("gives {a_text}"));
        if a.span != b.span {
            error = error.at(b.span, format!("gives {b_text}"));
        }
        let help = if a_shape.rank() == b_shape.rank() {
            "make them equal, or merge with `(pool, pad)`: pooled to the smallest map, padded to the most channels"
        } else if kind == MergeKind::Mul {
            "a vector multiplies every pixel if it has one value for each channel: `dense(units: channels)`"
        } else {
            "flatten both or neither"
        };
        Box::new(error.help(help))
    }
}
