//! The limits on data files: what protects against runaway or hostile input.
//!
//! Every reader checks against this table while it streams, so that no file makes nasc take memory that the
//! file itself does not pay for.

/// Bytes of one file.
pub const FILE_BYTES: u64 = 1 << 30;
/// Bytes of one line of a text file, its end included.
pub const LINE_BYTES: u64 = 16 << 20;
/// Samples of one file.
pub const SAMPLES: usize = 1 << 22;
/// Values of one file, all samples together.
pub const VALUES: usize = 1 << 28;
/// Channels of one sample.
pub const CHANNELS: usize = 1 << 16;
/// Classes of one data set.
pub const CLASSES: usize = 1 << 12;
/// Bytes of the name of a class.
pub const CLASS_NAME_BYTES: usize = 256;
/// Largest magnitude of a value: beyond it, squares and differences leave the range of the training's floats.
pub const MAGNITUDE: f32 = 1e18;
