nas 1
use std/blocks { ds_conv as separable }

let out = 8

/// Its `out` is not the caller's.
block pair(filters, act: relu) {
  let out = filters
  separable(filters: out, kernel: {3, 5})
  conv2d(filters: out, kernel: 1, act: act)
}

model m(input: (16, 16, 1), classes: 2) {
  pair(filters: {8, 16})
  pair(filters: out, act: {relu, relu6})
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
