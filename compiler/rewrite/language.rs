//! The egg language of graphs: a term for every operator, its attributes first and its inputs after them.
//!
//! Attributes are children of their own, so that a pattern names the one it needs and binds the rest:
//! `(conv2d ?window none ?requant ?x ?w ?b)`. The network's inputs, parameters and constants are leaves that
//! point into the leaf table of the analysis. Several outputs hang under one `outputs` term. Text exists for
//! patterns and for reading; only clamps, axes and `float` can be written in a pattern.

use std::fmt;
use std::str::FromStr;

use egg::{Id, Language as _, define_language};

use crate::ops::{
    Activation, Add, AvgPool2d, BatchNorm, Clamp, Concat, Conv2d, Curve, CurveFunction, Dense,
    DepthwiseConv2d, Dropout, Elementwise, ElementwiseFunction, FoldBias, FoldWeight, Lookup, MaxPool2d,
    Mean, Mul, Op, Pad, Padding, Requant, Requantize, Reshape, ResizeBilinear, ResizeMode, Slice, Softmax,
    Squash, SquashFunction, Transpose, TransposeConv2d, Upsample2d, Window,
};
use crate::tensor::{Scale, Shape};

/// An attribute of an operator as a term without children.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Attribute {
    /// Window of a convolution or pool.
    Window(Window),
    /// Clamp at an operator's end.
    Clamp(Clamp),
    /// Requantization; `None` in float graphs.
    Requant(Option<Requant>),
    /// Extents of a reshape, the order of a transposition, the dimensions of a mean or slice.
    Shape(Shape),
    /// Dimension of the output channels.
    Axis(usize),
    /// What is added to a variance.
    Epsilon(Scale),
    /// Function of a curve.
    Function(CurveFunction),
    /// Zeros of a pad, before and after.
    Margins([[usize; 3]; 2]),
    /// Factors of an enlargement, rows and columns of a transposed convolution.
    Factor([usize; 2]),
    /// Share of a dropout.
    Rate(Scale),
    /// What a softmax multiplies scores by.
    Beta(Scale),
    /// Which function of 16 bits.
    Squash(SquashFunction),
    /// Where pixels of a resized map lie.
    Resize(ResizeMode),
    /// Function of two tensors.
    Elementwise(ElementwiseFunction),
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Window(window) => {
                let [h, w] = window.kernel;
                let [down, right] = window.stride;
                write!(f, "window:{h}x{w}/{down}x{right}")
            }
            Attribute::Clamp(clamp) => f.write_str(clamp.name()),
            Attribute::Requant(None) => f.write_str("float"),
            Attribute::Requant(Some(r)) => write!(f, "{}:{}:{}", r.dtype, r.scale.0, r.zero_point),
            Attribute::Shape(shape) => {
                let extents: Vec<String> = shape.0.iter().map(usize::to_string).collect();
                write!(f, "shape:{}", extents.join("x"))
            }
            Attribute::Axis(axis) => write!(f, "axis{axis}"),
            Attribute::Epsilon(epsilon) => write!(f, "epsilon:{}", epsilon.0),
            Attribute::Function(function) => write!(f, "function:{}", function.name()),
            Attribute::Margins([before, after]) => write!(f, "margins:{before:?}{after:?}"),
            Attribute::Factor([down, right]) => write!(f, "factor:{down}x{right}"),
            Attribute::Rate(rate) => write!(f, "rate:{}", rate.0),
            Attribute::Beta(beta) => write!(f, "beta:{}", beta.0),
            Attribute::Squash(function) => write!(f, "squash:{}", function.name()),
            Attribute::Resize(mode) => write!(f, "resize:{}", mode.name()),
            Attribute::Elementwise(function) => write!(f, "elementwise:{}", function.name()),
        }
    }
}

/// The text is no attribute that patterns can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotInPatterns;

impl FromStr for Attribute {
    type Err = NotInPatterns;

    fn from_str(text: &str) -> Result<Attribute, NotInPatterns> {
        let clamp = [Clamp::None, Clamp::Relu, Clamp::Relu6].into_iter().find(|clamp| clamp.name() == text);
        if let Some(clamp) = clamp {
            return Ok(Attribute::Clamp(clamp));
        }
        if text == "float" {
            return Ok(Attribute::Requant(None));
        }
        let axis = text.strip_prefix("axis").and_then(|number| number.parse().ok());
        axis.map(Attribute::Axis).ok_or(NotInPatterns)
    }
}

