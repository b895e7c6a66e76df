nas 1
let width = 24..64 step 8
model m(input: 8, classes: 2) {
  conv2d(filters: 0, kernel: width - 24)
  conv2d(filters: width / 16, kernel: 3 / 0)
  repeat 0 - 1..5 { relu }
  dense(units: classes)
}
train { optimizer: adamw(lr: -1), epochs: 0, batch: 2.5, warmup: 150 % }
search { strategy: random, trials: 4, finalists: 5 }
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 0 %) }
maximize accuracy
