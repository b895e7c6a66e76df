nas 1
let wide = 1..5
model m(input: 8, classes: 2) {
  dense(units: classes)
}
data {
  source: audio_folder("../speech", rate: 16 Hz)
  split: by(speaker, train: 80 %, val: 10 %, test: 20 %)
  features: mfcc(frame: 40 s, hop: 20 ms)
}
train {
  optimizer: sgd(lr: 1e-3..20.0 by *2, momentum: 2)
  epochs: wide - 2
  batch: wide / 2
  smoothing: 0.5..1.5 step 0.5
  warmup: {0 %, 120 %}
}
quantize { calibrate: 0 samples }
search { strategy: aging_evolution(population: 10), trials: 0 }
maximize accuracy
