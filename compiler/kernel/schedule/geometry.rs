//! The shape of a moving window, brought to the simplest form that touches the same bytes in the same order.

use crate::ops::{Padding, Window};

/// A window that moves over a feature map of `[rows, columns, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Geometry {
    /// Kernel, stride, dilation, padding.
    pub(in crate::kernel) window: Window,
    /// Rows and columns of the input.
    pub(in crate::kernel) input: [usize; 2],
    /// Rows and columns of the output.
    pub(in crate::kernel) output: [usize; 2],
    /// Channels of the input.
    pub(in crate::kernel) channels: usize,
}

impl Geometry {
    /// A window of one pixel over a row of pixels.
    pub(in crate::kernel) fn pointwise(pixels: usize, channels: usize) -> Geometry {
        let extent = [1, pixels];
        Geometry { window: Window::valid([1, 1], [1, 1]), input: extent, output: extent, channels }
    }

    /// One row instead of one column, and one row of pixels for windows of one pixel.
    pub(in crate::kernel) fn simplified(self) -> Geometry {
        let Geometry { window, input, output, channels } = self;
        let Padding { top, bottom, left, right } = window.padding;
        if window.kernel == [1, 1] && window.stride == [1, 1] && window.padding == Padding::default() {
            return Geometry::pointwise(input[0] * input[1], channels);
        }
        if input[1] != 1 || window.kernel[1] != 1 || (left, right) != (0, 0) {
            return self;
        }
        let swap = |[rows, columns]: [usize; 2]| [columns, rows];
        let window = Window {
            kernel: swap(window.kernel),
            stride: swap(window.stride),
            dilation: swap(window.dilation),
            padding: Padding { top: left, bottom: right, left: top, right: bottom },
        };
        Geometry { window, input: swap(input), output: swap(output), channels }
    }

    /// For operators that sum over channels: where the window spans whole rows, a row is one pixel.
    pub(in crate::kernel) fn contracted(self) -> Geometry {
        let Geometry { mut window, input, output, channels } = self;
        let Padding { left, right, .. } = window.padding;
        if window.kernel[1] != input[1] || window.dilation[1] != 1 || (left, right) != (0, 0) {
            return self.simplified();
        }
        (window.kernel[1], window.stride[1]) = (1, 1);
        Geometry { window, input: [input[0], 1], output, channels: channels * input[1] }.simplified()
    }

    /// Whether every window lies wholly inside the input.
    pub(in crate::kernel) fn is_full(&self) -> bool {
        (0..2).all(|axis| self.taps(axis).iter().all(|&taps| taps == (0, self.window.kernel[axis] as i64)))
    }

    /// For each output index along an axis the taps that fall inside the input, half-open.
    pub(in crate::kernel) fn taps(&self, axis: usize) -> Vec<(i64, i64)> {
        let taps = |output| {
            let (first, end) = self.window.taps(axis, output, self.input[axis]);
            if first < end { (first as i64, end as i64) } else { (0, 0) }
        };
        (0..self.output[axis]).map(taps).collect()
    }

    /// For each output pixel in raster order the elements of the input that its window spans, half-open; `None`
    /// where it lies in the padding.
    pub(in crate::kernel) fn spans(&self) -> Vec<Option<(i64, i64)>> {
        let [rows, columns] = [0, 1].map(|axis| self.ends(axis));
        let (width, channels) = (self.input[1] as i64, self.channels as i64);
        let span = |&row: &Option<(i64, i64)>, &column: &Option<(i64, i64)>| {
            let ((top, bottom), (left, right)) = row.zip(column)?;
            Some(((top * width + left) * channels, (bottom * width + right + 1) * channels))
        };
        rows.iter().flat_map(|row| columns.iter().map(move |column| span(row, column))).collect()
    }

    /// For each output index along an axis the first and the last input index of its window.
    fn ends(&self, axis: usize) -> Vec<Option<(i64, i64)>> {
        let dilation = self.window.dilation[axis] as i64;
        let taps = self.taps(axis);
        let ends = |(output, &(first, end)): (usize, &(i64, i64))| {
            let origin = self.window.origin(axis, output) as i64;
            (first < end).then(|| (origin + first * dilation, origin + (end - 1) * dilation))
        };
        taps.iter().enumerate().map(ends).collect()
    }
}
