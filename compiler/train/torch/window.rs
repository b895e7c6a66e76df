//! Convolutions and pools with their gradients.
//!
//! libtorch pads both ends of a dimension alike. Where they differ, the padding is made as a tensor of its own, and
//! cut off gradients again.

use tch::{Kind, Tensor};

use crate::ops::{Padding, Window};
use crate::train::torch::sizes;

/// `[N,H,W,C]` as `[N,C,H,W]`, without a copy.
fn channels_second(x: &Tensor) -> Tensor {
    x.permute([0, 3, 1, 2])
}

/// `[N,C,H,W]` as `[N,H,W,C]`, without a copy.
fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1])
}

/// Depthwise weights `[1,Kh,Kw,C]` as `[C,1,Kh,Kw]`.
fn depthwise_weights(w: &Tensor) -> Tensor {
    w.permute([3, 0, 1, 2])
}

/// Whether libtorch can pad for this window itself.
fn is_even(padding: &Padding) -> bool {
    padding.top == padding.bottom && padding.left == padding.right
}

/// Rows and columns of the padded input.
fn padded_extents(window: &Window, input: [usize; 2]) -> [usize; 2] {
    let Padding { top, bottom, left, right } = window.padding;
    [top + input[0] + bottom, left + input[1] + right]
}

/// The input `[N,C,H,W]` with all padding around it.
fn padded(x: Tensor, window: &Window, value: f64) -> Tensor {
    let padding @ Padding { top, bottom, left, right } = window.padding;
    if padding == Padding::default() {
        x
    } else {
        x.pad(sizes(&[left, right, top, bottom]), "constant", value)
    }
}

/// What [`padded`] adds, cut off.
fn cropped(x: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
    let [height, width] = input.map(|extent| extent as i64);
    let Padding { top, left, .. } = window.padding;
    x.narrow(2, top as i64, height).narrow(3, left as i64, width)
}

/// Convolution of `[N,C,H,W]` in groups of channels.
fn convolved(x: Tensor, w: &Tensor, bias: Option<Tensor>, window: &Window, groups: i64) -> Tensor {
    let (x, padding) = match is_even(&window.padding) {
        true => (x, [window.padding.top, window.padding.left]),
        false => (padded(x, window, 0.0), [0, 0]),
    };
    let (stride, dilation) = (sizes(&window.stride), sizes(&window.dilation));
    x.convolution(w, bias, stride, sizes(&padding), dilation, false, [0, 0], groups)
}

/// The gradient of [`convolved`] with respect to its input: the transposed convolution.
fn spread(dy: &Tensor, w: &Tensor, window: &Window, input: [usize; 2], groups: i64) -> Tensor {
    let extents = padded_extents(window, input);
    // Rows and columns of the input behind the last window.
    let behind = [0, 1].map(|axis| {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        ((extents[axis] - reach) % window.stride[axis]) as i64
    });
    let (stride, dilation) = (sizes(&window.stride), sizes(&window.dilation));
    let even = is_even(&window.padding);
    let padding = if even { [window.padding.top, window.padding.left] } else { [0, 0] };
    let dx = dy.convolution(w, None::<Tensor>, stride, sizes(&padding), dilation, true, behind, groups);
    if even { dx } else { cropped(&dx, window, input) }
}

/// The gradient of [`convolved`] with respect to weights of this size.
///
/// libtorch's own kernel for it is reached through its differentiation alone. The convolution is linear in its
/// weights, so any stand for them.
fn weight_gradient(dy: &Tensor, x: Tensor, size: [i64; 4], window: &Window, groups: i64) -> Tensor {
    tch::with_grad(|| {
        let w = Tensor::zeros(size, (dy.kind(), dy.device())).set_requires_grad(true);
        let y = convolved(x, &w, None, window, groups);
        let objective = (y * dy).sum(None::<Kind>);
        Tensor::run_backward(&[objective], &[&w], false, false).remove(0)
    })
}

pub(super) fn conv2d(x: &Tensor, w: &Tensor, bias: Option<Tensor>, window: &Window) -> Tensor {
    channels_last(&convolved(channels_second(x), &channels_second(w), bias, window, 1))
}

pub(super) fn conv2d_input_gradient(dy: &Tensor, w: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
    channels_last(&spread(&channels_second(dy), &channels_second(w), window, input, 1))
}

pub(super) fn conv2d_weight_gradient(dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let (filters, channels) = (dy.size()[3], x.size()[3]);
    let [kh, kw] = window.kernel.map(|extent| extent as i64);
    if *window == Window::valid([1, 1], [1, 1]) {
        let dw = dy.reshape([-1, filters]).tr().mm(&x.reshape([-1, channels]));
        return dw.reshape([filters, 1, 1, channels]);
    }
    let size = [filters, channels, kh, kw];
    channels_last(&weight_gradient(&channels_second(dy), channels_second(x), size, window, 1))
}

