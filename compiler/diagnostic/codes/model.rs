//! E10xx: models that were made elsewhere.

use super::codes;

codes! {
    MODEL = 1001, "The file is no model of TensorFlow Lite that nasc can read: it is damaged, of another format, or beyond the limits. The message says where. `netron` and `flatc` show what is in such a file.";
    MODEL_OPERATOR = 1002, "Something of the model has no form in nasc. Each message names the operator by its place in the file, the tensor and the reason; all of them are listed at once. Convert the model with int8 inputs, outputs and weights, for one sample, or replace the operator.";
}
