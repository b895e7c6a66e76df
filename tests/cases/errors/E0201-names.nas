nas 1
use std/blocks { ds_covn }
use std/blokcs { ds_conv }
let width = 8
model m(input: 8, classes: 2) {
  conv2d(fitlers: widht, kernel: 3)
  cov2d(filters: width)
  ds_conv(filters: width)
  dense(units: classes, act: rleu)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
