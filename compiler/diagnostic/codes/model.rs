//! E10xx: models of TensorFlow Lite, read and written.

use super::codes;

codes! {
    MODEL = 1001, "The file is no model of TensorFlow Lite that nasc can read: it is damaged, of another format, or beyond the limits. The message says where. `netron` and `flatc` show what is in such a file.";
    MODEL_OPERATOR = 1002, "Something of the model has no form in nasc. Each message names the operator by its place in the file, the tensor and the reason; all of them are listed at once. Convert the model with int8 inputs, outputs and weights, for one sample, or replace the operator.";
    EXPORT = 1011, "A layer of the network has no form in TensorFlow Lite that LiteRT's reference kernels run to the same bytes. Each message names the layer and the reason, such as a pool whose border is neither `same` nor `valid`; all of them are listed at once. Change that layer in the spec.";
    EXPORT_ROUNDING = 1012, "LiteRT multiplies the sums of a dense layer by a double, nasc by a factor of 31 bits, as chips do. A sum whose product lies within 2^-31 of its own size of a tie may be rounded to the integer beside nasc's. Scales of weights are moved by a few units in the last place so that no sum is; where none of these serves, the message says how many sums are left of all that the layer can have. `--exact` makes it an error.";
}
