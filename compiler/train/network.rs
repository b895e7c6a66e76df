//! A training graph as something that a tape can run, with any batch.
//!
//! In: a graph of float operators with one input and a batch of 1. Out: its parameters in order, and the forward pass
//! for a batch of N, in training or in evaluation. `build` takes the graph apart.

mod build;

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Weights;
use crate::ops::{Clamp, CurveFunction, Param, Window};
use crate::tensor::{DType, Value};
use crate::train::engine::{Distribution, Engine, Normalization, Unary};
use crate::train::extents::Extents;
use crate::train::stream;
use crate::train::tape::{Tape, Var};

/// What one operator does; `usize` is the index of a parameter.
#[derive(Clone, Debug)]
enum Step {
    Input,
    Conv2d {
        w: usize,
        b: usize,
        window: Window,
        clamp: Clamp,
    },
    DepthwiseConv2d {
        w: usize,
        b: usize,
        window: Window,
        clamp: Clamp,
    },
    Dense {
        w: usize,
        b: usize,
        clamp: Clamp,
    },
    BatchNorm {
        gamma: usize,
        beta: usize,
        mean: usize,
        variance: usize,
        epsilon: f32,
        /// Of an activation that nothing else stands before.
        clamp: Clamp,
    },
    Activation {
        clamp: Clamp,
    },
    Add {
        clamp: Clamp,
    },
    AvgPool2d {
        window: Window,
        clamp: Clamp,
    },
    MaxPool2d {
        window: Window,
        clamp: Clamp,
    },
    Mul {
        clamp: Clamp,
    },
    Curve {
        function: CurveFunction,
    },
    Concat,
    /// Zeros around height, width and channels.
    Pad {
        before: [usize; 3],
        after: [usize; 3],
    },
    Upsample2d {
        factor: [usize; 2],
    },
    Dropout {
        rate: f32,
    },
    /// To these extents behind the batch.
    Reshape {
        extents: Vec<usize>,
    },
}

/// A graph ready for training.
#[derive(Clone, Debug)]
pub struct Network {
    /// In order of evaluation, each with the indices of the steps that feed it.
    steps: Vec<(Step, Vec<usize>)>,
    params: Vec<Param>,
    input: Vec<usize>,
    output: usize,
    output_shape: Vec<usize>,
}

/// Which statistics batch normalisation uses, and whether dropout drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The statistics of the batch; what is dropped follows from the key, the layer and the place alone, so a pass
    /// with the same key drops the same on any engine of one numerics.
    Training {
        /// Of the random stream; another one for each step.
        key: u64,
    },
    /// The statistics of the batch, and nothing is dropped.
    Statistics,
    /// The running statistics, which are parameters, and nothing is dropped.
    Evaluation,
}

/// The statistics of a batch at one batch normalisation.
#[derive(Debug)]
pub struct BatchStatistics<T> {
    /// Index of the parameter that holds the running mean.
    pub mean_param: usize,
    /// Index of the parameter that holds the running variance.
    pub variance_param: usize,
    /// Mean of each channel.
    pub mean: T,
    /// Biased variance of each channel.
    pub variance: T,
    /// Elements of each channel.
    pub count: usize,
}

/// What a forward pass leaves behind; used again for the next, so that it allocates nothing then.
#[derive(Debug)]
pub struct Pass<T> {
    /// In training the statistics of every batch normalisation.
    pub statistics: Vec<BatchStatistics<T>>,
    /// The value of each step.
    values: Vec<Var>,
    /// Inputs of one step.
    inputs: Vec<Var>,
}

impl<T> Pass<T> {
    /// Of nothing yet.
    pub fn new() -> Pass<T> {
        Pass { statistics: Vec::new(), values: Vec::new(), inputs: Vec::new() }
    }

    /// The value of each step, in order of evaluation.
    pub(super) fn values(&self) -> &[Var] {
        &self.values
    }
}

impl<T> Default for Pass<T> {
    fn default() -> Pass<T> {
        Pass::new()
    }
}

impl Network {
    /// The parameters, in the order in which the graph needs them.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// Extents of one sample.
    pub fn input(&self) -> &[usize] {
        &self.input
    }

    /// Extents of the output for one sample.
    pub fn output(&self) -> &[usize] {
        &self.output_shape
    }

