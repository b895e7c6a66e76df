nas 1

/// µNAS (arXiv:2010.14246): free-form networks, every layer decided by itself, with its recipe and bounds for CIFAR-10.
///
/// 1 to 10 blocks of 1 to 3 layers; a block follows the block before it or is a branch beside it, branches are added
/// after max-pooling to the smallest map and zeros for missing channels; a final pooling; 1 to 3 dense layers.
///
/// Size. The authors multiply the options of the largest network:
///   10 * (2 * 3 * (3 * K * 128 * 2 * 2 * 2 * 2)^3)^10 * 2 * P * 3 * 247^3
/// (blocks; link, layers; type, kernel, filters, stride, pooling before, normalisation, activation; kind and size of
/// the final pooling, dense layers, units). Their function counts kernels 3 to 7 and sizes 2 to 6 as five values each,
/// K = P = 5, which gives 1.15e152; with the values that the code really uses K = P = 3 and 1.5e145. Networks that
/// differ are far fewer, since most options of that product are not there in most networks.
///
/// What differs from the authors' code:
/// - Convolutions and poolings keep the borders (`padding: same`): the code uses `valid` and cuts kernels to the map.
/// - The last layer of a branch keeps its own width and is filled with zeros; the code forces it to the width of the
///   main path.
/// - The final pooling is always there; the code may leave it out, which its own count does not count.
/// - Pruning is left out, as in the authors' runs without it. For the others, add
///   `train { prune: dpf(sparsity: 10 %..90 % step 1 %, structured: true, from: 90 epochs, to: 120 epochs) }`.
/// - The rate falls to a half at epoch 90 and to a tenth at epoch 105 there; here to a tenth at epoch 90.
model munas(input: (32, 32, 3), classes: 10) {
  repeat blocks: 1..10 branching merge add(pool, pad) {
    repeat layers: 1..3 {
      let kernel = {3, 5, 7}
      let filters = 1..128
      let stride = {1, 2}
      let norm = {none, batch}
      let act = {none, relu}
      optional pool_before {
        max_pool(size: 2, padding: same)
      }
      choose type {
        full: conv2d(filters: filters, kernel: kernel, stride: stride, norm: norm, act: act)
        pointwise: conv2d(filters: filters, kernel: 1, norm: norm, act: act)
        depthwise: depthwise_conv2d(kernel: kernel, stride: stride, norm: norm, act: act)
      }
    }
  }
  let size = {2, 4, 6}
  choose pool {
    average: avg_pool(size: size, padding: same)
    max: max_pool(size: size, padding: same)
  }
  flatten
  repeat hidden: 1..3 {
    dropout(rate: 15 %)
    dense(units: 10..256, act: relu)
  }
  dense(units: classes)
}

data {
  source:    cifar("cifar-10-batches-bin")
  split:     holdout(val: 10 %)
  normalize: standardize
  augment:   [flip, crop(12 %)]
}

train {
  optimizer: sgd(lr: 0.01, momentum: 0.9, decay: 1e-5)
  schedule:  step(every: 90 epochs, factor: 0.1)
  epochs:    130
  batch:     128
}

quantize { weights: i8, activations: i8, calibrate: 200 samples }

search {
  strategy: aging_evolution(population: 100, tournament: 25)
  trials:   6000
  morphs:   [
    insert, remove, change(link), change(pool_before), change(norm), change(act), change(stride), change(type),
    step(kernel), step(filters, by: [1, 3, 5]), change(pool), step(size), step(units, by: [1, 3, 5])
  ]
}

/// The bounds are soft: each divides its objective, and the worst of the four weighted by chance decides.
prefer {
  error <= 18 % weight 1
  ram(munas) <= 75 kB weight 1
  weights(munas) <= 75 kB weight 1
  macs <= 30000000 weight 1
}
minimize error
minimize ram(munas)
minimize weights(munas)
minimize macs
