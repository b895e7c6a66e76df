//! The volume that a front covers.

/// The volume between the points and a corner: of all that is worse than some point and better than the corner in every
/// figure, smaller being better. Points that are not better than the corner in all figures count for nothing.
///
/// Shapes  each point as long as the corner
/// Source  by slices, as L. While et al., "A Faster Algorithm for Calculating Hypervolume", IEEE Transactions on
///         Evolutionary Computation 10(1), 2006
pub fn hypervolume(points: &[Vec<f64>], corner: &[f64]) -> f64 {
    let is_inside =
        |point: &&Vec<f64>| point.len() == corner.len() && point.iter().zip(corner).all(|(x, end)| x < end);
    let inside: Vec<&[f64]> = points.iter().filter(is_inside).map(Vec::as_slice).collect();
    volume(inside, corner)
}

fn volume(mut points: Vec<&[f64]>, corner: &[f64]) -> f64 {
    let Some((&end, rest)) = corner.split_last() else { return 0.0 };
    let last = rest.len();
    if rest.is_empty() {
        return points.iter().map(|point| end - point[0]).fold(0.0, f64::max);
    }
    points.sort_by(|a, b| a[last].total_cmp(&b[last]));
    let mut sum = 0.0;
    for (place, point) in points.iter().enumerate() {
        let next = points.get(place + 1).map_or(end, |next| next[last]);
        // All that begin up to here share the slice.
        if next > point[last] {
            sum += (next - point[last]) * volume(points[..=place].to_vec(), rest);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_those_of_boxes() {
        let corner = [4.0, 4.0];
        assert_eq!(hypervolume(&[], &corner), 0.0);
        assert_eq!(hypervolume(&[vec![1.0, 2.0]], &corner), 6.0);
        // Two boxes of 6 that share one of 4; a dominated and an outer point change nothing.
        let points = [vec![1.0, 2.0], vec![2.0, 1.0], vec![2.0, 2.0], vec![0.0, 4.0], vec![5.0, 0.0]];
        assert_eq!(hypervolume(&points, &corner), 8.0);
        assert_eq!(
            hypervolume(&[vec![1.0, 1.0, 1.0], vec![0.0, 0.0, 2.0]], &[2.0, 2.0, 3.0]),
            2.0 + 4.0 - 1.0
        );
        assert_eq!(hypervolume(&[vec![1.0]], &[3.0]), 2.0);
    }

    #[test]
    fn volumes_are_the_shares_of_a_lattice() {
        // Against counting cells whose lower corner some point dominates.
        let mut state = 5u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % 6) as f64
        };
        for _ in 0..50 {
            let points: Vec<Vec<f64>> = (0..6).map(|_| (0..3).map(|_| draw()).collect()).collect();
            let is_covered = |cell: [f64; 3]| points.iter().any(|p| p.iter().zip(cell).all(|(p, c)| *p <= c));
            let axis = || (0..6).map(f64::from);
            let cells = axis().flat_map(|x| axis().flat_map(move |y| axis().map(move |z| [x, y, z])));
            let counted = cells.filter(|&cell| is_covered(cell)).count() as f64;
            assert_eq!(hypervolume(&points, &[6.0, 6.0, 6.0]), counted);
        }
    }
}