/// Place of an input, parameter or constant in the leaf table of the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LeafId(pub(crate) u32);

impl fmt::Display for LeafId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

impl FromStr for LeafId {
    type Err = NotInPatterns;

    fn from_str(_: &str) -> Result<LeafId, NotInPatterns> {
        Err(NotInPatterns)
    }
}

define_language! {
    /// A term: an attribute, a leaf, or an operator on attributes and inputs in the order of its comment.
    pub(crate) enum Term {
        Attribute(Attribute),
        Leaf(LeafId),
        // The clamp that does what two clamps in a row do; the analysis evaluates it.
        "meet" = Meet([Id; 2]),
        // The window that sees the zeros of margins as its own padding; the analysis evaluates it.
        "around" = Around([Id; 2]),
        // The order of dimensions that two in a row make, the outer one first; the analysis evaluates it.
        "through" = Through([Id; 2]),
        // window clamp requant x w b
        "conv2d" = Conv2d([Id; 6]),
        // window clamp requant x w b
        "depthwise_conv2d" = DepthwiseConv2d([Id; 6]),
        // clamp requant x w b
        "dense" = Dense([Id; 5]),
        // epsilon x gamma beta mean variance
        "batch_norm" = BatchNorm([Id; 6]),
        // clamp x
        "activation" = Activation([Id; 2]),
        // clamp requant a b
        "add" = Add([Id; 4]),
        // window clamp x
        "avg_pool2d" = AvgPool2d([Id; 3]),
        // window clamp x
        "max_pool2d" = MaxPool2d([Id; 3]),
        // shape x
        "reshape" = Reshape([Id; 2]),
        // axis epsilon w gamma variance
        "fold_weight" = FoldWeight([Id; 5]),
        // epsilon b gamma beta mean variance
        "fold_bias" = FoldBias([Id; 6]),
        // two or more inputs
        "concat" = Concat(Box<[Id]>),
        // margins x
        "pad" = Pad([Id; 2]),
        // clamp requant a b
        "mul" = Mul([Id; 4]),
        // function requant x
        "curve" = Curve([Id; 3]),
        // factor x
        "upsample2d" = Upsample2d([Id; 2]),
        // rate x
        "dropout" = Dropout([Id; 2]),
        // requant x
        "requantize" = Requantize([Id; 2]),
        // beta x
        "softmax" = Softmax([Id; 2]),
        "squash" = Squash([Id; 2]),
        // axes requant x
        "mean" = Mean([Id; 3]),
        // first count step x
        "slice" = Slice([Id; 4]),
        // order x
        "transpose" = Transpose([Id; 2]),
        // function clamp requant a b
        "elementwise" = Elementwise([Id; 5]),
        // window output clamp requant x w b
        "transpose_conv2d" = TransposeConv2d([Id; 7]),
        // output mode x
        "resize_bilinear" = ResizeBilinear([Id; 3]),
        // requant x table
        "lookup" = Lookup([Id; 3]),
        "outputs" = Outputs(Box<[Id]>),
    }
}

/// Makes a term of an operator's attributes and inputs.
type Make = fn(&[Id]) -> Term;

impl Term {
    fn n_attributes(&self) -> usize {
        match self {
            Term::Attribute(_) | Term::Leaf(_) | Term::Outputs(_) | Term::Concat(_) => 0,
            Term::BatchNorm(_) | Term::Activation(_) | Term::Reshape(_) | Term::FoldBias(_) => 1,
            Term::Pad(_) | Term::Upsample2d(_) | Term::Dropout(_) | Term::Requantize(_) => 1,
            Term::Softmax(_) | Term::Squash(_) | Term::Transpose(_) | Term::Lookup(_) => 1,
            Term::Meet(_) | Term::Around(_) | Term::Through(_) => 2,
            Term::Dense(_) | Term::Add(_) | Term::Mul(_) | Term::Curve(_) => 2,
            Term::AvgPool2d(_) | Term::MaxPool2d(_) | Term::FoldWeight(_) | Term::Mean(_) => 2,
            Term::ResizeBilinear(_) => 2,
            Term::TransposeConv2d(_) => 4,
            Term::Conv2d(_) | Term::DepthwiseConv2d(_) | Term::Slice(_) | Term::Elementwise(_) => 3,
        }
    }

