//! Pools and their gradients.

use super::arena::Scratch;
use super::isa::multiversion;
use super::tasks::{self, ELEMENT};
use super::{EmbeddedEngine, Tensor};
use crate::ops::Window;

/// A window on images of one shape.
struct Windows {
    window: Window,
    input: [usize; 2],
    output: [usize; 2],
    channels: usize,
}

impl Windows {
    /// Calls `f` with the index of each window, the number of its pixels, and a function that calls another with
    /// the place of each pixel's first channel.
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(usize, usize, &mut dyn Iterator<Item = usize>)) {
        let [height, width] = self.input;
        let window = &self.window;
        for ho in 0..self.output[0] {
            let (top, bottom) = window.taps(0, ho, height);
            for wo in 0..self.output[1] {
                let (left, right) = window.taps(1, wo, width);
                let count = (bottom - top) * (right - left);
                let place = |k: usize| {
                    let (kh, kw) = (top + k / (right - left), left + k % (right - left));
                    (window.input(0, ho, kh) * width + window.input(1, wo, kw)) * self.channels
                };
                f(ho * self.output[1] + wo, count, &mut (0..count).map(place));
            }
        }
    }
}

multiversion! {
    fn avg_image(windows: &Windows, image: &[f32], out: &mut [f32]) {
        let c = windows.channels;
        windows.each(|index, count, places| {
            let out = &mut out[index * c..(index + 1) * c];
            out.fill(0.0);
            for place in places {
                out.iter_mut().zip(&image[place..]).for_each(|(sum, x)| *sum += x);
            }
            let count = count.max(1) as f32;
            out.iter_mut().for_each(|sum| *sum /= count);
        });
    }

    fn avg_gradient_image(windows: &Windows, dy: &[f32], share: &mut [f32], out: &mut [f32]) {
        let c = windows.channels;
        out.fill(0.0);
        windows.each(|index, count, places| {
            let (dy, count) = (&dy[index * c..(index + 1) * c], count as f32);
            share.iter_mut().zip(dy).for_each(|(share, dy)| *share = dy / count);
            for place in places {
                out[place..].iter_mut().zip(&*share).for_each(|(sum, share)| *sum += share);
            }
        });
    }

    fn max_image(windows: &Windows, image: &[f32], out: &mut [f32]) {
        let c = windows.channels;
        windows.each(|index, _, places| {
            let out = &mut out[index * c..(index + 1) * c];
            match places.next() {
                None => out.fill(0.0),
                Some(place) => out.copy_from_slice(&image[place..place + c]),
            }
            for place in places {
                let next = image[place..].iter();
                out.iter_mut().zip(next).for_each(|(best, x)| *best = if x > best { *x } else { *best });
            }
        });
    }

    /// `best` and `at` hold an element for each channel: the greatest so far and its place.
    fn max_gradient_image(
        windows: &Windows,
        sides: (&[f32], &[f32]),
        best: &mut [f32],
        at: &mut [f32],
        out: &mut [f32],
    ) {
        let c = windows.channels;
        let (image, dy) = sides;
        out.fill(0.0);
        windows.each(|index, count, places| {
            if count == 0 {
                return;
            }
            for (order, place) in places.enumerate() {
                let candidates = image[place..place + c].iter().enumerate();
                for (((channel, &x), best), at) in candidates.zip(best.iter_mut()).zip(at.iter_mut()) {
                    let better = order == 0 || x > *best;
                    *best = if better { x } else { *best };
                    *at = if better { f32::from_bits((place + channel) as u32) } else { *at };
                }
            }
            let dy = &dy[index * c..(index + 1) * c];
            at.iter().zip(dy).for_each(|(at, dy)| out[at.to_bits() as usize] += dy);
        });
    }
}

/// Runs `f` with each sample of a source and of a result.
fn each_sample(source: &Tensor, out: &mut Tensor, work: usize, f: impl Fn(usize, &[f32], &mut [f32]) + Sync) {
    let n = source.nhwc()[0].max(1);
    let (image, result) = (source.data().len() / n, out.data().len() / n);
    tasks::chunks(ELEMENT * work * n, out.data_mut(), result, |sample, out| {
        f(sample, &source.data()[sample * image..(sample + 1) * image], out);
    });
}

/// The windows of an operator, and the elements that they hold in all.
fn windows(window: &Window, input: [usize; 2], channels: usize) -> (Windows, usize) {
    let output = window.output("pool", input).expect("the window fits the input");
    let work = output[0] * output[1] * window.kernel[0] * window.kernel[1] * channels;
    (Windows { window: *window, input, output, channels }, work)
}

pub(super) fn avg(engine: &EmbeddedEngine, x: &Tensor, window: &Window) -> Tensor {
    let [n, height, width, channels] = x.nhwc();
    let (windows, work) = windows(window, [height, width], channels);
    let mut out = engine.fresh(&[n, windows.output[0], windows.output[1], channels]);
    each_sample(x, &mut out, work, |_, image, out| avg_image(engine.isa, &windows, image, out));
    out
}

pub(super) fn max(engine: &EmbeddedEngine, x: &Tensor, window: &Window) -> Tensor {
    let [n, height, width, channels] = x.nhwc();
    let (windows, work) = windows(window, [height, width], channels);
    let mut out = engine.fresh(&[n, windows.output[0], windows.output[1], channels]);
    each_sample(x, &mut out, work, |_, image, out| max_image(engine.isa, &windows, image, out));
    out
}

pub(super) fn avg_gradient(
    engine: &EmbeddedEngine,
    dy: &Tensor,
    window: &Window,
    input: [usize; 2],
) -> Tensor {
    let [n, ho, wo, channels] = dy.nhwc();
    let (windows, work) = windows(window, input, channels);
    assert_eq!([ho, wo], windows.output, "the gradient of a pool");
    let mut out = engine.fresh(&[n, input[0], input[1], channels]);
    each_sample(dy, &mut out, work, |_, dy, out| {
        let mut share = Scratch::new(&engine.arena, channels);
        avg_gradient_image(engine.isa, &windows, dy, &mut share.floats_mut()[..channels], out);
    });
    out
}

pub(super) fn max_gradient(engine: &EmbeddedEngine, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let [n, height, width, channels] = x.nhwc();
    let (windows, work) = windows(window, [height, width], channels);
    assert_eq!(dy.nhwc(), [n, windows.output[0], windows.output[1], channels], "the gradient of a pool");
    assert!(u32::try_from(height * width * channels).is_ok(), "places of a sample in 32 bits");
    let mut out = engine.fresh(x.shape());
    let result = windows.output[0] * windows.output[1] * channels;
    each_sample(x, &mut out, work, |sample, image, out| {
        let mut scratch = Scratch::new(&engine.arena, 2 * channels);
        let (best, at) = scratch.floats_mut()[..2 * channels].split_at_mut(channels);
        let dy = &dy.data()[sample * result..(sample + 1) * result];
        max_gradient_image(engine.isa, &windows, (image, dy), best, at, out);
    });
    out
}
