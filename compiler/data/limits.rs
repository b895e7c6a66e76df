//! The limits on data files: what protects against runaway or hostile input.
//!
//! Every reader checks against this table while it streams, so that no file makes nasc take memory that the
//! file itself does not pay for.

/// Bytes of one file.
pub const FILE_BYTES: u64 = 1 << 30;
/// Bytes of one archive, or of one `.gz` file, as it is on disk.
pub const PACKED_BYTES: u64 = 16 << 30;
/// Bytes of one archive, one `.gz` file or all files of a folder, unpacked.
pub const UNPACKED_BYTES: u64 = 32 << 30;
/// Bytes that a `.gz` file may unpack to whatever its own size is.
pub const UNPACKED_FREE_BYTES: u64 = 64 << 20;
/// How many times its own size a `.gz` file may unpack to beyond that. Data does not pack that well; a bomb does.
pub const UNPACKED_RATIO: u64 = 200;
/// Files and folders of one source.
pub const ENTRIES: usize = 1 << 20;
/// Bytes of one file of a folder or archive that is read as a whole.
pub const ENTRY_BYTES: u64 = 256 << 20;
/// Bytes of what an archive says about one entry beside its header: a long name.
pub const ENTRY_HEADER_BYTES: u64 = 64 << 10;
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
