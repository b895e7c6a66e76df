//! Front ends in emitted code: what a caller has to know, what they cost, and whether one from a file is sound.
//!
//! In: a [`FrontEnd`] and what surrounds it. Out: a [`RawInterface`], a [`FrontEndCost`], the state of a stream. Not
//! done here: their C, which is in `c/front_end.rs`.

use serde::{Deserialize, Serialize};

use crate::data::{Axis, Element, FrontEnd, Picture, Quantizer, RawInput, Stream};
use crate::emit::c::audio;
use crate::estimate::{self, FrontEndCost};
use crate::target::Isa;
use crate::tensor::{DType, TensorType};

/// Greatest number of raw values of a sample.
const MAX_RAW: usize = 1 << 25;
/// Greatest number of rows between runs.
const MAX_EVERY: usize = 1 << 20;
/// Greatest number of outputs that are averaged.
const MAX_SMOOTH: usize = 1 << 12;
/// Outputs of a network that the bound on its context is made for.
const MANY_OUTPUTS: usize = 1 << 16;
/// Greatest size of a context.
const MAX_CONTEXT: u64 = 1 << 30;

/// What a caller of `_run_raw` and `_stream` has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawInterface {
    /// What one raw value is.
    pub element: Element,
    /// Values of a sample, which `_run_raw` takes.
    pub elements: usize,
    /// Values that `_stream` takes at once; `None` if there is no `_stream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop: Option<usize>,
    /// Values that `_stream` has to take before those of a sample for the same rows as `_run_raw`: rows of a stream
    /// end with its hops, those of a sample start with it.
    #[serde(default)]
    pub lead: usize,
}

impl RawInterface {
    /// That of a front end.
    pub fn new(front_end: &FrontEnd) -> RawInterface {
        let shape = StreamShape::new(front_end);
        RawInterface {
            element: front_end.element(),
            elements: front_end.raw_extents().iter().product(),
            hop: shape.map(|shape| shape.hop),
            lead: shape.map_or(0, |shape| shape.lead),
        }
    }
}

/// What a stream keeps from one call to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamShape {
    /// Rows of features of a sample.
    pub(super) rows: usize,
    /// Features of a row.
    pub(super) row: usize,
    /// Raw values that come at once.
    pub(super) hop: usize,
    /// Raw samples that are kept because the next row has them too; 0 where a row follows from one hop.
    pub(super) held: usize,
    /// Hops before the first row.
    pub(super) warm: usize,
    /// See [`RawInterface::lead`].
    pub(super) lead: usize,
    /// When the network runs.
    pub(super) stream: Stream,
}

impl StreamShape {
    /// That of a front end; `None` where samples are single.
    pub(super) fn new(front_end: &FrontEnd) -> Option<StreamShape> {
        let stream = front_end.stream()?;
        let [rows, width, channels] = front_end.extents();
        let row = width * channels;
        let shape = StreamShape { rows, row, hop: row, held: 0, warm: 0, lead: 0, stream };
        match front_end {
            FrontEnd::Audio(audio) => {
                let (frame, hop, held) = (audio.spec().frame, audio.spec().hop, audio::kept(audio));
                let lead = if held > 0 { frame.next_multiple_of(hop) - frame } else { 0 };
                Some(StreamShape { hop, held, warm: held.div_ceil(hop), lead, ..shape })
            }
            FrontEnd::Series(_) => Some(shape),
            FrontEnd::Values { .. } | FrontEnd::Picture(_) => None,
        }
    }

    /// Counters of the context, four bytes each.
    pub(super) fn counters(&self) -> usize {
        2 + usize::from(self.warm > 0) + if self.stream.smooth > 1 { 2 } else { 0 }
    }

    /// Bytes of the members before the padding, with a network of so many outputs.
    pub(super) fn member_bytes(&self, outputs: usize) -> u64 {
        let past = if self.stream.smooth > 1 { self.stream.smooth as u64 * outputs as u64 } else { 0 };
        4 * self.counters() as u64 + 2 * self.held as u64 + self.rows as u64 * self.row as u64 + past
    }

    /// Bytes of the context besides its pointer, with a network of so many outputs.
    pub(super) fn context_bytes(&self, outputs: usize) -> u64 {
        self.member_bytes(outputs).next_multiple_of(4)
    }
}

/// Bytes of the context besides its pointer.
pub(super) fn context_bytes(front_end: &FrontEnd, outputs: usize) -> u64 {
    StreamShape::new(front_end).map_or(0, |shape| shape.context_bytes(outputs))
}