pub(super) fn depthwise(x: &Tensor, w: &Tensor, bias: Option<Tensor>, window: &Window) -> Tensor {
    let channels = x.size()[3];
    channels_last(&convolved(channels_second(x), &depthwise_weights(w), bias, window, channels))
}

pub(super) fn depthwise_input_gradient(
    dy: &Tensor,
    w: &Tensor,
    window: &Window,
    input: [usize; 2],
) -> Tensor {
    let channels = dy.size()[3];
    channels_last(&spread(&channels_second(dy), &depthwise_weights(w), window, input, channels))
}

pub(super) fn depthwise_weight_gradient(dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let channels = x.size()[3];
    let [kh, kw] = window.kernel.map(|extent| extent as i64);
    let size = [channels, 1, kh, kw];
    let dw = weight_gradient(&channels_second(dy), channels_second(x), size, window, channels);
    dw.permute([1, 2, 3, 0])
}

/// Input elements of each window, `[1,Ho,Wo,1]`.
fn counts(window: &Window, input: [usize; 2], like: &Tensor) -> Tensor {
    let output = window.output("pool", input).expect("the window fits the input");
    let along = |axis: usize| -> Vec<f32> {
        let taps = |output: usize| window.taps(axis, output, input[axis]);
        (0..output[axis]).map(|output| (taps(output).1 - taps(output).0) as f32).collect()
    };
    let (rows, columns) = (along(0), along(1));
    let counts: Vec<f32> = rows.iter().flat_map(|rows| columns.iter().map(move |c| rows * c)).collect();
    let shape = sizes(&[1, output[0], output[1], 1]);
    Tensor::from_slice(&counts).reshape(shape).to_kind(like.kind()).to_device(like.device())
}

/// The window of a pool over input that is padded already.
fn unpadded(window: &Window) -> Window {
    Window { padding: Padding::default(), ..*window }
}

/// Weights `[C,1,Kh,Kw]` that sum up windows: libtorch's mean of windows knows no dilation.
fn ones(window: &Window, channels: i64, like: &Tensor) -> Tensor {
    let [kh, kw] = window.kernel.map(|extent| extent as i64);
    Tensor::ones([channels, 1, kh, kw], (like.kind(), like.device()))
}

pub(super) fn avg_pool(x: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
    let channels = x.size()[3];
    let around = padded(channels_second(x), window, 0.0);
    let sums = if window.dilation == [1, 1] {
        let (kernel, stride) = (sizes(&window.kernel), sizes(&window.stride));
        around.avg_pool2d(kernel, stride, [0, 0], false, true, 1)
    } else {
        convolved(around, &ones(window, channels, x), None, &unpadded(window), channels)
    };
    channels_last(&sums) / counts(window, input, x).clamp_min(1.0)
}

pub(super) fn avg_pool_gradient(dy: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
    let (samples, channels) = (dy.size()[0], dy.size()[3]);
    let share = channels_second(&(dy / counts(window, input, dy).clamp_min(1.0)));
    let extents @ [height, width] = padded_extents(window, input);
    let dx = if window.dilation == [1, 1] {
        // Its extents and layout are looked at, its elements are not.
        let around =
            Tensor::empty([samples, height as i64, width as i64, channels], (dy.kind(), dy.device()));
        let (kernel, stride) = (sizes(&window.kernel), sizes(&window.stride));
        channels_second(&around).avg_pool2d_backward(&share, kernel, stride, [0, 0], false, true, 1)
    } else {
        spread(&share, &ones(window, channels, dy), &unpadded(window), extents, channels)
    };
    channels_last(&cropped(&dx, window, input))
}

/// Greatest elements of padded windows `[N,C,Ho,Wo]`, with their places.
fn greatest(x: &Tensor, window: &Window) -> (Tensor, Tensor) {
    let (kernel, stride) = (sizes(&window.kernel), sizes(&window.stride));
    x.max_pool2d_with_indices(kernel, stride, [0, 0], sizes(&window.dilation), false)
}

pub(super) fn max_pool(x: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
    let y = channels_last(&greatest(&padded(channels_second(x), window, f64::NEG_INFINITY), window).0);
    if window.padding == Padding::default() {
        return y;
    }
    y.where_scalarother(&counts(window, input, x).gt(0.0), 0.0)
}

pub(super) fn max_pool_gradient(dy: &Tensor, x: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
    let around = padded(channels_second(x), window, f64::NEG_INFINITY);
    let (_, places) = greatest(&around, window);
    let (kernel, stride, dilation) = (sizes(&window.kernel), sizes(&window.stride), sizes(&window.dilation));
    let dy = channels_second(dy);
    let dx = around.max_pool2d_with_indices_backward(&dy, kernel, stride, [0, 0], dilation, false, &places);
    channels_last(&cropped(&dx, window, input))
}
