//! What only moves elements: moves in a row become one, moves of nothing go, and margins become the padding of the window
//! that reads them. On floats and on integers alike, and exactly on both.

use egg::rewrite;

use crate::rewrite::rules::{Rule, is_around, is_in_order, same_type};

#[rustfmt::skip]
pub(super) fn rules() -> Vec<Rule> {
    vec![
        rewrite!("activation-of-reshape";     "(activation ?a (reshape ?s ?x))"                => "(reshape ?s (activation ?a ?x))"),
        rewrite!("activation-of-transpose";   "(activation ?a (transpose ?o ?x))"              => "(transpose ?o (activation ?a ?x))"),
        rewrite!("reshape-identity";          "(reshape ?s ?x)"                                => "?x" if same_type("?x")),
        rewrite!("reshape-of-reshape";        "(reshape ?s (reshape ?t ?x))"                   => "(reshape ?s ?x)"),
        rewrite!("transpose-in-order";        "(transpose ?o ?x)"                              => "?x" if is_in_order("?o")),
        rewrite!("transpose-of-transpose";    "(transpose ?o (transpose ?p ?x))"               => "(transpose (through ?o ?p) ?x)"),
        rewrite!("slice-of-everything";       "(slice ?b ?e ?s ?x)"                            => "?x" if same_type("?x")),
        rewrite!("upsample-by-one";           "(upsample2d ?f ?x)"                             => "?x" if same_type("?x")),
        rewrite!("pad-of-nothing";            "(pad ?m ?x)"                                    => "?x" if same_type("?x")),
        rewrite!("pad-into-conv2d";           "(conv2d ?w ?c ?r (pad ?m ?x) ?k ?b)"            => "(conv2d (around ?m ?w) ?c ?r ?x ?k ?b)"           if is_around("?m", "?w")),
        rewrite!("pad-into-depthwise-conv2d"; "(depthwise_conv2d ?w ?c ?r (pad ?m ?x) ?k ?b)"  => "(depthwise_conv2d (around ?m ?w) ?c ?r ?x ?k ?b)" if is_around("?m", "?w")),
    ]
}