    /// The elements of the parameters, in their order.
    ///
    /// # Errors
    /// E0203 where one is missing, E0303 where one has another type.
    pub fn gather<'w>(&self, weights: &'w Weights) -> Result<Vec<&'w Value>, Diagnostic> {
        let find = |param: &Param| {
            let value = weights.get(&param.name).ok_or_else(|| {
                Diagnostic::error(Code::MISSING, format!("the weights hold no parameter `{}`", param.name))
            })?;
            if value.dtype() != DType::F32 || value.shape() != param.ty.shape {
                let message = format!(
                    "parameter `{}` is {}{}, not {}",
                    param.name,
                    value.dtype(),
                    value.shape(),
                    param.ty
                );
                return Err(Diagnostic::error(Code::SHAPE, message));
            }
            Ok(value)
        };
        self.params.iter().map(find).collect()
    }

    /// What a message calls a step: its operator, and its first parameter if it has one.
    pub(super) fn step_name(&self, step: usize) -> String {
        let (name, param) = match &self.steps[step].0 {
            Step::Input => ("the data", None),
            Step::Conv2d { w, .. } => ("`conv2d`", Some(w)),
            Step::DepthwiseConv2d { w, .. } => ("`depthwise_conv2d`", Some(w)),
            Step::Dense { w, .. } => ("`dense`", Some(w)),
            Step::BatchNorm { gamma, .. } => ("`batch_norm`", Some(gamma)),
            Step::Activation { .. } | Step::Curve { .. } => ("an activation", None),
            Step::Add { .. } => ("`add`", None),
            Step::AvgPool2d { .. } => ("`avg_pool2d`", None),
            Step::MaxPool2d { .. } => ("`max_pool2d`", None),
            Step::Mul { .. } => ("`mul`", None),
            Step::Concat => ("`concat`", None),
            Step::Pad { .. } => ("`pad`", None),
            Step::Upsample2d { .. } => ("`upsample2d`", None),
            Step::Dropout { .. } => ("`dropout`", None),
            Step::Reshape { .. } => ("`reshape`", None),
        };
        match param {
            Some(&param) => format!("{name} with `{}`", self.params[param].name),
            None => format!("{name}, step {} of {}", step + 1, self.steps.len()),
        }
    }

    /// The steps whose values a rectifier has clamped at 0.
    pub(super) fn rectified(&self) -> impl Iterator<Item = usize> {
        let is_rectified = |step: &Step| {
            let clamp = match step {
                Step::Conv2d { clamp, .. }
                | Step::DepthwiseConv2d { clamp, .. }
                | Step::Dense { clamp, .. }
                | Step::BatchNorm { clamp, .. }
                | Step::Activation { clamp }
                | Step::Add { clamp }
                | Step::AvgPool2d { clamp, .. }
                | Step::MaxPool2d { clamp, .. }
                | Step::Mul { clamp } => *clamp,
                _ => Clamp::None,
            };
            clamp != Clamp::None
        };
        (0..self.steps.len()).filter(move |&step| is_rectified(&self.steps[step].0))
    }

    /// The output for a batch `[N, ...]`; `pass` holds the statistics in training afterwards.
    /// `params` are in the order of [`Network::params`].
    pub fn forward<E: Engine>(
        &self,
        tape: &mut Tape<'_, E>,
        params: &[Var],
        input: Var,
        mode: Mode,
        pass: &mut Pass<E::Tensor>,
    ) -> Var {
        let Pass { statistics, values, inputs } = pass;
        statistics.clear();
        values.clear();
        for (index, (step, places)) in self.steps.iter().enumerate() {
            inputs.clear();
            inputs.extend(places.iter().map(|&place| values[place]));
            let value = match step {
                Step::Input => input,
                Step::BatchNorm { gamma, beta, mean, variance, epsilon, clamp } => {
                    let indices = [*gamma, *beta, *mean, *variance];
                    let how = (*epsilon, *clamp);
                    match mode {
                        Mode::Training { .. } | Mode::Statistics => {
                            train_norm(tape, params, inputs[0], indices, how, statistics)
                        }
                        Mode::Evaluation => fixed_norm(tape, indices.map(|i| params[i]), inputs[0], how),
                    }
                }
                Step::Dropout { rate } => match mode {
                    Mode::Training { key } if *rate > 0.0 => {
                        drop_some(tape, inputs[0], *rate, stream::key(key, "dropout", index as u64))
                    }
                    _ => inputs[0],
                },
                step => apply(tape, params, step, inputs),
            };
            values.push(value);
        }
        values[self.output]
    }
}

