//! Layers backwards: the second half of an autoencoder.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::NodeId;
use crate::ops::Reshape;
use crate::source::Span;
use crate::space::facts::arguments_mut;
use crate::space::instantiate::{Builder, Built, join};
use crate::space::{Argument, Expr, Layer, Region, RegionKind, Scope, Value, layer};
use crate::tensor::Shape;

/// A layer that was built inside a mirror.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// With its arguments evaluated.
    layer: Layer,
    name: String,
    span: Span,
    /// What it took.
    input: NodeId,
    /// Normalisation and activation of its output.
    finish: [Value; 2],
}

impl Builder<'_> {
    /// E0303 for what has no mirror image, where one is wanted.
    pub(crate) fn fits_mirror(&self, region: &Region) -> Built<()> {
        let Some((_, mirror)) = &self.recording else { return Ok(()) };
        let what = match region.kind {
            RegionKind::Parallel { .. } => "`parallel`",
            RegionKind::Residual => "`residual`",
            RegionKind::Mirror => "another `mirror`",
            RegionKind::Repeat { branching: Some(_), .. } => "a branching `repeat`",
            _ => return Ok(()),
        };
        let message = format!("{what} inside a `mirror` has no mirror image");
        let error = Diagnostic::error(Code::SHAPE, message).at(region.span, "stands inside");
        let error = error.at(*mirror, "the mirror");
        Err(Box::new(
            error.help("a `mirror` takes layers in sequence, with `repeat`, `choose`, `optional` and `when`"),
        ))
    }

    /// Remembers a layer where a mirror wants it. Normalisation and activation belong to the layer before them, however
    /// they are spelled.
    pub(crate) fn record(
        &mut self,
        layer: &Layer,
        region: &Region,
        input: NodeId,
        scope: &Scope<'_>,
    ) -> Built<()> {
        let Some((records, _)) = &mut self.recording else { return Ok(()) };
        let mut layer = layer.clone();
        for argument in arguments_mut(&mut layer) {
            let value = argument.expr.eval(scope).map_err(|text| {
                Box::new(Diagnostic::error(Code::RANGE, text).at(argument.span, "in this layer"))
            })?;
            argument.expr = Expr::Value(value);
        }
        let finish = match &layer {
            Layer::Identity | Layer::Dropout { .. } => return Ok(()),
            Layer::BatchNorm => {
                if let Some(last) = records.last_mut() {
                    last.finish[0] = word("batch");
                }
                return Ok(());
            }
            Layer::Activation { act } => {
                if let (Some(last), Expr::Value(act)) = (records.last_mut(), &act.expr) {
                    last.finish[1] = act.clone();
                }
                return Ok(());
            }
            Layer::Conv2d { norm, act, .. }
            | Layer::DepthwiseConv2d { norm, act, .. }
            | Layer::Dense { norm, act, .. } => [norm, act].map(|argument| match &argument.expr {
                Expr::Value(value) => value.clone(),
                _ => word("none"),
            }),
            _ => [word("none"), word("none")],
        };
        records.push(Record { layer, name: region.name.clone(), span: region.span, input, finish });
        Ok(())
    }

    /// Adds the layers backwards, each giving what its original took, with normalisation and activation of the layer
    /// that made that; the last one, which gives what the mirror took, has neither.
    pub(crate) fn unwind(&mut self, records: Vec<Record>, output: NodeId, path: &str) -> Built<NodeId> {
        self.unscaled = true;
        let mut node = output;
        for (at, record) in records.iter().enumerate().rev() {
            let finish = match at.checked_sub(1).and_then(|before| records.get(before)) {
                Some(before) => before.finish.clone(),
                None => [word("none"), word("none")],
            };
            node = self.reverse(record, finish, node, &join(path, "back"))?;
        }
        self.unscaled = false;
        Ok(node)
    }

    fn reverse(&mut self, record: &Record, finish: [Value; 2], node: NodeId, path: &str) -> Built<NodeId> {
        let (name, span) = (record.name.clone(), record.span);
        let region = Region { kind: RegionKind::Sequence, decisions: Vec::new(), name, span };
        let constant = |value: Value| Argument { expr: Expr::Value(value), span };
        let int = |value: usize| constant(Value::Int(value as i64));
        let [norm, act] = finish.map(constant);
        let wanted = self.ty(record.input).shape.clone();
        let channels = wanted.0.last().copied().unwrap_or(1);
        let put = |builder: &mut Self, layer: Layer, node: NodeId| match &layer {
            Layer::Upsample { factor } if is_one(factor) => Ok(node),
            _ => layer::build(builder, &layer, &region, node, &Scope::empty(), path),
        };
        let upsample = |factor: &Argument| Layer::Upsample { factor: factor.clone() };
        let same = constant(word("same"));
        let (one, given) = (int(1), node);
        let node = match &record.layer {
            Layer::Conv2d { kernel, stride, .. } => {
                let node = put(self, upsample(stride), given)?;
                self.reaches(record, node)?;
                let (filters, kernel) = (int(channels), kernel.clone());
                put(self, Layer::Conv2d { filters, kernel, stride: one, padding: same, norm, act }, node)?
            }
            Layer::DepthwiseConv2d { kernel, stride, .. } => {
                let node = put(self, upsample(stride), given)?;
                self.reaches(record, node)?;
                let kernel = kernel.clone();
                put(self, Layer::DepthwiseConv2d { kernel, stride: one, padding: same, norm, act }, node)?
            }
            Layer::Dense { .. } => {
                let node = put(self, Layer::Dense { units: int(wanted.elements()), norm, act }, given)?;
                self.reshaped(node, &wanted, path, span)?
            }
            other => {
                let node = match other {
                    Layer::MaxPool { stride, .. } | Layer::AvgPool { stride, .. } => {
                        put(self, upsample(stride), given)?
                    }
                    Layer::Upsample { factor } => {
                        let (size, stride) = (factor.clone(), factor.clone());
                        put(self, Layer::AvgPool { size, stride, padding: constant(word("valid")) }, given)?
                    }
                    Layer::GlobalAvgPool => {
                        let node = self.reshaped(given, &Shape::from([1, 1, 1, channels]), path, span)?;
                        let sides = wanted.0.iter().skip(1).take(2).map(|&side| Value::Int(side as i64));
                        put(self, upsample(&constant(Value::Tuple(sides.collect()))), node)?
                    }
                    _ => self.reshaped(given, &wanted, path, span)?,
                };
                self.reaches(record, node)?;
                let node = match norm.expr {
                    Expr::Value(ref value) if *value == word("batch") => put(self, Layer::BatchNorm, node)?,
                    _ => node,
                };
                put(self, Layer::Activation { act }, node)?
            }
        };
        Ok(node)
    }

    fn reshaped(&mut self, node: NodeId, shape: &Shape, path: &str, span: Span) -> Built<NodeId> {
        if self.ty(node).shape == *shape {
            return Ok(node);
        }
        self.add(Reshape { shape: shape.clone() }, &[node], path, span)
    }

    /// Whether a mirrored map has the height and width that its original took.
    fn reaches(&self, record: &Record, node: NodeId) -> Built<()> {
        let (Some(found), Some(wanted)) = (self.ty(node).shape.nhwc(), self.ty(record.input).shape.nhwc())
        else {
            return Ok(());
        };
        if found[1..3] == wanted[1..3] {
            return Ok(());
        }
        let text = |shape: [usize; 4]| format!("{} x {}", shape[1], shape[2]);
        let message = format!(
            "the mirror image of `{}` gives {} where the original took {}",
            record.name,
            text(found),
            text(wanted)
        );
        let error = Diagnostic::error(Code::SHAPE, message).at(record.span, "has no exact mirror image");
        let error = match self.place_of(record.input).filter(|&place| place != record.span) {
            Some(place) => error.at(place, format!("{} comes from here", text(wanted))),
            None => error,
        };
        Err(Box::new(
            error
                .help("let the strides divide heights and widths, and use `padding: same` inside a `mirror`"),
        ))
    }
}

/// Whether a stride or factor says 1 in both directions.
fn is_one(factor: &Argument) -> bool {
    let one = Value::Int(1);
    match &factor.expr {
        Expr::Value(Value::Tuple(parts)) => parts.iter().all(|part| *part == one),
        Expr::Value(value) => *value == one,
        _ => false,
    }
}

fn word(word: &str) -> Value {
    Value::Text(word.to_owned())
}
