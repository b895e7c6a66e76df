//! What a spec's networks are for: classes, numbers or a reconstruction; by which figure they are judged, and how
//! their outputs are scored.
//!
//! In: a program or a bundle, data. Out: what training wants of the samples, and the [`Quality`] of outputs. An
//! autoencoder is scored by what a chip can compute: the mean of the squares by which its output differs from its own
//! input, both in standardised units.

use crate::data::{Dataset, Standardization};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{LossSpec, Metric, Program};
use crate::emit::Reading;
use crate::pipeline::network::IntegerNetwork;
use crate::pipeline::quality::{Intervals, Quality, Tally, metrics_of};
use crate::space::Output;
use crate::tensor::Value;

/// The class of what is no anomaly; it is the first where anomalies are told.
const NORMAL: &str = "normal";
/// Samples that are in memory as floats while they are scored.
const SCORED: usize = 1024;

/// What networks are for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    pub(crate) output: Output,
    /// Of each number that is given; empty where none are.
    pub(crate) readings: Vec<Reading>,
}

impl Task {
    /// The task of a spec, its numbers measured on the training part.
    pub(crate) fn new(program: &Program, train: &Dataset) -> Task {
        let output = program.space.output;
        let readings = match (output, program.loss()) {
            (Output::Values(values), LossSpec::Bce) => vec![Reading::Share; values],
            (Output::Values(values), _) => {
                (0..values).map(|at| measured(&train.numbers, at, values)).collect()
            }
            (Output::Classes(_) | Output::Input, _) => Vec::new(),
        };
        Task { output, readings }
    }

    /// The task of a network that was found: one that has neither names for its outputs nor readings, and gives as many
    /// values as come in, gives its input again.
    pub(crate) fn of_network(classes: &[String], readings: &[Reading], elements: [usize; 2]) -> Task {
        let [inputs, outputs] = elements;
        let output = match (classes.is_empty(), readings.is_empty()) {
            (false, _) => Output::Classes(outputs),
            (true, false) => Output::Values(outputs),
            (true, true) if inputs == outputs => Output::Input,
            (true, true) => Output::Classes(outputs),
        };
        Task { output, readings: readings.to_vec() }
    }

    /// Names of the classes that the network tells apart.
    pub(crate) fn classes<'d>(&self, data: &'d Dataset) -> &'d [String] {
        if matches!(self.output, Output::Classes(_)) { &data.classes } else { &[] }
    }

    /// The numbers of samples as training takes them.
    pub(crate) fn standardized(&self, numbers: &[f32]) -> Vec<f32> {
        let readings = self.readings.iter().cycle();
        numbers.iter().zip(readings).map(|(&x, reading)| reading.standardized(x)).collect()
    }

    /// Whether a figure can be measured on samples: a curve needs both of what it tells apart.
    pub(crate) fn is_measurable(&self, metric: Metric, data: &Dataset) -> bool {
        let has = |wanted: bool| (0..data.len()).any(|sample| self.is_positive(data, sample) == wanted);
        metrics_of(self.output).contains(&metric) && (metric != Metric::Auc || (has(true) && has(false)))
    }

    /// The figure that is wanted, or else the first that can be measured on samples.
    pub(crate) fn measurable(&self, wanted: Metric, data: &Dataset) -> Metric {
        let fits = |metric: &Metric| self.is_measurable(*metric, data);
        if fits(&wanted) {
            return wanted;
        }
        metrics_of(self.output).iter().copied().find(fits).unwrap_or(wanted)
    }

    /// Whether a sample is of the second of two classes, or an anomaly.
    fn is_positive(&self, data: &Dataset, sample: usize) -> bool {
        let label = data.labels.get(sample).copied().unwrap_or(0);
        match self.output {
            Output::Input => tells_anomalies(data) && label != 0,
            Output::Classes(_) | Output::Values(_) => label == 1,
        }
    }

    /// Scores an integer network.
    pub(crate) fn of_integer(
        &self,
        network: &IntegerNetwork,
        data: &Dataset,
        intervals: Intervals,
    ) -> Result<Quality, String> {
        let mut tally = Tally::new(self.output);
        if self.output == Output::Input {
            network.for_each_error(data, |index, error, of_mean| {
                tally.reconstruction(error, of_mean, self.is_positive(data, index));
            })?;
        } else {
            network.for_each(data, |index, output| self.tally(&mut tally, data, index, (output, &[])))?;
        }
        Ok(tally.quality(intervals))
    }

    /// Scores a float network: `predict` gives its outputs `[N, ...]` for standardised inputs `[N, ...]`, some samples at
    /// a time.
    pub(crate) fn of_floats(
        &self,
        data: &Dataset,
        standardization: &Standardization,
        predict: impl Fn(&Value) -> Result<Value, Diagnostic>,
    ) -> Result<Quality, Diagnostic> {
        let mut tally = Tally::new(self.output);
        let elements = |value: &Value| -> Vec<f32> {
            value.as_f32().map(|array| array.iter().copied().collect()).unwrap_or_default()
        };
        for start in (0..data.len()).step_by(SCORED) {
            let part: Vec<usize> = (start..data.len().min(start + SCORED)).collect();
            let inputs = standardization.inputs(&data.select(&part));
            let (outputs, inputs) = (elements(&predict(&inputs)?), elements(&inputs));
            let width = |all: &[f32]| (all.len() / part.len()).max(1);
            let rows = outputs.chunks_exact(width(&outputs)).zip(inputs.chunks_exact(width(&inputs)));
            part.iter().zip(rows).for_each(|(&index, row)| self.tally(&mut tally, data, index, row));
        }
        Ok(tally.quality(Intervals::Omitted))
    }

    fn tally(&self, tally: &mut Tally, data: &Dataset, index: usize, (output, input): (&[f32], &[f32])) {
        match self.output {
            Output::Classes(_) => tally.class(output, data.labels.get(index).copied().unwrap_or(0)),
            Output::Values(values) => {
                let wanted = data.numbers.get(index * values..(index + 1) * values).unwrap_or(&[]);
                let read = output.iter().zip(&self.readings).map(|(&x, reading)| reading.read(x));
                tally.numbers(read, wanted);
            }
            Output::Input => tally.input(output, input, self.is_positive(data, index)),
        }
    }
}

