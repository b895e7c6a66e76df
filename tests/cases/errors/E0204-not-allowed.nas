nas 1
block a(n: 1) {
  b
}
block b {
  a(n: 2)
}
model m(input: 8, classes: 2) {
  a
  z(filters: 3)
  dense(units: classes)
}
require { accuracy <= 90 %, ram >= 3 KiB, flash <= 9 KiB weight 3 }
maximize ram
use "../other.nas" { x }
use "other.nas" { y as z }

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
