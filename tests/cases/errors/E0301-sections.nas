nas 1
let rate = {0.001, 0.01}
let size = 24 KiB
model m(input: 8, classes: 2) {
  dense(units: classes)
}
data {
  source: 3
  split: holdout
  augment: shift(100 ms)
}
train {
  optimizer: "adamw"
  epochs: {3, 4.5}
  batch: rate
  schedule: {cosine, step(every: 3 epochs)}
  inherit: yes
}
quantize { calibrate: {100, 200}, weights: {i8, 3} }
search { strategy: "random", trials: {10, 20}, fidelity: halving(3), reference: [ram] }
maximize accuracy
