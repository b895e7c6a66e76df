//! Windows over a map that is laid out with its padding.

use crate::ops::{Padding, Window};

/// A map of `[height, width, channels]` and the window that moves over it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moves {
    pub(super) window: Window,
    pub(super) input: [usize; 2],
    pub(super) output: [usize; 2],
    pub(super) channels: usize,
}

impl Moves {
    /// Rows and columns of the map with its padding.
    pub(super) fn padded(&self) -> [usize; 2] {
        let Padding { top, bottom, left, right } = self.window.padding;
        [self.input[0] + top + bottom, self.input[1] + left + right]
    }

    /// Whether there is no padding.
    pub(super) fn is_bare(&self) -> bool {
        self.window.padding == Padding::default()
    }

    /// For each output pixel in raster order the element of the padded map at which its window starts.
    pub(super) fn starts(&self) -> Vec<u32> {
        let width = self.padded()[1];
        let [down, right] = self.window.stride;
        let start = |y: usize, x: usize| ((y * down * width + x * right) * self.channels) as u32;
        (0..self.output[0]).flat_map(|y| (0..self.output[1]).map(move |x| start(y, x))).collect()
    }

    /// From a window's start, the elements at which its taps start.
    pub(super) fn taps(&self) -> Vec<u32> {
        let width = self.padded()[1];
        let [down, right] = self.window.dilation;
        let [rows, columns] = self.window.kernel;
        let tap = |ky: usize, kx: usize| ((ky * down * width + kx * right) * self.channels) as u32;
        (0..rows).flat_map(|ky| (0..columns).map(move |kx| tap(ky, kx))).collect()
    }

    /// Lays a map out: `put` writes elements, `fill` as many padded ones, both at an element of the padded map.
    pub(super) fn lay_out(
        &self,
        mut put: impl FnMut(usize, usize, usize),
        mut fill: impl FnMut(usize, usize),
    ) {
        let Padding { top, left, right, .. } = self.window.padding;
        let ([height, width], [rows, columns]) = (self.input, self.padded());
        let channels = self.channels;
        if left + right == 0 {
            fill(0, top * columns * channels);
            put(top * columns * channels, 0, height * width * channels);
        } else {
            // What is between two rows is the end of one and the start of the next.
            fill(0, (top * columns + left) * channels);
            for y in 0..height {
                let at = ((top + y) * columns + left) * channels;
                put(at, y * width * channels, width * channels);
                if y + 1 < height {
                    fill(at + width * channels, (left + right) * channels);
                }
            }
        }
        let last = if left + right == 0 { 0 } else { right };
        let end = ((top + height) * columns - last) * channels;
        fill(end, rows * columns * channels - end);
    }
}
