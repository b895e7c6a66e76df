//! Convolution on Armv7E-M: the windows of four pixels are packed, then multiplied with all filters.
//!
//! Pixels go in raster order, whatever the rows' length, so that only the last tile of a map may have lanes to
//! spare; those compute its last pixel again. A window's rows are padded to whole groups with zeros, whose weights
//! are zeros too.

use super::assembled::Assembled;
use super::conv2d::input_index;
use super::filters::Parameters;
use super::residuals::{Strips, Term};
use super::{FunctionBuilder, Kernel, Layer, Lowering};
use crate::kernel::schedule::armv7em::ending::{self, Ending};
use crate::kernel::schedule::armv7em::pack::{doubled, pack, pack_zeros};
use crate::kernel::schedule::armv7em::tile::{self, GROUP, LANES, PAIR_WORDS, packed, tile};
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::schedule::loops::Pixel;
use crate::kernel::schedule::overlap::{self, Unit};
use crate::kernel::{Affine, Arg, Buf, Derivation, Expr, MicroArg, Stmt, TableRole, Var, Work};
use crate::ops::{Clamp, Requant};
use crate::target::{Isa, Schedules};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// Least number of pixels: below, most lanes would repeat one.
const MIN_PIXELS: usize = 3;

/// Whether the schedule can and should compute a convolution.
pub(super) fn applies(isa: Isa, geometry: &Geometry, requant: &Requant, parameters: &Parameters) -> bool {
    let Geometry { window, output, .. } = geometry;
    let touches = (0..2).all(|axis| geometry.taps(axis).iter().all(|&(first, end)| first < end));
    isa.schedules() == Schedules::ArmDsp
        && !parameters.is_wide
        && requant.rounding == Rounding::Double
        && window.dilation == [1, 1]
        && touches
        && output[0] * output[1] >= MIN_PIXELS
        && is_exact(parameters)
}

/// Whether doubled sums stay within 32 bits.
pub(super) fn is_exact(parameters: &Parameters) -> bool {
    parameters
        .bounds
        .iter()
        .zip(&parameters.multipliers)
        .all(|(&bound, &multiplier)| ending::is_exact(bound, multiplier))
}

/// The shape of a tile's work.
struct Tiles<'a> {
    geometry: &'a Geometry,
    filters: usize,
    /// Elements of a window's row, and with padding.
    run: usize,
    padded_run: usize,
    input: Buf,
    packed: Buf,
    input_zero: Var,
    names: [String; 2],
}

/// A pixel of a lane and where its window lies.
struct Place {
    lane: Affine,
    pixel: Pixel,
}

