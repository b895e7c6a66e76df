//! An integer network on the host: what quality is measured with.

use crate::data::{Dataset, RawInput};
use crate::emit::Reconstruction;
use crate::graph::{Graph, Weights};
use crate::host::{HostNetwork, Memory};
use crate::ops::Op;
use crate::tensor::{DType, TensorType, Value};

/// An integer graph with what turns raw values into its input, ready for this machine.
pub struct IntegerNetwork {
    /// The graph.
    pub graph: Graph,
    /// Raw values to its input.
    pub raw: RawInput,
    host: HostNetwork,
}

impl IntegerNetwork {
    /// Makes a graph ready to run.
    ///
    /// # Errors
    /// When it cannot be lowered, or there is no host code for this machine.
    pub fn new(graph: Graph, raw: RawInput) -> Result<IntegerNetwork, String> {
        let host = HostNetwork::new(&graph).map_err(|error| format!("no host code: {error}"))?;
        Ok(IntegerNetwork { graph, raw, host })
    }

    /// Memory for [`IntegerNetwork::run`].
    pub fn memory(&self) -> Memory {
        self.host.memory()
    }

    /// The output for quantized input.
    pub fn run(&self, memory: &mut Memory, input: &[i8]) -> Vec<i8> {
        let mut outputs = self.host.run(memory, &[input]).expect("an input of the network's size");
        outputs.swap_remove(0)
    }

    /// The output for raw values.
    pub fn run_raw(&self, memory: &mut Memory, raw: &[f32]) -> Vec<i8> {
        self.run(memory, &self.raw.quantize(raw))
    }

    /// Runs all samples, which are features, in order. `see` is given each one's output as the real numbers that the
    /// integers mean.
    ///
    /// # Errors
    /// When input or output is not quantized, as no network that was deployed is.
    pub fn for_each(&self, data: &Dataset, mut see: impl FnMut(usize, &[f32])) -> Result<(), String> {
        let outputs = Meaning::of(interface(&self.graph)?.1)?;
        let (mut memory, mut real) = (self.memory(), Vec::new());
        data.for_each(|index, sample| {
            outputs.read(&self.run(&mut memory, &self.raw.quantizer.quantize_all(sample)), &mut real);
            see(index, &real);
        });
        Ok(())
    }

    /// Runs all samples of a network that gives its input again. `see` is given each one's mean of squares, and that
    /// of a network which always gives the mean; both as the emitted code counts them.
    ///
    /// # Errors
    /// When input or output is not quantized, or they differ in size.
    pub fn for_each_error(&self, data: &Dataset, mut see: impl FnMut(usize, f64, f64)) -> Result<(), String> {
        let (input, output) = interface(&self.graph)?;
        let errors = Reconstruction::new(input, output).ok_or("the output is no reconstruction")?;
        // The mean is real 0, which is the zero point.
        let mean = vec![errors.zero_point as i8; input.shape.elements()];
        let mut memory = self.memory();
        data.for_each(|index, sample| {
            let again = self.run(&mut memory, &self.raw.quantizer.quantize_all(sample));
            let steps = self.raw.quantizer.steps(sample);
            let error = |output: &[i8]| errors.mean_square(errors.error(&steps, output), steps.len());
            see(index, error(&again), error(&mean));
        });
        Ok(())
    }

    /// What the reference evaluator gives for quantized input.
    ///
    /// # Errors
    /// When the graph lacks a constant.
    pub fn reference(&self, input: &[i8]) -> Result<Vec<i8>, String> {
        reference(&self.graph, input)
    }
}

/// What the integers of a tensor mean.
struct Meaning {
    scale: f32,
    zero_point: i32,
}

impl Meaning {
    fn of(ty: &TensorType) -> Result<Meaning, String> {
        let quant = ty.quant.as_ref().ok_or("input and output are not quantized")?;
        Ok(Meaning { scale: quant.scale(0), zero_point: quant.zero_point })
    }

    fn read(&self, integers: &[i8], into: &mut Vec<f32>) {
        into.clear();
        into.extend(integers.iter().map(|&x| (i32::from(x) - self.zero_point) as f32 * self.scale));
    }
}

/// The reference evaluator's output for a quantized input, in bytes; of several, one after another.
///
/// # Errors
/// When the input's size is wrong, or the graph lacks a constant.
pub(crate) fn reference(graph: &Graph, input: &[i8]) -> Result<Vec<i8>, String> {
    let outputs =
        graph.evaluate(&values(graph, input)?, &Weights::new()).map_err(|error| error.to_string())?;
    together(&outputs)
}

/// A graph's inputs of the bytes of all, one after another: elements of 16 bits have the low one first.
///
/// # Errors
/// When there are more or fewer.
pub(crate) fn values(graph: &Graph, mut input: &[i8]) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    for node in graph.network_inputs() {
        let ty = graph.ty(node);
        let size = usize::try_from(ty.bytes().0).map_err(|_| "an input of another size")?;
        let (own, rest) = input.split_at_checked(size).ok_or("an input of another size")?;
        let bytes: Vec<u8> = own.iter().map(|&x| x as u8).collect();
        let value = Value::from_le_bytes(ty.dtype, &ty.shape, &bytes);
        values.push(value.ok_or("an input of another size")?);
        input = rest;
    }
    if input.is_empty() { Ok(values) } else { Err("an input of another size".into()) }
}

/// The bytes of all outputs, one after another.
///
/// # Errors
/// When one is not of 8 or 16 bit.
pub(crate) fn together(outputs: &[Value]) -> Result<Vec<i8>, String> {
    let mut all = Vec::new();
    for output in outputs {
        if !matches!(output.dtype(), DType::I8 | DType::I16) {
            return Err("the output is not 8 or 16 bit".into());
        }
        all.extend(output.to_le_bytes().into_iter().map(|x| x as i8));
    }
    Ok(all)
}

/// The types of the one input and the one output.
pub(crate) fn interface(graph: &Graph) -> Result<(&TensorType, &TensorType), String> {
    let inputs = graph.network_inputs();
    match (inputs.as_slice(), graph.outputs()) {
        (&[input], &[output]) if matches!(graph.node(input).op, Op::Input(_)) => {
            Ok((graph.ty(input), graph.ty(output)))
        }
        _ => Err("the network has not one input and one output".into()),
    }
}

/// The first position of the greatest element.
pub(crate) fn argmax<T: PartialOrd + Copy>(values: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}