    /// The children that are tensors, in the order of the operator's inputs.
    pub(crate) fn inputs(&self) -> &[Id] {
        &self.children()[self.n_attributes()..]
    }

    /// The term of an operator on inputs; `None` for inputs, parameters and constants.
    pub(crate) fn new(op: &Op, inputs: &[Id], mut attribute: impl FnMut(Attribute) -> Id) -> Option<Term> {
        let mut attributes =
            |list: Vec<Attribute>| -> Vec<Id> { list.into_iter().map(&mut attribute).collect() };
        use Attribute as A;
        let (make, attributes): (Make, Vec<Id>) = match op {
            Op::Input(_) | Op::Param(_) | Op::Constant(_) => return None,
            Op::Conv2d(Conv2d { window, clamp, requant }) => (
                |ids| Term::Conv2d(fixed(ids)),
                attributes(vec![A::Window(*window), A::Clamp(*clamp), A::Requant(*requant)]),
            ),
            Op::DepthwiseConv2d(DepthwiseConv2d { window, clamp, requant }) => (
                |ids| Term::DepthwiseConv2d(fixed(ids)),
                attributes(vec![A::Window(*window), A::Clamp(*clamp), A::Requant(*requant)]),
            ),
            Op::Dense(op) => (|ids| Term::Dense(fixed(ids)), attributes(ending(op.clamp, op.requant))),
            Op::BatchNorm(op) => {
                (|ids| Term::BatchNorm(fixed(ids)), attributes(vec![A::Epsilon(op.epsilon)]))
            }
            Op::Activation(op) => (|ids| Term::Activation(fixed(ids)), attributes(vec![A::Clamp(op.clamp)])),
            Op::Add(op) => (|ids| Term::Add(fixed(ids)), attributes(ending(op.clamp, op.requant))),
            Op::AvgPool2d(op) => (
                |ids| Term::AvgPool2d(fixed(ids)),
                attributes(vec![A::Window(op.window), A::Clamp(op.clamp)]),
            ),
            Op::MaxPool2d(op) => (
                |ids| Term::MaxPool2d(fixed(ids)),
                attributes(vec![A::Window(op.window), A::Clamp(op.clamp)]),
            ),
            Op::FoldWeight(op) => (
                |ids| Term::FoldWeight(fixed(ids)),
                attributes(vec![A::Axis(op.axis), A::Epsilon(op.epsilon)]),
            ),
            Op::FoldBias(op) => (|ids| Term::FoldBias(fixed(ids)), attributes(vec![A::Epsilon(op.epsilon)])),
            Op::Concat(_) => (|ids| Term::Concat(ids.into()), Vec::new()),
            Op::Mul(op) => (|ids| Term::Mul(fixed(ids)), attributes(ending(op.clamp, op.requant))),
            Op::Curve(op) => (
                |ids| Term::Curve(fixed(ids)),
                attributes(vec![A::Function(op.function), A::Requant(op.requant)]),
            ),
            Op::Dropout(op) => (|ids| Term::Dropout(fixed(ids)), attributes(vec![A::Rate(op.rate)])),
            Op::Requantize(op) => {
                (|ids| Term::Requantize(fixed(ids)), attributes(vec![A::Requant(Some(op.requant))]))
            }
            Op::Reshape(_) | Op::Pad(_) | Op::Upsample2d(_) | Op::Transpose(_) | Op::Slice(_) => {
                let (make, list) = moving(op)?;
                (make, attributes(list))
            }
            Op::Mean(_)
            | Op::Softmax(_)
            | Op::Squash(_)
            | Op::Elementwise(_)
            | Op::Lookup(_)
            | Op::TransposeConv2d(_)
            | Op::ResizeBilinear(_) => {
                let (make, list) = imported(op)?;
                (make, attributes(list))
            }
        };
        let children: Vec<Id> = attributes.into_iter().chain(inputs.iter().copied()).collect();
        Some(make(&children))
    }

