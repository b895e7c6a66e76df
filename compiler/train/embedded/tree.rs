//! Sums of the sums of chunks.

/// Adds partial results in pairs of neighbours until one is left; one without a neighbour goes up unchanged.
pub(super) fn tree(mut parts: Vec<Vec<f32>>) -> Vec<f32> {
    assert!(!parts.is_empty(), "there is at least one chunk");
    while parts.len() > 1 {
        let mut next = Vec::with_capacity(parts.len().div_ceil(2));
        let mut rest = parts.into_iter();
        while let Some(mut left) = rest.next() {
            if let Some(right) = rest.next() {
                left.iter_mut().zip(&right).for_each(|(a, b)| *a += b);
            }
            next.push(left);
        }
        parts = next;
    }
    parts.pop().expect("one is left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_added_first() {
        // In this order nothing is lost; from the left, 1 would vanish beside 2^24.
        let parts = [16_777_216.0, 0.0, 1.0, 1.0, -16_777_216.0].map(|x| vec![x]).to_vec();
        assert_eq!(tree(parts), [2.0]);
        assert_eq!(tree(vec![vec![3.0, 4.0]]), [3.0, 4.0]);
    }
}
