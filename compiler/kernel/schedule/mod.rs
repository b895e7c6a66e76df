//! Schedules: in which order an operator's loops run, which micro-kernels they use, and at which distances their
//! output may overlap their input.
//!
//! Every schedule here computes pixels in raster order, so that an output may follow its input through the same
//! memory. Borders are peeled: [`loops`] cuts rows and columns into ranges with one set of taps each.

pub(super) mod armv7em;
pub(super) mod dot;
pub(super) mod geometry;
pub(super) mod loops;
pub(super) mod overlap;