    /// The operator of a term, its attributes looked up by class; `None` for what is no operator with inputs.
    pub(crate) fn op<'a>(&self, attribute: impl Fn(Id) -> &'a Attribute) -> Option<Op> {
        let window = |id| read(attribute(id), |a| if let Attribute::Window(x) = a { Some(*x) } else { None });
        let clamp = |id| read(attribute(id), |a| if let Attribute::Clamp(x) = a { Some(*x) } else { None });
        let requant =
            |id| read(attribute(id), |a| if let Attribute::Requant(x) = a { Some(*x) } else { None });
        let shape =
            |id| read(attribute(id), |a| if let Attribute::Shape(x) = a { Some(x.clone()) } else { None });
        let axis = |id| read(attribute(id), |a| if let Attribute::Axis(x) = a { Some(*x) } else { None });
        let epsilon =
            |id| read(attribute(id), |a| if let Attribute::Epsilon(x) = a { Some(*x) } else { None });
        let function =
            |id| read(attribute(id), |a| if let Attribute::Function(x) = a { Some(*x) } else { None });
        let margins =
            |id| read(attribute(id), |a| if let Attribute::Margins(x) = a { Some(*x) } else { None });
        let factor = |id| read(attribute(id), |a| if let Attribute::Factor(x) = a { Some(*x) } else { None });
        let rate = |id| read(attribute(id), |a| if let Attribute::Rate(x) = a { Some(*x) } else { None });
        let beta = |id| read(attribute(id), |a| if let Attribute::Beta(x) = a { Some(*x) } else { None });
        let mode = |id| read(attribute(id), |a| if let Attribute::Resize(x) = a { Some(*x) } else { None });
        let two =
            |id| read(attribute(id), |a| if let Attribute::Elementwise(x) = a { Some(*x) } else { None });
        let fixed = |id| read(attribute(id), |a| if let Attribute::Requant(x) = a { *x } else { None });
        Some(match *self {
            Term::Attribute(_) | Term::Leaf(_) | Term::Outputs(_) => return None,
            Term::Meet(_) | Term::Around(_) | Term::Through(_) => return None,
            Term::Conv2d([w, c, r, ..]) => {
                Conv2d { window: window(w), clamp: clamp(c), requant: requant(r) }.into()
            }
            Term::DepthwiseConv2d([w, c, r, ..]) => {
                DepthwiseConv2d { window: window(w), clamp: clamp(c), requant: requant(r) }.into()
            }
            Term::Dense([c, r, ..]) => Dense { clamp: clamp(c), requant: requant(r) }.into(),
            Term::BatchNorm([e, ..]) => BatchNorm { epsilon: epsilon(e) }.into(),
            Term::Activation([c, _]) => Activation { clamp: clamp(c) }.into(),
            Term::Add([c, r, ..]) => Add { clamp: clamp(c), requant: requant(r) }.into(),
            Term::AvgPool2d([w, c, _]) => AvgPool2d { window: window(w), clamp: clamp(c) }.into(),
            Term::MaxPool2d([w, c, _]) => MaxPool2d { window: window(w), clamp: clamp(c) }.into(),
            Term::Reshape([s, _]) => Reshape { shape: shape(s) }.into(),
            Term::FoldWeight([a, e, ..]) => FoldWeight { axis: axis(a), epsilon: epsilon(e) }.into(),
            Term::FoldBias([e, ..]) => FoldBias { epsilon: epsilon(e) }.into(),
            Term::Concat(_) => Concat {}.into(),
            Term::Pad([m, _]) => Pad { before: margins(m)[0], after: margins(m)[1] }.into(),
            Term::Mul([c, r, ..]) => Mul { clamp: clamp(c), requant: requant(r) }.into(),
            Term::Curve([f, r, _]) => Curve { function: function(f), requant: requant(r) }.into(),
            Term::Upsample2d([f, _]) => Upsample2d { factor: factor(f) }.into(),
            Term::Dropout([r, _]) => Dropout { rate: rate(r) }.into(),
            Term::Requantize([r, _]) => Requantize { requant: fixed(r) }.into(),
            Term::Mean([s, r, _]) => Mean { axes: shape(s), requant: fixed(r) }.into(),
            Term::Slice([f, c, s, _]) => Slice { first: shape(f), count: shape(c), step: shape(s) }.into(),
            Term::Transpose([s, _]) => Transpose { order: shape(s) }.into(),
            Term::Softmax([b, _]) => Softmax { beta: beta(b) }.into(),
            Term::Squash([f, _]) => squash(attribute(f)).into(),
            Term::Elementwise([f, c, r, ..]) => {
                Elementwise { function: two(f), clamp: clamp(c), requant: fixed(r) }.into()
            }
            Term::TransposeConv2d([w, o, c, r, ..]) => {
                let (window, output) = (window(w), factor(o));
                TransposeConv2d { window, output, clamp: clamp(c), requant: fixed(r) }.into()
            }
            Term::ResizeBilinear([o, m, _]) => ResizeBilinear { output: factor(o), mode: mode(m) }.into(),
            Term::Lookup([r, ..]) => Lookup { requant: fixed(r) }.into(),
        })
    }
}

