//! Pictures brought to one size, in integers.
//!
//! One definition serves for smaller and for larger pictures. Along each axis an output pixel looks through a window
//! of the source that is `max(1, from / to)` pixels long, lies around the output pixel's centre (of two pictures that
//! cover the same area), and is moved inwards where it would leave the source. The output is the mean of what the
//! window covers, parts of pixels counting as what they are, rounded to the nearest integer, halves up. So a smaller
//! picture is the exact mean over areas, without aliases, and a larger one is bilinear interpolation with half-pixel
//! centres. Everything is exact until the one rounding: lengths are counted in parts of a source pixel, of which it
//! has `to` where the picture becomes smaller and `2 * to` where it becomes larger, or fewer where all lengths have a
//! common divisor.
//!
//! Where three channels become one, each source pixel becomes grey first: `(77 R + 150 G + 29 B + 128) >> 8`.

use serde::{Deserialize, Serialize};

/// Greatest product of the windows' lengths in parts: 255 times it and half of it fit 32 bits without sign.
const MAX_PARTS: u64 = 1 << 24;
/// Greatest extent of a picture.
const MAX_EXTENT: usize = 1 << 14;

/// Resizing of 8-bit pictures, and colour to grey; see the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Height, width, channels of what the camera gives.
    pub from: [usize; 3],
    /// Height, width, channels of the network's input: as many channels, or 1 for 3.
    pub to: [usize; 3],
}

/// The windows along one axis, all lengths in parts of a source pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Parts of a source pixel.
    pub(crate) pixel: u64,
    /// Parts of a window.
    pub(crate) window: u64,
    /// Parts from one window's start to the next one's.
    pub(crate) step: u64,
    /// Parts that the first window would start before the source.
    pub(crate) before: u64,
    /// The last start that a window may have.
    pub(crate) last: u64,
}

impl Axis {
    pub(crate) fn new(from: usize, to: usize) -> Axis {
        let (from, to) = (from as u64, to as u64);
        let (pixel, window, step, before) =
            if to > from { (2 * to, 2 * to, 2 * from, to - from) } else { (to, from, from, 0) };
        // The fewest parts that are whole: in code, a window of whole pixels then costs no arithmetic of parts.
        let common = [window, step, before].into_iter().fold(pixel, gcd).max(1);
        let [pixel, window, step, before] = [pixel, window, step, before].map(|parts| parts / common);
        let last = from * pixel - window;
        Axis { pixel, window, step, before, last }
    }

    /// Whether the size stays, so that each window is one pixel.
    pub(crate) fn is_identity(&self) -> bool {
        self.pixel == self.window && self.step == self.pixel
    }

    /// The part with which the window of an output starts.
    fn start(&self, output: usize) -> u64 {
        (output as u64 * self.step).saturating_sub(self.before).min(self.last)
    }

