//! From a layer of the language to operators.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::NodeId;
use crate::ops::{
    Activation, AvgPool2d, BatchNorm, Clamp, Conv2d, Curve, CurveFunction, Dense, DepthwiseConv2d, Dropout,
    MaxPool2d, Op, Param, ParamRole, Reshape, Upsample2d, Window,
};
use crate::source::Span;
use crate::space::instantiate::Builder;
use crate::space::{Argument, Layer, Region, Scope, Value};
use crate::tensor::{Scale, Shape, TensorType};

type Built<T> = Result<T, Box<Diagnostic>>;

/// Added to variances. Source  the default of PyTorch's and of µNAS's batch normalisation.
const EPSILON: Scale = Scale(1e-5);

/// The largest extent that an argument may ask for: far above any microcontroller, far below overflow.
pub(crate) const MAX_EXTENT: i64 = 1 << 16;

/// A shape as specs write it: without the batch, a vector as its number of values.
pub(crate) fn written(shape: &Shape) -> String {
    match shape.0.as_slice() {
        [_, values] => format!("{values} values"),
        [_, rest @ ..] => {
            let sizes: Vec<String> = rest.iter().map(usize::to_string).collect();
            format!("({})", sizes.join(", "))
        }
        [] => "nothing".to_owned(),
    }
}

/// Adds a layer's operators on `input`.
pub(crate) fn build(
    builder: &mut Builder<'_>,
    layer: &Layer,
    region: &Region,
    input: NodeId,
    scope: &Scope<'_>,
    path: &str,
) -> Built<NodeId> {
    let window_word = match layer {
        Layer::MaxPool { .. } | Layer::AvgPool { .. } => "window",
        _ => "kernel",
    };
    let mut at = Place { builder, scope, span: region.span, name: &region.name, path, window_word };
    match layer {
        Layer::Conv2d { filters, kernel, stride, padding, norm, act } => {
            let filters = at.filters(filters)?;
            let window = at.window(kernel, stride, padding, input)?;
            at.conv(Some(filters), window, input, norm, act)
        }
        Layer::DepthwiseConv2d { kernel, stride, padding, norm, act } => {
            let window = at.window(kernel, stride, padding, input)?;
            at.conv(None, window, input, norm, act)
        }
        Layer::Dense { units, norm, act } => {
            let units = at.count(units)?;
            at.dense(units, input, norm, act)
        }
        Layer::BatchNorm => at.batch_norm(input),
        Layer::Activation { act } => at.act(input, act),
        Layer::MaxPool { size, stride, padding } => {
            let window = at.window(size, stride, padding, input)?;
            at.add(MaxPool2d { window, clamp: Clamp::None }, &[input])
        }
        Layer::AvgPool { size, stride, padding } => {
            let window = at.window(size, stride, padding, input)?;
            at.add(AvgPool2d { window, clamp: Clamp::None }, &[input])
        }
        Layer::GlobalAvgPool => {
            let [_, height, width, _] = at.feature_map(input)?;
            let window = Window::valid([height, width], [1, 1]);
            let pooled = at.add(AvgPool2d { window, clamp: Clamp::None }, &[input])?;
            at.flatten(pooled)
        }
        Layer::Flatten => at.flatten(input),
        Layer::Upsample { factor } => {
            at.feature_map(input)?;
            let factor = at.pair(factor)?;
            at.add(Upsample2d { factor }, &[input])
        }
        Layer::Dropout { rate } => {
            let rate = at.share(rate)?;
            at.add(Dropout { rate }, &[input])
        }
        Layer::Identity => Ok(input),
    }
}

/// A layer in its place: what it may ask for while it is built.
struct Place<'a, 'b> {
    builder: &'a mut Builder<'b>,
    scope: &'a Scope<'a>,
    span: Span,
    name: &'a str,
    path: &'a str,
    /// What messages call its window.
    window_word: &'static str,
}

impl Place<'_, '_> {
    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> Built<NodeId> {
        self.builder.add(op, inputs, self.path, self.span)
    }

    fn feature_map(&self, input: NodeId) -> Built<[usize; 4]> {
        let shape = &self.builder.ty(input).shape;
        shape.nhwc().ok_or_else(|| {
            let message = format!("a layer for feature maps got a vector of {} values", shape.elements());
            let error = Diagnostic::error(Code::SHAPE, message).at(self.span, "takes a feature map");
            let error = match self.builder.place_of(input) {
                Some(place) => error.at(place, "its input comes from here"),
                None => error,
            };
            Box::new(error.help("put it before `flatten`, `global_avg_pool` and `dense`"))
        })
    }

    fn param(&mut self, name: String, role: ParamRole, shape: Vec<usize>, fan_in: usize) -> Built<NodeId> {
        let ty = TensorType::f32(shape);
        self.add(Param { name, role, ty, fan_in }, &[])
    }