/// The figure that a spec's networks are judged by: its first objective of quality, or what its task is known by.
pub(crate) fn judged(program: &Program) -> Metric {
    let wanted =
        program.objectives.iter().map(|objective| objective.metric).find(|metric| metric.is_quality());
    wanted.unwrap_or_else(|| metrics_of(program.space.output)[0])
}

/// Whether the classes of data say what is normal and what is not.
pub(crate) fn tells_anomalies(data: &Dataset) -> bool {
    data.classes.first().is_some_and(|class| class == NORMAL) && !data.labels.is_empty()
}

/// Whether samples and what is wanted of them are what the model declares; `features` are the extents behind the front
/// end, where no decision is in it.
pub(crate) fn check_fit(
    program: &Program,
    data: &Dataset,
    features: Option<[usize; 3]>,
) -> Result<(), Diagnostic> {
    if let (Some(declared), Some(found)) = (program.space.fixed_input(), features)
        && found != declared
    {
        let text = |[h, w, c]: [usize; 3]| format!("{h} x {w} x {c} (height or time, width, channels)");
        return Err(Diagnostic::error(
            Code::DATA_SHAPE,
            format!("the samples are {}, the model takes {}", text(found), text(declared)),
        )
        .help(format!("write `input: ({}, {}, {})` in the model", found[0], found[1], found[2])));
    }
    let error = |message: String, help: &str| Err(Diagnostic::error(Code::DATA_LABEL, message).help(help));
    match program.space.output {
        Output::Classes(classes) if data.classes.len() != classes => error(
            format!("the data has {} classes, the model says {classes}", data.classes.len()),
            "write the number of the data's classes as `classes:` of the model",
        ),
        Output::Values(values) if data.n_numbers() != values => error(
            format!(
                "the data has {} numbers to predict for each sample, the model says {values}",
                data.n_numbers()
            ),
            "write how many numbers the data has as `outputs:` of the model; for labels write `classes:`",
        ),
        Output::Values(_) if program.loss() == LossSpec::Bce => {
            match data.numbers.iter().find(|x| !(0.0..=1.0).contains(*x)) {
                Some(beyond) => error(
                    format!("a number to predict is {beyond}, with `loss: bce` all are from 0 to 1"),
                    "write `loss: mse`",
                ),
                None => Ok(()),
            }
        }
        Output::Classes(_) | Output::Values(_) | Output::Input => Ok(()),
    }
}

/// Mean and deviation of one of the numbers of samples, in F64 and in the order of the samples; the deviation of a
/// constant is 1.
fn measured(numbers: &[f32], at: usize, of: usize) -> Reading {
    let column = || numbers.iter().skip(at).step_by(of.max(1)).map(|&x| f64::from(x));
    let count = column().count().max(1) as f64;
    let mean = column().sum::<f64>() / count;
    let deviation = (column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    // Below this share of the mean a deviation is rounding noise of F32.
    let is_constant =
        deviation < f64::from(f32::MIN_POSITIVE) || deviation <= mean.abs() / f64::from(1 << 20);
    Reading::Scaled { mean: mean as f32, deviation: if is_constant { 1.0 } else { deviation as f32 } }
}
