//! Front ends in emitted code: what a caller has to know, what they cost, and whether one from a file is sound.
//!
//! In: a [`FrontEnd`] and what surrounds it. Out: a [`RawInterface`], a [`FrontEndCost`], the state of a stream. Not
//! done here: their C, which is in `c/front_end.rs`.

use serde::{Deserialize, Serialize};

use crate::data::{Element, FrontEnd, Quantizer, RawInput, Stream};
use crate::estimate::{self, FrontEndCost};
use crate::target::Isa;
use crate::tensor::TensorType;

/// Greatest number of raw values of a sample.
const MAX_RAW: usize = 1 << 25;
/// Greatest number of rows between runs and of outputs that are averaged.
const MAX_STREAM: usize = 1 << 16;
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
}

impl RawInterface {
    /// That of a front end.
    pub fn new(front_end: &FrontEnd) -> RawInterface {
        RawInterface {
            element: front_end.element(),
            elements: front_end.raw_extents().iter().product(),
            hop: StreamShape::new(front_end).map(|shape| shape.hop),
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
    /// Raw samples that are kept, whole hops; 0 where a row follows from one hop.
    pub(super) held: usize,
    /// When the network runs.
    pub(super) stream: Stream,
}

impl StreamShape {
    /// That of a front end; `None` where samples are single.
    pub(super) fn new(front_end: &FrontEnd) -> Option<StreamShape> {
        let stream = front_end.stream()?;
        let [rows, width, channels] = front_end.extents();
        let (hop, held) = match front_end {
            FrontEnd::Audio(audio) => {
                let (frame, hop) = (audio.spec().frame, audio.spec().hop);
                (hop, if frame > hop { frame.next_multiple_of(hop) } else { 0 })
            }
            FrontEnd::Series(series) => (series.channels, 0),
            FrontEnd::Values { .. } | FrontEnd::Picture(_) => return None,
        };
        Some(StreamShape { rows, row: width * channels, hop, held, stream })
    }

    /// Counters of the context, four bytes each.
    pub(super) fn counters(&self) -> usize {
        2 + usize::from(self.held > 0) + if self.stream.smooth > 1 { 2 } else { 0 }
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
pub(super) fn scratch_bytes(_front_end: &FrontEnd) -> u64 {
    0
}

/// Bytes of the constant tables: a mean or offset and a factor for each feature that has its own.
pub(super) fn table_bytes(front_end: &FrontEnd) -> u64 {
    let per_feature = match front_end.feature_element() {
        Element::F32 => 8,
        Element::U8 | Element::I16 => 4,
    };
    per_feature * front_end.period() as u64
}

/// Whether samples are floats that are only standardised: nothing but a mean and a factor for each channel.
pub(super) fn is_plain(front_end: &FrontEnd) -> bool {
    matches!(front_end, FrontEnd::Values { element: Element::F32, .. })
}

/// What a front end costs in front of a network of so many outputs.
pub fn front_end_cost(front_end: &FrontEnd, outputs: usize, isa: Isa) -> FrontEndCost {
    FrontEndCost {
        table_bytes: table_bytes(front_end),
        code_bytes: (code_bytes(front_end) * estimate::percent(isa)).div_ceil(100),
        context_bytes: context_bytes(front_end, outputs),
        scratch_bytes: scratch_bytes(front_end),
        cycles: cycles(front_end),
    }
}

/// Bytes of Thumb-2 at `-O2` that the code does not exceed; fitted like those of `estimate`.
fn code_bytes(front_end: &FrontEnd) -> u64 {
    match front_end {
        FrontEnd::Values { .. } => 200,
        FrontEnd::Picture(_) => 500,
        FrontEnd::Series(_) => 700,
        FrontEnd::Audio(_) => 2000,
    }
}

fn cycles(_front_end: &FrontEnd) -> u64 {
    0
}

/// Checks what turns raw values into an input, from a file of anyone.
///
/// # Errors
/// What does not fit, in words for the user.
pub fn check_raw(raw: &RawInput, input: &TensorType) -> Result<(), String> {
    let RawInput { front_end, quantizer } = raw;
    let count = |extents: [usize; 3]| extents.iter().try_fold(1usize, |all, &one| all.checked_mul(one));
    if !count(front_end.raw_extents()).is_some_and(|count| (1..=MAX_RAW).contains(&count)) {
        return Err(format!("the front end takes no raw values, or more than {MAX_RAW}"));
    }
    if let FrontEnd::Picture(picture) = front_end {
        picture.check()?;
    }
    if let Some(Stream { every, smooth }) = front_end.stream()
        && ![every, smooth].iter().all(|count| (1..=MAX_STREAM).contains(count))
    {
        return Err(format!("a stream runs after {every} rows and averages {smooth} outputs"));
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
    if context_bytes(front_end, MAX_STREAM) > MAX_CONTEXT {
        return Err("the front end keeps too much".into());
    }
    Ok(())
}
