nas 1
use std/blocks { ds_conv }

/// A wide space on the task of `examples/kws`, by short trainings, for comparing strategies in the same time.
let kernel = {3, 5}

model kws(input: (49, 40, 1), classes: 12) {
  conv2d(filters: 8..64 step 8, kernel: {3, 5, 7}, stride: {4, (4, 2)}, norm: batch, act: relu)
  repeat depth: 1..5 { ds_conv(filters: 16..112 step 16, kernel: kernel, stride: {1, 2}) }
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder(".", rate: 16 kHz, length: 1 s)
  split: by(speaker, train: 60 %, val: 30 %, test: 10 %)
  features: log_mel(frame: 40 ms, hop: 20 ms, filters: 40, every: 10, smooth: 4)
  augment: [shift(100 ms), gain(30 %)]
}

train {
  optimizer: adamw(lr: 5e-3, decay: 0.04)
  epochs: 8
  batch: 32
  warmup: 5 %
  smoothing: 0.1
}
quantize { weights: i8, activations: i8, calibrate: 100 samples }

require { ram <= 40 KiB, flash <= 112 KiB }
maximize accuracy
minimize ram

search { strategy: random, trials: 10_000, window: 4, seed: 1 }
