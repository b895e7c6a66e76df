nas 1
use std/blocks { ds_conv }

/// Twelve-label keyword spotter.
let width = 24..64 step 8                 // a decision lives where it is written

model kws(classes: 12) {
  conv2d(filters: width, kernel: {(10, 4), (7, 3)}, stride: (2, 2), act: relu)
  repeat depth: 2..5 {
    choose body {
      separable: ds_conv(filters: width, kernel: {3, 5})
      standard:  conv2d(filters: width, kernel: 3, act: relu)
    }
  }
  global_avg_pool
  dense(units: classes)
}

data {
  source:   audio_folder("speech_commands", rate: 16 kHz)
  split:    by(speaker, train: 80 %, val: 10 %, test: 10 %)
  features: mfcc(frame: 40 ms, hop: 20 ms, coefficients: 10)
  augment:  [shift(100 ms), noise(10 %)]
}
train    { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 64 }
quantize { weights: i8, activations: i8, calibrate: 200 samples }
target "cortex-m4" { clock: 80 MHz }

require { ram <= 24 KiB, flash <= 96 KiB, latency <= 60 ms on "cortex-m4" }
prefer  { energy <= 2 mJ weight 0.2 }
maximize accuracy
minimize latency
search  { strategy: aging_evolution(population: 32, tournament: 8), trials: 120, finalists: 4, seed: 7 }
