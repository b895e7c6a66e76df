nas 1

/// Whether a water pump runs as it should: an autoencoder learns the normal signals of eight sensors, and what it cannot
/// reconstruct is an anomaly.
///
/// Data:    SKAB, CSV files of one sample a second, in a folder or archive `skab`:
///          `nasc compile examples/pump/pump.nas --target cortex-m4 --data DIR`
/// Budget:  a Cortex-M4 with 4 KiB of RAM and 16 KiB of flash for the bundle
/// Expect:  an area under the curve of about .6 on files that were not seen. The data is hard: its normal state drifts
///          from file to file, and always answering the mean does as well

param epochs = 60

let width = 16..48 step 16
let code = 4..8 step 2

model pump(input: (16, 1, 8)) {
  flatten
  dense(units: width, norm: batch, act: relu)
  dense(units: code)
  dense(units: width, norm: batch, act: relu)
  dense(units: 128)
}

data {
  source: csv(
    train: "skab",
    label: "anomaly",
    normal: "0",
    columns: [
      "Accelerometer1RMS",
      "Accelerometer2RMS",
      "Current",
      "Pressure",
      "Temperature",
      "Thermocouple",
      "Voltage",
      "Volume Flow RateRMS",
    ],
    window: 16,
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
