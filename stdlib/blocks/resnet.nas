nas 1

/// Two 3x3 convolutions with a shortcut around them. With a `stride`, or with `project: true`, the shortcut is a 1x1
/// convolution of that stride; else it is what came in, which then has to have `filters` channels to be added.
/// Write `project: true` where the width changes at stride 1.
///
/// Source: arXiv:1512.03385 section 3.3, option B
block basic_block(filters: count, stride: count = 1, project: bool = false) {
  when stride > 1 or project == true {
    parallel merge add {
      body: {
        conv2d(filters: filters, kernel: 3, stride: stride, norm: batch, act: relu)
        conv2d(filters: filters, kernel: 3, norm: batch)
      }
      shortcut: conv2d(filters: filters, kernel: 1, stride: stride, norm: batch)
    }
  } else {
    residual {
      conv2d(filters: filters, kernel: 3, norm: batch, act: relu)
      conv2d(filters: filters, kernel: 3, norm: batch)
    }
  }
  relu
}

/// ResNet-50's block: 1x1 to `filters`, 3x3 with the stride, 1x1 to `expand` times as many, with a shortcut as that of
/// `basic_block`.
///
/// Source: arXiv:1512.03385 figure 5; the stride is in the 3x3, as in most later implementations
block bottleneck(filters: count, stride: count = 1, expand: count = 4, project: bool = false) {
  when stride > 1 or project == true {
    parallel merge add {
      body: {
        conv2d(filters: filters, kernel: 1, norm: batch, act: relu)
        conv2d(filters: filters, kernel: 3, stride: stride, norm: batch, act: relu)
        conv2d(filters: filters * expand, kernel: 1, norm: batch)
      }
      shortcut: conv2d(filters: filters * expand, kernel: 1, stride: stride, norm: batch)
    }
  } else {
    residual {
      conv2d(filters: filters, kernel: 1, norm: batch, act: relu)
      conv2d(filters: filters, kernel: 3, norm: batch, act: relu)
      conv2d(filters: filters * expand, kernel: 1, norm: batch)
    }
  }
  relu
}
