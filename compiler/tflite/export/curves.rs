//! Activations that are no clamps.
//!
//! A hard sigmoid has no operator in TensorFlow Lite. It is a line with two ends, so a depthwise convolution of one tap
//! can give it, with a weight, a bias and a scale that give all 256 integers of its table; they are searched.

use super::Exporter;
use super::build::{Field, Table};
use super::file::Kind;
use super::layers::{moving, none};
use crate::graph::NodeId;
use crate::ops::{Curve, Window};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, Quant, Shape, TensorType};
use crate::tflite::names;

const DEPTHWISE_CONV_2D: Kind = Kind::new(names::DEPTHWISE_CONV_2D, 3, [1, 14]);
const HARD_SWISH: Kind = Kind::new(names::HARD_SWISH, 1, [1, 15]);
const LOGISTIC: Kind = Kind::new(names::LOGISTIC, 2, [1, 14]);

/// Kinds of options.
mod kinds {
    pub(super) const DEPTHWISE_CONV_2D: u8 = 2;
    pub(super) const HARD_SWISH: u8 = 91;
}

/// The number of the fused activation that cuts below 0.
const RELU: i8 = 1;
/// Bits that HARD_SWISH can shift 16 bits by.
const FAR: i32 = 15;
/// Weights that are tried, the greatest first: the finer the sums, the likelier they fit.
const WEIGHTS: std::ops::RangeInclusive<i32> = 8..=127;
/// Slopes that are tried, as multiples of the true one: a table has room for some of them.
const SLOPES: [f64; 9] = [1.0, 1.0001, 0.9999, 1.0003, 0.9997, 1.001, 0.999, 1.003, 0.997];
/// Bias, at most.
const MAX_BIAS: f64 = (1 << 29) as f64;

/// One tap that gives a line with ends.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    weight: i32,
    bias: i32,
    scale: f32,
}

impl Tap {
    /// What CONV_2D and DEPTHWISE_CONV_2D make of an integer, with what is negative cut.
    fn apply(self, x: i32, from: &Quant, to: &Quant) -> i32 {
        let factor = f64::from(from.scale(0)) * f64::from(self.scale) / f64::from(to.scale(0));
        let sum = self.weight * (x - from.zero_point) + self.bias;
        let scaled = Multiplier::new(factor).apply(sum, Rounding::Double);
        scaled.saturating_add(to.zero_point).clamp(to.zero_point, 127)
    }

    /// A tap that gives `max(x + 3, 0) / 6` as a table has it.
    fn of(table: &[i8], from: &Quant, to: &Quant) -> Option<Tap> {
        let fits = |tap: &Tap| {
            (-128..128).zip(table).all(|(x, &wanted)| tap.apply(x, from, to) == i32::from(wanted))
        };
        let of_weight = |weight: i32| {
            let middle = (3.0 * f64::from(weight) / f64::from(from.scale(0))).round().min(MAX_BIAS) as i32;
            let scales = SLOPES.map(move |slope| (slope / (6.0 * f64::from(weight))) as f32);
            let bias = move |scale: f32| [0, 1, -1, 2, -2].map(|by| Tap { weight, bias: middle + by, scale });
            scales.into_iter().flat_map(bias)
        };
        WEIGHTS.rev().flat_map(of_weight).find(fits)
    }
}

