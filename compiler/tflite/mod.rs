//! Models of TensorFlow Lite.
//!
//! In: a `.tflite` file, which may come from anyone. Out: its tables, checked, and an integer graph that gives the same
//! bytes as LiteRT's reference kernels; or all the reasons why there is none. And back: the file of an integer graph.

mod export;
mod flat;
mod import;
mod model;
mod names;
mod sums;

pub use export::{Beside, End, Exported, Unwritten, export};
pub use flat::{Broken, Scalar, Table, Tables, Vector};
pub use import::{Imported, Port, Refusal, Tap, import};
pub use model::{Element, Model, Operator, Tensor};
