//! Standardisation of each channel: subtract the mean, multiply by the inverse deviation.

use crate::data::dataset::Dataset;
use crate::tensor::{Shape, Value};

/// Below this fraction of the mean, a deviation is rounding noise of F32 and the channel counts as constant.
const CONSTANT: f64 = 1.0 / (1 << 20) as f64;

/// What makes each channel have mean 0 and deviation 1 on the training samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardization {
    /// One for each channel.
    pub mean: Vec<f32>,
    /// One for each channel; 1 for a constant channel. Positive and finite.
    pub inv_deviation: Vec<f32>,
}

impl Standardization {
    /// Measures the training samples: sums in F64, in the order of the samples, so every machine gets the
    /// same bits. The deviation is that of the population. Values that share mean and deviation come again after
    /// `period`, which divides the size of a sample: the channels, or the bands of sound.
    pub fn measure(train: &Dataset, period: usize) -> Standardization {
        let count = (train.len() * train.sample_len() / period.max(1)).max(1) as f64;
        let mut sums = vec![0.0f64; period];
        train.for_each(|_, sample| {
            for pixel in sample.chunks_exact(period) {
                pixel.iter().zip(&mut sums).for_each(|(&x, sum)| *sum += f64::from(x));
            }
        });
        let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let mut squares = vec![0.0f64; period];
        train.for_each(|_, sample| {
            for pixel in sample.chunks_exact(period) {
                for ((&x, &mean), square) in pixel.iter().zip(&means).zip(&mut squares) {
                    let distance = f64::from(x) - mean;
                    *square += distance * distance;
                }
            }
        });
        let inverse = |(&mean, &square): (&f64, &f64)| {
            let deviation = (square / count).sqrt();
            let constant = deviation < f64::from(f32::MIN_POSITIVE) || deviation <= mean.abs() * CONSTANT;
            if constant { 1.0 } else { (1.0 / deviation) as f32 }
        };
        Standardization {
            inv_deviation: means.iter().zip(&squares).map(inverse).collect(),
            mean: means.iter().map(|&mean| mean as f32).collect(),
        }
    }

    /// The same mean and inverse deviation for all `period` channels.
    pub fn fixed(mean: f32, inv_deviation: f32, period: usize) -> Standardization {
        Standardization { mean: vec![mean; period], inv_deviation: vec![inv_deviation; period] }
    }

    /// `(x - mean) * inv_deviation` of values whose last dimension is the channel: one subtraction, one
    /// multiplication, each rounded to F32.
    pub fn apply(&self, values: &mut [f32]) {
        for pixel in values.chunks_exact_mut(self.mean.len()) {
            for ((x, mean), inverse) in pixel.iter_mut().zip(&self.mean).zip(&self.inv_deviation) {
                *x = (*x - mean) * inverse;
            }
        }
    }

    /// All samples of a data set, standardised: F32 `[N, H, W, C]`.
    pub fn inputs(&self, data: &Dataset) -> Value {
        let shape = {
            let [h, w, c] = data.sample_shape();
            Shape::from([data.len(), h, w, c])
        };
        let mut values = vec![0.0; data.len() * data.sample_len()];
        for (index, sample) in values.chunks_exact_mut(data.sample_len().max(1)).enumerate() {
            data.sample(index, sample);
        }
        self.apply(&mut values);
        Value::from_f32(&shape, values).expect("as many values as the shape has")
    }
}
