nas 1
use std/blocks { ds_conv }

/// Twelve-label keyword spotting: ten words, `_unknown_` and `_silence_`, in one second of sound at 16 kHz.
///
/// Data:    the twelve-label layout of Speech Commands, a folder of WAV files for each label, speakers apart:
///          `nasc compile examples/kws/kws.nas --target cortex-m4 --data DIR`. DIR may also hold `train` and `test`
///          (or `val`), folders or archives. Without the set, `examples/kws/make-synthetic.sh` makes synthetic speech.
/// Budget:  a Cortex-M4 with 40 KiB of RAM and 112 KiB of flash for the bundle, front end included
/// Expect:  about 83 % on speakers that were not heard, in int8, from 2,000 clips; more from the full set

param epochs = 120

let width = 48..80 step 16  // of the first layers
let deep = 64..128 step 32  // of the last ones
let bands = {2, 4}  // of the spectrum that become one
let depth = 2..4
let kernel = {3, 5}

model kws(input: (49, 40, 1), classes: 12) {
  conv2d(filters: width, kernel: (7, 7), stride: (4, bands), norm: batch, act: relu)
  repeat depth { ds_conv(filters: width, kernel: kernel) }
  ds_conv(filters: deep, stride: 2)
  ds_conv(filters: deep)
  global_avg_pool
  dropout(rate: 0.1)
  dense(units: classes)
}

data {
  source: audio_folder(".", rate: 16 kHz, length: 1 s)
  split: by(speaker, train: 80 %, val: 10 %, test: 10 %)
  features: log_mel(frame: 40 ms, hop: 20 ms, filters: 40, every: 10, smooth: 4)
  augment: [
    shift(100 ms),
    gain(30 %),
    speed(10 %),
    noise(10 %),
    time_mask(100 ms),
    frequency_mask(6),
    mixup(0.3),
  ]
}

train {
  optimizer: adamw(lr: 5e-3, decay: 0.04)
  epochs: epochs
  batch: 64
  warmup: 5 %
  smoothing: 0.1
}
quantize { weights: i8, activations: i8, calibrate: 200 samples }

require { ram <= 40 KiB, flash <= 112 KiB }
maximize accuracy
minimize ram

search {
  strategy: random
  trials: 12
  fidelity: halving([20, 50])
  finalists: 3
  window: 4
  seed: 7
}