    /// Source pixels under the window of an output, with the parts of each.
    pub(crate) fn cover(&self, output: usize) -> impl Iterator<Item = (usize, u64)> {
        let (pixel, start) = (self.pixel, self.start(output));
        let end = start + self.window;
        (start / pixel..end.div_ceil(pixel)).map(move |source| {
            let covered = end.min((source + 1) * pixel) - start.max(source * pixel);
            (source as usize, covered)
        })
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Picture {
    /// Whether the sizes are such that resizing is defined, and stays within 32 bits on a chip.
    ///
    /// # Errors
    /// What in the sizes cannot be, in words for the user.
    pub fn check(&self) -> Result<(), String> {
        let extents = || self.from.iter().chain(&self.to);
        if !extents().all(|extent| (1..=MAX_EXTENT).contains(extent)) {
            return Err(format!(
                "a picture has 1 to {MAX_EXTENT} pixels a side and channels, found {:?} and {:?}",
                self.from, self.to
            ));
        }
        let ([_, _, from], [_, _, to]) = (self.from, self.to);
        if from != to && (from, to) != (3, 1) {
            return Err(format!("{from} channels become as many, or 3 become 1, not {to}"));
        }
        let [rows, columns] = self.axes();
        if rows.window * columns.window > MAX_PARTS {
            return Err(format!(
                "pictures of {} x {} pixels cannot be brought to {} x {} in 32 bits",
                self.from[0], self.from[1], self.to[0], self.to[1]
            ));
        }
        Ok(())
    }

    /// The windows along height and width.
    pub(crate) fn axes(&self) -> [Axis; 2] {
        [0, 1].map(|axis| Axis::new(self.from[axis], self.to[axis]))
    }

    /// Whether height and width stay.
    pub(crate) fn is_one_size(&self) -> bool {
        self.axes().iter().all(Axis::is_identity)
    }

    /// Whether colour becomes grey.
    pub(crate) fn is_greyed(&self) -> bool {
        self.to[2] < self.from[2]
    }

    /// The resized picture: integers from 0 to 255.
    ///
    /// # Panics
    /// When a slice has another length than the extents say.
    pub fn resize(&self, raw: &[f32], into: &mut [f32]) {
        assert_eq!(raw.len(), self.from.iter().product::<usize>(), "a picture of {:?}", self.from);
        assert_eq!(into.len(), self.to.iter().product::<usize>(), "room for {:?}", self.to);
        let [rows, columns] = self.axes();
        let [_, width, channels] = self.to;
        let parts = rows.window * columns.window;
        for (at, pixel) in into.chunks_exact_mut(channels).enumerate() {
            let (y, x) = (at / width, at % width);
            for (channel, value) in pixel.iter_mut().enumerate() {
                let mut sum = parts / 2;
                for (v, tall) in rows.cover(y) {
                    let row: u64 =
                        columns.cover(x).map(|(u, wide)| wide * self.source(raw, [v, u, channel])).sum();
                    sum += tall * row;
                }
                *value = (sum / parts) as f32;
            }
        }
    }

    /// A value of the source, grey where the result is.
    fn source(&self, raw: &[f32], [row, column, channel]: [usize; 3]) -> u64 {
        let [_, width, channels] = self.from;
        let at = (row * width + column) * channels;
        let value = |channel: usize| raw[at + channel] as u64;
        if self.is_greyed() {
            (77 * value(0) + 150 * value(1) + 29 * value(2) + 128) >> 8
        } else {
            value(channel)
        }
    }

    /// See `FrontEnd::canonical`.
    pub fn canonical(&self) -> String {
        format!("picture 1 {:?} {:?}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A picture without pattern.
    fn noise(seed: u64, count: usize) -> Vec<f32> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as f32
        };
        (0..count).map(|_| next()).collect()
    }

    /// The area under a window in floats, by the definition: no parts, no integers.
    fn mean(raw: &[f64], from: [usize; 2], to: [usize; 2], [y, x]: [usize; 2]) -> f64 {
        let window = |axis: usize, at: usize| {
            let scale = from[axis] as f64 / to[axis] as f64;
            let length = scale.max(1.0);
            let start = (at as f64 + 0.5) * scale - length / 2.0;
            let start = start.clamp(0.0, from[axis] as f64 - length);
            (0..from[axis])
                .map(move |s| ((start + length).min(s as f64 + 1.0) - start.max(s as f64)).max(0.0) / length)
        };
        let rows = window(0, y).enumerate();
        rows.map(|(v, tall)| {
            window(1, x).enumerate().map(|(u, wide)| tall * wide * raw[v * from[1] + u]).sum::<f64>()
        })
        .sum()
    }

    fn grey(pixel: &[f32]) -> f64 {
        ((77.0 * f64::from(pixel[0]) + 150.0 * f64::from(pixel[1]) + 29.0 * f64::from(pixel[2]) + 128.0)
            / 256.0)
            .floor()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn it_is_the_mean_under_the_window(
            seed in any::<u64>(), h in 1usize..24, w in 1usize..24, y in 1usize..24, x in 1usize..24,
            channels in 1usize..4, greyed in any::<bool>(),
        ) {
            let (channels, to) = if greyed { (3, 1) } else { (channels, channels) };
            let picture = Picture { from: [h, w, channels], to: [y, x, to] };
            picture.check().expect("small");
            let raw = noise(seed, h * w * channels);
            let mut found = vec![0.0; y * x * to];
            picture.resize(&raw, &mut found);
            for channel in 0..to {
                let plane: Vec<f64> = raw
                    .chunks_exact(channels)
                    .map(|pixel| if greyed { grey(pixel) } else { f64::from(pixel[channel]) })
                    .collect();
                for at in 0..y * x {
                    let wanted = mean(&plane, [h, w], [y, x], [at / x, at % x]);
                    let got = f64::from(found[at * to + channel]);
                    prop_assert!((got - wanted).abs() <= 0.5 + 1e-9, "{picture:?} {at}: {got} for {wanted}");
                    prop_assert!(got.fract() == 0.0 && (0.0..=255.0).contains(&got));
                }
            }
        }

        #[test]
        fn one_size_is_the_picture_itself(seed in any::<u64>(), h in 1usize..9, w in 1usize..9) {
            let picture = Picture { from: [h, w, 2], to: [h, w, 2] };
            let raw = noise(seed, 2 * h * w);
            let mut found = vec![0.0; raw.len()];
            picture.resize(&raw, &mut found);
            prop_assert_eq!(found, raw);
        }
    }

    #[test]
    fn enlarging_is_bilinear_and_shrinking_the_mean_over_areas() {
        let mut found = vec![0.0; 4];
        Picture { from: [1, 2, 1], to: [1, 4, 1] }.resize(&[0.0, 100.0], &mut found);
        assert_eq!(found, [0.0, 25.0, 75.0, 100.0], "half-pixel centres");
        let mut found = vec![0.0; 2];
        Picture { from: [1, 6, 1], to: [1, 2, 1] }.resize(&[1.0, 2.0, 4.0, 8.0, 8.0, 9.0], &mut found);
        assert_eq!(found, [2.0, 8.0], "7/3 and 25/3");
        let mut found = vec![0.0; 1];
        Picture { from: [1, 2, 3], to: [1, 1, 1] }.resize(&[255.0, 255.0, 255.0, 0.0, 0.0, 0.0], &mut found);
        assert_eq!(found, [128.0], "halves up");
    }

    #[test]
    fn sizes_are_checked() {
        for (from, to, good) in [
            ([480, 640, 3], [96, 96, 1], true),
            ([480, 640, 3], [96, 96, 3], true),
            ([4096, 4096, 1], [1, 1, 1], true),
            ([4096, 4097, 1], [1, 1, 1], false),
            ([480, 640, 4], [96, 96, 1], false),
            ([480, 640, 1], [96, 96, 3], false),
            ([0, 640, 1], [96, 96, 1], false),
            ([usize::MAX, usize::MAX, 1], [96, 96, 1], false),
        ] {
            assert_eq!(Picture { from, to }.check().is_ok(), good, "{from:?} {to:?}");
        }
    }

    #[test]
    fn the_greatest_sums_fit_32_bits() {
        let picture = Picture { from: [4096, 4096, 1], to: [2, 2, 1] };
        let [rows, columns] = picture.axes();
        let parts = rows.window * columns.window;
        picture.check().expect("the greatest there is");
        assert!(255 * parts + parts / 2 <= u64::from(u32::MAX));
        assert!(rows.last + rows.window <= i32::MAX as u64 && rows.step * 2 <= i32::MAX as u64);
    }
}
