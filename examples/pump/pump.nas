nas 1

/// Whether a water pump runs as it should: an autoencoder learns a minute of the normal signals of three sensors, and
/// what it cannot reconstruct is an anomaly.
///
/// Data:    SKAB, CSV files of one sample a second, in a folder or archive `skab`:
///          `nasc compile examples/pump/pump.nas --target cortex-m4 --data DIR`
/// Budget:  a Cortex-M4 with 4 KiB of RAM and 16 KiB of flash for the bundle
/// Expect:  an area under the curve of about .64 on files that were not seen. The distance from the mean alone reaches
///          .68: anomalies are shifts of the level, which an autoencoder of levels learns to give again, and the normal
///          state drifts from file to file

param epochs = 20

let width = 8..24 step 8
let code = 1..3

model pump(input: (64, 1, 3)) {
  flatten
  dense(units: width, norm: batch, act: relu)
  dense(units: code)
  dense(units: width, norm: batch, act: relu)
  dense(units: 192)
}

data {
  source: csv(
    train: "skab",
    label: "anomaly",
    normal: "0",
    columns: ["Accelerometer1RMS", "Accelerometer2RMS", "Volume Flow RateRMS"],
    window: 64,
    hop: 4,
  )
  split: by(file, train: 60 %, val: 15 %, test: 25 %)
  normalize: standardize
}

train {
  optimizer: adamw(lr: 3e-3, decay: 0.01)
  epochs: epochs
  batch: 64
  warmup: 5 %
}
quantize { weights: i8, activations: i8, calibrate: 200 samples }

require { ram <= 4 KiB, flash <= 16 KiB }
maximize auc
minimize ram

search { strategy: random, trials: 12, finalists: 3, window: 4, seed: 7 }
