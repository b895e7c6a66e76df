nas 1

/// Depthwise separable convolution with batch normalisation after both halves.
///
/// Source: arXiv:1704.04861 section 3.1
block ds_conv(filters, kernel: 3, stride: 1) {
  depthwise_conv2d(kernel: kernel, stride: stride, norm: batch, act: relu)
  conv2d(filters: filters, kernel: 1, norm: batch, act: relu)
}

/// Downsampled convolution: a 1x1 convolution to `ratio` of the channels, at least one, then a `kernel` one to `filters`.
///
/// Source: arXiv:1905.12107 section 3
block downsampled_conv(filters: count, kernel: pair = 3, ratio: number = 0.5, act: activation = relu) {
  conv2d(filters: max(1, round(channels * ratio)), kernel: 1)
  conv2d(filters: filters, kernel: kernel, act: act)
}
