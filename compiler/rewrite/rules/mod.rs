//! The rules by theme, and the predicates that their rows name. The laws are in `README.md` beside this file.

mod algebra;
pub(crate) mod constant_channels;
mod fold;
mod fuse;
mod layout;
mod quantized;

use std::sync::LazyLock;

use egg::{Id, Rewrite, Subst, Var};

use crate::ops::{Clamp, Padding, Window};
use crate::rewrite::analysis::{Facts, Terms, attribute, tensor};
use crate::rewrite::history::recording;
use crate::rewrite::language::{Attribute, Term, around};
use crate::tensor::DType;

/// A rule.
pub(crate) type Rule = Rewrite<Term, Facts>;

/// What holds on floats to a tolerance.
pub(crate) fn float() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> =
        LazyLock::new(|| recorded([algebra::rules(), layout::rules(), fuse::rules()].concat()));
    &RULES
}

/// What holds on quantized tensors bit for bit.
pub(crate) fn integer() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let exact = [algebra::rules(), layout::rules(), quantized::rules(), fold::rules()];
        recorded(exact.concat())
    });
    &RULES
}

fn recorded(rules: Vec<Rule>) -> Vec<Rule> {
    rules.into_iter().map(recording).collect()
}

fn class(subst: &Subst, variable: &'static str) -> Id {
    let variable: Var = variable.parse().expect("a variable starts with `?`");
    subst[variable]
}

fn window(terms: &Terms, subst: &Subst, variable: &'static str) -> Window {
    match attribute(terms, class(subst, variable)) {
        Attribute::Window(window) => *window,
        other => panic!("{variable} is bound to {other}"),
    }
}

/// The matched tensor has the type of `x`.
pub(crate) fn same_type(x: &'static str) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, matched, subst| tensor(terms, matched).ty == tensor(terms, class(subst, x)).ty
}

/// The matched tensor is a float.
pub(crate) fn is_float() -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, matched, _| tensor(terms, matched).ty.dtype == DType::F32
}

/// The matched tensor has one scale and one zero point.
pub(crate) fn is_quantized() -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, matched, _| {
        tensor(terms, matched).ty.quant.as_ref().is_some_and(|quant| quant.axis.is_none())
    }
}

/// The matched tensor has the element type and quantization that `requant` ends in.
pub(crate) fn same_quantization(requant: &'static str) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, matched, subst| match attribute(terms, class(subst, requant)) {
        Attribute::Requant(Some(requant)) => {
            let ty = &tensor(terms, matched).ty;
            ty.dtype == requant.dtype && ty.quant.as_ref() == Some(&requant.quant())
        }
        _ => false,
    }
}

/// The clamp leaves every integer of the matched tensor's type as it is.
pub(crate) fn saturates_alike(clamp: &'static str) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, matched, subst| {
        let ty = &tensor(terms, matched).ty;
        match (attribute(terms, class(subst, clamp)), &ty.quant) {
            (Attribute::Clamp(clamp), Some(quant)) if quant.axis.is_none() => {
                clamp.range_of(ty.dtype, quant) == Clamp::None.range_of(ty.dtype, quant)
            }
            _ => false,
        }
    }
}

/// The window is one element wide, moves by one and has no padding: it sees each element once.
pub(crate) fn is_pointwise(variable: &'static str) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, _, subst| {
        let window = window(terms, subst, variable);
        window == Window { dilation: window.dilation, ..Window::valid([1, 1], [1, 1]) }
    }
}

/// The margins are of rows and columns alone, and with them as padding every window still sees the input.
pub(crate) fn is_around(margins: &'static str, of: &'static str) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, _, subst| {
        let &Attribute::Margins(margins) = attribute(terms, class(subst, margins)) else { return false };
        let window = around(margins, window(terms, subst, of));
        let spans = [0, 1].map(|axis| window.kernel[axis].saturating_sub(1) * window.dilation[axis]);
        let Padding { top, bottom, left, right } = window.padding;
        let [before, after] = margins;
        [before[2], after[2]] == [0, 0] && top.max(bottom) <= spans[0] && left.max(right) <= spans[1]
    }
}

/// The dimensions stay as they are.
pub(crate) fn is_in_order(variable: &'static str) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, _, subst| match attribute(terms, class(subst, variable)) {
        Attribute::Shape(order) => order.0.iter().enumerate().all(|(at, &axis)| at == axis),
        _ => false,
    }
}

/// All of these depend on parameters and constants alone.
pub(crate) fn are_parameters<const N: usize>(
    variables: [&'static str; N],
) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, _, subst| {
        variables.iter().all(|&variable| tensor(terms, class(subst, variable)).is_parameter)
    }
}

/// The elements of all of these are known.
pub(crate) fn are_known<const N: usize>(
    variables: [&'static str; N],
) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, _, subst| {
        variables.iter().all(|&variable| tensor(terms, class(subst, variable)).value.is_some())
    }
}

/// The matched tensor is of integers and takes no more bytes than all of these together.
pub(crate) fn is_no_larger<const N: usize>(
    variables: [&'static str; N],
) -> impl Fn(&mut Terms, Id, &Subst) -> bool {
    move |terms, matched, subst| {
        let bytes = |id: Id| tensor(terms, id).ty.bytes().0;
        let together: u64 = variables.iter().map(|&variable| bytes(class(subst, variable))).sum();
        tensor(terms, matched).ty.dtype != DType::F32 && bytes(matched) <= together
    }
}
