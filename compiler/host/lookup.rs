//! Operators that make a byte of each byte: tables of what the reference makes of all 256.

#![expect(unsafe_code, reason = "kernels take pointers")]

use crate::ops::Op;
use crate::tensor::{Shape, TensorType, Value};

/// A table for all elements.
pub(super) struct Lookup {
    elements: usize,
    table: Box<[i8; 256]>,
}

impl Lookup {
    /// The table of an operator on one input; `None` if the reference cannot be asked.
    pub(super) fn new(op: &Op, input: &TensorType, output: &TensorType) -> Option<Lookup> {
        let shape = Shape::from([1, 256]);
        let every = Value::from_i8(&shape, (0..=255).map(|byte: u8| byte as i8).collect())?;
        let [from, to] = [input, output].map(|ty| TensorType { shape: shape.clone(), ..ty.clone() });
        let values = op.evaluate(&[&every], &[&from], &to);
        let table: Vec<i8> = values.as_i8()?.iter().copied().collect();
        Some(Lookup { elements: output.shape.elements(), table: table.try_into().ok()? })
    }

    /// For a table that begins with what is made of -128; `None` where it has not 256 elements.
    pub(super) fn of(table: &Value, output: &TensorType) -> Option<Lookup> {
        let table: Vec<i8> = table.as_i8()?.iter().copied().collect();
        // By the byte without its sign.
        let of = |byte: u8| table.get((i32::from(byte as i8) + 128) as usize).copied();
        let table: Vec<i8> = (0..=255).map(of).collect::<Option<_>>()?;
        Some(Lookup { elements: output.shape.elements(), table: table.try_into().ok()? })
    }

    /// Looks all elements up.
    ///
    /// # Safety
    /// Both have the elements.
    pub(super) unsafe fn run(&self, input: *const i8, output: *mut i8) {
        for at in 0..self.elements {
            // SAFETY: that of the caller.
            unsafe { output.add(at).write(self.table[usize::from(input.add(at).read() as u8)]) };
        }
    }
}
