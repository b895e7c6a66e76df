//! Sums of two maps.

#![expect(unsafe_code, reason = "vectors are instructions that not every processor has")]

use super::lanes::Lanes;
use super::level::{Level, kernels};
use super::rescale::{Finish, Rescale};
use crate::ops::AddParameters;
use crate::tensor::arith::Multiplier;

/// The form of a sum.
pub(super) struct Sum {
    elements: usize,
    zeros: [i32; 2],
    left_shift: u32,
    inputs: [Rescale; 2],
    output: Rescale,
    finish: Finish,
}

impl Sum {
    /// `None` where its numbers could leave 32 bits on the way.
    pub(super) fn new(
        elements: usize,
        zeros: [i32; 2],
        parameters: &AddParameters,
        finish: Finish,
    ) -> Option<Sum> {
        let shifted = 256i64 << parameters.left_shift;
        // A factor of up to a half leaves half and what it rounds to.
        let bound = |multiplier: Multiplier| (shifted >> (-multiplier.shift).max(0)) + 1;
        let AddParameters { left_shift, a, b, output } = *parameters;
        let total = if a.shift <= 0 && b.shift <= 0 { bound(a) + bound(b) } else { return None };
        Some(Sum {
            elements,
            zeros,
            left_shift,
            inputs: [Rescale::uniform(a, shifted)?, Rescale::uniform(b, shifted)?],
            output: Rescale::uniform(output, total)?,
            finish,
        })
    }

    /// Computes the sum.
    ///
    /// # Safety
    /// All three have the sum's elements, the inputs a vector to spare; the output is no input, or all of one.
    pub(super) unsafe fn run(&self, level: Level, a: *const i8, b: *const i8, output: *mut i8) {
        // SAFETY: that of the caller.
        unsafe { add(level, self, a, b, output) }
    }
}

kernels! {
    /// All elements.
    unsafe fn add(sum: &Sum, a: *const i8, b: *const i8, output: *mut i8) = add_lanes;
}

#[inline(always)]
unsafe fn add_lanes<L: Lanes>(sum: &Sum, a: *const i8, b: *const i8, output: *mut i8) {
    let mut at = 0;
    // SAFETY: all elements lie within the buffers but for those of the last vector, for which one is to spare.
    unsafe {
        let shift = L::splat(sum.left_shift as i32);
        while at < sum.elements {
            let a = L::widen(a.add(at)).subtract(L::splat(sum.zeros[0])).left(shift);
            let b = L::widen(b.add(at)).subtract(L::splat(sum.zeros[1])).left(shift);
            let total = sum.inputs[0].apply(a, 0).add(sum.inputs[1].apply(b, 0));
            let n = L::N.min(sum.elements - at);
            sum.finish.apply(sum.output.apply(total, 0)).narrow(output.add(at), n);
            at += L::N;
        }
    }
}