    /// Convolution with filters, depthwise without; then normalisation and activation.
    fn conv(
        &mut self,
        filters: Option<usize>,
        window: Window,
        input: NodeId,
        norm: &Argument,
        act: &Argument,
    ) -> Built<NodeId> {
        let [_, _, _, channels] = self.feature_map(input)?;
        let [kh, kw] = window.kernel;
        let layer = self.builder.next_layer();
        let fan_in = kh * kw * if filters.is_some() { channels } else { 1 };
        let shape = match filters {
            Some(filters) => vec![filters, kh, kw, channels],
            None => vec![1, kh, kw, channels],
        };
        let outputs = filters.unwrap_or(channels);
        let w = self.param(format!("{layer}.weight"), ParamRole::Weight, shape, fan_in)?;
        let normed = self.word(norm, &["none", "batch"])? == "batch";
        let b = self.bias(layer, outputs, normed)?;
        let op = match filters {
            Some(_) => Op::from(Conv2d { window, clamp: Clamp::None, requant: None }),
            None => Op::from(DepthwiseConv2d { window, clamp: Clamp::None, requant: None }),
        };
        let output = self.add(op, &[input, w, b])?;
        self.finish(output, normed, act)
    }

    fn dense(&mut self, units: usize, input: NodeId, norm: &Argument, act: &Argument) -> Built<NodeId> {
        let input = self.flatten(input)?;
        let features = self.builder.ty(input).shape.0[1];
        let layer = self.builder.next_layer();
        let w = self.param(format!("{layer}.weight"), ParamRole::Weight, vec![units, features], features)?;
        let normed = self.word(norm, &["none", "batch"])? == "batch";
        let b = self.bias(layer, units, normed)?;
        let output = self.add(Dense { clamp: Clamp::None, requant: None }, &[input, w, b])?;
        self.finish(output, normed, act)
    }

    /// A bias to train, or none before a normalisation, which would take it out again.
    fn bias(&mut self, layer: usize, outputs: usize, normed: bool) -> Built<NodeId> {
        let role = if normed { ParamRole::NoBias } else { ParamRole::Bias };
        self.param(format!("{layer}.bias"), role, vec![outputs], 0)
    }

    fn finish(&mut self, output: NodeId, normed: bool, act: &Argument) -> Built<NodeId> {
        let output = if normed { self.batch_norm(output)? } else { output };
        self.act(output, act)
    }

    fn batch_norm(&mut self, input: NodeId) -> Built<NodeId> {
        let layer = self.builder.next_layer();
        let channels = self.builder.ty(input).shape.0.last().copied().unwrap_or(1);
        let mut inputs = vec![input];
        for (name, role) in [
            ("gamma", ParamRole::Gamma),
            ("beta", ParamRole::Beta),
            ("mean", ParamRole::Mean),
            ("variance", ParamRole::Variance),
        ] {
            inputs.push(self.param(format!("{layer}.{name}"), role, vec![channels], 0)?);
        }
        self.add(BatchNorm { epsilon: EPSILON }, &inputs)
    }

    fn act(&mut self, input: NodeId, act: &Argument) -> Built<NodeId> {
        let word = self.word(act, &["none", "relu", "relu6", "hswish", "hsigmoid", "sigmoid"])?;
        if let Some(function) = CurveFunction::ALL.into_iter().find(|function| function.name() == word) {
            return self.add(Curve { function, requant: None }, &[input]);
        }
        match word.as_str() {
            "relu" => self.add(Activation { clamp: Clamp::Relu }, &[input]),
            "relu6" => self.add(Activation { clamp: Clamp::Relu6 }, &[input]),
            _ => Ok(input),
        }
    }

    fn flatten(&mut self, input: NodeId) -> Built<NodeId> {
        let shape = &self.builder.ty(input).shape;
        if shape.rank() == 2 {
            return Ok(input);
        }
        let shape = Shape::from([shape.0[0], shape.0[1..].iter().product()]);
        self.add(Reshape { shape }, &[input])
    }

    fn window(
        &mut self,
        kernel: &Argument,
        stride: &Argument,
        padding: &Argument,
        input: NodeId,
    ) -> Built<Window> {
        let [_, height, width, _] = self.feature_map(input)?;
        let (extents, stride) = (self.pair(kernel)?, self.pair(stride)?);
        if self.word(padding, &["same", "valid"])? == "same" {
            return Ok(Window::same(extents, stride, [height, width]));
        }
        for (axis, extent, available) in [(1, extents[0], height), (2, extents[1], width)] {
            if extent > available {
                let window = (self.name, self.window_word, kernel);
                return Err(self.builder.too_large(window, (axis, extent, available), input));
            }
        }
        Ok(Window::valid(extents, stride))
    }

    fn value(&self, argument: &Argument) -> Built<Value> {
        argument.expr.eval(self.scope).map_err(|text| self.wrong(argument, text))
    }

