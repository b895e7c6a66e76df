//! Convolution: runs of the window against rows of weights.

use super::filters::{Filters, Parameters, mantissa_type};
use super::{Ending, FunctionBuilder, Kernel, Layer, Lowering, binary, int, load, tiles};
use crate::kernel::schedule::dot::{ROWS, Run};
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::schedule::loops::{Loops, Pixel};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, BinOp, Buf, Expr, Function, MicroArg, Reg, Stmt, Ty, Var};
use crate::ops::{Clamp, Conv2d, Requant};
use crate::tensor::arith::{PRECISE_BITS, Rounding};
use crate::tensor::{DType, TensorType};

/// Where a convolution stores its pixels, in pixels of the output.
pub(super) struct Placement {
    /// From one row to the next.
    pub(super) row: i64,
    /// From one column to the next.
    pub(super) column: i64,
    /// The first one, which every call is given; `None` for 0, which none is.
    pub(super) first: Option<i32>,
}

/// A convolution's registers and buffers.
struct Convolution {
    geometry: Geometry,
    filters: usize,
    /// From a pixel to where it is stored.
    place: (i64, i64, Affine),
    /// Names of the dot products of [`ROWS`] rows and of one.
    dots: [String; 2],
    input: Buf,
    weight: Buf,
    bias: Buf,
    mantissa: Buf,
    shift: Buf,
    output: Buf,
    /// Accumulators on their way to requantization; `None` with fewer than [`ROWS`] filters.
    staged: Option<Buf>,
    sums: Vec<Reg>,
    /// Whether the sums have 64 bits.
    is_wide: bool,
    zero: Var,
    ending: Ending,
}

/// What the elements and sums of a convolution are.
#[derive(Clone, Copy)]
pub(super) struct Widths {
    /// Of a run of its input.
    run: Run,
    /// Element types of input and output.
    elems: [DType; 2],
}

impl Lowering<'_> {
    pub(super) fn conv2d(&mut self, layer: &Layer, op: &Conv2d) -> Result<Kernel, String> {
        let requant = op.requant.as_ref().ok_or("is not quantized")?;
        let geometry =
            window_geometry(&op.window, &self.graph.input_types(layer.node), self.graph.ty(layer.node))?;
        self.convolution(layer, geometry.contracted(), requant, op.clamp)
    }

    /// A convolution with its window in simplest form.
    pub(super) fn convolution(
        &mut self,
        layer: &Layer,
        geometry: Geometry,
        requant: &Requant,
        clamp: Clamp,
    ) -> Result<Kernel, String> {
        let taps = geometry.window.kernel[0] * geometry.window.kernel[1] * geometry.channels;
        let n_filters =
            self.graph.ty(layer.node).shape.elements() / (geometry.output[0] * geometry.output[1]);
        let parameters = self.parameters(layer, requant, |index| index / taps)?;
        if self.is_fast(layer) && tiles::applies(self.isa, &geometry, requant, &parameters) {
            return Ok(self.tiles(layer, &geometry, requant, clamp, &parameters, None));
        }
        let widths = self.widths(layer, &parameters)?;
        let Filters { args, zero } = self.filters(layer, parameters, geometry.is_full())?;
        let place = Placement { row: geometry.output[1] as i64, column: 1, first: None };
        let (function, calls) = self.convolution_function(geometry, n_filters, (requant, widths), &place);
        let (low, high) = clamp.range(requant);
        let tail = [zero, requant.zero_point, low, high];
        let scalars = calls.into_iter().map(|call| [call, tail.to_vec()].concat()).collect();
        let rest = n_filters % ROWS;
        let last = n_filters - if rest == 0 && widths.run != Run::Wide { ROWS } else { 1 };
        let safe = overlap::safe(overlap::blocks(&geometry.spans(), n_filters as i64, last as i64));
        Ok(Kernel { function, inputs: args, scalars, safe, scratch: Vec::new(), work: Vec::new() })
    }

    /// What a convolution with these parameters needs.
    pub(super) fn widths(&self, layer: &Layer, parameters: &Parameters) -> Result<Widths, String> {
        let elems = self.elems(layer);
        let run = Run::of(elems[0], parameters.sum_type());
        Ok(Widths { run: run.ok_or("has sums that may overflow 32 bits")?, elems })
    }

    /// The function of a convolution, and the first scalars of each call; those of zero points and clamp follow.
    pub(super) fn convolution_function(
        &mut self,
        geometry: Geometry,
        n_filters: usize,
        (requant, widths): (&Requant, Widths),
        place: &Placement,
    ) -> (Function, Vec<Vec<i32>>) {
        let Widths { run, elems } = widths;
        // Sums of 64 bits are kept in pairs of registers, of which there are none for several rows.
        let is_wide = run == Run::Wide;
        let used = [(ROWS, !is_wide && n_filters >= ROWS), (1, is_wide || !n_filters.is_multiple_of(ROWS))];
        let dots = used.map(|(rows, used)| if used { self.dot(rows, run) } else { String::new() });
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let weight = builder.int8("weight", Access::Read);
        let bias = builder.param("bias", DType::I32, Access::Read);
        let mantissa = builder.param("mantissa", mantissa_type(requant.rounding), Access::Read);
        let shift = builder.int8("shift", Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let staged = (!is_wide && n_filters >= ROWS).then(|| builder.local("sums", DType::I32, ROWS));
        let loops = Loops::new(&geometry, &mut builder);
        let first = place.first.map_or(Affine::constant(0), |_| Affine::var(builder.scalar("first")));
        let zero_var = builder.scalar("input_zero");
        let ending = Ending::new(&mut builder, requant.rounding);
        let ty = if is_wide { Ty::I64 } else { Ty::I32 };
        let sums = (0..if staged.is_some() { ROWS } else { 1 }).map(|_| builder.register_of(ty)).collect();
        let convolution = Convolution {
            geometry,
            filters: n_filters,
            place: (place.row, place.column, first),
            dots,
            input,
            weight,
            bias,
            mantissa,
            shift,
            output,
            staged,
            sums,
            is_wide,
            zero: zero_var,
            ending,
        };
        let body = loops.nest(&mut builder, |builder, pixel| convolution.pixel(builder, pixel));
        let calls = loops.calls.iter().map(|call| call.iter().copied().chain(place.first).collect());
        (builder.finish(body), calls.collect())
    }
}

