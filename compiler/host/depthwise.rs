//! Depthwise convolutions: vectors of channels, some pixels at a time.

#![expect(unsafe_code, reason = "vectors are instructions that not every processor has")]

use std::mem::MaybeUninit;

use super::lanes::{Lanes, MAX_LANES};
use super::level::{Level, kernels, with_lanes};
use super::memory::Bytes;
use super::rescale::Ending;
use super::window::Moves;

/// Pixels that advance together.
const ROWS: usize = 4;

/// The form of a layer's constants for one instruction set.
pub(super) struct Depthwise {
    moves: Moves,
    input_zero: i32,
    /// For each output pixel the byte of the laid out map at which its window starts.
    starts: Vec<u32>,
    /// From there, the bytes at which its taps start.
    taps: Vec<u32>,
    /// Channels, padded to whole vectors.
    padded: usize,
    /// For each tap and channel the word that multiplies.
    weights: Bytes,
    biases: Bytes,
    ending: Ending,
}

/// What a layer is before it has a form.
pub(super) struct Layer<'a> {
    pub(super) moves: Moves,
    /// `[kernel rows, kernel columns, channels]`.
    pub(super) weights: &'a [i8],
    pub(super) biases: &'a [i32],
    pub(super) input_zero: i32,
    pub(super) ending: Ending,
}

impl Depthwise {
    /// The form of a layer.
    pub(super) fn new(level: Level, layer: Layer<'_>) -> Depthwise {
        let Layer { moves, weights, biases, input_zero, ending } = layer;
        let channels = moves.channels;
        let padded = channels.next_multiple_of(MAX_LANES);
        let taps = moves.taps();
        let factor = with_lanes!(level, L => <L as Lanes>::factor);
        let word = |tap: usize, channel: usize| {
            if channel < channels { factor(weights[tap * channels + channel]) } else { 0 }
        };
        let words: Vec<i32> =
            (0..taps.len()).flat_map(|tap| (0..padded).map(move |channel| word(tap, channel))).collect();
        let bias = |channel: usize| {
            if channel >= channels {
                return 0;
            }
            let sum: i32 = weights.iter().skip(channel).step_by(channels).map(|&w| i32::from(w)).sum();
            biases[channel].wrapping_sub(sum.wrapping_mul(input_zero))
        };
        Depthwise {
            input_zero,
            starts: moves.starts(),
            padded,
            weights: Bytes::from_words(&words),
            biases: Bytes::from_words(&(0..padded).map(bias).collect::<Vec<i32>>()),
            ending,
            taps,
            moves,
        }
    }

    /// Bytes that [`Depthwise::run`] works in.
    pub(super) fn scratch_bytes(&self) -> usize {
        let [rows, columns] = self.moves.padded();
        if self.moves.is_bare() { 0 } else { rows * columns * self.moves.channels }
    }

    /// Computes the layer.
    ///
    /// # Safety
    /// `input` has the bytes of the map and a vector to spare, `output` has those of the outputs, neither overlaps the
    /// other or `scratch`, and `scratch` has [`Depthwise::scratch_bytes`] and a vector to spare.
    pub(super) unsafe fn run(&self, level: Level, input: *const i8, output: *mut i8, scratch: *mut u8) {
        // SAFETY: that of the caller; what is laid out lies in the map and its scratch.
        unsafe {
            let map = if self.moves.is_bare() {
                input
            } else {
                let to = scratch.cast::<i8>();
                self.moves.lay_out(
                    |at, from, n| std::ptr::copy_nonoverlapping(input.add(from), to.add(at), n),
                    |at, n| std::ptr::write_bytes(to.add(at), self.input_zero as u8, n),
                );
                to.cast_const()
            };
            multiply(level, self, map, output);
        }
    }
}

kernels! {
    /// All pixels and channels.
    unsafe fn multiply(depthwise: &Depthwise, map: *const i8, output: *mut i8) = multiply_lanes;
}

#[inline(always)]
unsafe fn multiply_lanes<L: Lanes>(depthwise: &Depthwise, map: *const i8, output: *mut i8) {
    let pixels = depthwise.starts.len();
    // SAFETY: tiles lie within the pixels.
    unsafe {
        if pixels < ROWS {
            (0..pixels).for_each(|pixel| tile::<L, 1>(depthwise, map, output, pixel));
            return;
        }
        let mut pixel = 0;
        while pixel < pixels {
            tile::<L, ROWS>(depthwise, map, output, pixel.min(pixels - ROWS));
            pixel += ROWS;
        }
    }
}

/// `R` pixels, all channels.
#[inline(always)]
unsafe fn tile<L: Lanes, const R: usize>(
    depthwise: &Depthwise,
    map: *const i8,
    output: *mut i8,
    pixel: usize,
) {
    let channels = depthwise.moves.channels;
    // SAFETY: windows lie in the map but for the last vector of channels, for which one is to spare; constants are
    // padded to whole vectors, and only channels that exist are written.
    unsafe {
        let windows: [*const i8; R] = std::array::from_fn(|r| map.add(depthwise.starts[pixel + r] as usize));
        let mut channel = 0;
        while channel < channels {
            let bias = L::load(depthwise.biases.as_ptr().cast::<i32>().add(channel));
            let mut sums = [bias; R];
            let mut weights = depthwise.weights.as_ptr().cast::<i32>().add(channel);
            for &tap in &depthwise.taps {
                let w = L::load(weights);
                for (sum, window) in sums.iter_mut().zip(&windows) {
                    let x = L::widen(window.add(tap as usize + channel));
                    *sum = sum.multiply_add(x, w);
                }
                weights = weights.add(depthwise.padded);
            }
            let n = L::N.min(channels - channel);
            // By way of memory, as in `products`.
            let mut staged = MaybeUninit::<[i32; ROWS * MAX_LANES]>::uninit();
            let staged = staged.as_mut_ptr().cast::<i32>();
            for (r, &sum) in sums.iter().enumerate() {
                sum.store(staged.add(r * L::N));
            }
            for r in 0..R {
                let to = output.add((pixel + r) * channels + channel);
                depthwise.ending.write(L::load(staged.add(r * L::N)), channel, to, n);
            }
            channel += L::N;
        }
    }
}
