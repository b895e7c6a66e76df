//! Pictures in a page: PNG and SVG as texts.

use std::fmt::Write as _;

use image::ImageEncoder as _;
use image::codecs::png::PngEncoder;

use crate::report::base64;

/// Pixels of a picture, row by row.
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Red, green and blue of each.
    pub(super) rgb: Vec<u8>,
}

impl Pixels {
    /// Of a picture `[height, width, channels]` of bytes as floats; of other than three channels, the first as grey.
    /// Pixels are averaged in squares until no side is longer than `most`.
    pub(super) fn of_bytes(values: &[f32], extents: [usize; 3], most: usize) -> Pixels {
        let [height, width, channels] = extents;
        let step = height.max(width).div_ceil(most.max(1)).max(1);
        let (rows, columns) = (height.div_ceil(step), width.div_ceil(step));
        let mut rgb = Vec::with_capacity(3 * rows * columns);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            for colour in 0..3 {
                let channel = if channels == 3 { colour } else { 0 };
                let ys = row * step..((row + 1) * step).min(height);
                let xs = column * step..((column + 1) * step).min(width);
                let count = (ys.len() * xs.len()).max(1) as f32;
                let square = ys.flat_map(|y| xs.clone().map(move |x| (y * width + x) * channels + channel));
                let sum: f32 = square.filter_map(|at| values.get(at)).sum();
                rgb.push((sum / count).round().clamp(0.0, 255.0) as u8);
            }
        }
        Pixels { width: columns, height: rows, rgb }
    }

    /// Of a map of standardised values: time from left to right, bands or coefficients from below.
    pub(super) fn of_map(values: &[f32], rows: usize, columns: usize) -> Pixels {
        /// Deviations from the mean that the colours reach to.
        const REACH: f32 = 2.5;
        let mut rgb = Vec::with_capacity(3 * rows * columns);
        for (band, time) in (0..columns).rev().flat_map(|band| (0..rows).map(move |time| (band, time))) {
            let value = values.get(time * columns + band).copied().unwrap_or(0.0);
            rgb.extend(colour((value / REACH + 1.0) / 2.0));
        }
        Pixels { width: rows, height: columns, rgb }
    }

    /// The picture as an address that holds it; `None` where it has no pixels.
    pub(super) fn address(&self) -> Option<String> {
        let (width, height) = (u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?);
        if self.rgb.is_empty() || self.rgb.len() != 3 * self.width * self.height {
            return None;
        }
        let mut png = Vec::new();
        let encoder = PngEncoder::new(&mut png);
        encoder.write_image(&self.rgb, width, height, image::ExtendedColorType::Rgb8).ok()?;
        Some(format!("data:image/png;base64,{}", base64(&png)))
    }
}

/// A colour for a value from 0 to 1: dark blue over purple and orange to yellow. Lightness rises evenly, so equal steps
/// of the value look equally far apart; each polynomial is fitted to a path in the colour space Oklab.
fn colour(value: f32) -> [u8; 3] {
    const RED: [f32; 7] = [13.5, 144.3, 888.2, -2953.9, 5868.7, -5637.6, 1929.8];
    const GREEN: [f32; 7] = [15.6, 34.2, 263.2, 412.4, -1803.9, 2083.4, -766.9];
    const BLUE: [f32; 7] = [37.0, 488.3, -585.7, -229.3, 858.6, -841.9, 424.3];
    let value = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    let horner = |factors: [f32; 7]| factors.iter().rev().fold(0.0, |sum, factor| sum * value + factor);
    [RED, GREEN, BLUE].map(|factors| horner(factors).round().clamp(0.0, 255.0) as u8)
}

/// Width and height of a drawing of lines, in units of its own.
const SIZE: [usize; 2] = [160, 56];

fn svg(inside: &str) -> String {
    let [width, height] = SIZE;
    format!("<svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" role=\"img\">{inside}</svg>")
}

