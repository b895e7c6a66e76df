//! Depthwise convolution on Armv7E-M: channels are taken apart into planes of 16 bits, then computed one by one.
//!
//! A plane is whole before the first output of its channel is stored, and outputs of a channel lie where that channel
//! lies in the input, modulo the channels; so the output may take the place of the input at any distance of whole
//! pixels.

use super::assembled::Assembled;
use super::filters::Parameters;
use super::tiles::is_exact;
use super::{FunctionBuilder, Kernel, Layer, Lowering, int};
use crate::kernel::schedule::armv7em::depthwise::{CHANNEL_WORDS, KERNEL, depthwise, reach};
use crate::kernel::schedule::armv7em::ending::{self, Ending};
use crate::kernel::schedule::armv7em::pack::{CHANNELS, doubled, planes};
use crate::kernel::schedule::armv7em::windows;
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::schedule::overlap;
use crate::kernel::{Affine, Arg, Buf, Expr, MicroArg, Stmt, TableRole, Var, Work};
use crate::ops::{Clamp, Requant};
use crate::target::{Isa, Schedules};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// Bytes of planes up to which several channels are taken apart at once, whatever the map's size.
const SMALL: usize = 2048;

/// Whether the schedule can compute a depthwise convolution.
pub(super) fn applies(isa: Isa, geometry: &Geometry, requant: &Requant, parameters: &Parameters) -> bool {
    let window = &geometry.window;
    let touches = (0..2).all(|axis| geometry.taps(axis).iter().all(|&(first, end)| first < end));
    isa.schedules() == Schedules::ArmDsp
        && !parameters.is_wide
        && requant.rounding == Rounding::Double
        && window.kernel.iter().all(|&extent| extent <= windows::MAX)
        && window.dilation == [1, 1]
        && window.stride[1] <= 2
        && touches
        && is_exact(parameters)
}

/// The planes of a map.
struct Planes {
    /// Rows and columns of the map that the windows see.
    rows: usize,
    columns: usize,
    /// Where they start in a plane.
    top: usize,
    left: usize,
    /// Elements of a plane's row, and of a plane.
    pitch: usize,
    area: usize,
    /// Elements behind the last plane that are read.
    beyond: usize,
    /// Channels that are taken apart at once.
    at_once: usize,
    /// Whether the window has functions of its own.
    is_small: bool,
}

impl Planes {
    fn new(geometry: &Geometry) -> Planes {
        let Geometry { window, input, output, channels } = geometry;
        let is_small = window.kernel == [KERNEL, KERNEL] && [[1, 1], [2, 2]].contains(&window.stride);
        let [top, left] = [0, 1].map(|axis| window.origin(axis, 0).unsigned_abs());
        let [height, needed] =
            [0, 1].map(|axis| window.stride[axis] * (output[axis] - 1) + window.kernel[axis]);
        let rows = input[0].min(height - top);
        let columns = input[1].min(needed - left);
        let read = match is_small {
            true => reach(window.stride[1], output[1]),
            false => windows::reach(window.kernel[1], window.stride[1], output[1]),
        };
        let pitch = if is_small { read } else { needed }.max(left + columns).next_multiple_of(2);
        let area = height * pitch;
        let several = channels.is_multiple_of(CHANNELS)
            && (2 * CHANNELS * area <= SMALL || 4 * CHANNELS * area <= input[0] * input[1] * channels);
        let at_once = if several { CHANNELS } else { 1 };
        Planes {
            rows,
            columns,
            top,
            left,
            pitch,
            area,
            beyond: read.saturating_sub(pitch),
            at_once,
            is_small,
        }
    }

