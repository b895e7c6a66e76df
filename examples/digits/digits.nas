nas 1
use std/blocks { ds_conv }

/// Ten spoken digits in one second of sound at 8 kHz.
///
/// Data:    recordings in folders `0` to `9`, such as the Free Spoken Digit Dataset:
///          `nasc compile examples/digits/digits.nas --target cortex-m4 --data DIR`, where DIR holds the folders, or
///          `train` and `test` (or `val`) with them, or archives of these
/// Budget:  a Cortex-M4 with 16 KiB of RAM and 40 KiB of flash for the bundle, front end included
/// Expect:  about 99 % on new recordings of the same speakers, in int8

param epochs = 60

let width = 32..64 step 16
let deep = 48..96 step 16
let depth = 1..2
let kernel = {3, 5}

model digits(input: (49, 32, 1), classes: 10) {
  conv2d(filters: width, kernel: (7, 5), stride: 4, norm: batch, act: relu)
  repeat depth { ds_conv(filters: width, kernel: kernel) }
  ds_conv(filters: deep, stride: 2)
  ds_conv(filters: deep)
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder(".", rate: 8 kHz, length: 1 s)
  split: by(file, train: 80 %, val: 10 %, test: 10 %)
  features: log_mel(frame: 40 ms, hop: 20 ms, filters: 32, every: 10, smooth: 2)
  augment: [shift(100 ms), gain(30 %), speed(10 %), noise(5 %), time_mask(60 ms), frequency_mask(4)]
}

train {
  optimizer: adamw(lr: 5e-3, decay: 0.03)
  epochs: epochs
  batch: 64
  warmup: 5 %
  smoothing: 0.1
}
quantize { weights: i8, activations: i8, calibrate: 200 samples }

require { ram <= 16 KiB, flash <= 40 KiB }
maximize accuracy
minimize ram

search {
  strategy: random
  trials: 16
  fidelity: halving([15])
  finalists: 3
  window: 4
  seed: 7
}