impl Exporter<'_> {
    /// LiteRT's LOGISTIC gives all of 0 to 1, and nothing else.
    pub(super) fn logistic(&mut self, node: NodeId) -> Result<i32, String> {
        let all = Quant::per_tensor(1.0 / 256.0, -128);
        match &self.graph.ty(node).quant {
            Some(quant) if *quant == all => self.one(node, LOGISTIC, none()),
            _ => {
                let ty = self.graph.ty(node);
                Err(format!("it gives {ty}, and LiteRT gives it a scale of 1/256 and the zero point -128"))
            }
        }
    }

    /// LiteRT shifts 16 bits, by what factors in float32 say.
    pub(super) fn hard_swish(&mut self, node: NodeId) -> Result<i32, String> {
        let [x, y] = [self.first_type(node), self.graph.ty(node)];
        let [x_scale, y_scale] = [x, y].map(|ty| ty.quant.as_ref().map_or(1.0, |quant| quant.scale(0)));
        let fine = x_scale * (1.0 / 128.0);
        let [to_output, to_share] =
            [fine / y_scale, fine / (3.0 / 32768.0)].map(|factor| match factor.is_finite() {
                true => Multiplier::new(factor.into()).shift,
                false => i32::MAX,
            });
        if to_output < -FAR || !(-FAR..=FAR + 2).contains(&to_share) {
            return Err(format!("from {x} to {y} LiteRT shifts its 16 bits out of their range"));
        }
        self.one(node, HARD_SWISH, (kinds::HARD_SWISH, Table::default()))
    }

    /// A hard sigmoid as one tap with what is negative cut.
    pub(super) fn hard_sigmoid(&mut self, node: NodeId, curve: &Curve) -> Result<i32, String> {
        let (x_ty, output) = (self.first_type(node).clone(), self.graph.ty(node).clone());
        let [Some(from), Some(to)] = [&x_ty.quant, &output.quant] else {
            return Err("it computes with floats".into());
        };
        let tap = Tap::of(&curve.table(&x_ty, &output), from, to).ok_or_else(|| {
            format!("LiteRT has no hard sigmoid, and no convolution gives all integers of this one, {x_ty} to {output}")
        })?;
        let name = self.name(node);
        let mut x = self.first(node)?;
        let map = match x_ty.shape.nhwc() {
            Some(_) => x_ty.shape.clone(),
            None => Shape::from([1, 1, 1, x_ty.shape.elements()]),
        };
        if map != x_ty.shape {
            x = self.reshape_of(
                x,
                &format!("{name}/map"),
                &TensorType { shape: map.clone(), ..x_ty.clone() },
            );
        }
        let channels = map.0[3];
        let w_ty = TensorType::quantized(DType::I8, [1, 1, 1, channels], Quant::per_tensor(tap.scale, 0));
        let w = self.file.constant(&format!("{name}/weights"), &w_ty, vec![tap.weight as u8; channels]);
        let b_ty =
            TensorType::quantized(DType::I32, [channels], Quant::per_tensor(from.scale(0) * tap.scale, 0));
        let data = tap.bias.to_le_bytes().repeat(channels);
        let b = self.file.constant(&format!("{name}/bias"), &b_ty, data);
        let options = moving(&Window::valid([1, 1], [1, 1]), false);
        let options = (kinds::DEPTHWISE_CONV_2D, options.with(3, Field::I32(1)).with(4, Field::I8(RELU)));
        if map == x_ty.shape {
            let result = self.result(node);
            return Ok(self.file.operator(DEPTHWISE_CONV_2D, &[x, w, b], result, options));
        }
        let y = self.file.tensor(&format!("{name}/line"), &TensorType { shape: map, ..output.clone() });
        let y = self.file.operator(DEPTHWISE_CONV_2D, &[x, w, b], y, options);
        Ok(self.reshape_of(y, &name, &output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::CurveFunction;

    /// Over scales as calibration gives them: an output of all of 0 to 1, or of a part.
    #[test]
    fn hard_sigmoids_are_lines() {
        let (mut found, mut all) = (0, 0);
        for step in 0..60 {
            let from = Quant::per_tensor(0.002 * 1.12f32.powi(step), [-128, -5, 60][step as usize % 3]);
            for to in [1.0 / 255.0, 0.9 / 255.0, 0.513 / 255.0] {
                let to = Quant::per_tensor(to, -128);
                let [x, y] =
                    [&from, &to].map(|quant| TensorType::quantized(DType::I8, [1, 4], quant.clone()));
                let curve = Curve { function: CurveFunction::Hsigmoid, requant: None };
                let table = curve.table(&x, &y);
                all += 1;
                if let Some(tap) = Tap::of(&table, &from, &to) {
                    found += 1;
                    let given: Vec<i32> = (-128..128).map(|x| tap.apply(x, &from, &to)).collect();
                    assert!(given.iter().zip(&table).all(|(&given, &wanted)| given == i32::from(wanted)));
                }
            }
        }
        assert!(found == all, "{found} of {all}");
    }
}
