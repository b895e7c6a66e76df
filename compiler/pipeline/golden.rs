//! Golden vectors: samples with the outputs of the evaluator, by which a bundle is verified without its data.
//!
//! The first samples are kept as the sensor gives them, as many as a limit of bytes allows, the others as the
//! network's input, which is smaller: a bundle is not a data set. Of a network without a front end, inputs are all that
//! there is.

use crate::data::{Dataset, Element, RawInput, Table};
use crate::graph::Graph;
use crate::pipeline::IntegerNetwork;
use crate::pipeline::network::reference;
use crate::pipeline::tensors::Tensors;
use crate::tensor::{Shape, Value};

/// At most so many bytes of raw samples are kept, but one sample at least.
const RAW_BYTES: usize = 1 << 20;
/// At most so many bytes of inputs are kept of the other samples, but [`LEAST`] samples at least.
const INPUT_BYTES: usize = 1 << 20;
/// At most so many samples are kept.
const SAMPLES: usize = 1000;
/// So many are kept, however large, if there are as many.
const LEAST: usize = 200;

/// At most so many samples are read from a file of anyone.
const MAX_READ: usize = 1 << 16;

/// Samples in order, with what the integer network gives for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoldenSet {
    /// Raw values of each of the first samples, channels innermost.
    pub raw: Vec<Vec<f32>>,
    /// Labels of all samples; 0 where there are none.
    pub labels: Vec<u32>,
    /// The bytes of the network's input for each.
    pub inputs: Vec<Vec<i8>>,
    /// The bytes of the network's output for each.
    pub outputs: Vec<Vec<i8>>,
}

/// How many samples are kept raw, and how many in all, of samples of so many bytes raw and as inputs.
fn counts(raw_bytes: usize, input_bytes: usize) -> (usize, usize) {
    let raw = SAMPLES.min(RAW_BYTES / raw_bytes.max(1)).max(1);
    let others = INPUT_BYTES / input_bytes.max(1);
    (raw, SAMPLES.min(raw.saturating_add(others)).max(LEAST))
}

impl GoldenSet {
    /// The first samples of `data`, as many as the limits allow, with the reference evaluator's outputs.
    ///
    /// # Errors
    /// When the graph cannot be evaluated.
    pub fn new(network: &IntegerNetwork, data: &Dataset) -> Result<GoldenSet, String> {
        let front_end = &network.raw.front_end;
        let inputs: usize = front_end.extents().iter().product();
        let (n_raw, count) = counts(front_end.element().bytes() * data.sample_len(), inputs);
        let mut set = GoldenSet::default();
        let mut sample = vec![0.0; data.sample_len()];
        for index in 0..count.min(data.len()) {
            data.sample(index, &mut sample);
            let input = network.raw.quantize(&sample);
            set.outputs.push(reference(&network.graph, &input)?);
            if set.raw.len() < n_raw {
                set.raw.push(sample.clone());
            }
            set.labels.push(data.labels.get(index).copied().unwrap_or(0));
            set.inputs.push(input);
        }
        Ok(set)
    }

