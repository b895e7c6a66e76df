//! Standardisation of each channel: subtract the mean, multiply by the inverse deviation.

use crate::data::dataset::Dataset;
use crate::tensor::Value;

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
    /// same bits. The deviation is that of the population.
    pub fn measure(train: &Dataset) -> Standardization {
        let [_, _, channels] = train.sample_shape();
        let values = train.values();
        let count = (values.len() / channels.max(1)).max(1) as f64;
        let mut sums = vec![0.0f64; channels];
        for pixel in values.chunks_exact(channels) {
            pixel.iter().zip(&mut sums).for_each(|(&x, sum)| *sum += f64::from(x));
        }
        let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let mut squares = vec![0.0f64; channels];
        for pixel in values.chunks_exact(channels) {
            for ((&x, &mean), square) in pixel.iter().zip(&means).zip(&mut squares) {
                let distance = f64::from(x) - mean;
                *square += distance * distance;
            }
        }
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

    /// `(x - mean) * inv_deviation` of values whose last dimension is the channel: one subtraction, one
    /// multiplication, each rounded to F32.
    pub fn apply(&self, values: &mut [f32]) {
        for pixel in values.chunks_exact_mut(self.mean.len()) {
            for ((x, mean), inverse) in pixel.iter_mut().zip(&self.mean).zip(&self.inv_deviation) {
                *x = (*x - mean) * inverse;
            }
        }
    }

    /// The data set with standardised inputs.
    pub fn applied_to(&self, data: &Dataset) -> Dataset {
        let mut values = data.values().to_vec();
        self.apply(&mut values);
        let inputs = Value::from_f32(&data.inputs.shape(), values).expect("as many values as before");
        Dataset { inputs, labels: data.labels.clone(), classes: data.classes.clone() }
    }
}