impl Lowering<'_> {
    /// A convolution to which the schedule [`applies`], or the sum of which it is a term.
    pub(super) fn tiles(
        &mut self,
        layer: &Layer,
        geometry: &Geometry,
        requant: &Requant,
        clamp: Clamp,
        parameters: &Parameters,
        term: Option<&Term>,
    ) -> Kernel {
        let filters = parameters.biases.len();
        let [kernel_rows, kernel_columns] = geometry.window.kernel;
        let run = kernel_columns * geometry.channels;
        let padded_run = run.next_multiple_of(GROUP);
        let padded = kernel_rows * padded_run;
        let ending = self.ending(layer, clamp, &parameters.multipliers, requant);
        let packed_len = LANES * padded;
        let scratch = self.scratch(layer, "packed", packed_len);
        let [weight, quant] = self.tile_tables(layer, parameters, (run, padded_run, kernel_rows));
        let mut builder = FunctionBuilder::default();
        let (own, strips) = Assembled::with(&mut builder, "packed", ending, |builder| {
            term.map(|term| Strips::new(builder, term))
        });
        let (input, packed, input_zero) = (own.input, own.scratch, own.input_zero);
        let (packs, tile) = ([pack(), pack_zeros()], tile(ending));
        let names = packs.each_ref().map(|micro| micro.meaning.name.clone());
        let tile_name = tile.meaning.name.clone();
        let tiles = Tiles { geometry, filters, run, padded_run, input, packed, input_zero, names };
        let pixels = geometry.output[0] * geometry.output[1];
        let bounds = (Affine::default(), Affine::constant(pixels.div_ceil(LANES) as i64));
        let body = builder.each("tile", bounds, 1, |builder, at| {
            let first = at.times(LANES as i64);
            let lanes = (Affine::default(), Affine::constant(LANES as i64));
            let mut stmts = builder.each("lane", lanes, 1, |builder, lane| tiles.pack(builder, &first, lane));
            let (offsets, definitions) = tiles.offsets(builder, &first);
            stmts.extend(definitions);
            let value = |affine: Affine| MicroArg::Value(Expr::Index(affine));
            let pointer = |buf: Buf, index: Affine| MicroArg::Pointer { buf, index };
            let at = first.times(filters as i64);
            let mut arguments = vec![
                pointer(packed, Affine::default()),
                pointer(own.weight, Affine::default()),
                pointer(own.quant, Affine::default()),
                strips.as_ref().map_or_else(|| pointer(own.output, at), Strips::pointer),
                value(Affine::constant((padded / GROUP) as i64)),
                value(Affine::constant(filters as i64)),
            ];
            arguments.extend(offsets.into_iter().map(value));
            arguments.extend(own.ending());
            stmts.push(Stmt::Micro { kernel: tile_name.clone(), registers: Vec::new(), arguments });
            if let Some(strips) = &strips {
                stmts.extend(strips.sum(builder, own.output, &first, [pixels, filters]));
            }
            stmts
        });
        // Compilers warn of functions that nothing calls.
        for micro in packs.into_iter().filter(|micro| calls(&body, &micro.meaning.name)).chain([tile]) {
            self.micro(micro);
        }
        let mut kernel = Kernel {
            function: builder.finish(body),
            inputs: vec![parameters.source, weight, quant, Arg::Buffer(scratch)],
            scalars: vec![own.scalars(parameters.input_zero, clamp, requant)],
            safe: overlap::safe(units(geometry, filters).into_iter()),
            scratch: vec![scratch],
            work: work(geometry, filters, ending, padded_run),
        };
        if let Some(term) = term {
            term.complete(&mut kernel, pixels.div_ceil(LANES));
        }
        kernel
    }

    /// Weights and quantization as [`tile`] takes them.
    fn tile_tables(
        &mut self,
        layer: &Layer,
        parameters: &Parameters,
        (run, padded_run, rows): (usize, usize, usize),
    ) -> [Arg; 2] {
        let Parameters { weights, biases, multipliers, is_blank, known, .. } = parameters;
        let (filters, padded) = (biases.len(), rows * padded_run);
        let even = filters.next_multiple_of(2);
        let mut placed = vec![0; even * padded];
        let placeable = if *is_blank { &[] } else { weights.as_slice() };
        for (at, &weight) in placeable.iter().enumerate() {
            let (filter, element) = (at / (rows * run), at % (rows * run));
            let element = element / run * padded_run + element % run;
            placed[tile::place(filter, element, padded)] = weight;
        }
        let mut quant = vec![0; even / 2 * PAIR_WORDS];
        for (filter, (bias, &multiplier)) in biases.iter().zip(multipliers).enumerate() {
            let (words, second) = (&mut quant[filter / 2 * PAIR_WORDS..], filter % 2);
            words[second] = 2 * bias;
            words[2 + second] = multiplier.value;
            words[4] |= ending::shifts(multiplier) << (8 * second);
        }
        let op = self.graph.node(layer.node).op.name();
        let contents = [
            ("weight", DType::I8, TableRole::Weight, placed),
            ("quant", DType::I32, TableRole::Requant, quant),
        ];
        contents.map(|(what, elem, role, values)| {
            let name = format!("{op}_{}_{what}", layer.position);
            Arg::Table(self.table(name, (elem, role, values), *known))
        })
    }
}

