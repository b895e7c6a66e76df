nas 1

// Choices of each layer (Once-for-All) and one choice for all of them.
let shared = {3, 5}

model m(input: (32, 32, 3), classes: 10) {
  repeat 3 {
    conv2d(filters: round(64 * (10 %..100 % step 10 %)), kernel: shared)
  }
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
