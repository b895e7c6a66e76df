//! How far the output of a network that gives its input again is from that input: what tells an anomaly.
//!
//! The input of 8 bit holds the range of normal samples; what is beyond is clamped there, and against that a network
//! would be right that gives the greatest normal value. So the error is taken against the sensor's value in steps of
//! the input, which is not clamped. All is integers, and emitted C (`c/reconstruction.rs`) gives the same:
//!
//! 1. `given = 16 * steps`, where `steps` is of [`Quantizer::steps`], from -512 to 512
//! 2. `found = ((output - zero_point) * ratio + 2048) >> 12`, where `ratio` is 65536 times the output's scale over the
//!    input's, rounded, and at most `8 * 65536`
//! 3. the error is the sum of `(given - found)²`

use crate::data::{FrontEnd, Quantizer, RawInput};
use crate::emit::Network;
use crate::tensor::TensorType;

/// Parts of a step in which differences are counted.
const PARTS: f64 = 16.0;

/// The error of a network that gives its input again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconstruction {
    /// Steps of the input in one of the output, times 65536.
    pub ratio: i32,
    /// The output's zero point.
    pub zero_point: i32,
    /// What a step of the input means.
    scale: f32,
}

impl Reconstruction {
    /// For these types; `None` if they are not quantized or differ in size.
    pub fn new(input: &TensorType, output: &TensorType) -> Option<Reconstruction> {
        let (from, to) = (input.quant.as_ref()?, output.quant.as_ref()?);
        if input.shape.elements() != output.shape.elements() {
            return None;
        }
        let ratio = f64::from(to.scale(0)) / f64::from(from.scale(0));
        let ratio = (ratio.min(8.0) * 65536.0).round() as i32;
        Some(Reconstruction { ratio, zero_point: to.zero_point, scale: from.scale(0) })
    }

    /// The sum of the squares in 256ths of a squared step, for what [`Quantizer::steps`] gives.
    pub fn error(&self, steps: &[i32], output: &[i8]) -> u64 {
        let square = |(&steps, &output): (&i32, &i8)| {
            let found = ((i32::from(output) - self.zero_point) * self.ratio + 2048) >> 12;
            u64::from((16 * steps - found).unsigned_abs()).pow(2)
        };
        steps.iter().zip(output).map(square).sum()
    }

    /// An error of so many values as their mean of squares, in the unit of the network's real input.
    pub fn mean_square(&self, error: u64, values: usize) -> f64 {
        let step = f64::from(self.scale) / PARTS;
        error as f64 / values.max(1) as f64 * step * step
    }
}

/// The error of a network and the quantizer before it, if the emitted code offers it: the sensor gives numbers that
/// are but standardised, and neither classes nor numbers are predicted.
pub(super) fn offered<'n>(network: &Network<'n>) -> Option<(Reconstruction, &'n Quantizer)> {
    let RawInput { front_end, quantizer } = network.raw?;
    let is_kept = matches!(front_end, FrontEnd::Values { .. } | FrontEnd::Series(_));
    let predicts = !network.labels.is_empty() || !network.readings.is_empty();
    let (input, output) = network.one_each()?;
    let error = Reconstruction::new(input, output)?;
    (is_kept && !predicts).then_some((error, quantizer))
}
