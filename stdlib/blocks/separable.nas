nas 1

/// Depthwise separable convolution with batch normalisation after both halves.
///
/// Source: arXiv:1704.04861 section 3.1
block ds_conv(filters, kernel: 3, stride: 1) {
  depthwise_conv2d(kernel: kernel, stride: stride, norm: batch, act: relu)
  conv2d(filters: filters, kernel: 1, norm: batch, act: relu)
}