/// The geometry of a window operator over one sample.
pub(super) fn window_geometry(
    window: &crate::ops::Window,
    inputs: &[&TensorType],
    output: &TensorType,
) -> Result<Geometry, String> {
    let ([n, height, width, channels], [_, rows, columns, _]) =
        inputs[0].shape.nhwc().zip(output.shape.nhwc()).ok_or("is not on feature maps")?;
    if n != 1 {
        return Err(format!("is on {n} samples instead of one"));
    }
    let geometry = Geometry { window: *window, input: [height, width], output: [rows, columns], channels };
    // Compilers would drop the weights, and the image would not have the promised bytes.
    if (0..2).any(|axis| geometry.taps(axis).iter().all(|&taps| taps == (0, 0))) {
        return Err("has no window that touches its input".into());
    }
    Ok(geometry)
}

impl Convolution {
    /// All channels of a pixel: blocks of [`ROWS`], then one by one.
    fn pixel(&self, builder: &mut FunctionBuilder, pixel: &Pixel) -> Vec<Stmt> {
        let whole = if self.is_wide { 0 } else { (self.filters / ROWS * ROWS) as i64 };
        let blocks = (Affine::constant(0), Affine::constant(whole));
        let rest = (Affine::constant(whole), Affine::constant(self.filters as i64));
        let mut stmts =
            builder.each("c", blocks, ROWS as i64, |builder, c| self.block(builder, pixel, c, ROWS));
        stmts.extend(builder.each("c", rest, 1, |builder, c| self.block(builder, pixel, c, 1)));
        stmts
    }

