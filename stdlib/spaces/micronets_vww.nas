nas 1

/// MicroNets for visual wake words (arXiv:2010.11267): MobileNetV2 of which every convolution has 10 % to 100 % of its
/// width.
///
/// Size: 35 convolutions whose width is decided (the first, the last, the projection of the first block, expansion and
/// projection of 16 others) with ten widths each, and two inputs: 2 * 10^35.
///
/// What is the paper's: backbone, shares, the two grey inputs of 50x50 and 160x160, the recipe. What differs: what came
/// in is added where the widths happen to be equal; the text does not say how the authors tie them.
param res: count = {50, 160}

/// An inverted residual with both widths given at 100 %.
block inverted(widened: count, out: count, stride: count = 1) {
  residual {
    let expansion = 1..10
    let projection = 1..10
    conv2d(filters: round(widened * expansion / 10), kernel: 1, norm: batch, act: relu6)
    depthwise_conv2d(kernel: 3, stride: stride, norm: batch, act: relu6)
    conv2d(filters: round(out * projection / 10), kernel: 1, norm: batch)
  }
}

model vww(input: (res, res, 1), classes: 2) {
  let first = 1..10
  conv2d(filters: round(32 * first / 10), kernel: 3, stride: 2, norm: batch, act: relu6)
  residual {
    let projection = 1..10
    depthwise_conv2d(kernel: 3, norm: batch, act: relu6)
    conv2d(filters: round(16 * projection / 10), kernel: 1, norm: batch)
  }
  inverted(widened: 96, out: 24, stride: 2)
  inverted(widened: 144, out: 24)
  inverted(widened: 144, out: 32, stride: 2)
  inverted(widened: 192, out: 32)
  inverted(widened: 192, out: 32)
  inverted(widened: 192, out: 64, stride: 2)
  inverted(widened: 384, out: 64)
  inverted(widened: 384, out: 64)
  inverted(widened: 384, out: 64)
  inverted(widened: 384, out: 96)
  inverted(widened: 576, out: 96)
  inverted(widened: 576, out: 96)
  inverted(widened: 576, out: 160, stride: 2)
  inverted(widened: 960, out: 160)
  inverted(widened: 960, out: 160)
  inverted(widened: 960, out: 320)
  let last = 1..10
  conv2d(filters: 128 * last, kernel: 1, norm: batch, act: relu6)
  global_avg_pool
  dense(units: classes)
}

data {
  source: image_folder("vww", size: 160, channels: 1)
  split: holdout(val: 10 %)
  normalize: standardize
  augment: [flip, crop(10 %), brightness(20 %)]
}

train {
  optimizer: sgd(lr: 0.36, momentum: 0.9, decay: 4e-5)
  schedule: cosine
  epochs: 200
  batch: 768
}

quantize { weights: i8, activations: i8, calibrate: 200 samples, aware: whole }

search {
  strategy: dnas(temperature: 5..0.1)
  trials: 100
  finalists: 3
}

require {
  ram(inout) <= 280 kB on "stm32f746g-disco"
  flash <= 900 kB on "stm32f746g-disco"
}
prefer { latency <= 1 s on "stm32f746g-disco" weight 1 }
maximize accuracy
