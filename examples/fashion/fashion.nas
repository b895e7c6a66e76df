nas 1
use std/blocks { ds_conv }

/// Ten kinds of clothing in pictures of 28 x 28 grey pixels.
///
/// Data:    Fashion-MNIST, 60,000 + 10,000 pictures, from Debian's dataset-fashion-mnist;
///          `examples/fashion/fetch.sh` gets it
/// Budget:  a Cortex-M4 with 13 KiB of RAM and 72 KiB of flash for the bundle
/// Expect:  about 92 % on the 10,000 test pictures, in int8

param epochs = 40

let first = 8..16 step 4
let width = 16..32 step 8
let deep = 48..80 step 16

model fashion(input: (28, 28, 1), classes: 10) {
  conv2d(filters: first, kernel: 3, norm: batch, act: relu)
  conv2d(filters: width, kernel: 3, stride: 2, norm: batch, act: relu)
  choose middle {
    dense: conv2d(filters: width, kernel: 3, norm: batch, act: relu)
    separable: ds_conv(filters: width)
  }
  conv2d(filters: deep, kernel: 3, stride: 2, norm: batch, act: relu)
  choose last {
    dense: conv2d(filters: deep, kernel: 3, norm: batch, act: relu)
    separable: repeat depth: 1..3 { ds_conv(filters: deep) }
  }
  global_avg_pool
  dense(units: classes)
}

data {
  source: idx(
    train: "train-images-idx3-ubyte.gz",
    train_labels: "train-labels-idx1-ubyte.gz",
    test: "t10k-images-idx3-ubyte.gz",
    test_labels: "t10k-labels-idx1-ubyte.gz",
    classes: [
      "T-shirt",
      "Trouser",
      "Pullover",
      "Dress",
      "Coat",
      "Sandal",
      "Shirt",
      "Sneaker",
      "Bag",
      "Boot",
    ],
  )
  split: holdout(val: 10 %)
  augment: [flip, crop(10 %)]
}

train {
  optimizer: adamw(lr: 4e-3, decay: 0.02)
  epochs: epochs
  batch: 128
  warmup: 5 %
  smoothing: 0.05
}
quantize { weights: i8, activations: i8, calibrate: 200 samples }

require { ram <= 13 KiB, flash <= 72 KiB }
maximize accuracy
minimize ram

search {
  strategy: random
  trials: 12
  fidelity: halving([5, 15])
  finalists: 2
  window: 4
  seed: 7
}