/// Bytes at the start of the arena that a front end uses before it writes the input.
pub(super) fn scratch_bytes(front_end: &FrontEnd) -> u64 {
    match front_end {
        FrontEnd::Audio(audio) => audio::scratch_bytes(audio, true),
        FrontEnd::Values { .. } | FrontEnd::Picture(_) | FrontEnd::Series(_) => 0,
    }
}

/// Bytes of the constant tables: a mean or offset and a factor for each feature that has its own.
pub(super) fn table_bytes(front_end: &FrontEnd) -> u64 {
    let per_feature = match front_end.feature_element() {
        Element::F32 => 8,
        Element::U8 | Element::I16 => 4,
    };
    let own = match front_end {
        FrontEnd::Audio(audio) => audio::table_bytes(audio),
        FrontEnd::Values { .. } | FrontEnd::Picture(_) | FrontEnd::Series(_) => 0,
    };
    per_feature * front_end.period() as u64 + own
}

/// Bytes between constant tables, each of which starts at a word.
fn padding(front_end: &FrontEnd) -> u64 {
    let own = match front_end {
        FrontEnd::Audio(audio) => audio::padding(audio),
        FrontEnd::Values { .. } | FrontEnd::Picture(_) | FrontEnd::Series(_) => 0,
    };
    // Offsets and factors of two bytes; floats need none.
    let odd = front_end.feature_element() != Element::F32 && front_end.period() % 2 == 1;
    own + if odd { 4 } else { 0 }
}

/// Whether samples are floats that are only standardised: nothing but a mean and a factor for each channel.
fn is_plain(front_end: &FrontEnd) -> bool {
    matches!(front_end, FrontEnd::Values { element: Element::F32, .. })
}

/// What a front end costs in front of a network of so many outputs.
pub fn front_end_cost(front_end: &FrontEnd, outputs: usize, isa: Isa) -> FrontEndCost {
    let rows = match front_end {
        FrontEnd::Audio(audio) => audio::cost(audio, isa).code_bytes,
        FrontEnd::Values { .. } | FrontEnd::Picture(_) | FrontEnd::Series(_) => 0,
    };
    let rest = (code_bytes(front_end) * estimate::percent(isa)).div_ceil(100);
    FrontEndCost {
        table_bytes: table_bytes(front_end),
        code_bytes: rows + rest + padding(front_end),
        context_bytes: context_bytes(front_end, outputs),
        scratch_bytes: scratch_bytes(front_end),
        cycles: cycles(front_end, isa),
    }
}

/// Bytes of Thumb-2 at `-O2` that the code should not exceed, without that of a row of sound. Set by hand from linked
/// functions; a bound in all images of `tests/front_ends.rs`.
fn code_bytes(front_end: &FrontEnd) -> u64 {
    let is_float = front_end.feature_element() == Element::F32;
    let smooths = front_end.stream().is_some_and(|stream| stream.smooth > 1);
    let stream = 330 + if smooths { 110 } else { 0 };
    match front_end {
        FrontEnd::Values { .. } if is_float => 200,
        FrontEnd::Values { .. } => 100,
        FrontEnd::Picture(picture) if picture.is_one_size() => 200,
        FrontEnd::Picture(_) => 460,
        FrontEnd::Series(_) => stream + if is_float { 330 } else { 100 },
        FrontEnd::Audio(_) => stream + 250,
    }
}

/// Cycles of one sample on a kind of core, one for an instruction as the targets count them. Fitted to instructions
/// that QEMU counted in the images of `tests/front_ends.rs` and of real bundles.
fn cycles(front_end: &FrontEnd, isa: Isa) -> u64 {
    let is_small = isa == Isa::Armv6m;
    let features: u64 = front_end.extents().iter().map(|&extent| extent as u64).product();
    let per_feature = match (front_end, front_end.feature_element(), is_small) {
        (_, Element::F32, false) => 32,
        (_, Element::F32, true) => 250,
        // One mean and one factor are constants of the code.
        (FrontEnd::Values { .. } | FrontEnd::Series(_), _, false) if front_end.period() == 1 => 16,
        (_, Element::U8 | Element::I16, false) => 20,
        (_, Element::U8 | Element::I16, true) => 25,
    };
    let own = match front_end {
        FrontEnd::Values { .. } if is_plain(front_end) => return 0,
        FrontEnd::Values { .. } | FrontEnd::Series(_) => 0,
        FrontEnd::Picture(picture) => picture_cycles(picture, is_small),
        FrontEnd::Audio(audio) => front_end.extents()[0] as u64 * audio::cost(audio, isa).cycles_per_row,
    };
    own + per_feature * features
}

