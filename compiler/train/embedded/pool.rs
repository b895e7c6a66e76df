//! Pools and their gradients.

use rayon::prelude::*;

use crate::ops::Window;
use crate::train::embedded::Tensor;
use crate::train::embedded::depthwise::{Hits, each_sample, forward_hits};

/// The inputs of each window of an image.
struct Windows {
    rows: Hits,
    columns: Hits,
    width: usize,
    channels: usize,
}

impl Windows {
    fn new(window: &Window, input: [usize; 2], output: [usize; 2], channels: usize) -> Windows {
        Windows {
            rows: forward_hits(window, 0, output[0], input[0]),
            columns: forward_hits(window, 1, output[1], input[1]),
            width: input[1],
            channels,
        }
    }

    /// Calls `f` with the index of each window and the places of its pixels' first channels.
    fn each(&self, mut f: impl FnMut(usize, &[usize])) {
        let mut places = Vec::new();
        for (ho, rows) in self.rows.iter().enumerate() {
            for (wo, columns) in self.columns.iter().enumerate() {
                places.clear();
                for &(_, y) in rows {
                    places.extend(columns.iter().map(|&(_, x)| (y * self.width + x) * self.channels));
                }
                f(ho * self.columns.len() + wo, &places);
            }
        }
    }
}

/// Among the places, the first with the greatest element of a channel.
fn greatest(image: &[f32], places: &[usize], channel: usize) -> Option<usize> {
    let (&first, rest) = places.split_first()?;
    let better = |best: usize, next: usize| if image[next] > image[best] { next } else { best };
    Some(rest.iter().fold(first + channel, |best, &place| better(best, place + channel)))
}

fn pool(x: &Tensor, window: &Window, f: impl Fn(&[f32], &[usize], &mut [f32]) + Sync) -> Tensor {
    let [n, height, width, channels] = x.nhwc();
    let [ho, wo] = window.output("pool", [height, width]).expect("the window fits the input");
    let windows = Windows::new(window, [height, width], [ho, wo], channels);
    let result = ho * wo * channels;
    let mut out = vec![0.0; n * result];
    each_sample(x.data(), height * width * channels, &mut out, result, |image, out| {
        windows.each(|index, places| f(image, places, &mut out[index * channels..(index + 1) * channels]));
    });
    Tensor::new(&[n, ho, wo, channels], out)
}

pub(super) fn avg(x: &Tensor, window: &Window) -> Tensor {
    pool(x, window, |image, places, out| {
        for &place in places {
            out.iter_mut().zip(&image[place..]).for_each(|(sum, x)| *sum += x);
        }
        let count = places.len().max(1) as f32;
        out.iter_mut().for_each(|sum| *sum /= count);
    })
}

pub(super) fn max(x: &Tensor, window: &Window) -> Tensor {
    pool(x, window, |image, places, out| {
        for (channel, out) in out.iter_mut().enumerate() {
            *out = greatest(image, places, channel).map_or(0.0, |place| image[place]);
        }
    })
}

pub(super) fn avg_gradient(dy: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
    let [n, ho, wo, channels] = dy.nhwc();
    let windows = Windows::new(window, input, [ho, wo], channels);
    let result = input[0] * input[1] * channels;
    let mut out = vec![0.0; n * result];
    each_sample(dy.data(), ho * wo * channels, &mut out, result, |dy, out| {
        windows.each(|index, places| {
            let dy = &dy[index * channels..(index + 1) * channels];
            let count = places.len() as f32;
            for &place in places {
                out[place..].iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy / count);
            }
        });
    });
    Tensor::new(&[n, input[0], input[1], channels], out)
}

pub(super) fn max_gradient(dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let ([_, ho, wo, channels], [_, height, width, _]) = (dy.nhwc(), x.nhwc());
    let windows = Windows::new(window, [height, width], [ho, wo], channels);
    let (image, gradients) = (height * width * channels, ho * wo * channels);
    let samples: Vec<(&[f32], &[f32])> =
        x.data().chunks_exact(image).zip(dy.data().chunks_exact(gradients)).collect();
    let mut out = vec![0.0; x.data().len()];
    let run = |(x, dy): (&[f32], &[f32]), out: &mut [f32]| {
        windows.each(|index, places| {
            for channel in 0..channels {
                if let Some(place) = greatest(x, places, channel) {
                    out[place] += dy[index * channels + channel];
                }
            }
        });
    };
    out.par_chunks_mut(image).zip(samples).for_each(|(out, sample)| run(sample, out));
    Tensor::new(x.shape(), out)
}
