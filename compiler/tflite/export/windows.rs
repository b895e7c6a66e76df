//! Windows in TensorFlow Lite's terms: `VALID`, `SAME`, or borders of their own before a `VALID` one.

use crate::ops::{Padding, Window};

/// What stands around the input of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// Nothing.
    Valid,
    /// As much as gives `ceil(input / stride)` rows and columns, an odd one below and to the right.
    Same,
    /// Rows and columns of their own.
    Own(Padding),
}

/// The border of a window over an input of `[height, width]`, which fits it. Rows and columns that no window touches
/// do not count.
pub(super) fn border(window: &Window, input: [usize; 2], output: [usize; 2]) -> Border {
    let Padding { top, left, .. } = window.padding;
    let before = [top, left];
    let after =
        [0, 1].map(|axis| needed(window, axis, output[axis]).saturating_sub(input[axis] + before[axis]));
    let is_valid = |axis: usize| before[axis] == 0 && after[axis] == 0;
    let is_same = |axis: usize| {
        let total = needed(window, axis, output[axis]).saturating_sub(input[axis]);
        output[axis] == input[axis].div_ceil(window.stride[axis]) && before[axis] == total / 2
    };
    match [0, 1].map(|axis| (is_valid(axis), is_same(axis))) {
        [(true, _), (true, _)] => Border::Valid,
        [(_, true), (_, true)] => Border::Same,
        _ => Border::Own(Padding { top, bottom: after[0], left, right: after[1] }),
    }
}

/// Rows or columns that so many outputs touch.
fn needed(window: &Window, axis: usize, outputs: usize) -> usize {
    let extent = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    (outputs - 1) * window.stride[axis] + extent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(window: Window, input: [usize; 2]) -> Border {
        let output = window.output("conv2d", input).expect("it fits");
        border(&window, input, output)
    }

    #[test]
    fn borders_are_named_where_they_have_a_name() {
        let valid = Window::valid([3, 3], [2, 2]);
        assert_eq!(of(valid, [8, 8]), Border::Valid);
        assert_eq!(of(Window::same([3, 3], [2, 2], [8, 7]), [8, 7]), Border::Same);
        // A column that no window touches is no border.
        let more = Window { padding: Padding { right: 1, ..Padding::default() }, ..valid };
        assert_eq!(of(more, [9, 7]), Border::Valid);
        // Signals of width 1: both names hold for the width.
        assert_eq!(of(Window::same([5, 1], [2, 1], [9, 1]), [9, 1]), Border::Same);
        // A `SAME` of 3 x 3 in steps of 2 has its row below.
        let above = Padding { top: 1, bottom: 0, left: 1, right: 0 };
        let own = Window { padding: above, ..valid };
        assert_eq!(of(own, [8, 8]), Border::Own(above));
        let mixed = Window {
            padding: Padding { top: 1, bottom: 1, ..Padding::default() },
            ..Window::valid([3, 3], [1, 1])
        };
        assert_eq!(of(mixed, [5, 5]), Border::Own(mixed.padding));
        let wide = Window { dilation: [2, 3], ..Window::same([5, 7], [1, 1], [9, 9]) };
        assert_eq!(of(Window { kernel: [3, 3], ..wide }, [9, 9]), Border::Same);
    }
}
