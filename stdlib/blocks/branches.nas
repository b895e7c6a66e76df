nas 1

/// Four branches side by side: 1x1; 1x1 then 3x3; 1x1 then 5x5; pooling then 1x1. The output has the sum of the four
/// widths.
///
/// Arguments: `one`, `three`, `five`, `pool` are the output channels of the branches, `three_in` and `five_in` those of
/// the 1x1 convolutions before the larger ones.
///
/// Source: arXiv:1409.4842 figure 2b, with batch normalisation as in arXiv:1502.03167
block inception(one: count, three_in: count, three: count, five_in: count, five: count, pool: count) {
  parallel merge concat {
    one: conv2d(filters: one, kernel: 1, norm: batch, act: relu)
    three: {
      conv2d(filters: three_in, kernel: 1, norm: batch, act: relu)
      conv2d(filters: three, kernel: 3, norm: batch, act: relu)
    }
    five: {
      conv2d(filters: five_in, kernel: 1, norm: batch, act: relu)
      conv2d(filters: five, kernel: 5, norm: batch, act: relu)
    }
    pool: {
      max_pool(size: 3, stride: 1, padding: same)
      conv2d(filters: pool, kernel: 1, norm: batch, act: relu)
    }
  }
}

/// SqueezeNet's module: a 1x1 convolution to few channels, then a 1x1 and a 3x3 one side by side.
///
/// Source: arXiv:1602.07360 section 3.2
block fire(squeeze: count, expand: count) {
  conv2d(filters: squeeze, kernel: 1, act: relu)
  parallel merge concat {
    one: conv2d(filters: expand, kernel: 1, act: relu)
    three: conv2d(filters: expand, kernel: 3, act: relu)
  }
}

/// `layers` layers, each of which adds `growth` channels to all that are there.
///
/// Source: arXiv:1608.06993 section 3, normalised after the convolution so that the integers need no layer for it
block dense_block(layers: count, growth: count) {
  repeat layers {
    parallel merge concat {
      kept: identity
      new: conv2d(filters: growth, kernel: 3, norm: batch, act: relu)
    }
  }
}
