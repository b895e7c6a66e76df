//! `RESIZE_NEAREST_NEIGHBOR`: pixels that are repeated as often as one another, or, by any other factor, parts of a map
//! side by side.

use super::layers::{Options, plane};
use super::{Importer, Why};
use crate::graph::NodeId;
use crate::ops::{Slice, Upsample2d};
use crate::tensor::{Shape, TensorType};
use crate::tflite::model::Operator;

/// Parts of an axis, at most: each is copied by itself.
const MAX_PARTS: usize = 128;

/// How places of the output are those of the input.
#[derive(Clone, Copy)]
struct Places {
    align_corners: bool,
    half_pixel_centers: bool,
}

impl Places {
    /// The index of the input that each index of an output of this extent takes.
    ///
    /// Source  LiteRT 2.3.0, reference kernel of RESIZE_NEAREST_NEIGHBOR, in float32
    fn along(self, from: usize, to: usize) -> Vec<usize> {
        let step = match self.align_corners && to > 1 {
            true => (from - 1) as f32 / (to - 1) as f32,
            false => from as f32 / to as f32,
        };
        let shift = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let of = |at: usize| {
            let place = (at as f32 + shift) * step;
            let whole = if self.align_corners { place.round() } else { place.floor() };
            (whole as usize).min(from - 1)
        };
        (0..to).map(of).collect()
    }
}

/// Runs of indices that go up by the same number from 1 on: the first, the step, how many.
fn runs(indices: &[usize]) -> Vec<[usize; 3]> {
    let mut runs: Vec<[usize; 3]> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some([first, step, count @ 1]) if index > *first => (*step, *count) = (index - *first, 2),
            Some([first, step, count]) if *count > 1 && index == *first + *step * *count => *count += 1,
            _ => runs.push([index, 1, 1]),
        }
    }
    runs
}

impl<'a> Importer<'_, 'a> {
    pub(super) fn nearest(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        self.keeps_meaning(operator, &ty)?;
        let (from, to) = (plane(&ty)?, plane(&self.output_type(operator)?)?);
        if from.contains(&0) || to.contains(&0) {
            return Err(format!("it makes {to:?} of {from:?}").into());
        }
        let [align_corners, half_pixel_centers] =
            [options.get::<u8>(0, 0)?, options.get::<u8>(1, 0)?].map(|x| x != 0);
        let places = Places { align_corners, half_pixel_centers };
        let indices = [0, 1].map(|axis| places.along(from[axis], to[axis]));
        let factor = [0, 1].map(|axis| to[axis] / from[axis]);
        let is_whole = |axis: usize| {
            let repeated = (0..to[axis]).map(|at| at / factor[axis].max(1));
            factor[axis] * from[axis] == to[axis] && indices[axis].iter().copied().eq(repeated)
        };
        if is_whole(0) && is_whole(1) {
            return Ok(self.graph.add(Upsample2d { factor }, &[x])?);
        }
        let rows = self.taken((x, ty.clone()), 1, &indices[0])?;
        let ty = self.graph.ty(rows).clone();
        self.taken((rows, ty), 2, &indices[1])
    }

    /// A map with these rows or columns of another one.
    fn taken(
        &mut self,
        (x, ty): (NodeId, TensorType),
        axis: usize,
        indices: &[usize],
    ) -> Result<NodeId, Why> {
        if indices.iter().copied().eq(0..ty.shape.0[axis]) {
            return Ok(x);
        }
        let runs = runs(indices);
        if runs.len() > MAX_PARTS {
            let text = format!(
                "it is of {} parts along dimension {axis}, and at most {MAX_PARTS} are copied",
                runs.len()
            );
            return Err(text.into());
        }
        let mut parts = Vec::new();
        for [first, step, count] in runs {
            let rank = ty.shape.rank();
            let mut slice = Slice {
                first: Shape::from(vec![0; rank]),
                count: ty.shape.clone(),
                step: Shape::from(vec![1; rank]),
            };
            (slice.first.0[axis], slice.count.0[axis], slice.step.0[axis]) = (first, count, step);
            let shape = slice.count.clone();
            parts.push((self.graph.add(slice, &[x])?, shape));
        }
        let mut to = ty;
        to.shape.0[axis] = indices.len();
        self.joined(parts, axis, &to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_indices_again() {
        let plain = Places { align_corners: false, half_pixel_centers: false };
        assert_eq!(plain.along(5, 7), [0, 0, 1, 2, 2, 3, 4]);
        assert_eq!(Places { align_corners: true, ..plain }.along(3, 5), [0, 1, 1, 2, 2]);
        assert_eq!(Places { half_pixel_centers: true, ..plain }.along(4, 3), [0, 2, 3]);
        for (from, to) in (1..12).flat_map(|from| (1..12).map(move |to| (from, to))) {
            let indices = plain.along(from, to);
            let again = runs(&indices)
                .into_iter()
                .flat_map(|[first, step, count]| (0..count).map(move |at| first + step * at));
            assert_eq!(again.collect::<Vec<_>>(), indices);
        }
    }
}
