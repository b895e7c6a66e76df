nas 1
block a { relu, relu, relu, relu, relu, relu, relu, relu }
block b { a, a, a, a, a, a, a, a }
block c { b, b, b, b, b, b, b, b }
block d { c, c, c, c, c, c, c, c }
block e { d, d, d, d, d, d, d, d }
model m(input: 8, classes: 2) {
  e
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
