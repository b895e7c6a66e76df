//! What holds of operators by themselves, on floats and on integers alike, and exactly on both.

use egg::rewrite;

use crate::rewrite::rules::{Rule, is_pointwise};

#[rustfmt::skip]
pub(super) fn rules() -> Vec<Rule> {
    vec![
        rewrite!("activation-none";          "(activation none ?x)"               => "?x"),
        rewrite!("activation-of-activation"; "(activation ?a (activation ?b ?x))" => "(activation (meet ?a ?b) ?x)"),
        rewrite!("pointwise-avg-pool";       "(avg_pool2d ?w ?c ?x)"              => "(activation ?c ?x)" if is_pointwise("?w")),
        rewrite!("pointwise-max-pool";       "(max_pool2d ?w ?c ?x)"              => "(activation ?c ?x)" if is_pointwise("?w")),
        // Clamps are monotone and every window sees its input, so the greatest of the clamped is the clamped greatest.
        rewrite!("max-pool-of-activation";   "(max_pool2d ?w ?c (activation ?a ?x))" => "(max_pool2d ?w (meet ?c ?a) ?x)"),
    ]
}
