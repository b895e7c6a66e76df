nas 1
let width = 8
let width = 16
model m(input: 8, classes: 2) {
  dense(units: classes, units: 2)
}
train { epochs: 3, epochs: 4, optimizer: adamw(lr: 1e-3), batch: 1 }
block relu() { flatten }
model other(input: 8, classes: 2) {}
maximize accuracy

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
