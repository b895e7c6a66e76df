//! Convolutions and dense layers: tiles of pixels against vectors of filters.
//!
//! The map is laid out with its padding, as words that an instruction set multiplies ([`Feed`]); a window is then
//! some runs of neighbouring elements, the same for all pixels. A run that does not fill its last word reads on into
//! what follows, against weights of zero.

#![expect(unsafe_code, reason = "vectors are instructions that not every processor has")]

use std::mem::MaybeUninit;

use super::lanes::{Feed, Lanes, MAX_LANES};
use super::level::{Level, kernels, with_lanes};
use super::memory::Bytes;
use super::rescale::Ending;
use super::window::Moves;

/// Words of the largest tile: five pixels and four of the widest vectors, or eight and two.
const STAGED: usize = 20 * MAX_LANES;

/// The form of a layer's constants for one instruction set.
pub(super) struct Products {
    moves: Moves,
    filters: usize,
    input_zero: i32,
    feed: Feed,
    /// For each output pixel the byte of the laid out map at which its window starts.
    starts: Vec<u32>,
    /// From there, the bytes at which its runs start.
    runs: Vec<u32>,
    /// Words of a run.
    run_words: usize,
    /// Filters in blocks of as many vectors each.
    blocks: Vec<usize>,
    /// For each block, run, word and vector a vector of words; the blocks' vectors may differ.
    weights: Bytes,
    /// One for each filter, padded to whole vectors: the sum that the input's offset and zero point would make.
    biases: Bytes,
    ending: Ending,
}

/// What a layer is before it has a form.
pub(super) struct Layer<'a> {
    pub(super) moves: Moves,
    pub(super) filters: usize,
    /// `[filters, kernel rows, kernel columns, channels]`.
    pub(super) weights: &'a [i8],
    pub(super) biases: &'a [i32],
    pub(super) input_zero: i32,
    pub(super) ending: Ending,
}

impl Products {
    /// The form of a layer.
    pub(super) fn new(level: Level, layer: Layer<'_>) -> Products {
        let (lanes, feed, vectors) = with_lanes!(level, L => {
            (<L as Lanes>::N, <L as Lanes>::FEED, <L as Lanes>::VECTORS)
        });
        let Layer { moves, filters, weights, biases, input_zero, ending } = layer;
        let [rows, columns] = moves.window.kernel;
        // Neighbouring columns are one run.
        let joined = moves.window.dilation[1] == 1;
        let (n_runs, run) =
            if joined { (rows, columns * moves.channels) } else { (rows * columns, moves.channels) };
        let taps = moves.taps();
        let every = taps.len() / n_runs;
        let bytes = |element: u32| element * feed.bytes() as u32;
        let total = filters.div_ceil(lanes);
        let n_blocks = total.div_ceil(vectors);
        let blocks: Vec<usize> = (0..n_blocks).map(|at| (total + at) / n_blocks).collect();
        let run_words = run.div_ceil(feed.group());
        let mut words = Vec::with_capacity(total * lanes * n_runs * run_words);
        let mut first = 0;
        for &block in &blocks {
            for at_run in 0..n_runs {
                for word in 0..run_words {
                    for filter in first..first + block * lanes {
                        let of = |element: usize| {
                            let element = word * feed.group() + element;
                            let known = filter < filters && element < run;
                            if known { weights[(filter * n_runs + at_run) * run + element] } else { 0 }
                        };
                        words.push(weight_word(feed, of));
                    }
                }
            }
            first += block * lanes;
        }
        let taps_of = |filter: usize| &weights[filter * n_runs * run..(filter + 1) * n_runs * run];
        let bias = |filter: usize| -> i32 {
            if filter >= filters {
                return 0;
            }
            let sum: i32 = taps_of(filter).iter().map(|&w| i32::from(w)).sum();
            biases[filter].wrapping_sub(sum.wrapping_mul(input_zero + feed.offset()))
        };
        Products {
            filters,
            input_zero,
            feed,
            starts: moves.starts().into_iter().map(bytes).collect(),
            runs: taps.into_iter().step_by(every).map(bytes).collect(),
            run_words,
            weights: Bytes::from_words(&words),
            biases: Bytes::from_words(&(0..total * lanes).map(bias).collect::<Vec<i32>>()),
            blocks,
            ending,
            moves,
        }
    }

    /// Bytes that [`Products::run`] works in.
    pub(super) fn scratch_bytes(&self) -> usize {
        let [rows, columns] = self.moves.padded();
        rows * columns * self.moves.channels * self.feed.bytes()
    }

    /// Computes the layer.
    ///
    /// # Safety
    /// `input` has the bytes of the map and `output` those of the outputs, neither overlaps the other or `scratch`, and
    /// `scratch` has [`Products::scratch_bytes`] and a vector to spare.
    pub(super) unsafe fn run(&self, level: Level, input: *const i8, output: *mut i8, scratch: *mut u8) {
        // SAFETY: that of the caller.
        unsafe {
            lay_out(level, self, input, scratch);
            multiply(level, self, scratch, output);
        }
    }
}

/// A word of weights.
fn weight_word(feed: Feed, of: impl Fn(usize) -> i8) -> i32 {
    match feed {
        Feed::Unsigned | Feed::Signed => i32::from_le_bytes([0, 1, 2, 3].map(|at| of(at) as u8)),
        Feed::Halves => i32::from(of(0)) & 0xffff | i32::from(of(1)) << 16,
    }
}