    /// What the schedule does.
    fn work(&self, geometry: &Geometry, ending: Ending) -> Vec<(Work, u64)> {
        let channels = geometry.channels as u64;
        let [rows, columns] = geometry.output.map(|extent| extent as u64);
        let mut work = vec![(Work::Zero, (self.at_once * self.area) as u64)];
        if self.at_once == 1 {
            work.push((Work::PlaneElement, (self.rows * self.columns) as u64 * channels));
        } else {
            let calls = channels / self.at_once as u64;
            // A pixel by itself at a row's start or end takes as long as one and a half of two.
            let before = self.left % 2;
            let singles = before + (self.columns - before) % 2;
            let pixels = self.columns + singles.div_ceil(2);
            work.extend([
                (Work::Planes, calls),
                (Work::PixelRow, calls * self.rows as u64),
                (Work::Pixels, calls * (self.rows * pixels).div_ceil(2) as u64),
            ]);
        }
        let outputs = if self.is_small {
            let pairs = columns / 2;
            let of_pair = if geometry.window.stride[1] == 1 { Work::Outputs } else { Work::WideOutputs };
            work.extend([
                (Work::Plane, channels),
                (Work::PlaneRow, channels * rows),
                (of_pair, channels * rows * pairs),
                (Work::Output, channels * rows * (columns - 2 * pairs)),
            ]);
            columns
        } else {
            windows_work(&mut work, geometry)
        };
        match ending {
            Ending::Relu => {}
            Ending::Signed => work.push((Work::SignedOutput, channels * rows * outputs)),
            Ending::General => work.push((Work::GeneralOutput, channels * rows * outputs)),
        }
        work
    }

    /// The arguments of the micro-kernel between pointers and ending.
    fn numbers(&self, geometry: &Geometry) -> impl Iterator<Item = MicroArg> + use<> {
        let Geometry { window, output, channels, .. } = geometry;
        let all = [output[0], output[1], self.pitch, *channels, window.kernel[0], window.stride[0]];
        let taken = if self.is_small { 4 } else { all.len() };
        all.into_iter().take(taken).map(|number| MicroArg::Value(int(number as i64)))
    }

    /// Statements that take the channels from `channel` on apart.
    fn fill(
        &self,
        builder: &mut FunctionBuilder,
        geometry: &Geometry,
        (input, plane, zero): (Buf, Buf, Var),
        (channel, kernel): (&Affine, Option<&String>),
    ) -> Vec<Stmt> {
        let (width, channels) = (geometry.input[1] as i64, geometry.channels as i64);
        let start = Affine::constant((self.top * self.pitch + self.left) as i64);
        if let Some(kernel) = kernel {
            let skip = (width - self.columns as i64) * channels;
            let numbers =
                [self.rows as i64, self.columns as i64, channels, skip, self.pitch as i64, self.area as i64];
            let mut arguments = vec![
                MicroArg::Pointer { buf: input, index: channel.clone() },
                MicroArg::Pointer { buf: plane, index: start },
            ];
            arguments.extend(numbers.map(|number| MicroArg::Value(int(number))));
            arguments.push(MicroArg::Value(Expr::Index(Affine::var(zero))));
            return vec![Stmt::Micro { kernel: kernel.clone(), registers: Vec::new(), arguments }];
        }
        let to = |extent: usize| (Affine::default(), Affine::constant(extent as i64));
        builder.each("row", to(self.rows), 1, |builder, row| {
            builder.each("column", to(self.columns), 1, |_, column| {
                let from = row.times(width).plus(column).times(channels).plus(channel);
                let index = row.times(self.pitch as i64).plus(column).plus(&start);
                vec![Stmt::Store { buf: plane, index, value: doubled(input, &from, zero) }]
            })
        })
    }
}

/// What the functions for windows of any size do. Gives the outputs of a row that are computed.
fn windows_work(work: &mut Vec<(Work, u64)>, geometry: &Geometry) -> u64 {
    let (channels, [taps, columns]) = (geometry.channels as u64, geometry.window.kernel);
    let (rows, taps) = (channels * geometry.output[0] as u64, taps as u64);
    let (blocks, is_left) = windows::blocks(geometry.output[1]);
    let [blocks, left] = [blocks as u64, u64::from(is_left)];
    let steps = |is_block: bool| windows::steps(columns, geometry.window.stride[1], is_block) as u64;
    work.extend([
        (Work::Windows, channels),
        (Work::WindowsWeight, channels * taps * columns as u64),
        (Work::WindowsRow, rows),
        (Work::Block, rows * blocks),
        (Work::HalfBlock, rows * left),
        (Work::BlockRow, rows * (blocks + left) * taps),
        (Work::BlockStep, rows * taps * (blocks * steps(true) + left * steps(false))),
    ]);
    4 * blocks + 2 * left
}