/// Whether statements call a micro-kernel.
fn calls(body: &[Stmt], name: &str) -> bool {
    body.iter().any(|statement| match statement {
        Stmt::For { body, .. } => calls(body, name),
        Stmt::Micro { kernel, .. } => kernel == name,
        Stmt::Let { .. } | Stmt::Set { .. } | Stmt::Store { .. } => false,
    })
}

/// What the schedule does.
fn work(geometry: &Geometry, filters: usize, ending: Ending, padded_run: usize) -> Vec<(Work, u64)> {
    let Geometry { window, output, channels, .. } = geometry;
    let [kernel_rows, kernel_columns] = window.kernel;
    let tiles = (output[0] * output[1]).div_ceil(LANES);
    let pairs = tiles * filters.div_ceil(2);
    let groups = kernel_rows * padded_run / GROUP;
    let spread = |axis: usize| -> usize {
        geometry.taps(axis).iter().map(|&(first, end)| (end - first) as usize).sum()
    };
    let kernel = (0, kernel_columns as i64);
    let whole = geometry.taps(1).iter().filter(|&&taps| taps == kernel).count();
    let (rows, columns) = (spread(0), spread(1));
    let run = kernel_columns * channels;
    let (whole_rows, clipped_rows) = (rows * whole, rows * (output[1] - whole));
    let (packed, single) = if channels.is_multiple_of(GROUP) {
        (rows * columns * channels / GROUP, 0)
    } else {
        let clipped = rows * (columns - whole * kernel_columns) * channels;
        (whole_rows * (run / GROUP), whole_rows * (padded_run - run / GROUP * GROUP) / 2 + clipped)
    };
    let all = output[0] * output[1] * groups;
    let row = if clipped_rows > 0 { Work::ClippedRow } else { Work::Row };
    let pair = match ending {
        Ending::Relu => Work::PairRelu,
        Ending::Signed => Work::PairSigned,
        Ending::General => Work::PairGeneral,
    };
    [
        (Work::Tile, tiles),
        (pair, pairs),
        (Work::Group, pairs * groups),
        (Work::Window, tiles * LANES),
        (row, whole_rows + clipped_rows),
        (Work::PackedGroup, packed),
        (Work::ZeroGroup, all.saturating_sub(packed)),
        (Work::PackedElement, single),
    ]
    .map(|(work, count)| (work, count as u64))
    .to_vec()
}

/// What each tile loads and stores.
fn units(geometry: &Geometry, filters: usize) -> Vec<Unit> {
    let spans = geometry.spans();
    let unit = |(at, lanes): (usize, &[Option<overlap::Span>])| {
        let load = lanes.iter().flatten().copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let start = at * LANES * filters;
        Unit { load, store: (start as i64, (start + lanes.len() * filters) as i64) }
    };
    spans.chunks(LANES).enumerate().map(unit).collect()
}

