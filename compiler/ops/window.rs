//! Windows of convolutions and pools.

use serde::{Deserialize, Serialize};

use crate::ops::ShapeError;

/// Rows and columns added around the input. They count as zero in convolutions (the zero point of quantized
/// inputs) and as absent in pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

/// Extent, step and padding of a window that moves over a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Step down and to the right; at least 1.
    pub stride: [usize; 2],
    /// Distance of neighbouring taps; 1 where they touch.
    pub dilation: [usize; 2],
    /// What surrounds the input.
    pub padding: Padding,
}

impl Window {
    /// A window without padding.
    pub fn valid(kernel: [usize; 2], stride: [usize; 2]) -> Window {
        Window { kernel, stride, dilation: [1, 1], padding: Padding::default() }
    }

    /// A window whose output has `ceil(input / stride)` rows and columns; an odd total goes below and to the
    /// right.
    ///
    /// Source  TensorFlow, `SAME` padding.
    pub fn same(kernel: [usize; 2], stride: [usize; 2], input: [usize; 2]) -> Window {
        let split = |axis: usize| {
            let outputs = input[axis].div_ceil(stride[axis].max(1)).max(1);
            let total = ((outputs - 1) * stride[axis] + kernel[axis]).saturating_sub(input[axis]);
            (total / 2, total - total / 2)
        };
        let ((top, bottom), (left, right)) = (split(0), split(1));
        Window { kernel, stride, dilation: [1, 1], padding: Padding { top, bottom, left, right } }
    }

    /// Rows and columns of the output for an input of `[height, width]`.
    ///
    /// # Errors
    /// When the window is larger than the padded input, or an attribute is zero.
    pub fn output(&self, name: &str, input: [usize; 2]) -> Result<[usize; 2], ShapeError> {
        let Padding { top, bottom, left, right } = self.padding;
        let pads = [top.saturating_add(bottom), left.saturating_add(right)];
        let mut out = [0; 2];
        for axis in 0..2 {
            if self.kernel[axis] == 0 || self.stride[axis] == 0 || self.dilation[axis] == 0 {
                return Err(ShapeError::window(format!("`{name}` has a kernel, stride or dilation of 0")));
            }
            let extent = (self.kernel[axis] - 1).saturating_mul(self.dilation[axis]).saturating_add(1);
            let padded = input[axis].saturating_add(pads[axis]);
            if extent > padded {
                let side = ["height", "width"][axis];
                return Err(ShapeError::window(format!(
                    "the window of `{name}` spans {extent}, but its padded input has {side} {padded}"
                )));
            }
            out[axis] = (padded - extent) / self.stride[axis] + 1;
        }
        Ok(out)
    }

    /// For an output index along `axis`, the first input index of the window, which may be negative.
    pub fn origin(&self, axis: usize, output: usize) -> isize {
        let before = [self.padding.top, self.padding.left][axis];
        (output * self.stride[axis]) as isize - before as isize
    }

    /// For an output index along `axis`, the taps that fall inside an input of `extent`, as a half-open range.
    pub fn taps(&self, axis: usize, output: usize, extent: usize) -> (usize, usize) {
        let origin = self.origin(axis, output);
        let dilation = self.dilation[axis] as isize;
        let first = if origin < 0 { (-origin + dilation - 1) / dilation } else { 0 };
        let left = extent as isize - origin;
        let last = if left <= 0 { 0 } else { (left + dilation - 1) / dilation };
        let last = last.min(self.kernel[axis] as isize);
        (first as usize, last.max(first) as usize)
    }

    /// The input index under a tap; the tap is one of [`Window::taps`].
    pub fn input(&self, axis: usize, output: usize, tap: usize) -> usize {
        self.origin(axis, output).wrapping_add_unsigned(tap * self.dilation[axis]) as usize
    }

    /// Attributes for graph texts.
    pub(crate) fn attributes(&self) -> String {
        let mut text = format!(
            " kernel={}x{} stride={}x{}",
            self.kernel[0], self.kernel[1], self.stride[0], self.stride[1]
        );
        if self.dilation != [1, 1] {
            text.push_str(&format!(" dilation={}x{}", self.dilation[0], self.dilation[1]));
        }
        let Padding { top, bottom, left, right } = self.padding;
        if self.padding != Padding::default() {
            text.push_str(&format!(" pad={top},{bottom},{left},{right}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_row_below() {
        let window = Window::same([3, 4], [2, 2], [10, 9]);
        assert_eq!(window.padding, Padding { top: 0, bottom: 1, left: 1, right: 2 });
        assert_eq!(window.output("conv2d", [10, 9]).expect("fits"), [5, 5]);
    }

    #[test]
    fn taps_stay_inside() {
        let window = Window::same([5, 1], [1, 1], [4, 1]);
        assert_eq!(window.taps(0, 0, 4), (2, 5));
        assert_eq!(window.taps(0, 3, 4), (0, 3));
    }

    #[test]
    fn large_windows_are_refused() {
        let error = Window::valid([7, 1], [1, 1]).output("conv2d", [5, 1]).expect_err("too large");
        assert_eq!(error.kind, crate::ops::ShapeErrorKind::Window);
    }
}
