//! What holds of quantized operators bit for bit.
//!
//! An operator saturates to its type and then clamps; the clamps' ranges are nested, so a clamp that follows with
//! the same quantization is the intersection, which is the tighter of the two.

use egg::rewrite;

use crate::rewrite::rules::{Rule, is_quantized, same_quantization, same_type, saturates_alike};

#[rustfmt::skip]
pub(super) fn rules() -> Vec<Rule> {
    vec![
        rewrite!("activation-saturates";                       "(activation ?a ?x)"                                     => "?x"                                               if saturates_alike("?a")),
        rewrite!("requantize-alike";                           "(requantize ?r ?x)"                                     => "?x"                                               if same_type("?x")),
        rewrite!("activation-into-quantized-conv2d";           "(activation ?a (conv2d ?w ?c ?r ?x ?k ?b))"             => "(conv2d ?w (meet ?a ?c) ?r ?x ?k ?b)"             if same_quantization("?r")),
        rewrite!("activation-into-quantized-depthwise-conv2d"; "(activation ?a (depthwise_conv2d ?w ?c ?r ?x ?k ?b))"   => "(depthwise_conv2d ?w (meet ?a ?c) ?r ?x ?k ?b)"   if same_quantization("?r")),
        rewrite!("activation-into-quantized-dense";            "(activation ?a (dense ?c ?r ?x ?k ?b))"                 => "(dense (meet ?a ?c) ?r ?x ?k ?b)"                 if same_quantization("?r")),
        rewrite!("activation-into-quantized-add";              "(activation ?a (add ?c ?r ?x ?y))"                      => "(add (meet ?a ?c) ?r ?x ?y)"                      if same_quantization("?r")),
        rewrite!("activation-into-quantized-mul";              "(activation ?a (mul ?c ?r ?x ?y))"                      => "(mul (meet ?a ?c) ?r ?x ?y)"                      if same_quantization("?r")),
        rewrite!("activation-into-quantized-avg-pool";         "(activation ?a (avg_pool2d ?w ?c ?x))"                  => "(avg_pool2d ?w (meet ?a ?c) ?x)"                  if is_quantized()),
        rewrite!("activation-into-quantized-max-pool";         "(activation ?a (max_pool2d ?w ?c ?x))"                  => "(max_pool2d ?w (meet ?a ?c) ?x)"                  if is_quantized()),
    ]
}