impl Lowering<'_> {
    /// A depthwise convolution to which the schedule [`applies`].
    pub(super) fn planes(
        &mut self,
        layer: &Layer,
        geometry: &Geometry,
        requant: &Requant,
        clamp: Clamp,
        parameters: &Parameters,
    ) -> Kernel {
        let shape = Planes::new(geometry);
        let ending = self.ending(layer, clamp, &parameters.multipliers, requant);
        let len = shape.at_once * shape.area;
        let scratch = self.scratch(layer, "planes", len + shape.beyond);
        let [weight, quant] = self.plane_tables(layer, parameters);
        let mut builder = FunctionBuilder::default();
        let own = Assembled::new(&mut builder, "planes", ending);
        let (input, plane, zero) = (own.input, own.scratch, own.input_zero);
        let apart = (shape.at_once > 1).then(|| self.micro(planes()));
        let window = &geometry.window;
        let kernel = self.micro(match shape.is_small {
            true => depthwise(window.stride[1], ending),
            false => windows::windows(window.kernel[1], window.stride[1], ending),
        });
        let (channels, taps) = (geometry.channels as i64, (window.kernel[0] * window.kernel[1]) as i64);
        let to = |extent: i64| (Affine::default(), Affine::constant(extent));
        let mut body = builder.each("i", to(len as i64), 1, |_, at| {
            vec![Stmt::Store { buf: plane, index: at.clone(), value: int(0) }]
        });
        body.extend(builder.each("channel", to(channels), shape.at_once as i64, |builder, channel| {
            let mut stmts = shape.fill(builder, geometry, (input, plane, zero), (channel, apart.as_ref()));
            stmts.extend(builder.each("at", to(shape.at_once as i64), 1, |_, at| {
                let at_channel = channel.plus(at);
                let pointer = |buf: Buf, index: Affine| MicroArg::Pointer { buf, index };
                let mut arguments = vec![
                    pointer(plane, at.times(shape.area as i64)),
                    pointer(own.weight, at_channel.times(taps)),
                    pointer(own.quant, at_channel.times(CHANNEL_WORDS as i64)),
                    pointer(own.output, at_channel.clone()),
                ];
                arguments.extend(shape.numbers(geometry));
                arguments.extend(own.ending());
                vec![Stmt::Micro { kernel: kernel.clone(), registers: Vec::new(), arguments }]
            }));
            stmts
        }));
        Kernel {
            function: builder.finish(body),
            inputs: vec![parameters.source, weight, quant, Arg::Buffer(scratch)],
            scalars: vec![own.scalars(parameters.input_zero, clamp, requant)],
            safe: if shape.at_once >= geometry.channels {
                vec![(-overlap::FAR, overlap::FAR)]
            } else {
                distances(geometry)
            },
            scratch: vec![scratch],
            work: shape.work(geometry, ending),
        }
    }

    /// Weights by channel, and quantization as [`depthwise`] takes it.
    fn plane_tables(&mut self, layer: &Layer, parameters: &Parameters) -> [Arg; 2] {
        let Parameters { weights, biases, multipliers, is_blank, known, .. } = parameters;
        let channels = biases.len();
        let taps = weights.len() / channels;
        let by_channel = match is_blank {
            true => weights.clone(),
            false => (0..weights.len()).map(|at| weights[at % taps * channels + at / taps]).collect(),
        };
        let quant = biases
            .iter()
            .zip(multipliers)
            .flat_map(|(bias, &multiplier)| [2 * bias, multiplier.value, ending::shifts(multiplier)])
            .collect();
        let op = self.graph.node(layer.node).op.name();
        let contents = [
            ("weight", DType::I8, TableRole::Weight, by_channel),
            ("quant", DType::I32, TableRole::Requant, quant),
        ];
        contents.map(|(what, elem, role, values)| {
            let name = format!("{op}_{}_{what}", layer.position);
            Arg::Table(self.table(name, (elem, role, values), *known))
        })
    }
}

/// Safe distances where channels are still to be loaded when others are stored: the buffers' starts or ends together.
fn distances(geometry: &Geometry) -> Vec<(i64, i64)> {
    let Geometry { input, output, channels, .. } = geometry;
    let [from, to] = [input, output].map(|[rows, columns]| (rows * columns * channels) as i64);
    let mut places = vec![(0, 0), (from - to, from - to)];
    places.sort_unstable();
    places.dedup();
    let far = overlap::FAR;
    let mut safe = vec![(-far, -to)];
    safe.extend(places.into_iter().filter(|&(at, _)| -to < at && at < from));
    safe.push((from, far));
    safe
}