/// Term and attributes of an operator with one input that only moves elements; `None` for others.
fn moving(op: &Op) -> Option<(Make, Vec<Attribute>)> {
    use Attribute as A;
    Some(match op {
        Op::Reshape(op) => (|ids| Term::Reshape(fixed(ids)), vec![A::Shape(op.shape.clone())]),
        Op::Pad(op) => (|ids| Term::Pad(fixed(ids)), vec![A::Margins([op.before, op.after])]),
        Op::Upsample2d(op) => (|ids| Term::Upsample2d(fixed(ids)), vec![A::Factor(op.factor)]),
        Op::Transpose(op) => (|ids| Term::Transpose(fixed(ids)), vec![A::Shape(op.order.clone())]),
        Op::Slice(op) => {
            let list = [&op.first, &op.count, &op.step].map(|shape| A::Shape(shape.clone()));
            (|ids| Term::Slice(fixed(ids)), list.into())
        }
        _ => return None,
    })
}

/// The order of dimensions that an outer one makes of an inner one.
pub(crate) fn through(outer: &Shape, inner: &Shape) -> Shape {
    Shape(outer.0.iter().map(|&axis| inner.0[axis]).collect())
}

/// The window with the margins of rows and columns as padding.
pub(crate) fn around([before, after]: [[usize; 3]; 2], window: Window) -> Window {
    let Padding { top, bottom, left, right } = window.padding;
    let padding = Padding {
        top: top.saturating_add(before[0]),
        bottom: bottom.saturating_add(after[0]),
        left: left.saturating_add(before[1]),
        right: right.saturating_add(after[1]),
    };
    Window { padding, ..window }
}

/// Term and attributes of an operator that imported graphs alone have; `None` for others.
fn imported(op: &Op) -> Option<(Make, Vec<Attribute>)> {
    use Attribute as A;
    Some(match op {
        Op::Mean(op) => {
            let list = vec![A::Shape(op.axes.clone()), A::Requant(Some(op.requant))];
            (|ids| Term::Mean(fixed(ids)), list)
        }
        Op::Softmax(op) => (|ids| Term::Softmax(fixed(ids)), vec![A::Beta(op.beta)]),
        Op::Squash(op) => (|ids| Term::Squash(fixed(ids)), vec![A::Squash(op.function)]),
        Op::Elementwise(op) => {
            let mut list = vec![A::Elementwise(op.function)];
            list.extend(ending(op.clamp, Some(op.requant)));
            (|ids| Term::Elementwise(fixed(ids)), list)
        }
        Op::ResizeBilinear(op) => {
            (|ids| Term::ResizeBilinear(fixed(ids)), vec![A::Factor(op.output), A::Resize(op.mode)])
        }
        Op::Lookup(op) => (|ids| Term::Lookup(fixed(ids)), vec![A::Requant(Some(op.requant))]),
        Op::TransposeConv2d(op) => {
            let mut list = vec![A::Window(op.window), A::Factor(op.output)];
            list.extend(ending(op.clamp, Some(op.requant)));
            (|ids| Term::TransposeConv2d(fixed(ids)), list)
        }
        _ => return None,
    })
}

/// The clamp that does what two clamps in a row do. Each clamp's range lies inside that of the one before it
/// in `Clamp`'s order, for floats as for every quantization, so the later one decides.
pub(crate) fn meet(a: Clamp, b: Clamp) -> Clamp {
    a.max(b)
}

fn ending(clamp: Clamp, requant: Option<Requant>) -> Vec<Attribute> {
    vec![Attribute::Clamp(clamp), Attribute::Requant(requant)]
}

fn fixed<const N: usize>(ids: &[Id]) -> [Id; N] {
    ids.try_into().expect("a verified graph gives every operator its number of inputs")
}

fn squash(attribute: &Attribute) -> Squash {
    let function = |a: &Attribute| if let Attribute::Squash(x) = a { Some(*x) } else { None };
    Squash { function: read(attribute, function) }
}

fn read<T>(attribute: &Attribute, get: impl Fn(&Attribute) -> Option<T>) -> T {
    get(attribute).expect("rules put attributes only in places of their kind")
}