/// Of the windows of all pixels: rows under them and pixels under them. Along an axis that divides no pixel the
/// compiler drops what counts parts.
fn picture_cycles(picture: &Picture, is_small: bool) -> u64 {
    let [rows, columns] = picture.axes();
    let [height, width, channels] = picture.to;
    let channels = channels as u64;
    let outputs = channels * height as u64 * width as u64;
    let grey = match (picture.is_greyed(), is_small) {
        (false, _) => 0,
        (true, false) => 8,
        (true, true) => 24,
    };
    if picture.is_one_size() {
        return (2 + grey) * outputs;
    }
    let under = |axis: &Axis, count: usize| (0..count).map(|at| axis.cover(at).count() as u64).sum::<u64>();
    let (tall, wide) = (under(&rows, height), under(&columns, width));
    let (per_output, per_row, per_pixel) = if is_small { (120, 20, 16) } else { (48, 18, 12) };
    let per_pixel = if columns.pixel == 1 { per_pixel / 2 - 1 } else { per_pixel };
    per_output * outputs
        + per_row * channels * tall * width as u64
        + (per_pixel + grey) * channels * tall * wide
}

/// Checks what turns raw values into an input, from a file of anyone.
///
/// # Errors
/// What does not fit, in words for the user.
pub fn check_raw(raw: &RawInput, input: &TensorType) -> Result<(), String> {
    let RawInput { front_end, quantizer } = raw;
    check_front_end(front_end)?;
    if input.dtype != DType::I8 {
        return Err(format!("the front end gives 8 bit, the network takes {}", input.dtype));
    }
    let extents = front_end.extents();
    let fits = match input.shape.nhwc() {
        Some([_, height, width, channels]) => extents == [height, width, channels],
        None => extents[2] == input.shape.0.last().copied().unwrap_or(1),
    };
    if !fits || count(extents) != Some(input.shape.elements()) {
        return Err(format!("the front end gives {extents:?}, the network takes {}", input.shape));
    }
    let is_float = matches!(quantizer, Quantizer::Float(_));
    let zero_point = input.quant.as_ref().map_or(0, |quant| quant.zero_point);
    if is_float != (front_end.feature_element() == Element::F32)
        || !quantizer.is_sound(front_end.period(), zero_point)
    {
        return Err("the raw quantizer does not fit the input".into());
    }
    Ok(())
}

/// Checks what needs no network: that the emitted code can hold and count what the front end takes.
///
/// # Errors
/// What is too much, in words for the user.
pub fn check_front_end(front_end: &FrontEnd) -> Result<(), String> {
    if !count(front_end.raw_extents()).is_some_and(|count| (1..=MAX_RAW).contains(&count)) {
        return Err(format!("the front end takes no raw values, or more than {MAX_RAW}"));
    }
    if let FrontEnd::Picture(picture) = front_end {
        picture.check()?;
    }
    if let Some(Stream { every, smooth }) = front_end.stream()
        && !((1..=MAX_EVERY).contains(&every) && (1..=MAX_SMOOTH).contains(&smooth))
    {
        return Err(format!(
            "a stream runs after {every} rows, allowed are 1 to {MAX_EVERY}, and averages {smooth} outputs, allowed are \
             1 to {MAX_SMOOTH}"
        ));
    }
    match context_bytes(front_end, MANY_OUTPUTS) {
        0..=MAX_CONTEXT => Ok(()),
        bytes => Err(format!("a stream keeps up to {bytes} B, allowed are {MAX_CONTEXT} B")),
    }
}

fn count(extents: [usize; 3]) -> Option<usize> {
    extents.iter().try_fold(1usize, |all, &one| all.checked_mul(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Series;

    #[test]
    fn what_is_too_much_for_a_chip_is_said() {
        let series = |length, channels, every, smooth| {
            FrontEnd::Series(Series {
                element: Element::I16,
                length,
                channels,
                stream: Stream { every, smooth },
            })
        };
        let picture = |from, to| FrontEnd::Picture(Picture { from, to });
        for good in
            [series(128, 3, 1_000_000, 256), series(1_000_000, 3, 1, 1), picture([480, 640, 3], [96, 96, 1])]
        {
            check_front_end(&good).unwrap_or_else(|problem| panic!("{good:?}: {problem}"));
        }
        for (bad, part) in [
            (series(128, 3, 0, 1), "after 0 rows"),
            (series(128, 3, 1 << 21, 1), "after 2097152 rows"),
            (series(128, 3, 1, 1 << 13), "averages 8192 outputs"),
            (series(1_000_000, 60, 1, 1), "more than 33554432"),
            (picture([2, 2, 1], [4099, 4099, 1]), "4099 x 4099"),
        ] {
            let problem = check_front_end(&bad).expect_err(part);
            assert!(problem.contains(part), "{problem}");
        }
    }
}
