nas 1
use std/blocks { mbconv }

/// TinyNAS, the space of MCUNet (arXiv:2007.10319), with its recipe for ImageNet on 320 kB of RAM and 1 MB of flash.
///
/// Outer space: 9 widths x 12 resolutions = 108 spaces. Inner space: five stages of 2 to 4 inverted residuals, each
/// with a kernel of 3, 5 or 7 and an expansion of 3, 4 or 6: (9^2 + 9^3 + 9^4)^5 = 7371^5, about 2.2e19, which is the
/// number in the paper's appendix. Together 108 * 7371^5, about 2.4e21.
///
/// What differs from the paper:
/// - The last, single block has kernel 3 and expansion 6. The released code lets it choose, too; the paper's count
///   does not.
/// - The 1x1 convolution to 1280 channels before the classifier is left out, as in the released models.
/// - Widths of depthwise convolutions follow from `channels`; everything else is multiplied by `width` and rounded to
///   a multiple of 8.
/// - The paper selects one of the 108 spaces by the mean work of feasible networks: `select` below.
///
/// Smaller boards: a file with `with std/spaces/mcunet` and its own `require`.
scale {
  width:      0.2..1.0 step 0.1
  resolution: 48..224 step 16
  round:      8
  select:     mean(macs, samples: 1000)
}

/// A stage of the super-network: the first block has the stride, all have the width.
block stage(filters: count, stride: count) {
  let depth = {2, 3, 4}
  mbconv(out: filters, expand: {3, 4, 6}, kernel: {3, 5, 7}, stride: stride)
  repeat depth - 1 {
    mbconv(out: filters, expand: {3, 4, 6}, kernel: {3, 5, 7})
  }
}

model tinynas(input: (224, 224, 3), classes: 1000) {
  conv2d(filters: 32, kernel: 3, stride: 2, norm: batch, act: relu6)
  mbconv(out: 16, expand: 1)
  stage(filters: 24, stride: 2)
  stage(filters: 40, stride: 2)
  stage(filters: 80, stride: 2)
  stage(filters: 96, stride: 1)
  stage(filters: 192, stride: 2)
  mbconv(out: 320, expand: 6)
  global_avg_pool
  dense(units: classes)
}

data {
  source:    image_folder("imagenet", size: 224)
  split:     lists(train: "train.csv", val: "val.csv", test: "test.csv")
  normalize: standardize
  augment:   [flip, crop(8 %)]
}

train {
  optimizer: sgd(lr: 0.05, momentum: 0.9, decay: 5e-5)
  schedule:  cosine
  epochs:    100
  batch:     256
}

quantize { weights: i8, activations: i8, calibrate: 200 samples }

/// Small kernels are the middle of large ones: the paper has no transform between them. Channels are sorted once the
/// largest network is trained.
supernet {
  elastic:     [kernel, expand, depth]
  sort:        l1
  recalibrate: batches(20, size: 64)
}

phase largest {
  epochs: 150
}

phase shrink {
  epochs: 300
  sample: 4
  open:   [kernel({3, 5, 7}), expand({3, 4, 6}), depth({2, 3, 4})]
}

search {
  strategy:  evolution(population: 100, generations: 30, parents: 20 %, mutation: 10 %, crossover: 50 %)
  trials:    3000
  finalists: 1
}

require {
  ram <= 320 kB on "stm32f746g-disco"
  flash <= 1 MB on "stm32f746g-disco"
}
maximize accuracy
