//! Extents of a tensor without a heap allocation: a step of training makes hundreds of tensors.

use std::ops::Deref;

/// Greatest rank of a tensor on an engine.
pub const MAX_RANK: usize = 6;

/// Up to [`MAX_RANK`] extents; a slice of them by dereference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    rank: usize,
    extents: [usize; MAX_RANK],
}

impl Extents {
    /// These extents.
    ///
    /// # Panics
    /// Where there are more than [`MAX_RANK`].
    pub fn new(extents: &[usize]) -> Extents {
        assert!(extents.len() <= MAX_RANK, "a tensor of rank {}", extents.len());
        let mut own = [0; MAX_RANK];
        own[..extents.len()].copy_from_slice(extents);
        Extents { rank: extents.len(), extents: own }
    }

    /// `rank` extents, each made by `f` of its place.
    pub fn from_fn(rank: usize, mut f: impl FnMut(usize) -> usize) -> Extents {
        let mut own = Extents { rank, extents: [0; MAX_RANK] };
        assert!(rank <= MAX_RANK, "a tensor of rank {rank}");
        (0..rank).for_each(|at| own.extents[at] = f(at));
        own
    }

    /// The batch in front of the extents of a sample.
    pub fn batched(count: usize, sample: &[usize]) -> Extents {
        Extents::from_fn(sample.len() + 1, |at| if at == 0 { count } else { sample[at - 1] })
    }

    /// One more behind them.
    ///
    /// # Panics
    /// Where there are [`MAX_RANK`] already.
    pub fn push(&mut self, extent: usize) {
        assert!(self.rank < MAX_RANK, "a tensor of rank {}", self.rank + 1);
        self.extents[self.rank] = extent;
        self.rank += 1;
    }

    /// Number of elements; the greatest number, of which there is no tensor, where they cannot be counted.
    pub fn elements(&self) -> usize {
        self.iter().fold(1, |count: usize, &extent| count.saturating_mul(extent))
    }
}

impl Deref for Extents {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.extents[..self.rank]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_cannot_be_counted_are_no_few() {
        assert_eq!(Extents::new(&[2, 3, 4]).elements(), 24);
        assert_eq!(Extents::new(&[]).elements(), 1);
        assert_eq!(Extents::new(&[1 << (usize::BITS / 2), 1 << (usize::BITS / 2)]).elements(), usize::MAX);
        assert_eq!(Extents::new(&[usize::MAX, usize::MAX, 0]).elements(), 0);
    }
}
