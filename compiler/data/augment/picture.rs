//! Pictures: `[height, width, channels]`.

/// Mirrors the columns.
pub(super) fn mirror(sample: &mut [f32], [_, width, channels]: [usize; 3]) {
    for row in sample.chunks_exact_mut(width * channels) {
        for left in 0..width / 2 {
            let right = width - 1 - left;
            for channel in 0..channels {
                row.swap(left * channels + channel, right * channels + channel);
            }
        }
    }
}

/// The window that lacks the share `cut` of height and width, brought back to size. `place` says where it is: 0 is at
/// the top and at the left, 1 at the bottom and at the right.
pub(super) fn crop(
    sample: &mut [f32],
    [height, width, channels]: [usize; 3],
    cut: f32,
    place: [f32; 2],
    scratch: &mut Vec<f32>,
) {
    scratch.clear();
    scratch.extend_from_slice(sample);
    let line = width * channels;
    let (vertical, horizontal) = (Axis::new(height, cut, place[0]), Axis::new(width, cut, place[1]));
    for (y, row) in sample.chunks_exact_mut(line).enumerate() {
        let (above, below, down) = vertical.neighbours(y);
        let above = &scratch[above * line..(above + 1) * line];
        let below = &scratch[below * line..(below + 1) * line];
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let (left, right, across) = horizontal.neighbours(x);
            for (channel, value) in pixel.iter_mut().enumerate() {
                let (left, right) = (left * channels + channel, right * channels + channel);
                let top = above[left] + (above[right] - above[left]) * across;
                let bottom = below[left] + (below[right] - below[left]) * across;
                *value = top + (bottom - top) * down;
            }
        }
    }
}

/// Where the pixels of the window lie along one axis.
struct Axis {
    start: f64,
    step: f64,
    last: usize,
}

impl Axis {
    fn new(extent: usize, cut: f32, place: f32) -> Axis {
        let cut = f64::from(cut);
        Axis { start: cut * extent as f64 * f64::from(place), step: 1.0 - cut, last: extent - 1 }
    }

    /// The pixels before and after the middle of pixel `index` of the window, and how far it is from the first to the
    /// second.
    fn neighbours(&self, index: usize) -> (usize, usize, f32) {
        let middle = self.start + (index as f64 + 0.5) * self.step - 0.5;
        let middle = middle.clamp(0.0, self.last as f64);
        let first = middle as usize;
        (first, (first + 1).min(self.last), (middle - first as f64) as f32)
    }
}
