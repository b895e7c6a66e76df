nas 1

// The training recipe: optimiser, schedule, augmentation, distillation.
model m(input: (32, 32, 3), classes: 10) {
  conv2d(filters: 1..16, kernel: {3, 5})
  dropout(rate: 10 %)
  global_avg_pool
  dense(units: classes)
}

data {
  source: image_folder("pictures", size: 32)
  split: by(file, train: 80 %, val: 10 %, test: 10 %)
  augment: [flip, crop(10 %), brightness(20 %), mixup(0.2)]
}
train {
  optimizer: sgd(lr: 0.05, momentum: 0.9, nesterov: true, decay: 5e-5)
  schedule: cosine
  epochs: 100
  batch: 64
  warmup: 5 %
  smoothing: 0.1
  clip: 1.0
  distill: teacher("teacher.tflite", temperature: 4, weight: 0.5)
}
search { strategy: random, trials: 12 }
maximize accuracy
