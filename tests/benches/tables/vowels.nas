nas 1

/// A small space on the vowels of `examples/vowels`, for comparing strategies on all of its networks.
let kernel = {3, 5}

model vowels(input: (25, 12), classes: 9) {
  conv1d(filters: 4..24 step 4, kernel: kernel, stride: {1, 2}, norm: batch, act: relu)
  repeat depth: 1..2 {
    choose body {
      standard: conv1d(filters: {8, 16, 24}, kernel: 3, stride: {1, 2}, norm: batch, act: relu)
      separable: {
        depthwise_conv2d(kernel: (kernel, 1), norm: batch, act: relu)
        conv1d(filters: {8, 16, 24}, kernel: 1, norm: batch, act: relu)
      }
    }
  }
  global_avg_pool
  dense(units: classes)
}

data {
  source: ts(train: "JapaneseVowels_eq_TRAIN.ts", test: "JapaneseVowels_eq_TEST.ts")
  split: holdout(val: 40 %)
  normalize: standardize
}

train {
  optimizer: adamw(lr: 5e-3, decay: 0.05)
  epochs: 30
  batch: 30
  warmup: 5 %
  smoothing: 0.1
}

maximize accuracy
minimize ram
minimize macs

search { strategy: random, trials: 100, window: 4, seed: 7 }
