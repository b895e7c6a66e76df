nas 1

/// Five activities from 1.25 s of acceleration and rotation rate (x, y, z each) at 100 samples a second.
///
/// Data:    windows of 128 x 6 floats as NumPy arrays with a table that names subjects:
///          `nasc compile examples/activity/activity.nas --target cortex-m4 --data DIR`, where DIR holds
///          `train_x.npy.gz`, `train_y.npy.gz`, `train.csv` and the same three files of `val`
/// Budget:  a Cortex-M4 with 6 KiB of RAM and 32 KiB of flash for the bundle
/// Expect:  macro-F1 of about .94 on subjects that were not seen, in int8

param epochs = 120

let width = 24..40 step 8
let deep = 32..64 step 8

model activity(input: (128, 6), classes: 5) {
  conv1d(filters: width, kernel: {5, 7}, stride: 2, norm: batch, act: relu)
  conv1d(filters: width, kernel: {3, 5}, stride: 2, norm: batch, act: relu)
  conv1d(filters: deep, kernel: 3, norm: batch, act: relu)
  optional { conv1d(filters: deep, kernel: 3, norm: batch, act: relu) }
  global_avg_pool
  dense(units: classes)
}

data {
  source: npy(
    train: "train_x.npy.gz",
    train_labels: "train_y.npy.gz",
    train_table: "train.csv",
    test: "val_x.npy.gz",
    test_labels: "val_y.npy.gz",
    test_table: "val.csv",
    group: "subject",
  )
  split: by(subject, train: 75 %, val: 10 %, test: 15 %)
  features: window(length: 128 samples, hop: 64 samples)
  normalize: standardize
  augment: [rotate(180)]
}

train {
  optimizer: adamw(lr: 5e-3, decay: 0.03)
  epochs: epochs
  batch: 64
  warmup: 5 %
  smoothing: 0.1
}
quantize { weights: i8, activations: i8, calibrate: 200 samples }

require { ram <= 6 KiB, flash <= 32 KiB }
maximize f1
minimize ram

search {
  strategy: random
  trials: 24
  fidelity: halving([30])
  finalists: 4
  replicates: 3
  window: 4
  seed: 7
}