impl Tiles<'_> {
    fn pixels(&self) -> usize {
        self.geometry.output[0] * self.geometry.output[1]
    }

    /// The last pixel for lanes beyond it.
    fn within(&self, builder: &mut FunctionBuilder, pixel: Affine, stmts: &mut Vec<Stmt>) -> Affine {
        if self.pixels().is_multiple_of(LANES) {
            return pixel;
        }
        let last = Affine::constant(self.pixels() as i64 - 1);
        let (pixel, definition) = builder.derive("pixel", Derivation::Min, pixel, last);
        stmts.push(definition);
        pixel
    }

    /// Distances of the other lanes' outputs from the first's.
    fn offsets(&self, builder: &mut FunctionBuilder, first: &Affine) -> (Vec<Affine>, Vec<Stmt>) {
        let mut stmts = Vec::new();
        let offset = |lane: usize| {
            let pixel = self.within(builder, first.offset(lane as i64), &mut stmts);
            pixel.plus(&first.times(-1)).times(self.filters as i64)
        };
        let offsets = (1..LANES).map(offset).collect();
        (offsets, stmts)
    }

    /// Packs the window of a lane's pixel.
    fn pack(&self, builder: &mut FunctionBuilder, first: &Affine, lane: &Affine) -> Vec<Stmt> {
        let mut stmts = Vec::new();
        let pixel = self.within(builder, first.plus(lane), &mut stmts);
        let columns = self.geometry.output[1] as i64;
        let (y, x) = match self.geometry.output {
            [1, _] => (Affine::default(), pixel),
            [_, 1] => (pixel, Affine::default()),
            _ => {
                let mut derive = |name: &str, derivation: Derivation| {
                    let (var, definition) =
                        builder.derive(name, derivation, pixel.clone(), Affine::constant(columns));
                    stmts.push(definition);
                    var
                };
                (derive("y", Derivation::Quotient), derive("x", Derivation::Remainder))
            }
        };
        let ky = self.taps(builder, 0, &y, &mut stmts);
        let kx = self.taps(builder, 1, &x, &mut stmts);
        let rows = self.geometry.window.kernel[0] as i64;
        let place = Place { lane: lane.clone(), pixel: Pixel { y, x, ky: ky.clone(), kx } };
        let row_groups = (self.padded_run / GROUP) as i64;
        let (top, bottom) = ky;
        stmts.extend(self.zeros(&place, &Affine::default(), &top.times(row_groups)));
        stmts.extend(
            builder.each("ky", (top, bottom.clone()), 1, |builder, ky| self.row(builder, &place, ky)),
        );
        let below = bottom.times(-1).offset(rows).times(row_groups);
        stmts.extend(self.zeros(&place, &bottom.times(row_groups), &below));
        stmts
    }

    /// The taps of a window that lie inside the input.
    fn taps(
        &self,
        builder: &mut FunctionBuilder,
        axis: usize,
        at: &Affine,
        stmts: &mut Vec<Stmt>,
    ) -> (Affine, Affine) {
        let Geometry { window, input, .. } = self.geometry;
        let kernel = window.kernel[axis] as i64;
        let all = (Affine::default(), Affine::constant(kernel));
        if self.geometry.taps(axis).iter().all(|&taps| taps == (0, kernel)) {
            return all;
        }
        let names = [["ky_begin", "ky_end"], ["kx_begin", "kx_end"]][axis];
        let origin = at.times(window.stride[axis] as i64).offset(window.origin(axis, 0) as i64);
        let (begin, definition) = builder.derive(names[0], Derivation::Max, origin.times(-1), all.0);
        stmts.push(definition);
        let end = origin.times(-1).offset(input[axis] as i64);
        let (end, definition) = builder.derive(names[1], Derivation::Min, end, all.1);
        stmts.push(definition);
        (begin, end)
    }

    /// Where a group of a lane starts.
    fn group(&self, place: &Place, group: &Affine) -> Affine {
        group.times((LANES * GROUP) as i64).plus(&place.lane.times(2))
    }

    /// Packs zeros from a group on; nothing where there are none for sure.
    fn zeros(&self, place: &Place, group: &Affine, groups: &Affine) -> Option<Stmt> {
        (*groups != Affine::default()).then(|| Stmt::Micro {
            kernel: self.names[1].clone(),
            registers: Vec::new(),
            arguments: vec![
                MicroArg::Pointer { buf: self.packed, index: self.group(place, group) },
                MicroArg::Value(Expr::Index(groups.clone())),
            ],
        })
    }

    /// Packs groups of contiguous elements.
    fn groups(&self, place: &Place, from: Affine, group: &Affine, groups: &Affine) -> Option<Stmt> {
        (*groups != Affine::default()).then(|| Stmt::Micro {
            kernel: self.names[0].clone(),
            registers: Vec::new(),
            arguments: vec![
                MicroArg::Pointer { buf: self.input, index: from },
                MicroArg::Pointer { buf: self.packed, index: self.group(place, group) },
                MicroArg::Value(Expr::Index(groups.clone())),
                MicroArg::Value(Expr::Index(Affine::var(self.input_zero))),
            ],
        })
    }

    /// Packs a row of a window.
    fn row(&self, builder: &mut FunctionBuilder, place: &Place, ky: &Affine) -> Vec<Stmt> {
        let (begin, end) = &place.pixel.kx;
        let columns = self.geometry.window.kernel[1] as i64;
        let channels = self.geometry.channels as i64;
        let group = ky.times((self.padded_run / GROUP) as i64);
        let whole = *begin == Affine::default() && *end == Affine::constant(columns);
        if whole {
            return self.whole_row(place, ky, &group);
        }
        let width = end.plus(&begin.times(-1));
        if channels % GROUP as i64 == 0 {
            let pixel_groups = channels / GROUP as i64;
            let from = input_index(self.geometry, &place.pixel, ky, begin);
            let right = end.times(-1).offset(columns);
            let at = |column: &Affine| group.plus(&column.times(pixel_groups));
            let parts = [
                self.zeros(place, &group, &begin.times(pixel_groups)),
                self.groups(place, from, &at(begin), &width.times(pixel_groups)),
                self.zeros(place, &at(end), &right.times(pixel_groups)),
            ];
            return parts.into_iter().flatten().collect();
        }
        let (is_whole, definition) =
            builder.derive("whole", Derivation::Quotient, width, Affine::constant(columns));
        let mut stmts = vec![definition];
        stmts.extend(builder.each("once", (Affine::default(), is_whole.clone()), 1, |_, _| {
            self.whole_row(place, ky, &group)
        }));
        stmts.extend(builder.each("once", (is_whole, Affine::constant(1)), 1, |builder, _| {
            self.clipped_row(builder, place, ky, &group)
        }));
        stmts
    }

    /// Packs a row that lies inside the input: groups, then what is left, filled up with zeros.
    fn whole_row(&self, place: &Place, ky: &Affine, group: &Affine) -> Vec<Stmt> {
        let from = input_index(self.geometry, &place.pixel, ky, &Affine::default());
        let groups = Affine::constant((self.run / GROUP) as i64);
        let mut stmts: Vec<Stmt> = self.groups(place, from.clone(), group, &groups).into_iter().collect();
        let last = self.group(place, &group.plus(&groups));
        for element in self.run / GROUP * GROUP..self.padded_run {
            let value = if element < self.run {
                doubled(self.input, &from.offset(element as i64), self.input_zero)
            } else {
                super::int(0)
            };
            let index = last.offset(packed(element % GROUP, 0) as i64);
            stmts.push(Stmt::Store { buf: self.packed, index, value });
        }
        stmts
    }

    /// Packs a row of which some columns lie outside the input, element by element.
    fn clipped_row(
        &self,
        builder: &mut FunctionBuilder,
        place: &Place,
        ky: &Affine,
        group: &Affine,
    ) -> Vec<Stmt> {
        let channels = self.geometry.channels as i64;
        let row_groups = Affine::constant((self.padded_run / GROUP) as i64);
        let mut stmts: Vec<Stmt> = self.zeros(place, group, &row_groups).into_iter().collect();
        let (begin, end) = place.pixel.kx.clone();
        let from = input_index(self.geometry, &place.pixel, ky, &Affine::default());
        let elements = (begin.times(channels), end.times(channels));
        stmts.extend(builder.each("element", elements, 1, |builder, element| {
            let mut stmts = Vec::new();
            let mut derive = |name: &str, derivation: Derivation, left: &Affine, right: i64| {
                let (var, definition) =
                    builder.derive(name, derivation, left.clone(), Affine::constant(right));
                stmts.push(definition);
                var
            };
            let within_group = derive("group", Derivation::Quotient, element, GROUP as i64);
            let within = derive("within", Derivation::Remainder, element, GROUP as i64);
            let late = derive("late", Derivation::Quotient, &within, 2);
            let odd = derive("odd", Derivation::Remainder, &within, 2);
            let index = self
                .group(place, &group.plus(&within_group))
                .plus(&odd.times(packed(1, 0) as i64))
                .plus(&late.times(packed(2, 0) as i64));
            let value = doubled(self.input, &from.plus(element), self.input_zero);
            stmts.push(Stmt::Store { buf: self.packed, index, value });
            stmts
        }));
        stmts
    }
}
