//! Pools on Armv7E-M: each output by a call, four channels of a word at a time.
//!
//! The function loads a word's channels before it stores them, and its meaning the first of them when the others are
//! still to be loaded; so what is safe for the meaning is safe for the function.

use super::conv2d::input_index;
use super::{FunctionBuilder, Kernel, Lowering, int};
use crate::kernel::schedule::armv7em::pool::{CHANNELS, MOST, Pool, pool};
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::schedule::loops::{Bounds, Loops};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, Expr, MicroArg, Stmt, Work};
use crate::ops::Window;
use crate::target::{Isa, Schedules};

/// Least elements of all windows: below, loops in C take some thousand cycles more and a few hundred bytes less.
const WORTH: u64 = 1024;

/// Least taps of a window whose mean is worth its division in words: loops in C are as fast with four.
const LEAST_MEAN: usize = 6;

/// A pool that the schedule can compute.
pub(super) struct Assembled {
    pool: Pool,
    /// With as few rows in the window as the function takes.
    geometry: Geometry,
}

/// The pool as the schedule computes it, if it can and should.
pub(super) fn assembled(isa: Isa, geometry: &Geometry, pool: Pool) -> Option<Assembled> {
    if isa.schedules() != Schedules::ArmDsp {
        return None;
    }
    let geometry = flat(geometry);
    let window = geometry.window.kernel;
    let fits = match pool {
        Pool::Max => true,
        Pool::Mean => window[1] <= MOST && window[0] * window[1] >= LEAST_MEAN,
    };
    let [rows, columns] = [0, 1].map(|axis| taps(&geometry, axis).iter().sum::<u64>());
    let is_worth = rows * columns * geometry.channels as u64 >= WORTH;
    (fits && is_worth).then_some(Assembled { pool, geometry })
}

/// The window of a whole map with rows as long as the function takes, since they lie behind one another.
fn flat(geometry: &Geometry) -> Geometry {
    let Geometry { window, input, output, channels } = geometry;
    if *output != [1, 1] || *window != Window::valid(*input, window.stride) {
        return *geometry;
    }
    let pixels = input[0] * input[1];
    let longest = (1..=pixels.min(MOST)).rev().find(|&columns| pixels.is_multiple_of(columns));
    let columns = longest.unwrap_or(1);
    let extent = [pixels / columns, columns];
    Geometry { window: Window::valid(extent, [1, 1]), input: extent, output: [1, 1], channels: *channels }
}

/// How many taps lie inside the map for each output along an axis.
fn taps(geometry: &Geometry, axis: usize) -> Vec<u64> {
    geometry.taps(axis).iter().map(|&(first, end)| (end - first) as u64).collect()
}

impl Assembled {
    /// What the schedule does.
    fn work(&self) -> Vec<(Work, u64)> {
        let (rows, columns) = (taps(&self.geometry, 0), taps(&self.geometry, 1));
        let outputs = (rows.len() * columns.len()) as u64;
        let in_rows = rows.iter().sum::<u64>() * columns.len() as u64;
        let in_windows = rows.iter().sum::<u64>() * columns.iter().sum::<u64>();
        let [words, singles] =
            [self.geometry.channels / CHANNELS, self.geometry.channels % CHANNELS].map(|count| count as u64);
        let (word, single) = match self.pool {
            Pool::Max => (Work::MaxWord, Work::MaxSingle),
            Pool::Mean => (Work::MeanWord, Work::MeanSingle),
        };
        vec![
            (Work::Pool, outputs),
            (word, outputs * words),
            (single, outputs * singles),
            (Work::PoolRow, in_rows * (words + singles)),
            (Work::PoolTap, in_windows * (words + singles)),
        ]
    }
}

impl Lowering<'_> {
    /// A pool whose input has this geometry.
    pub(super) fn words(
        &mut self,
        geometry: &Geometry,
        assembled: &Assembled,
        source: Arg,
        range: [i32; 2],
    ) -> Kernel {
        let kernel = self.micro(pool(assembled.pool));
        let shape = &assembled.geometry;
        let mut builder = FunctionBuilder::default();
        let input = builder.int8("input", Access::Read);
        let output = builder.int8("output", Access::Write);
        let loops = Loops::new(shape, &mut builder);
        let limits = ["low", "high"].map(|name| builder.scalar(name));
        let (channels, width) = (shape.channels as i64, shape.output[1] as i64);
        let body = loops.nest(&mut builder, |_, pixel| {
            let from = input_index(shape, pixel, &pixel.ky.0, &pixel.kx.0);
            let to = pixel.y.times(width).plus(&pixel.x).times(channels);
            let count = |(first, end): &Bounds| Expr::Index(end.plus(&first.times(-1)));
            let [down, right] = shape.window.dilation.map(|dilation| dilation as i64 * channels);
            let mut values = vec![int(channels), count(&pixel.ky), count(&pixel.kx), int(right)];
            values.push(int(down * shape.input[1] as i64));
            values.extend(limits.map(|limit| Expr::Index(Affine::var(limit))));
            let mut arguments = vec![
                MicroArg::Pointer { buf: input, index: from },
                MicroArg::Pointer { buf: output, index: to },
            ];
            arguments.extend(values.into_iter().map(MicroArg::Value));
            vec![Stmt::Micro { kernel: kernel.clone(), registers: Vec::new(), arguments }]
        });
        let scalars = loops.calls.iter().map(|call| call.iter().copied().chain(range).collect()).collect();
        Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars,
            safe: overlap::channelwise(&geometry.spans(), channels),
            scratch: Vec::new(),
            work: assembled.work(),
        }
    }
}