    fn block(&self, builder: &mut FunctionBuilder, pixel: &Pixel, c: &Affine, rows: usize) -> Vec<Stmt> {
        let sums = &self.sums[..rows];
        let start = |(row, &reg): (usize, &Reg)| {
            let bias = load(self.bias, &c.offset(row as i64));
            Stmt::Set { reg, value: if self.is_wide { Expr::Widen(Box::new(bias)) } else { bias } }
        };
        let mut stmts: Vec<Stmt> = sums.iter().enumerate().map(start).collect();
        stmts.extend(self.accumulate(builder, pixel, c, rows));
        let (row, column, first) = &self.place;
        let at = pixel.y.times(*row).plus(&pixel.x.times(*column)).plus(first);
        let at = at.times(self.filters as i64).plus(c);
        match self.staged {
            Some(staged) if rows > 1 => {
                let stage = |(row, &reg): (usize, &Reg)| Stmt::Store {
                    buf: staged,
                    index: Affine::constant(row as i64),
                    value: Expr::Reg(reg),
                };
                stmts.extend(sums.iter().enumerate().map(stage));
                let bounds = (Affine::constant(0), Affine::constant(rows as i64));
                stmts.extend(
                    builder.each("j", bounds, 1, |_, j| {
                        vec![self.finish(load(staged, j), &c.plus(j), at.plus(j))]
                    }),
                );
            }
            _ => stmts.push(self.finish(Expr::Reg(sums[0]), c, at)),
        }
        stmts
    }

    /// The window of a pixel, run by run: a row of taps is contiguous in input and weights unless it is dilated.
    fn accumulate(&self, builder: &mut FunctionBuilder, pixel: &Pixel, c: &Affine, rows: usize) -> Vec<Stmt> {
        let window = &self.geometry.window;
        builder.each("ky", pixel.ky.clone(), 1, |builder, ky| {
            let (first, end) = &pixel.kx;
            if window.dilation[1] == 1 {
                let taps = end.plus(&first.times(-1));
                return vec![self.run(pixel, c, (ky, first), &taps, rows)];
            }
            let one = Affine::constant(1);
            builder.each("kx", (first.clone(), end.clone()), 1, |_, kx| {
                vec![self.run(pixel, c, (ky, kx), &one, rows)]
            })
        })
    }

    fn run(
        &self,
        pixel: &Pixel,
        c: &Affine,
        (ky, kx): (&Affine, &Affine),
        taps: &Affine,
        rows: usize,
    ) -> Stmt {
        let Geometry { window, channels, .. } = &self.geometry;
        let channels = *channels as i64;
        let [kernel_rows, kernel_columns] = window.kernel.map(|extent| extent as i64);
        let stride = kernel_rows * kernel_columns * channels;
        let row = ky.times(kernel_columns).plus(kx).times(channels);
        let value = |affine: Affine| MicroArg::Value(Expr::Index(affine));
        Stmt::Micro {
            kernel: self.dots[usize::from(rows == 1)].clone(),
            registers: self.sums[..rows].to_vec(),
            arguments: vec![
                MicroArg::Pointer { buf: self.input, index: input_index(&self.geometry, pixel, ky, kx) },
                MicroArg::Pointer { buf: self.weight, index: c.times(stride).plus(&row) },
                value(taps.times(channels)),
                value(Affine::constant(stride)),
                value(Affine::var(self.zero)),
            ],
        }
    }

    fn finish(&self, sum: Expr, channel: &Affine, at: Affine) -> Stmt {
        let rounding = self.ending.rounding;
        let shift = load(self.shift, channel);
        let value = match rounding {
            Rounding::Precise => precise(self.mantissa, channel),
            Rounding::Double | Rounding::Single | Rounding::Wide => load(self.mantissa, channel),
        };
        let widens = matches!(rounding, Rounding::Wide | Rounding::Precise) && !self.is_wide;
        let sum = if widens { Expr::Widen(Box::new(sum)) } else { sum };
        Stmt::Store { buf: self.output, index: at, value: self.ending.apply(sum, value, shift) }
    }
}

/// The mantissa of 53 bits of a channel.
fn precise(mantissas: Buf, channel: &Affine) -> Expr {
    let [upper, lower] =
        [0, 1].map(|part| Expr::Widen(Box::new(load(mantissas, &channel.times(2).offset(part)))));
    binary(BinOp::Add, binary(BinOp::Shl, upper, int(i64::from(PRECISE_BITS))), lower)
}

/// The first channel of the input under a tap.
pub(super) fn input_index(geometry: &Geometry, pixel: &Pixel, ky: &Affine, kx: &Affine) -> Affine {
    let Geometry { window, input, channels, .. } = geometry;
    let [rows, columns] = [(0, &pixel.y, ky), (1, &pixel.x, kx)].map(|(axis, output, tap)| {
        let origin = output.times(window.stride[axis] as i64).offset(window.origin(axis, 0) as i64);
        origin.plus(&tap.times(window.dilation[axis] as i64))
    });
    rows.times(input[1] as i64).plus(&columns).times(*channels as i64)
}