    /// Inputs that were made, with the reference evaluator's outputs.
    ///
    /// # Errors
    /// When the graph cannot be evaluated.
    pub fn of_inputs(graph: &Graph, inputs: Vec<Vec<i8>>) -> Result<GoldenSet, String> {
        let outputs = inputs.iter().map(|input| reference(graph, input)).collect::<Result<_, _>>()?;
        Ok(GoldenSet { raw: Vec::new(), labels: vec![0; inputs.len()], inputs, outputs })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Inputs of the samples that are not kept raw.
    pub(crate) fn others(&self) -> &[Vec<i8>] {
        &self.inputs[self.raw.len()..]
    }

    /// As tensors, names starting with `prefix`: raw values of `element`, where there are any, and the inputs that do
    /// not follow from them.
    pub(crate) fn to_tensors(&self, prefix: &str, element: Element, tensors: &mut Tensors) {
        let integers = |rows: &[Vec<i8>]| {
            let width = rows.first().map_or(0, Vec::len);
            Value::from_i8(&Shape::from([rows.len(), width]), rows.concat()).expect("rows of one length")
        };
        if let Some(width) = self.raw.first().map(Vec::len) {
            let mut raw = Vec::new();
            self.raw.iter().for_each(|row| element.encode(row, &mut raw));
            tensors.raw.insert(format!("{prefix}raw"), Table::from_bytes(element, width, raw));
        }
        let labels = self.labels.iter().map(|&label| label as i32).collect();
        let labels = Value::from_i32(&Shape::from([self.len()]), labels).expect("as many as there are");
        let mut values = vec![("output", integers(&self.outputs)), ("label", labels)];
        if !self.others().is_empty() {
            values.push(("input", integers(self.others())));
        }
        for (name, value) in values {
            tensors.values.insert(format!("{prefix}{name}"), value);
        }
    }

    /// The inverse of [`GoldenSet::to_tensors`], for tensors from anyone, with what makes inputs of raw values, which
    /// is sound; `None` where there is none.
    pub(crate) fn from_tensors(
        prefix: &str,
        tensors: &Tensors,
        raw: Option<&RawInput>,
    ) -> Result<GoldenSet, String> {
        let name = |name: &str| format!("{prefix}{name}");
        let get = |part: &str| {
            let found = tensors.values.get(&name(part));
            found.ok_or_else(|| format!("tensor `{}` is missing", name(part)))
        };
        let mut set = GoldenSet::default();
        if let Some(raw) = raw {
            let table = tensors.raw.get(&name("raw"));
            set.read_raw(table.ok_or_else(|| format!("tensor `{}` is missing", name("raw")))?, raw)?;
        }
        let outputs = rows(get("output")?, "outputs")?;
        let labels = get("label")?.as_i32().ok_or("labels are no integers")?;
        let others = match tensors.values.get(&name("input")) {
            Some(others) => rows(others, "inputs")?,
            None => Vec::new(),
        };
        let count = set.raw.len() + others.len();
        if outputs.len() != count || labels.len() != count {
            return Err("samples, outputs and labels differ in number".into());
        }
        if count > MAX_READ || outputs.iter().any(Vec::is_empty) {
            return Err(format!("it has empty outputs, or more than {MAX_READ} samples"));
        }
        set.outputs = outputs;
        set.inputs.extend(others);
        for label in labels {
            set.labels.push(u32::try_from(*label).map_err(|_| "a label is negative")?);
        }
        Ok(set)
    }

    /// Takes raw samples from anyone, and makes inputs of them.
    fn read_raw(&mut self, table: &Table, raw: &RawInput) -> Result<(), String> {
        if table.element() != raw.front_end.element() {
            return Err("raw samples are not what the front end takes".into());
        }
        let raw_elements: usize = raw.front_end.raw_extents().iter().product();
        if table.rows() == 0 || table.width() != raw_elements {
            return Err(format!("raw samples have not {raw_elements} values, or there is none"));
        }
        if table.rows() > MAX_READ {
            return Err(format!("it has more than {MAX_READ} samples"));
        }
        let mut room = Vec::new();
        for row in 0..table.rows() {
            let mut values = vec![0.0; raw_elements];
            table.row(row, &mut values, &mut room).map_err(|error| error.message)?;
            self.inputs.push(raw.quantize(&values));
            self.raw.push(values);
        }
        Ok(())
    }
}

/// The rows of a matrix of 8-bit numbers.
fn rows(value: &Value, what: &str) -> Result<Vec<Vec<i8>>, String> {
    let array = value.as_i8().ok_or_else(|| format!("{what} are not 8 bit"))?;
    if array.ndim() != 2 {
        return Err(format!("{what} are no rows"));
    }
    Ok(array.outer_iter().map(|row| row.iter().copied().collect()).collect())
}