    fn wrong(&self, argument: &Argument, text: impl Into<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(Code::RANGE, text).at(argument.span, "in this layer"))
    }

    fn positive(&self, argument: &Argument, value: &Value) -> Built<usize> {
        match value.as_int() {
            Some(x) if (1..=MAX_EXTENT).contains(&x) => Ok(x as usize),
            _ => Err(self.wrong(argument, format!("must be an integer from 1 to {MAX_EXTENT}, is {value}"))),
        }
    }

    fn count(&self, argument: &Argument) -> Built<usize> {
        let value = self.value(argument)?;
        self.positive(argument, &value)
    }

    /// The filters of a convolution: the one place where a width scale comes in.
    fn filters(&self, argument: &Argument) -> Built<usize> {
        self.builder.scaled_filters(self.count(argument)?, argument, self.scope)
    }

    /// A number from 0 to below 1.
    fn share(&self, argument: &Argument) -> Built<Scale> {
        let value = self.value(argument)?;
        let share = match value {
            Value::Int(0) => Some(0.0),
            // A number just below 1 can round to 1.
            Value::Float(share) => Some(share as f32).filter(|share| (0.0..1.0).contains(share)),
            _ => None,
        };
        share
            .map(Scale)
            .ok_or_else(|| self.wrong(argument, format!("must be a number from 0 to below 1, is {value}")))
    }

    /// A pair, or one integer for both.
    fn pair(&self, argument: &Argument) -> Built<[usize; 2]> {
        match self.value(argument)? {
            Value::Tuple(parts) if parts.len() == 2 => {
                Ok([self.positive(argument, &parts[0])?, self.positive(argument, &parts[1])?])
            }
            value => {
                let both = self.positive(argument, &value)?;
                Ok([both, both])
            }
        }
    }

    fn word(&self, argument: &Argument, allowed: &[&str]) -> Built<String> {
        let value = self.value(argument)?;
        match value.as_text() {
            Some(word) if allowed.contains(&word) => Ok(word.to_owned()),
            _ => Err(self.wrong(argument, format!("must be one of {}, is {value}", allowed.join(", ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::graph::Graph;
    use crate::source::FileId;
    use crate::space::{Expr, Output, RegionKind, Space, instantiate, sample};

    const SPAN: Span = Span { file: FileId(0), start: 0, end: 1 };

    fn fixed(value: Value) -> Argument {
        Argument { expr: Expr::Value(value), span: SPAN }
    }

    /// The graph of these layers on a map of 2 x 3 x 1.
    fn chain(layers: Vec<Layer>) -> Built<Graph> {
        let mut space = Space::new([2, 3, 1], Output::Input, SPAN);
        for layer in layers {
            let kind = RegionKind::Layer(layer);
            let region = Region { kind, decisions: Vec::new(), name: "layer".into(), span: SPAN };
            space.add_child(space.root(), region);
        }
        let genome = sample(&space, &mut ChaCha8Rng::seed_from_u64(1));
        instantiate(&space, &genome)
    }

    #[test]
    fn enlargement_dropout_and_curves_become_operators() {
        let act = |word: &str| Layer::Activation { act: fixed(Value::Text(word.into())) };
        let pair = Value::Tuple(vec![Value::Int(2), Value::Int(1)]);
        let graph = chain(vec![
            act("hswish"),
            act("hsigmoid"),
            Layer::Upsample { factor: fixed(pair) },
            Layer::Dropout { rate: fixed(Value::Float(0.25)) },
            act("sigmoid"),
            Layer::MaxPool {
                size: fixed(Value::Int(2)),
                stride: fixed(Value::Tuple(vec![Value::Int(2), Value::Int(1)])),
                padding: fixed(Value::Text("same".into())),
            },
        ]);
        insta::assert_snapshot!(graph.expect("fits").to_text(), @r"
        %0 = input() : f32[1, 2, 3, 1]
        %1 = curve(%0) hswish : f32[1, 2, 3, 1]
        %2 = curve(%1) hsigmoid : f32[1, 2, 3, 1]
        %3 = upsample2d(%2) factor=2x1 : f32[1, 4, 3, 1]
        %4 = dropout(%3) rate=0.25 : f32[1, 4, 3, 1]
        %5 = curve(%4) sigmoid : f32[1, 4, 3, 1]
        %6 = max_pool2d(%5) kernel=2x2 stride=2x1 pad=0,0,0,1 : f32[1, 2, 3, 1]
        return %6
        ");
    }

    #[test]
    fn rates_and_factors_have_limits() {
        for rate in [Value::Int(1), Value::Float(-0.1), Value::Float(1.0 - 1e-12), Value::Text("x".into())] {
            let error = chain(vec![Layer::Dropout { rate: fixed(rate) }]).expect_err("out of range");
            assert!(error.message.starts_with("must be a number from 0 to below 1"), "{}", error.message);
        }
        chain(vec![Layer::Dropout { rate: fixed(Value::Int(0)) }]).expect("nothing is dropped");
        for factor in [0, MAX_EXTENT + 1] {
            let error = chain(vec![Layer::Upsample { factor: fixed(Value::Int(factor)) }]);
            assert_eq!(error.expect_err("out of range").code, Code::RANGE);
        }
        let twice = Layer::Upsample { factor: fixed(Value::Int(MAX_EXTENT / 2)) };
        let error = chain(vec![twice.clone(), twice]).expect_err("too large");
        assert_eq!(error.code, Code::SHAPE, "{}", error.message);
    }
}
