nas 1
import std/blocks
use std/blocks
model m(input: (8, 8, 3), classes: 2):
  conv2d(filters: 8, kernel: 3)
  repeat 3:
    relu
  dense(units: classes)
constraints { ram <= 3 }
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 6, batch: 32 }
search { strategy: random, trials: 2 }
maximize accuracy
