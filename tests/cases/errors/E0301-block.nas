nas 1
block b(filters, act: relu) {
  conv2d(filters: filters, kernel: 3, act: act)
}
model m(input: 8, classes: 2) {
  b(filters: relu)
  b(filters: 8, act: 3)
  b(filters: 8, act: same)
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
