//! What holds of operators by themselves, on floats and on integers alike, and exactly on both.

use egg::rewrite;

use crate::rewrite::rules::{Rule, is_around, is_pointwise, same_type};

#[rustfmt::skip]
pub(super) fn rules() -> Vec<Rule> {
    vec![
        rewrite!("activation-none";          "(activation none ?x)"               => "?x"),
        rewrite!("activation-of-activation"; "(activation ?a (activation ?b ?x))" => "(activation (meet ?a ?b) ?x)"),
        rewrite!("activation-of-reshape";    "(activation ?a (reshape ?s ?x))"    => "(reshape ?s (activation ?a ?x))"),
        rewrite!("reshape-identity";         "(reshape ?s ?x)"                    => "?x" if same_type("?x")),
        rewrite!("reshape-of-reshape";       "(reshape ?s (reshape ?t ?x))"       => "(reshape ?s ?x)"),
        rewrite!("pad-of-nothing";           "(pad ?m ?x)"                        => "?x" if same_type("?x")),
        rewrite!("pad-into-conv2d";          "(conv2d ?w ?c ?r (pad ?m ?x) ?k ?b)"           => "(conv2d (around ?m ?w) ?c ?r ?x ?k ?b)"           if is_around("?m", "?w")),
        rewrite!("pad-into-depthwise-conv2d"; "(depthwise_conv2d ?w ?c ?r (pad ?m ?x) ?k ?b)" => "(depthwise_conv2d (around ?m ?w) ?c ?r ?x ?k ?b)" if is_around("?m", "?w")),
        rewrite!("upsample-by-one";          "(upsample2d ?f ?x)"                 => "?x" if same_type("?x")),
        rewrite!("pointwise-avg-pool";       "(avg_pool2d ?w ?c ?x)"              => "(activation ?c ?x)" if is_pointwise("?w")),
        rewrite!("pointwise-max-pool";       "(max_pool2d ?w ?c ?x)"              => "(activation ?c ?x)" if is_pointwise("?w")),
        // Clamps are monotone and every window sees its input, so the greatest of the clamped is the clamped greatest.
        rewrite!("max-pool-of-activation";   "(max_pool2d ?w ?c (activation ?a ?x))" => "(max_pool2d ?w (meet ?c ?a) ?x)"),
    ]
}
