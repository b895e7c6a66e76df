//! Sums of the sums of chunks.

/// Adds partial results of `size` elements each in pairs of neighbours until one is left, the first; one without a
/// neighbour goes up unchanged.
pub(super) fn tree_in_place(parts: &mut [f32], size: usize) {
    let count = parts.len() / size.max(1);
    let mut distance = 1;
    while distance < count {
        for left in (0..count - distance).step_by(2 * distance) {
            let (front, back) = parts.split_at_mut((left + distance) * size);
            let (left, right) = (&mut front[left * size..][..size], &back[..size]);
            left.iter_mut().zip(right).for_each(|(a, b)| *a += b);
        }
        distance *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_added_first() {
        // In this order nothing is lost; from the left, 1 would vanish beside 2^24.
        let mut parts = [16_777_216.0, 0.0, 1.0, 1.0, -16_777_216.0];
        tree_in_place(&mut parts, 1);
        assert_eq!(parts[0], 2.0);
        let mut parts = [3.0, 4.0];
        tree_in_place(&mut parts, 2);
        assert_eq!(parts, [3.0, 4.0]);
    }
}
