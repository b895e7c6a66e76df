nas 1

/// Inverted residual of MobileNetV2: a 1x1 convolution to `expand` times the channels (left out where `expand` is 1),
/// a depthwise one, a linear 1x1 to `out`; what came in is added where the shapes are equal.
///
/// Arguments: `out` channels, `expand` at least 1, `kernel` and `stride` of the depthwise convolution, `act` after the
/// first two convolutions.
///
/// Source: arXiv:1801.04381 section 3.3
block mbconv(
  out: count,
  expand: number = 6,
  kernel: pair = 3,
  stride: pair = 1,
  act: activation = relu6,
) {
  residual {
    when expand > 1 {
      conv2d(filters: make_divisible(channels * expand, 8), kernel: 1, norm: batch, act: act)
    }
    depthwise_conv2d(kernel: kernel, stride: stride, norm: batch, act: act)
    conv2d(filters: out, kernel: 1, norm: batch)
  }
}

/// Inverted residual of MobileNetV3: as `mbconv`, with each channel of the widened map weighted before the last
/// convolution.
///
/// Source: arXiv:1905.02244 section 5.3
block mbconv_se(
  out: count,
  expand: number = 6,
  kernel: pair = 3,
  stride: pair = 1,
  act: activation = hswish,
) {
  residual {
    when expand > 1 {
      conv2d(filters: make_divisible(channels * expand, 8), kernel: 1, norm: batch, act: act)
    }
    depthwise_conv2d(kernel: kernel, stride: stride, norm: batch, act: act)
    squeeze_excite(ratio: 4)
    conv2d(filters: out, kernel: 1, norm: batch)
  }
}

/// Squeeze and excitation: a weight from 0 to 1 for each channel, from the means of all channels by two dense layers
/// of which the first has one `ratio`-th of the channels.
///
/// Source: arXiv:1709.01507 section 3; the hard sigmoid and the multiple of 8 are those of arXiv:1905.02244
block squeeze_excite(ratio: count = 4, act: activation = relu, gate: activation = hsigmoid) {
  parallel merge mul {
    map: identity
    weights: {
      let width = channels
      global_avg_pool
      dense(units: make_divisible(width / ratio, 8), act: act)
      dense(units: width, act: gate)
    }
  }
}
