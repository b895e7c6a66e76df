nas 1
use std/blocks { ds_conv }

/// MicroNets for anomaly detection (arXiv:2010.11267): a DS-CNN(L) that tells four machines apart; a low score of the
/// machine that it is means an anomaly.
///
/// Size: 69 widths for the first convolution; each of five blocks is skipped or has one of 69 widths: 69 * 70^5, about
/// 1.2e11.
///
/// What is the paper's: input, widths, strides of 2 in the last two blocks, the recipe. What was derived: the first
/// convolution is 3x3 with stride 1 and the first block has stride 2, as DS-CNN(L) has. Only so do the published
/// memories follow: inputs and outputs of the first depthwise layer are (1024 + 256) * 276 and 192 bytes, the 353.3 and
/// 245.8 kB of AD-L and AD-M.
block skippable(stride: count) {
  when stride == 1 {
    choose block {
      separable: ds_conv(filters: 4..276 step 4)
      skip: identity
    }
  } else {
    choose block {
      separable: ds_conv(filters: 4..276 step 4, stride: stride)
      skip: avg_pool(size: stride, padding: same)
    }
  }
}

model ad(input: (32, 32, 1), classes: 4) {
  conv2d(filters: 4..276 step 4, kernel: 3, norm: batch, act: relu)
  skippable(stride: 2)
  skippable(stride: 1)
  skippable(stride: 1)
  skippable(stride: 2)
  skippable(stride: 2)
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder("slide_rail", rate: 16 kHz)
  split: by(file, train: 80 %, val: 10 %, test: 10 %)
  features: log_mel(frame: 64 ms, hop: 32 ms, filters: 32)
}

train {
  optimizer: adamw(lr: 0.01, decay: 1e-3)
  schedule: cosine
  epochs: 50
  batch: 512
  mixup: 0.3
}

quantize { weights: i8, activations: i8, calibrate: 200 samples, aware: whole }

search {
  strategy: dnas(temperature: 5..0.1)
  trials: 100
  finalists: 3
}

require {
  ram(inout) <= 112 kB on "nucleo-f446re"
  flash <= 440 kB on "nucleo-f446re"
}
maximize auc
