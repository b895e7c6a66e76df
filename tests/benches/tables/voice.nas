nas 1

/// A small space on the prompts of `examples/voice`, by coarse features and two epochs, for comparing strategies on all
/// of its networks.
let kernel = {3, 5}

model voice(input: (25, 16, 1), classes: 5) {
  conv2d(filters: 4..16 step 2, kernel: kernel, stride: {2, (2, 1)}, norm: batch, act: relu)
  repeat depth: 1..2 {
    choose body {
      separable: {
        depthwise_conv2d(kernel: kernel, stride: {1, 2}, norm: batch, act: relu)
        conv2d(filters: {8, 16}, kernel: 1, norm: batch, act: relu)
      }
      standard: conv2d(filters: 12, kernel: 3, stride: 2, norm: batch, act: relu)
    }
  }
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder(
    "sounds",
    rate: 8 kHz,
    length: 1 s,
    hop: 1 s,
    quiet: 1 %,
    classes: [
      "en_US_f_Allison",
      "es_MX_f_Allison",
      "fr_CA_f_June",
      "it_IT_m_Carlo",
      "ru_RU_f_IvrvoiceRU",
    ],
  )
  split: by(file, train: 60 %, val: 30 %, test: 10 %)
  features: log_mel(frame: 40 ms, hop: 40 ms, filters: 16, every: 25, smooth: 2)
}

train {
  optimizer: adamw(lr: 1e-2, decay: 0.03)
  epochs: 2
  batch: 32
  warmup: 10 %
}

maximize accuracy
minimize ram
minimize macs

search { strategy: random, trials: 100, window: 4, seed: 7 }
