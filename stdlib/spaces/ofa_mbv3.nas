nas 1
use std/blocks { mbconv, mbconv_se }

/// Once-for-All on MobileNetV3-Large (arXiv:1908.09791), with progressive shrinking as published.
///
/// Five units of 2 to 4 blocks, each block with a kernel of 3, 5 or 7 and an expansion of 3, 4 or 6:
/// (9^2 + 9^3 + 9^4)^5 = 7371^5, about 2.2e19. Resolutions 128 to 224 in steps of 4: 25 values, so 25 * 7371^5,
/// about 5.4e20.
///
/// What is the paper's: widths 16, 16, 24, 40, 80, 112, 160; strides, activations and squeeze-excitation of
/// MobileNetV3-Large; phases with their epochs, rates (for 32 GPUs together) and networks in a step.
///
/// What differs:
/// - Five warm-up epochs before 120 are written as 125 with 4 % of them warm-up.
/// - The paper draws another resolution for every batch; here `res` is a decision like the others.
/// - Its accuracy predictor (16 000 networks) has no section; `trials` is their number.
param res: count = 128..224 step 4

/// A unit without squeeze-excitation: the first block has the stride.
block unit(filters: count, stride: count, act: activation) {
  let depth = {2, 3, 4}
  mbconv(out: filters, expand: {3, 4, 6}, kernel: {3, 5, 7}, stride: stride, act: act)
  repeat depth - 1 {
    mbconv(out: filters, expand: {3, 4, 6}, kernel: {3, 5, 7}, act: act)
  }
}

/// A unit with squeeze-excitation.
block unit_se(filters: count, stride: count, act: activation) {
  let depth = {2, 3, 4}
  mbconv_se(out: filters, expand: {3, 4, 6}, kernel: {3, 5, 7}, stride: stride, act: act)
  repeat depth - 1 {
    mbconv_se(out: filters, expand: {3, 4, 6}, kernel: {3, 5, 7}, act: act)
  }
}

model ofa(input: (res, res, 3), classes: 1000) {
  conv2d(filters: 16, kernel: 3, stride: 2, norm: batch, act: hswish)
  mbconv(out: 16, expand: 1, act: relu)
  unit(filters: 24, stride: 2, act: relu)
  unit_se(filters: 40, stride: 2, act: relu)
  unit(filters: 80, stride: 2, act: hswish)
  unit_se(filters: 112, stride: 1, act: hswish)
  unit_se(filters: 160, stride: 2, act: hswish)
  conv2d(filters: 960, kernel: 1, norm: batch, act: hswish)
  global_avg_pool
  dense(units: 1280, act: hswish)
  dropout(rate: 10 %)
  dense(units: classes)
}

data {
  source: image_folder("imagenet", size: 224)
  split: lists(train: "train.csv", val: "val.csv", test: "test.csv")
  normalize: standardize
  augment: [flip, crop(8 %)]
}

train {
  optimizer: sgd(lr: 2.6, momentum: 0.9, nesterov: true, decay: 3e-5)
  schedule: cosine
  epochs: 180
  batch: 2048
  smoothing: 0.1
}

quantize { weights: i8, activations: i8, calibrate: 200 samples }

supernet {
  elastic: [kernel, depth, expand]
  transform: kernel
  sort: l1
  recalibrate: batches(20, size: 100)
}

phase full {
  epochs: 180
  lr: 2.6
}

phase kernel {
  epochs: 125
  warmup: 4 %
  lr: 0.96
  open: [kernel({3, 5, 7})]
  distill: largest(temperature: 1, weight: 1)
}

phase depth_1 {
  epochs: 25
  lr: 0.08
  sample: 2
  open: [depth({3, 4})]
  distill: largest(temperature: 1, weight: 1)
}

phase depth_2 {
  epochs: 125
  warmup: 4 %
  lr: 0.24
  sample: 2
  open: [depth({2, 3, 4})]
  distill: largest(temperature: 1, weight: 1)
}

phase expand_1 {
  epochs: 25
  lr: 0.08
  sample: 4
  open: [expand({4, 6})]
  distill: largest(temperature: 1, weight: 1)
}

phase expand_2 {
  epochs: 125
  warmup: 4 %
  lr: 0.24
  sample: 4
  open: [expand({3, 4, 6})]
  distill: largest(temperature: 1, weight: 1)
}

search {
  strategy: evolution(
    population: 100,
    generations: 500,
    parents: 25 %,
    mutation: 10 %,
    crossover: 50 %,
  )
  trials: 16000
}

/// The published point: 76.0 % of ImageNet with 230 million multiply-accumulates.
require { macs <= 230000000 }
maximize accuracy