fn train_norm<E: Engine>(
    tape: &mut Tape<'_, E>,
    params: &[Var],
    x: Var,
    [gamma, beta, mean_param, variance_param]: [usize; 4],
    how: (f32, Clamp),
    statistics: &mut Vec<BatchStatistics<E::Tensor>>,
) -> Var {
    let shape = tape.engine().shape(tape.value(x));
    let count = shape[..shape.len() - 1].iter().product();
    let (y, (mean, variance)) = tape.batch_norm(x, params[gamma], params[beta], how);
    statistics.push(BatchStatistics { mean_param, variance_param, mean, variance, count });
    y
}

/// By the running statistics. There is no gradient through it: evaluation has no backward pass.
fn fixed_norm<E: Engine>(
    tape: &mut Tape<'_, E>,
    [gamma, beta, mean, variance]: [Var; 4],
    x: Var,
    (epsilon, clamp): (f32, Clamp),
) -> Var {
    let by = Normalization {
        mean: tape.value(mean),
        variance: tape.value(variance),
        gamma: tape.value(gamma),
        beta: tape.value(beta),
        epsilon,
    };
    let value = tape.engine().batch_norm(tape.value(x), &by, clamp);
    tape.constant(value)
}

/// Elements set to 0 with the probability `rate`, the others divided by `1 - rate`.
fn drop_some<E: Engine>(tape: &mut Tape<'_, E>, x: Var, rate: f32, key: u64) -> Var {
    let engine = tape.engine();
    let drawn = engine.random(Distribution::Uniform, key, engine.shape(tape.value(x)));
    let kept = engine.map(Unary::Above { threshold: rate }, &drawn);
    let factors = engine.map(Unary::Affine { scale: 1.0 / (1.0 - rate), offset: 0.0 }, &kept);
    tape.scaled(x, factors)
}

fn apply<E: Engine>(tape: &mut Tape<'_, E>, params: &[Var], step: &Step, inputs: &[Var]) -> Var {
    let x = inputs[0];
    let (value, clamp) = match step {
        Step::Conv2d { w, b, window, clamp } => (tape.conv2d(x, params[*w], params[*b], window), *clamp),
        Step::DepthwiseConv2d { w, b, window, clamp } => {
            (tape.depthwise_conv2d(x, params[*w], params[*b], window), *clamp)
        }
        Step::Dense { w, b, clamp } => (tape.dense(x, params[*w], params[*b]), *clamp),
        Step::Activation { clamp } => (x, *clamp),
        Step::Add { clamp: Clamp::None } => (tape.add(x, inputs[1]), Clamp::None),
        Step::Add { clamp } => (tape.add_clamped(x, inputs[1], *clamp), Clamp::None),
        Step::Mul { clamp } => (tape.mul(x, inputs[1]), *clamp),
        Step::Curve { function } => (tape.curve(x, *function), Clamp::None),
        Step::Concat => (tape.concat(inputs), Clamp::None),
        Step::Pad { before: [top, left, front], after: [bottom, right, back] } => {
            (tape.pad(x, &[0, *top, *left, *front], &[0, *bottom, *right, *back]), Clamp::None)
        }
        Step::Upsample2d { factor } => (tape.upsample2d(x, *factor), Clamp::None),
        Step::AvgPool2d { window, clamp } => (tape.avg_pool2d(x, window), *clamp),
        Step::MaxPool2d { window, clamp } => (tape.max_pool2d(x, window), *clamp),
        Step::Reshape { extents } => {
            let batch = tape.engine().shape(tape.value(x))[0];
            (tape.reshape(x, &Extents::batched(batch, extents)), Clamp::None)
        }
        Step::Input | Step::BatchNorm { .. } | Step::Dropout { .. } => {
            unreachable!("`forward` has taken these")
        }
    };
    match clamp {
        Clamp::None => value,
        Clamp::Relu => tape.relu(value),
        Clamp::Relu6 => tape.relu6(value),
    }
}
