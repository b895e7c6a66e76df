//! Activations into the clamp of what they follow, batch normalisations into the parameters: on floats.
//!
//! A normalisation folds into a convolution with any zero padding, because it follows the sum: a padded tap adds
//! zero before and after. Output channels are axis 0 of `OHWI` and of dense weights, axis 3 of `1HWC`.

use egg::rewrite;

use crate::rewrite::rules::{Rule, are_parameters, is_float};

#[rustfmt::skip]
pub(super) fn rules() -> Vec<Rule> {
    vec![
        rewrite!("activation-into-conv2d";           "(activation ?a (conv2d ?w ?c float ?x ?k ?b))"           => "(conv2d ?w (meet ?a ?c) float ?x ?k ?b)"),
        rewrite!("activation-into-depthwise-conv2d"; "(activation ?a (depthwise_conv2d ?w ?c float ?x ?k ?b))" => "(depthwise_conv2d ?w (meet ?a ?c) float ?x ?k ?b)"),
        rewrite!("activation-into-dense";            "(activation ?a (dense ?c float ?x ?k ?b))"               => "(dense (meet ?a ?c) float ?x ?k ?b)"),
        rewrite!("activation-into-add";              "(activation ?a (add ?c float ?x ?y))"                    => "(add (meet ?a ?c) float ?x ?y)"),
        rewrite!("activation-into-avg-pool";         "(activation ?a (avg_pool2d ?w ?c ?x))"                   => "(avg_pool2d ?w (meet ?a ?c) ?x)" if is_float()),
        rewrite!("activation-into-max-pool";         "(activation ?a (max_pool2d ?w ?c ?x))"                   => "(max_pool2d ?w (meet ?a ?c) ?x)" if is_float()),
        rewrite!("activation-into-mul";              "(activation ?a (mul ?c float ?x ?y))"                    => "(mul (meet ?a ?c) float ?x ?y)"),
        rewrite!("dropout-in-deployment";            "(dropout ?r ?x)"                                         => "?x"),
        rewrite!("batch-norm-into-conv2d";           "(batch_norm ?e (conv2d ?w none float ?x ?k ?b) ?gamma ?beta ?mean ?variance)"           => "(conv2d ?w none float ?x (fold_weight axis0 ?e ?k ?gamma ?variance) (fold_bias ?e ?b ?gamma ?beta ?mean ?variance))"           if are_parameters(["?k", "?b", "?gamma", "?beta", "?mean", "?variance"])),
        rewrite!("batch-norm-into-depthwise-conv2d"; "(batch_norm ?e (depthwise_conv2d ?w none float ?x ?k ?b) ?gamma ?beta ?mean ?variance)" => "(depthwise_conv2d ?w none float ?x (fold_weight axis3 ?e ?k ?gamma ?variance) (fold_bias ?e ?b ?gamma ?beta ?mean ?variance))" if are_parameters(["?k", "?b", "?gamma", "?beta", "?mean", "?variance"])),
        rewrite!("batch-norm-into-dense";            "(batch_norm ?e (dense none float ?x ?k ?b) ?gamma ?beta ?mean ?variance)"               => "(dense none float ?x (fold_weight axis0 ?e ?k ?gamma ?variance) (fold_bias ?e ?b ?gamma ?beta ?mean ?variance))"               if are_parameters(["?k", "?b", "?gamma", "?beta", "?mean", "?variance"])),
    ]
}
