nas 1

// Integer ranges with a step, logarithmic ranges, decimals (µNAS, SpArSe).
let filters = 1..128 step 1
let width = 8..64 by *2
let rate = 10 %..50 % step 10 %

model m(input: (32, 32, 3), classes: 10) {
  conv2d(filters: filters, kernel: 3)
  dense(units: width)
  dropout(rate: rate)
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train {
  optimizer: adamw(lr: log 1e-4..1e-2, decay: 0.9..0.99)
  epochs: 60
  batch: log 2..128
}
search { strategy: random, trials: 12 }
maximize accuracy
