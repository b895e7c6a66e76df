nas 1
use std/blocks { ds_conv }

/// MicroNets for keyword spotting (arXiv:2010.11267): a DS-CNN(L) with four more separable blocks, of which the search
/// decides every width and which blocks are there.
///
/// Size: 69 widths (4 to 276 in steps of 4) for the first convolution; each of nine blocks is skipped or has one of 69
/// widths: 69 * 70^9, about 2.8e18.
///
/// What is the paper's: input, kernels, widths, and that a block that is skipped becomes an average pooling where it
/// has a stride. What was derived, since the text does not say it: the first convolution has stride 1 and the first
/// block stride 2. Only so do the published memories follow: inputs and outputs of the first depthwise layer are
/// (490 + 125) * 276, 140 and 84 bytes, the 169.7, 86.1 and 51.7 kB of KWS-L, M and S.
block ds_or_skip() {
  choose block {
    separable: ds_conv(filters: 4..276 step 4)
    skip: identity
  }
}

model kws(input: (49, 10, 1), classes: 12) {
  conv2d(filters: 4..276 step 4, kernel: (10, 4), norm: batch, act: relu)
  choose block {
    separable: ds_conv(filters: 4..276 step 4, stride: 2)
    skip: avg_pool(size: 2, padding: same)
  }
  repeat 8 {
    ds_or_skip
  }
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder("speech_commands", rate: 16 kHz)
  split: by(speaker, train: 80 %, val: 10 %, test: 10 %)
  features: mfcc(frame: 40 ms, hop: 20 ms, coefficients: 10)
  augment: [shift(100 ms), noise(10 %), time_mask(50 ms), frequency_mask(2)]
}

train {
  optimizer: adamw(lr: 0.01, decay: 1e-3)
  schedule: cosine
  epochs: 100
  batch: 512
}

quantize { weights: i8, activations: i8, calibrate: 200 samples, aware: whole }

search {
  strategy: dnas(temperature: 5..0.1)
  trials: 100
  finalists: 3
}

/// The smaller board of the paper; memories are what the paper counts, less what its runtime takes.
require {
  ram(inout) <= 112 kB on "nucleo-f446re"
  flash <= 440 kB on "nucleo-f446re"
}
prefer { latency <= 250 ms on "nucleo-f446re" weight 1 }
maximize accuracy
