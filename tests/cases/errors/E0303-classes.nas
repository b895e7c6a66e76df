nas 1
model m(input: 8, classes: 12) {
  choose {
    a: dense(units: 10)
    b: { relu, dense(units: {12, 13}) }
  }
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
