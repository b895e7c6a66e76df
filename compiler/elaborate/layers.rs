//! The built-in layers: one table with their arguments, defaults and meaning.
//!
//! A layer is added by a row of [`LAYERS`] and an arm of [`build`].

use crate::source::Span;
use crate::space::{Argument, Expr, Layer, Value};

/// What an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An integer, at least 1.
    Count,
    /// An integer, at least 1, or a pair of them: height and width.
    Pair,
    /// One of some words.
    Word(&'static [&'static str]),
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// A number from 0 to below 1.
    Share,
    /// True or false.
    Bool,
}

/// The types that a parameter can be given.
pub(super) const TYPES: [(&str, Kind); 9] = [
    ("count", Kind::Count),
    ("integer", Kind::Integer),
    ("number", Kind::Number),
    ("share", Kind::Share),
    ("pair", Kind::Pair),
    ("bool", Kind::Bool),
    ("activation", ACT),
    ("padding", PADDING),
    ("norm", NORM),
];

/// What stands where an argument is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    /// It must be given.
    None,
    /// This integer.
    Int(i64),
    /// This word.
    Word(&'static str),
    /// What the named argument has.
    Like(&'static str),
}

/// An argument of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it has by default.
    pub default: Default,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The name in the language.
    pub name: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    /// Its arguments.
    pub parameters: &'static [Parameter],
}

const PADDING: Kind = Kind::Word(&["same", "valid"]);
const NORM: Kind = Kind::Word(&["none", "batch"]);
const ACT: Kind = Kind::Word(&["none", "relu", "relu6", "hswish", "hsigmoid", "sigmoid"]);

/// All words that arguments take.
pub(super) const WORDS: [&str; 9] =
    ["same", "valid", "none", "batch", "relu", "relu6", "hswish", "hsigmoid", "sigmoid"];

const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, default: Default::None }
}

const fn stride_1(kind: Kind) -> Parameter {
    Parameter { name: "stride", kind, default: Default::Int(1) }
}

const PADDING_SAME: Parameter = Parameter { name: "padding", kind: PADDING, default: Default::Word("same") };
const PADDING_VALID: Parameter =
    Parameter { name: "padding", kind: PADDING, default: Default::Word("valid") };
const NO_NORM: Parameter = Parameter { name: "norm", kind: NORM, default: Default::Word("none") };
const NO_ACT: Parameter = Parameter { name: "act", kind: ACT, default: Default::Word("none") };
const POOL: &[Parameter] = &[
    Parameter { name: "size", kind: Kind::Pair, default: Default::Int(2) },
    Parameter { name: "stride", kind: Kind::Pair, default: Default::Like("size") },
    PADDING_VALID,
];

/// Every layer.
pub(super) const LAYERS: [Row; 17] = [
    Row {
        name: "conv2d",
        doc: "convolution over height and width, then normalisation, then activation",
        parameters: &[
            required("filters", Kind::Count),
            required("kernel", Kind::Pair),
            stride_1(Kind::Pair),
            PADDING_SAME,
            NO_NORM,
            NO_ACT,
        ],
    },
    Row {
        name: "conv1d",
        doc: "convolution over height (time) alone, then normalisation, then activation",
        parameters: &[
            required("filters", Kind::Count),
            required("kernel", Kind::Count),
            stride_1(Kind::Count),
            PADDING_SAME,
            NO_NORM,
            NO_ACT,
        ],
    },
    Row {
        name: "depthwise_conv2d",
        doc: "one filter for each channel, then normalisation, then activation",
        parameters: &[required("kernel", Kind::Pair), stride_1(Kind::Pair), PADDING_SAME, NO_NORM, NO_ACT],
    },
    Row {
        name: "dense",
        doc: "fully connected, then normalisation, then activation; flattens a map first",
        parameters: &[required("units", Kind::Count), NO_NORM, NO_ACT],
    },
    Row { name: "batch_norm", doc: "batch normalisation", parameters: &[] },
    Row { name: "relu", doc: "the greater of 0 and the value", parameters: &[] },
    Row { name: "relu6", doc: "the value, limited to 0 to 6", parameters: &[] },
    Row { name: "hswish", doc: "hard swish: `x * hsigmoid(x)`", parameters: &[] },
    Row { name: "hsigmoid", doc: "hard sigmoid: `relu6(x + 3) / 6`", parameters: &[] },
    Row { name: "sigmoid", doc: "`1 / (1 + exp(-x))`", parameters: &[] },
    Row { name: "max_pool", doc: "greatest of a window", parameters: POOL },
    Row { name: "avg_pool", doc: "mean of a window", parameters: POOL },
    Row {
        name: "upsample",
        doc: "every pixel repeated, to a map that is larger by the factor",
        parameters: &[Parameter { name: "factor", kind: Kind::Pair, default: Default::Int(2) }],
    },
    Row {
        name: "dropout",
        doc: "in training sets this share of the values to 0; else nothing",
        parameters: &[required("rate", Kind::Share)],
    },
    Row { name: "global_avg_pool", doc: "mean of the whole map", parameters: &[] },
    Row { name: "flatten", doc: "the map as a vector", parameters: &[] },
    Row { name: "identity", doc: "nothing", parameters: &[] },
];