/// A recording as the band between the least and the greatest number of each column, its own peak at the edge; with
/// the peak in decibels of full scale.
pub(super) fn waveform(sample: &[f32]) -> String {
    let [columns, height] = SIZE;
    let middle = height as f32 / 2.0;
    // What is below 1 % of full scale is not blown up.
    let peak = sample.iter().fold(327.68f32, |peak, x| peak.max(x.abs()));
    let y = |x: f32| middle - x / peak * (middle - 1.0);
    let mut edges = Vec::new();
    for column in 0..columns {
        let (start, end) = (column * sample.len() / columns, (column + 1) * sample.len() / columns);
        let part = sample.get(start..end.max(start + 1).min(sample.len())).unwrap_or(&[]);
        if let Some(first) = part.first() {
            let low = part.iter().copied().fold(*first, f32::min);
            let high = part.iter().copied().fold(*first, f32::max);
            edges.push((column, y(high) - 0.3, y(low) + 0.3));
        }
    }
    let mut path = String::new();
    for (at, (column, top, _)) in edges.iter().enumerate() {
        let _ = write!(path, "{}{column} {top:.1}", if at == 0 { "M" } else { "L" });
    }
    for (column, _, bottom) in edges.iter().rev() {
        let _ = write!(path, "L{column} {bottom:.1}");
    }
    svg(&format!("<path class=\"wave\" d=\"{path}Z\"/>"))
}

/// Mean and deviation of a channel; the first, where they are not told one by one.
fn of(scale: &[(f64, f64)], channel: usize) -> (f64, f64) {
    scale.get(channel).or(scale.first()).copied().unwrap_or((0.0, 1.0))
}

/// Rows of channels as lines, each value less its channel's mean, divided by its deviation.
pub(super) fn lines(sample: &[f32], channels: usize, scale: &[(f64, f64)]) -> String {
    /// Channels that are drawn.
    const DRAWN: usize = 12;
    /// Deviations from the mean to the edge.
    const REACH: f64 = 3.5;
    let ([width, height], channels) = (SIZE, channels.max(1));
    let rows = sample.len() / channels;
    let step = rows.div_ceil(2 * width).max(1);
    let mut inside = String::new();
    for channel in 0..channels.min(DRAWN) {
        let (mean, deviation) = of(scale, channel);
        let mut points = String::new();
        for row in (0..rows).step_by(step) {
            let value = (f64::from(sample[row * channels + channel]) - mean) / deviation;
            let x = row as f64 * (width - 1) as f64 / (rows.max(2) - 1) as f64;
            let y = height as f64 / 2.0 * (1.0 - value.clamp(-REACH, REACH) / REACH);
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
        let _ =
            write!(inside, "<polyline class=\"line c{}\" points=\"{}\"/>", channel % 6, points.trim_end());
    }
    svg(&inside)
}

/// The numbers of one moment as bars up and down from their means.
pub(super) fn bars(sample: &[f32], scale: &[(f64, f64)]) -> String {
    /// Numbers that are drawn.
    const DRAWN: usize = 80;
    const REACH: f64 = 3.0;
    let [width, height] = SIZE;
    let count = sample.len().clamp(1, DRAWN);
    let (each, middle) = (width as f64 / count as f64, height as f64 / 2.0);
    let mut inside = String::new();
    for (at, &x) in sample.iter().take(count).enumerate() {
        let (mean, deviation) = of(scale, at);
        let long = ((f64::from(x) - mean) / deviation).clamp(-REACH, REACH) / REACH * middle;
        let (top, left, wide) = (middle - long.max(0.0), each * at as f64, (each * 0.8).max(0.5));
        let tall = long.abs().max(0.6);
        let _ = write!(
            inside,
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\"/>"
        );
    }
    svg(&inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_get_lighter_all_the_way() {
        // Relative luminance of sRGB, with 2.2 in the place of its curve.
        let light = |value: f32| {
            let [r, g, b] = colour(value).map(|x| (f64::from(x) / 255.0).powf(2.2));
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let steps: Vec<f64> = (0..=32).map(|at| light(at as f32 / 32.0)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
        assert_eq!(colour(f32::NAN), colour(0.0));
        assert_eq!((colour(-1.0), colour(9.0)), (colour(0.0), colour(1.0)));
    }

    #[test]
    fn a_png_has_the_pixels_that_were_drawn() {
        let pixels = Pixels::of_bytes(&[0.0, 100.0, 200.0, 255.0, 10.0, 20.0], [2, 3, 1], 64);
        assert_eq!((pixels.width, pixels.height), (3, 2));
        assert_eq!(pixels.rgb[..6], [0, 0, 0, 100, 100, 100]);
        assert!(pixels.address().unwrap().starts_with("data:image/png;base64,iVBORw0KGgo"));
        let halved = Pixels::of_bytes(&[0.0, 100.0, 200.0, 100.0], [2, 2, 1], 1);
        assert_eq!((halved.width, halved.height, halved.rgb), (1, 1, vec![100; 3]));
        assert!(Pixels::of_map(&[], 0, 0).address().is_none());
    }
}