kernels! {
    /// The map as words, with its padding.
    unsafe fn lay_out(products: &Products, input: *const i8, to: *mut u8) = lay_out_lanes;

    /// All pixels and filters.
    unsafe fn multiply(products: &Products, map: *const u8, output: *mut i8) = multiply_lanes;
}

#[inline(always)]
unsafe fn lay_out_lanes<L: Lanes>(products: &Products, input: *const i8, to: *mut u8) {
    let zero = products.input_zero;
    // SAFETY: what is laid out lies in the map and its scratch.
    unsafe {
        match L::FEED {
            Feed::Unsigned | Feed::Signed => {
                let flip = L::FEED.offset() as u8;
                products.moves.lay_out(
                    |at, from, n| {
                        let (to, from) = (to.add(at), input.add(from));
                        for at in 0..n {
                            to.add(at).write(from.add(at).read() as u8 ^ flip);
                        }
                    },
                    |at, n| std::ptr::write_bytes(to.add(at), zero as u8 ^ flip, n),
                );
            }
            Feed::Halves => {
                let to = to.cast::<i16>();
                products.moves.lay_out(
                    |at, from, n| {
                        let (to, from) = (to.add(at), input.add(from));
                        for at in 0..n {
                            to.add(at).write(from.add(at).read().into());
                        }
                    },
                    |at, n| {
                        for at in at..at + n {
                            to.add(at).write(zero as i16);
                        }
                    },
                );
            }
        }
    }
}

#[inline(always)]
unsafe fn multiply_lanes<L: Lanes>(products: &Products, map: *const u8, output: *mut i8) {
    let mut weights = products.weights.as_ptr().cast::<i32>();
    let mut first = 0;
    for &block in &products.blocks {
        let part = Part { products, map, weights, first, output };
        // SAFETY: the constants are made for these lanes, and those of a block lie behind those of the one before.
        unsafe {
            match block {
                // As many pixels as the registers hold sums of.
                1 => part.pixels::<L, 8, 1>(),
                2 if L::VECTORS == 2 => part.pixels::<L, 5, 2>(),
                2 => part.pixels::<L, 8, 2>(),
                3 => part.pixels::<L, 6, 3>(),
                _ => part.pixels::<L, 5, 4>(),
            }
            weights = weights.add(products.runs.len() * products.run_words * block * L::N);
        }
        first += block * L::N;
    }
}

/// All pixels against one block of filters.
struct Part<'a> {
    products: &'a Products,
    map: *const u8,
    weights: *const i32,
    first: usize,
    output: *mut i8,
}

impl Part<'_> {
    /// Tiles of `R` pixels and `V` vectors; the last tile goes back to be full, a map of fewer pixels goes one by one.
    #[inline(always)]
    unsafe fn pixels<L: Lanes, const R: usize, const V: usize>(&self) {
        let pixels = self.products.starts.len();
        // SAFETY: tiles lie within the pixels.
        unsafe {
            if pixels < R {
                (0..pixels).for_each(|pixel| self.tile::<L, 1, V>(pixel));
                return;
            }
            let mut pixel = 0;
            while pixel < pixels {
                self.tile::<L, R, V>(pixel.min(pixels - R));
                pixel += R;
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<L: Lanes, const R: usize, const V: usize>(&self, pixel: usize) {
        let products = self.products;
        // SAFETY: windows of pixels lie in the map but for the last word of a run, for which a vector is to spare;
        // weights, biases and channels are padded to whole vectors, of which only filters that exist are written.
        unsafe {
            let biases = products.biases.as_ptr().cast::<i32>().add(self.first);
            // No closures here: they are functions of their own, and have not the instructions.
            let mut start = [L::splat(0); V];
            for (v, start) in start.iter_mut().enumerate() {
                *start = L::load(biases.add(v * L::N));
            }
            let mut sums = [start; R];
            let mut windows = [self.map; R];
            for (r, window) in windows.iter_mut().enumerate() {
                *window = self.map.add(products.starts[pixel + r] as usize);
            }
            let mut weights = self.weights;
            for &run in &products.runs {
                let mut at = run as usize;
                for _ in 0..products.run_words {
                    let mut w = [L::splat(0); V];
                    for (v, w) in w.iter_mut().enumerate() {
                        *w = L::load(weights.add(v * L::N));
                    }
                    for (sums, window) in sums.iter_mut().zip(&windows) {
                        let x = L::splat(window.add(at).cast::<i32>().read_unaligned());
                        for (sum, &w) in sums.iter_mut().zip(&w) {
                            *sum = sum.dot(x, w);
                        }
                    }
                    weights = weights.add(V * L::N);
                    at += 4;
                }
            }
            // By way of memory: else the sums would lie there all the time, as the loops below are too long to unroll.
            let mut staged = MaybeUninit::<[i32; STAGED]>::uninit();
            let staged = staged.as_mut_ptr().cast::<i32>();
            for (r, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    sum.store(staged.add((r * V + v) * L::N));
                }
            }
            for v in 0..V {
                let channel = self.first + v * L::N;
                let n = L::N.min(products.filters - channel);
                for r in 0..R {
                    let to = self.output.add((pixel + r) * products.filters + channel);
                    products.ending.write(L::load(staged.add((r * V + v) * L::N)), channel, to, n);
                }
            }
        }
    }
}
