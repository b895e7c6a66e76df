nas 1
let width = "wide"
let stage = (1, 2) + 3
model m(input: 8, classes: {2, 3}) {
  conv2d(filters: 2.5, kernel: (1, 2, 3), act: "relu")
  conv2d(filters: relu, kernel: 3, padding: 3)
  repeat relu { flatten }
  conv2d(filters: [8], kernel: f(3))
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
