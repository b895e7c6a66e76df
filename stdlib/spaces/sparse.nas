nas 1
use std/blocks { downsampled_conv }

/// SpArSe (arXiv:1905.12107) for CIFAR-10 in two classes, as the public re-implementation SpArSeMod has it: the authors'
/// own code was never published.
///
/// Two convolution blocks of 1 to 3 layers; a layer is a convolution, a downsampled or a separable one with a kernel of
/// 2 to 5 and 1 to 100 filters; dropout for each block; pooling of 2 to 4 between the blocks or none; 0 to 2 dense
/// layers of 10 to 200 units. Training and pruning are decided with the network: rate, its decay and how often it
/// decays, batch, share of weights that is removed.
///
/// Size, with 1001 values for what is continuous there (r, the ratio of a downsampled layer, and d, dropout):
///   layer   L = 4 * 100 * (1 + r + 1)                     = 401 200
///   block   B = d * (L + L^2 + L^3)
///   network N = B^2 * (1 + 3) * (1 + 191 + 191^2)
///   recipe  R = 1001 * 1001 * 10 000 * 127 * 1001
/// All of it N * R, about 7.8e59.
///
/// What differs: borders are kept (`padding: same`), so that every point is a network; the decay counts epochs, not
/// steps; pruning is by magnitude at once, as in SpArSeMod, not by sparse variational dropout (`prune: spvd`).
block conv_block() {
  repeat layers: 1..3 {
    let kernel = 2..5
    let filters = 1..100
    choose type {
      standard: conv2d(filters: filters, kernel: kernel, act: relu)
      downsampled: downsampled_conv(filters: filters, kernel: kernel, ratio: 0.0..0.5)
      separable: {
        depthwise_conv2d(kernel: kernel, act: relu)
        conv2d(filters: filters, kernel: 1, act: relu)
      }
    }
  }
  dropout(rate: 10 %..50 %)
}

model sparse(input: (32, 32, 3), classes: 2) {
  conv_block
  optional pool {
    max_pool(size: 2..4, padding: same)
  }
  conv_block
  flatten
  repeat hidden: 0..2 {
    dense(units: 10..200, act: relu)
  }
  dense(units: classes)
}

data {
  source: image_folder("cifar10_binary", size: 32)
  split: holdout(val: 10 %)
  normalize: standardize
}

train {
  optimizer: adamw(lr: log 1e-4..1e-2)
  schedule: step(every: 1 epochs..10000 epochs, factor: 0.9..0.99)
  epochs: 50
  batch: 2..128
  prune: magnitude(sparsity: 5 %..90 %)
  inherit: true
}

quantize { weights: i8, activations: i8, calibrate: 200 samples }

/// Stage 1: random points, then the model, nothing removed.
phase explore {
  trials: 50
}

/// Stage 2: from what survived, weights are removed.
phase shrink {
  trials: 50
}

/// Stage 3: only changes of the front.
phase refine {
  trials: 50
  strategy: morphs
}

search {
  strategy: mobo(kernel: arc, scalarize: chebyshev, acquisition: thompson, initial: 15)
  trials: 150
}

maximize accuracy
minimize weights(sparse)
minimize ram(sparse_wm2)
