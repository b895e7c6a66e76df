nas 1
use std/blocks { ds_conv }

/// Which of five languages a second of a telephone prompt is in. Each language is nearly one voice, and English and
/// Spanish are the same person: it tells voices and languages apart, and is no keyword spotting.
///
/// Data:    2,831 prompts in English, Spanish, French, Italian and Russian, 8 kHz, from Debian's
///          asterisk-core-sounds packages; `examples/voice/fetch.sh` gets them. Parted by prompt: what is said in the
///          test part is said in no language of the training part.
/// Budget:  a Cortex-M4 with 20 KiB of RAM and 48 KiB of flash for the bundle, front end included
/// Expect:  98 to 99 % of the seconds for validation and test, in int8. Most errors are between English and Spanish

param epochs = 16

let width = 32..64 step 16
let deep = 64..96 step 32
let depth = 1..2
let kernel = {3, 5}

model voice(input: (49, 32, 1), classes: 5) {
  conv2d(filters: width, kernel: (7, 5), stride: 4, norm: batch, act: relu)
  repeat depth { ds_conv(filters: width, kernel: kernel) }
  ds_conv(filters: deep, stride: 2)
  ds_conv(filters: deep)
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder(
    "sounds",
    rate: 8 kHz,
    length: 1 s,
    hop: 500 ms,
    quiet: 1 %,
    classes: [
      "en_US_f_Allison",
      "es_MX_f_Allison",
      "fr_CA_f_June",
      "it_IT_m_Carlo",
      "ru_RU_f_IvrvoiceRU",
    ],
  )
  split: by(file, train: 80 %, val: 10 %, test: 10 %)
  features: log_mel(frame: 40 ms, hop: 20 ms, filters: 32, every: 25, smooth: 2)
  augment: [shift(50 ms), gain(30 %), noise(5 %), time_mask(80 ms), frequency_mask(4)]
}

train {
  optimizer: adamw(lr: 5e-3, decay: 0.03)
  epochs: epochs
  batch: 64
  warmup: 5 %
  smoothing: 0.05
}
quantize { weights: i8, activations: i8, calibrate: 200 samples }

require { ram <= 20 KiB, flash <= 48 KiB }
maximize accuracy
minimize ram

search {
  strategy: random
  trials: 8
  fidelity: halving([4])
  finalists: 2
  window: 4
  seed: 7
}
