//! Elastic kernels: a smaller kernel is the centre of the next larger one, after a learned linear map.
//!
//! One matrix for each step to a smaller kernel belongs to a layer and is shared by all its channels: with kernels
//! 7, 5 and 3 these are 25 x 25 + 9 x 9 = 706 parameters. Kernels `[k,1]` have matrices of `k x k`.

use crate::train::engine::{Engine, Transposed};
use crate::train::extents::Extents;
use crate::train::tape::{Tape, Var};

/// A step to a smaller kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Rows and columns of the kernel after it.
    pub kernel: [usize; 2],
    /// What the centre is multiplied with, `[Kh Kw, Kh Kw]`; `None` for the centre as it is.
    pub matrix: Option<Var>,
}

/// The matrix at the start of training, which changes nothing.
///
/// Shapes  `-> [Kh Kw, Kh Kw]`
pub fn identity<E: Engine>(engine: &E, kernel: [usize; 2]) -> E::Tensor {
    let taps = kernel[0] * kernel[1];
    let elements: Vec<f32> = (0..taps * taps).map(|i| f32::from(i / taps == i % taps)).collect();
    engine.upload(&[taps, taps], &elements)
}

/// The centre of a kernel; where it cannot be in the middle, it is above and left of it.
///
/// Shapes    `w [O,Kh,Kw,C] -> [O,kh,kw,C]`
/// Gradient  `dy` in the centre, 0 around it
pub fn centre<E: Engine>(tape: &mut Tape<'_, E>, w: Var, kernel: [usize; 2]) -> Var {
    let shape = Extents::new(tape.engine().shape(tape.value(w)));
    if shape[1..3] == kernel {
        return w;
    }
    let start = [0, (shape[1] - kernel[0]) / 2, (shape[2] - kernel[1]) / 2, 0];
    tape.slice(w, &start, &[shape[0], kernel[0], kernel[1], shape[3]])
}

/// The taps of every kernel, times a matrix: `y[o,i,c] = sum over j of matrix[i,j] w[o,j,c]`, taps row-major.
///
/// Shapes    `w [O,kh,kw,C], matrix [kh kw, kh kw] -> [O,kh,kw,C]`
/// Gradient  to `w`: `dy` times the transposed matrix; to the matrix: `dy w^T` over all `O` and `C`
/// Source    arXiv:1908.09791 section 3.3 (elastic kernel size)
pub fn transformed<E: Engine>(tape: &mut Tape<'_, E>, w: Var, matrix: Var) -> Var {
    let shape = Extents::new(tape.engine().shape(tape.value(w)));
    let taps = shape[1] * shape[2];
    // One filter for each channel, as of depthwise convolutions, needs no other order.
    let single = shape[0] == 1;
    let ordered = if single { w } else { tape.permute(w, &[1, 2, 0, 3]) };
    let columns = tape.reshape(ordered, &[taps, shape[0] * shape[3]]);
    let product = tape.product(matrix, columns, Transposed::default());
    if single {
        return tape.reshape(product, &shape);
    }
    let map = tape.reshape(product, &[shape[1], shape[2], shape[0], shape[3]]);
    tape.permute(map, &[2, 0, 1, 3])
}

/// A kernel after steps to ever smaller ones, as 7 to 5 to 3.
///
/// Shapes    `w [O,Kh,Kw,C]`, depthwise `[1,Kh,Kw,C]` `-> [O,kh,kw,C]`
/// Gradient  through all steps, to `w` and each matrix
/// Source    arXiv:1908.09791 section 3.3
pub fn shrunk<E: Engine>(tape: &mut Tape<'_, E>, w: Var, steps: &[Step]) -> Var {
    steps.iter().fold(w, |w, step| {
        let centre = centre(tape, w, step.kernel);
        step.matrix.map_or(centre, |matrix| transformed(tape, centre, matrix))
    })
}
