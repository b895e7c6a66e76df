//! Golden vectors: raw samples with the outputs of the evaluator, by which a bundle is verified without its data.

use crate::data::Dataset;
use crate::graph::Weights;
use crate::pipeline::IntegerNetwork;
use crate::pipeline::network::reference;
use crate::tensor::{Shape, Value};

/// At most so many bytes of raw samples are kept: a bundle is not a data set.
const RAW_BYTES: usize = 1 << 20;
/// At most so many samples are kept.
const SAMPLES: usize = 1000;

/// At most so many samples are read from a file of anyone.
const MAX_READ: usize = 1 << 16;

/// Samples in order, with what the integer network gives for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoldenSet {
    /// Raw values of each sample, channels innermost.
    pub raw: Vec<Vec<f32>>,
    /// Their labels; 0 where there are none.
    pub labels: Vec<u32>,
    /// The network's input for each.
    pub inputs: Vec<Vec<i8>>,
    /// The network's output for each.
    pub outputs: Vec<Vec<i8>>,
}

impl GoldenSet {
    /// The first samples of `data`, as many as the limits allow, with the reference evaluator's outputs.
    ///
    /// # Errors
    /// When the graph cannot be evaluated.
    pub fn new(network: &IntegerNetwork, data: &Dataset) -> Result<GoldenSet, String> {
        let size = data.sample_len();
        let count = SAMPLES.min(RAW_BYTES / (4 * size.max(1))).max(1);
        let mut set = GoldenSet::default();
        let mut sample = vec![0.0; size];
        for index in 0..count.min(data.len()) {
            data.sample(index, &mut sample);
            let input = network.raw.quantize_all(&sample);
            set.outputs.push(reference(&network.graph, &input)?);
            set.raw.push(sample.clone());
            set.labels.push(data.labels.get(index).copied().unwrap_or(0));
            set.inputs.push(input);
        }
        Ok(set)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// As tensors, names starting with `prefix`; the inputs follow from the raw values.
    pub(crate) fn to_tensors(&self, prefix: &str, tensors: &mut Weights) {
        let flat = |rows: &[Vec<i8>]| -> (Shape, Vec<i8>) {
            let width = rows.first().map_or(0, Vec::len);
            (Shape(vec![rows.len(), width]), rows.concat())
        };
        let raw_shape = Shape(vec![self.len(), self.raw.first().map_or(0, Vec::len)]);
        let (output_shape, outputs) = flat(&self.outputs);
        let labels = self.labels.iter().map(|&label| label as i32).collect();
        let values = [
            ("raw", Value::from_f32(&raw_shape, self.raw.concat())),
            ("output", Value::from_i8(&output_shape, outputs)),
            ("label", Value::from_i32(&Shape(vec![self.len()]), labels)),
        ];
        for (name, value) in values {
            tensors.insert(format!("{prefix}{name}"), value.expect("rows of one length"));
        }
    }

    /// The inverse of [`GoldenSet::to_tensors`], with the quantizer that makes the inputs.
    pub(crate) fn from_tensors(
        prefix: &str,
        tensors: &Weights,
        raw: &crate::data::RawQuantizer,
    ) -> Result<GoldenSet, String> {
        let get = |name: &str| {
            let name = format!("{prefix}{name}");
            tensors.get(&name).ok_or_else(|| format!("tensor `{name}` is missing"))
        };
        let raws = get("raw")?.as_f32().ok_or("raw samples are no floats")?;
        let outputs = get("output")?.as_i8().ok_or("outputs are not 8 bit")?;
        let labels = get("label")?.as_i32().ok_or("labels are no integers")?;
        let rows = |shape: &[usize]| (shape.len() == 2).then(|| shape[0]);
        let count = rows(raws.shape()).ok_or("raw samples are no rows")?;
        if rows(outputs.shape()) != Some(count) || labels.len() != count {
            return Err("samples, outputs and labels differ in number".into());
        }
        if raw.mean.len() != raw.factor.len() || raw.mean.is_empty() {
            return Err("the raw quantizer has not one mean and one factor for each channel".into());
        }
        if count > MAX_READ || raws.is_empty() || outputs.is_empty() {
            return Err(format!("it has no samples, or more than {MAX_READ}"));
        }
        let mut set = GoldenSet::default();
        for ((raws, outputs), label) in raws.outer_iter().zip(outputs.outer_iter()).zip(labels) {
            let values: Vec<f32> = raws.iter().copied().collect();
            set.inputs.push(raw.quantize_all(&values));
            set.raw.push(values);
            set.outputs.push(outputs.iter().copied().collect());
            set.labels.push(u32::try_from(*label).map_err(|_| "a label is negative")?);
        }
        Ok(set)
    }
}
