//! Operators all of whose inputs are constants with data: evaluated by the reference, on integers alone.
//!
//! The skeleton of an untrained candidate has placeholders for constants, and there nothing folds. A result that
//! is larger than its inputs stays an operator, so that flash never grows.

use std::sync::Arc;

use egg::{Applier, Id, PatternAst, Subst, Symbol, rewrite};

use crate::ops::Constant;
use crate::rewrite::analysis::{Facts, Leaf, Tensor, Terms, attribute, tensor};
use crate::rewrite::language::Term;
use crate::rewrite::rules::{Rule, are_known, is_no_larger};
use crate::tensor::{TensorType, Value};

#[rustfmt::skip]
pub(super) fn rules() -> Vec<Rule> {
    vec![
        rewrite!("fold-conv2d";           "(conv2d ?w ?c ?r ?x ?k ?b)"           => { Evaluate } if are_known(["?x", "?k", "?b"]) if is_no_larger(["?x", "?k", "?b"])),
        rewrite!("fold-depthwise-conv2d"; "(depthwise_conv2d ?w ?c ?r ?x ?k ?b)" => { Evaluate } if are_known(["?x", "?k", "?b"]) if is_no_larger(["?x", "?k", "?b"])),
        rewrite!("fold-dense";            "(dense ?c ?r ?x ?k ?b)"               => { Evaluate } if are_known(["?x", "?k", "?b"]) if is_no_larger(["?x", "?k", "?b"])),
        rewrite!("fold-add";              "(add ?c ?r ?x ?y)"                    => { Evaluate } if are_known(["?x", "?y"])       if is_no_larger(["?x", "?y"])),
        rewrite!("fold-activation";       "(activation ?c ?x)"                   => { Evaluate } if are_known(["?x"])             if is_no_larger(["?x"])),
        rewrite!("fold-avg-pool";         "(avg_pool2d ?w ?c ?x)"                => { Evaluate } if are_known(["?x"])             if is_no_larger(["?x"])),
        rewrite!("fold-max-pool";         "(max_pool2d ?w ?c ?x)"                => { Evaluate } if are_known(["?x"])             if is_no_larger(["?x"])),
        rewrite!("fold-mul";              "(mul ?c ?r ?x ?y)"                    => { Evaluate } if are_known(["?x", "?y"])       if is_no_larger(["?x", "?y"])),
        rewrite!("fold-curve";            "(curve ?f ?r ?x)"                     => { Evaluate } if are_known(["?x"])             if is_no_larger(["?x"])),
        rewrite!("fold-requantize";       "(requantize ?r ?x)"                   => { Evaluate } if are_known(["?x"])             if is_no_larger(["?x"])),
        rewrite!("fold-reshape";          "(reshape ?s ?x)"                      => { Evaluate } if are_known(["?x"])             if is_no_larger(["?x"])),
    ]
}

/// Puts a constant into the matched class, made by any of its terms that can be evaluated: all give the same.
struct Evaluate;

impl Applier<Term, Facts> for Evaluate {
    fn apply_one(
        &self,
        terms: &mut Terms,
        matched: Id,
        _: &Subst,
        _: Option<&PatternAst<Term>>,
        rule: Symbol,
    ) -> Vec<Id> {
        let Tensor { ty, value: None, .. } = tensor(terms, matched).clone() else {
            return Vec::new();
        };
        let Some(value) = terms[matched].nodes.iter().find_map(|term| evaluate(terms, term, &ty)) else {
            return Vec::new();
        };
        let op = Constant { name: String::new(), ty: TensorType::clone(&ty) }.into();
        let leaf = terms.analysis.leaf(Leaf { op, value: Some(Arc::new(value)), source: None });
        let leaf = terms.add(leaf);
        terms.union_trusted(matched, leaf, rule);
        vec![matched]
    }
}

fn evaluate(terms: &Terms, term: &Term, output: &TensorType) -> Option<Value> {
    let op = term.op(|id| attribute(terms, id))?;
    let inputs: Vec<&Tensor> = term.inputs().iter().map(|&id| tensor(terms, id)).collect();
    let values: Option<Vec<&Value>> = inputs.iter().map(|input| input.value.as_deref()).collect();
    let types: Vec<&TensorType> = inputs.iter().map(|input| &*input.ty).collect();
    Some(op.evaluate(&values?, &types, output))
}