/// The row of a layer.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    LAYERS.iter().find(|row| row.name == name)
}

/// The layer of a row, with an argument for each of its parameters, in order.
pub(super) fn build(row: &Row, arguments: Vec<Argument>, call: Span) -> Layer {
    let word = |text: &str| Argument { expr: Expr::Value(Value::Text(text.to_owned())), span: call };
    let mut given = arguments.into_iter();
    let mut next = || given.next().expect("an argument for each parameter of the table");
    match row.name {
        "conv2d" => Layer::Conv2d {
            filters: next(),
            kernel: next(),
            stride: next(),
            padding: next(),
            norm: next(),
            act: next(),
        },
        "conv1d" => Layer::Conv2d {
            filters: next(),
            kernel: by_one(next()),
            stride: by_one(next()),
            padding: next(),
            norm: next(),
            act: next(),
        },
        "depthwise_conv2d" => Layer::DepthwiseConv2d {
            kernel: next(),
            stride: next(),
            padding: next(),
            norm: next(),
            act: next(),
        },
        "dense" => Layer::Dense { units: next(), norm: next(), act: next() },
        "batch_norm" => Layer::BatchNorm,
        "relu" | "relu6" | "hswish" | "hsigmoid" | "sigmoid" => Layer::Activation { act: word(row.name) },
        "max_pool" => Layer::MaxPool { size: next(), stride: next(), padding: next() },
        "avg_pool" => Layer::AvgPool { size: next(), stride: next(), padding: next() },
        "upsample" => Layer::Upsample { factor: next() },
        "dropout" => Layer::Dropout { rate: next() },
        "global_avg_pool" => Layer::GlobalAvgPool,
        "flatten" => Layer::Flatten,
        _ => Layer::Identity,
    }
}

/// An extent along height as a pair: a one-dimensional layer is a two-dimensional one of width 1.
fn by_one(argument: Argument) -> Argument {
    Argument { expr: Expr::Tuple(vec![argument.expr, Expr::Value(Value::Int(1))]), span: argument.span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn every_row_builds_a_layer_of_its_own_kind() {
        let span = Span { file: FileId(0), start: 0, end: 0 };
        let mut built = Vec::new();
        for row in &LAYERS {
            let argument = |index: usize| Argument { expr: Expr::Value(Value::Int(index as i64)), span };
            let layer = build(row, (0..row.parameters.len()).map(argument).collect(), span);
            assert!(!built.contains(&layer), "{} builds the layer of another row", row.name);
            assert!(!row.doc.is_empty());
            for parameter in row.parameters {
                if let Kind::Word(words) = parameter.kind {
                    assert!(words.iter().all(|word| WORDS.contains(word)));
                }
                if let Default::Like(other) = parameter.default {
                    let position = |name| row.parameters.iter().position(|p| p.name == name);
                    assert!(position(other) < position(parameter.name));
                }
            }
            built.push(layer);
        }
    }
}
