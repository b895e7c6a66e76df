//! What TensorFlow Lite calls its operators.
//!
//! Source  TensorFlow 2.19, `lite/schema/schema.fbs`, `BuiltinOperator`

/// Names by code.
const NAMES: [&str; 120] = [
    "ADD",
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "EMBEDDING_LOOKUP",
    "FLOOR",
    "FULLY_CONNECTED",
    "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION",
    "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION",
    "LOGISTIC",
    "LSH_PROJECTION",
    "LSTM",
    "MAX_POOL_2D",
    "MUL",
    "RELU",
    "RELU_N1_TO_1",
    "RELU6",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RNN",
    "SOFTMAX",
    "SPACE_TO_DEPTH",
    "SVDF",
    "TANH",
    "CONCAT_EMBEDDINGS",
    "SKIP_GRAM",
    "CALL",
    "CUSTOM",
    "EMBEDDING_LOOKUP_SPARSE",
    "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "GATHER",
    "BATCH_TO_SPACE_ND",
    "SPACE_TO_BATCH_ND",
    "TRANSPOSE",
    "MEAN",
    "SUB",
    "DIV",
    "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "STRIDED_SLICE",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "EXP",
    "TOPK_V2",
    "SPLIT",
    "LOG_SOFTMAX",
    "DELEGATE",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "CAST",
    "PRELU",
    "MAXIMUM",
    "ARG_MAX",
    "MINIMUM",
    "LESS",
    "NEG",
    "PADV2",
    "GREATER",
    "GREATER_EQUAL",
    "LESS_EQUAL",
    "SELECT",
    "SLICE",
    "SIN",
    "TRANSPOSE_CONV",
    "SPARSE_TO_DENSE",
    "TILE",
    "EXPAND_DIMS",
    "EQUAL",
    "NOT_EQUAL",
    "LOG",
    "SUM",
    "SQRT",
    "RSQRT",
    "SHAPE",
    "POW",
    "ARG_MIN",
    "FAKE_QUANT",
    "REDUCE_PROD",
    "REDUCE_MAX",
    "PACK",
    "LOGICAL_OR",
    "ONE_HOT",
    "LOGICAL_AND",
    "LOGICAL_NOT",
    "UNPACK",
    "REDUCE_MIN",
    "FLOOR_DIV",
    "REDUCE_ANY",
    "SQUARE",
    "ZEROS_LIKE",
    "FILL",
    "FLOOR_MOD",
    "RANGE",
    "RESIZE_NEAREST_NEIGHBOR",
    "LEAKY_RELU",
    "SQUARED_DIFFERENCE",
    "MIRROR_PAD",
    "ABS",
    "SPLIT_V",
    "UNIQUE",
    "CEIL",
    "REVERSE_V2",
    "ADD_N",
    "GATHER_ND",
    "COS",
    "WHERE",
    "RANK",
    "ELU",
    "REVERSE_SEQUENCE",
    "MATRIX_DIAG",
    "QUANTIZE",
    "MATRIX_SET_DIAG",
    "ROUND",
    "HARD_SWISH",
    "IF",
    "WHILE",
];

/// Codes of operators that are taken over, and of borders.
mod codes {
    pub(in crate::tflite) const ADD: i32 = 0;
    pub(in crate::tflite) const AVERAGE_POOL_2D: i32 = 1;
    pub(in crate::tflite) const CONCATENATION: i32 = 2;
    pub(in crate::tflite) const CONV_2D: i32 = 3;
    pub(in crate::tflite) const DEPTHWISE_CONV_2D: i32 = 4;
    pub(in crate::tflite) const DEQUANTIZE: i32 = 6;
    pub(in crate::tflite) const FULLY_CONNECTED: i32 = 9;
    pub(in crate::tflite) const LOGISTIC: i32 = 14;
    pub(in crate::tflite) const MAX_POOL_2D: i32 = 17;
    pub(in crate::tflite) const MUL: i32 = 18;
    pub(in crate::tflite) const RELU: i32 = 19;
    pub(in crate::tflite) const RESIZE_BILINEAR: i32 = 23;
    pub(in crate::tflite) const RELU6: i32 = 21;
    pub(in crate::tflite) const RESHAPE: i32 = 22;
    pub(in crate::tflite) const SOFTMAX: i32 = 25;
    pub(in crate::tflite) const CUSTOM: i32 = 32;
    pub(in crate::tflite) const PAD: i32 = 34;
    pub(in crate::tflite) const TANH: i32 = 28;
    pub(in crate::tflite) const TRANSPOSE: i32 = 39;
    pub(in crate::tflite) const MEAN: i32 = 40;
    pub(in crate::tflite) const SUB: i32 = 41;
    pub(in crate::tflite) const SQUEEZE: i32 = 43;
    pub(in crate::tflite) const STRIDED_SLICE: i32 = 45;
    pub(in crate::tflite) const SPLIT: i32 = 49;
    pub(in crate::tflite) const PRELU: i32 = 54;
    pub(in crate::tflite) const MAXIMUM: i32 = 55;
    pub(in crate::tflite) const MINIMUM: i32 = 57;
    pub(in crate::tflite) const SLICE: i32 = 65;
    pub(in crate::tflite) const TRANSPOSE_CONV: i32 = 67;
    pub(in crate::tflite) const PADV2: i32 = 60;
    pub(in crate::tflite) const EXPAND_DIMS: i32 = 70;
    pub(in crate::tflite) const SUM: i32 = 74;
    pub(in crate::tflite) const REDUCE_MAX: i32 = 82;
    pub(in crate::tflite) const PACK: i32 = 83;
    pub(in crate::tflite) const UNPACK: i32 = 88;
    pub(in crate::tflite) const RESIZE_NEAREST_NEIGHBOR: i32 = 97;
    pub(in crate::tflite) const LEAKY_RELU: i32 = 98;
    pub(in crate::tflite) const SPLIT_V: i32 = 102;
    pub(in crate::tflite) const QUANTIZE: i32 = 114;
    pub(in crate::tflite) const HARD_SWISH: i32 = 117;
}

pub(super) use codes::*;

/// The name of an operator with a code.
pub(super) fn operator_name(code: i32) -> String {
    let known = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    known.map_or_else(|| format!("operator {code}"), |name| (*name).to_owned())
}
