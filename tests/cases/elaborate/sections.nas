nas 1
let drop = {0.0, 0.02}
model m(input: (25, 12), classes: 9) {
  conv1d(filters: 16, kernel: {3, 5}, act: relu)
  global_avg_pool
  dense(units: classes)
}
data {
  source:   audio_folder("speech", rate: 16 kHz)
  split:    by(speaker, train: 80 %, val: 10 %, test: 10 %)
  features: mfcc(frame: 40 ms, hop: {10 ms, 20 ms}, coefficients: {10, 13})
  augment:  [shift(100 ms), noise(10 %), flip]
}
train {
  optimizer: sgd(lr: 1e-4..1e-2 by *10, decay: drop, nesterov: true)
  epochs: 3..18, batch: {16, 32}
  schedule: step(every: 30 epochs, factor: 0.2)
  distill: from("teacher.tflite", temperature: 4)
  prune: dpf(sparsity: 5 %..80 % step 15 %, structured: true, from: 3 epochs, to: 18 epochs)
}
quantize { weights: {i8, i4}, aware: last(5 epochs), compat: tflm }
search {
  strategy: mobo(initial: 20), trials: 100, finalists: 3, stop: 30 min
  proxy: zero_cost(naswot), fidelity: halving([3, 10, 30])
  morphs: [step(kernel), insert, remove], reference: [accuracy(80 %), ram(64 KiB)]
}
require { ram(munas) <= 24 KB, ram <= 24 KiB, macs <= 3 MMAC, auc >= 90 %, error <= 10 % }
maximize f1
minimize ram(sparse_wm1)
minimize ram
