//! Random operators besides those with weights and windows: products, curves, concatenations, what moves elements.

use nasc::graph::NodeId;
use nasc::ops::{
    Concat, Curve, CurveFunction, Mean, Mul, Pad, Requantize, Reshape, Slice, Softmax, Transpose, Upsample2d,
};
use nasc::tensor::{Scale, Shape};

use super::network::Builder;

impl Builder {
    /// One of them on a feature map.
    pub(crate) fn other(&mut self, x: NodeId) -> Option<NodeId> {
        match self.dice.below(12) {
            0 | 1 => self.product(x),
            2 => self.curve(x),
            3 => self.padded(x),
            4 => {
                let factor = [0, 1].map(|_| self.dice.pick(&[1, 2, 2, 3]));
                self.layer(Upsample2d { factor }, &[x])
            }
            5 => {
                let beta = Scale(self.dice.pick(&[0.5, 1.0, 1.0, 2.0]));
                self.layer(Softmax { beta }, &[x])
            }
            6 if self.graph.ty(x).shape.rank() == 4 => {
                let orders = [[0, 3, 1, 2], [0, 2, 1, 3], [0, 2, 3, 1], [0, 3, 2, 1]];
                let order = self.dice.pick(&orders).into();
                self.layer(Transpose { order }, &[x])
            }
            7 => {
                let axes = match self.graph.ty(x).shape.rank() {
                    4 => self.dice.pick(&[&[1, 2][..], &[1], &[2, 3], &[1, 2, 3]]).into(),
                    _ => [1][..].into(),
                };
                let size = 20.0 * self.scale(x);
                let requant = self.requant(size).expect("integers");
                self.layer(Mean { axes, requant }, &[x])
            }
            8 => {
                let extents = self.graph.ty(x).shape.0.to_vec();
                let mut slice = [vec![0], vec![1], vec![1]];
                for &extent in &extents[1..] {
                    let (first, step) = (self.dice.below(extent), self.dice.pick(&[1, 1, 2, 3]));
                    let count = 1 + self.dice.below((extent - 1 - first) / step + 1);
                    [first, count, step].into_iter().zip(&mut slice).for_each(|(x, of)| of.push(x));
                }
                let [first, count, step] = slice.map(|of| Shape(of.into()));
                self.layer(Slice { first, count, step }, &[x])
            }
            9 => {
                let size = 80.0 * self.scale(x);
                let requant = self.requant(size).expect("integers");
                self.layer(Requantize { requant }, &[x])
            }
            _ => self.beside(x),
        }
    }

    /// With an equal map, with itself, with constants, or each channel with a factor that is computed from it.
    fn product(&mut self, x: NodeId) -> Option<NodeId> {
        let shape = self.graph.ty(x).shape.clone();
        let equal: Vec<NodeId> =
            self.nodes.iter().copied().filter(|&node| self.graph.ty(node).shape == shape).collect();
        let channels = *shape.0.last().expect("a dimension");
        let other = match (self.dice.below(5), shape.rank()) {
            (0, _) => self.constant_like(x),
            (1 | 2, 4) => {
                let mean = self.pool(x, [shape.0[1], shape.0[2]])?;
                let [_, height, width, _] = self.graph.ty(mean).shape.nhwc()?;
                let vector = match height * width {
                    1 => self.layer(Reshape { shape: [1, channels].into() }, &[mean])?,
                    _ => mean,
                };
                let factor = if self.dice.one_in(2) { vector } else { self.curve(vector).unwrap_or(vector) };
                if height * width == 1 && self.dice.one_in(2) {
                    self.layer(Reshape { shape: [1, 1, 1, channels].into() }, &[factor])?
                } else {
                    factor
                }
            }
            _ => self.dice.pick(&equal),
        };
        let size = self.scale(x) * self.scale(other) * 73.0 * 73.0;
        let mul = Mul { clamp: self.clamp(), requant: self.requant(size) };
        self.layer(mul, &[x, other])
    }

    pub(crate) fn curve(&mut self, x: NodeId) -> Option<NodeId> {
        let function = self.dice.pick(&CurveFunction::ALL);
        let size = match function {
            CurveFunction::Hswish => 80.0 * self.scale(x),
            CurveFunction::Hsigmoid | CurveFunction::Sigmoid => 0.3,
        };
        let requant = self.requant(size);
        self.layer(Curve { function, requant }, &[x])
    }

    fn padded(&mut self, x: NodeId) -> Option<NodeId> {
        let mut margins = || [0, 1, 2].map(|_| self.dice.pick(&[0, 0, 1, 2, 3]));
        let (before, after) = (margins(), margins());
        self.layer(Pad { before, after }, &[x])
    }

    /// Maps of equal extents, those of another quantization requantized.
    fn beside(&mut self, x: NodeId) -> Option<NodeId> {
        let shape = self.graph.ty(x).shape.clone();
        let outer = |shape: &[usize]| shape[..shape.len() - 1].to_vec();
        let equal: Vec<NodeId> = self
            .nodes
            .iter()
            .copied()
            .filter(|&node| outer(&self.graph.ty(node).shape.0) == outer(&shape.0))
            .collect();
        let size = 80.0 * self.scale(x);
        let requant = self.requant(size).expect("integers");
        let mut parts = Vec::new();
        for _ in 0..2 + self.dice.below(3) {
            let part = if self.dice.one_in(8) { self.constant_like(x) } else { self.dice.pick(&equal) };
            parts.push(if parts.is_empty() { x } else { part });
        }
        let quant = self.graph.ty(x).quant.clone();
        if parts.iter().any(|&part| self.graph.ty(part).quant != quant) {
            for part in &mut parts {
                *part = self.layer(Requantize { requant }, &[*part])?;
            }
        }
        self.layer(Concat {}, &parts)
    }
}
