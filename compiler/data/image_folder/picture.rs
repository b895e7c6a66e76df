//! One picture: from the bytes of its file to pixels of the wanted kind and size, in integers.

use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageReader};

use crate::diagnostic::{Code, Diagnostic};

/// Most pixels of a row or column.
pub(super) const SIDE: u32 = 4096;
/// Most memory of a decoder: twice a picture of that size with four channels of 16 bits.
const DECODER_BYTES: u64 = 2 * 8 * (SIDE as u64) * (SIDE as u64);

/// Pixels row by row, channels innermost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) height: usize,
    pub(super) width: usize,
    /// 1 or 3.
    channels: usize,
    pub(super) pixels: Vec<u8>,
}

/// Decodes PNG or JPEG, whichever the bytes are; messages call the file `shown`.
///
/// # Errors
/// E0702 for what is neither or damaged, E0706 for what is too large.
pub(super) fn decode(bytes: &[u8], shown: &str) -> Result<Picture, Diagnostic> {
    let problem = |error: ImageError| match error {
        ImageError::Limits(_) => {
            let message = format!("{shown}: the picture is larger than {SIDE} x {SIDE} pixels");
            Diagnostic::error(Code::DATA_LIMIT, message).help("shrink it before")
        }
        error => {
            let text = error.to_string();
            let message = format!("{shown} is no PNG or JPEG that can be decoded: {}", text.trim());
            Diagnostic::error(Code::DATA_FORMAT, message).help("mend the file, or remove it")
        }
    };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| problem(ImageError::IoError(error)))?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE), Some(SIDE));
    limits.max_alloc = Some(DECODER_BYTES);
    reader.limits(limits);
    let image = reader.decode().map_err(problem)?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let Some((channels, values)) = values(image) else {
        let message =
            format!("{shown}: the picture has another kind of pixels than integers of 8 or 16 bits");
        return Err(Diagnostic::error(Code::DATA_FORMAT, message).help("save it as PNG of 8 bits"));
    };
    let opaque = if channels > 2 { 3 } else { 1 };
    let pixels = match channels == opaque {
        true => values,
        false => values.chunks_exact(channels).flat_map(on_black).collect(),
    };
    Ok(Picture { height, width, channels: opaque, pixels })
}

/// Channels, the last of 2 or 4 being the opacity, and values of 8 bits.
fn values(image: DynamicImage) -> Option<(usize, Vec<u8>)> {
    // 257 steps of 16 bits are one of 8.
    let cut = |values: Vec<u16>| values.into_iter().map(|x| ((u32::from(x) + 128) / 257) as u8).collect();
    Some(match image {
        DynamicImage::ImageLuma8(pixels) => (1, pixels.into_raw()),
        DynamicImage::ImageLumaA8(pixels) => (2, pixels.into_raw()),
        DynamicImage::ImageRgb8(pixels) => (3, pixels.into_raw()),
        DynamicImage::ImageRgba8(pixels) => (4, pixels.into_raw()),
        DynamicImage::ImageLuma16(pixels) => (1, cut(pixels.into_raw())),
        DynamicImage::ImageLumaA16(pixels) => (2, cut(pixels.into_raw())),
        DynamicImage::ImageRgb16(pixels) => (3, cut(pixels.into_raw())),
        DynamicImage::ImageRgba16(pixels) => (4, cut(pixels.into_raw())),
        _ => return None,
    })
}

/// The colours of a pixel whose last value is its opacity, laid on black.
fn on_black(pixel: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let (&opacity, colours) = pixel.split_last().expect("a pixel has channels");
    colours.iter().map(move |&x| ((u32::from(x) * u32::from(opacity) + 127) / 255) as u8)
}

/// The brightness of a colour.
fn grey(pixel: &[u8]) -> u8 {
    ((77 * u32::from(pixel[0]) + 150 * u32::from(pixel[1]) + 29 * u32::from(pixel[2]) + 128) >> 8) as u8
}

impl Picture {
    /// The same in grey (1) or colour (3).
    pub(super) fn with_channels(self, channels: usize) -> Picture {
        let pixels = match (self.channels, channels) {
            (3, 1) => self.pixels.chunks_exact(3).map(grey).collect(),
            (1, 3) => self.pixels.iter().flat_map(|&x| [x; 3]).collect(),
            _ => return self,
        };
        Picture { channels, pixels, ..self }
    }

    /// The same, brought to another size: exact weighted averages, rounded once, halves up.
    pub(super) fn resized(self, height: usize, width: usize) -> Picture {
        if (height, width) == (self.height, self.width) {
            return self;
        }
        let (rows, columns) = (weights(self.height, height), weights(self.width, width));
        let (from, to) = (self.width * self.channels, width * self.channels);
        let whole = rows.total * columns.total;
        let mut pixels = Vec::with_capacity(height * to);
        let (mut sums, mut line) = (vec![0u64; to], vec![0u64; to]);
        for (first, of_rows) in &rows.of {
            sums.fill(0);
            for (row, &by) in (*first..).zip(of_rows) {
                self.shrink_row(&self.pixels[row * from..(row + 1) * from], &columns, &mut line);
                sums.iter_mut().zip(&line).for_each(|(sum, &x)| *sum += by * x);
            }
            pixels.extend(sums.iter().map(|sum| ((sum + whole / 2) / whole) as u8));
        }
        Picture { height, width, pixels, ..self }
    }

    /// Weighted sums along a row.
    fn shrink_row(&self, row: &[u8], columns: &Weights, into: &mut [u64]) {
        for (pixel, (first, of_columns)) in into.chunks_exact_mut(self.channels).zip(&columns.of) {
            pixel.fill(0);
            let sources = row[first * self.channels..].chunks_exact(self.channels);
            for (source, by) in sources.zip(of_columns) {
                pixel.iter_mut().zip(source).for_each(|(sum, &x)| *sum += by * u64::from(x));
            }
        }
    }
}

/// How pixels along one axis come from those before.
struct Weights {
    /// For each one, the first of its sources and the weights of all of them.
    of: Vec<(usize, Vec<u64>)>,
    /// The sum of the weights of each one.
    total: u64,
}

/// Weights from `before` pixels to `after`.
fn weights(before: usize, after: usize) -> Weights {
    if after <= before {
        // A pixel before is `after` units long, one after is `before` units long.
        let of = (0..after).map(|pixel| {
            let (start, end) = (pixel * before, (pixel + 1) * before);
            let first = start / after;
            let overlap = |source: usize| end.min((source + 1) * after) - start.max(source * after);
            (first, (first..end.div_ceil(after)).map(|source| overlap(source) as u64).collect())
        });
        return Weights { of: of.collect(), total: before as u64 };
    }
    // Centres of pixels lie on centres; beyond the outermost ones nothing changes.
    let unit = 2 * after;
    let of = (0..after).map(|pixel| {
        let place = ((2 * pixel + 1) * before).saturating_sub(after).min(unit * (before - 1));
        let (first, rest) = (place / unit, place % unit);
        let pair = [(unit - rest) as u64, rest as u64];
        (first, pair[..if rest == 0 { 1 } else { 2 }].to_vec())
    });
    Weights { of: of.collect(), total: unit as u64 }
}
