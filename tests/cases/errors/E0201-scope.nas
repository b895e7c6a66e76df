nas 1
model m(input: 8, classes: 2) {
  repeat 2 {
    let k = 3
    conv2d(filters: 8, kernel: k)
  }
  conv2d(filters: 8, kernel: k)
  parallel merge sum { a: relu, b: relu6 }
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
