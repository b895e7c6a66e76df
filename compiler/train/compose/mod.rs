//! What supernets, pruning and training-aware quantization put between parameters and layers.
//!
//! In: values of a [`Tape`](crate::train::tape::Tape), masks, seeds. Out: values of the same tape. Everything is
//! made of the tape's generic operations and the primitives of an [`Engine`](crate::train::engine::Engine), for
//! any engine. What is decided on the host (masks, orders of channels, ranges) breaks ties by the index and sums
//! in a fixed order, so it is the same wherever the tensors have the same bits.
//! Not done here: which layer gets what, when ranges and masks are taken anew, losses.

pub mod fake_quantize;
pub mod gumbel;
pub mod kernel_transform;
pub mod mask;
pub mod slice;
pub mod variational;
