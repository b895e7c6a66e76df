nas 1

/// Which of nine speakers said the vowel pair /ae/: 12 cepstral coefficients over 25 frames.
///
/// Data:    JapaneseVowels, 270 + 370 utterances; `examples/vowels/fetch.sh` gets it
/// Budget:  a Cortex-M4 with 2 KiB of RAM and 24 KiB of flash for the bundle, 6 KiB of these for weights
/// Expect:  about 98 % on the 370 test utterances, in int8

let width = 16..32 step 8  // one decision, here for all layers

model vowels(input: (25, 12), classes: 9) {
  conv1d(filters: width, kernel: {3, 5}, norm: batch, act: relu)
  repeat depth: 1..2 {
    choose body {
      standard: conv1d(filters: width, kernel: {3, 5}, stride: {1, 2}, norm: batch, act: relu)
      separable: {
        depthwise_conv2d(kernel: ({3, 5}, 1), norm: batch, act: relu)
        conv1d(filters: width, kernel: 1, norm: batch, act: relu)
      }
    }
  }
  global_avg_pool
  dense(units: classes)
}

data {
  source: ts(train: "JapaneseVowels_eq_TRAIN.ts", test: "JapaneseVowels_eq_TEST.ts")
  split: holdout(val: 20 %)
  normalize: standardize
}

train {
  optimizer: adamw(lr: 5e-3, decay: 0.05)
  epochs: 100
  batch: 30
  warmup: 5 %
  smoothing: 0.1
}
quantize { weights: i8, activations: i8, calibrate: 200 samples }

require { ram <= 2 KiB, weights <= 6 KiB, flash <= 24 KiB }
maximize accuracy
minimize ram

search { strategy: random, trials: 10, finalists: 3, replicates: 3, window: 4, seed: 7 }
