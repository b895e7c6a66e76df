nas 1

// Categorical operators and optional operators (all five).
model m(input: (32, 32, 3), classes: 10) {
  choose op {
    conv: conv2d(filters: 8, kernel: 3)
    separable: { depthwise_conv2d(kernel: 3), conv2d(filters: 8, kernel: 1) }
    downsampled: { conv2d(filters: 4, kernel: 1), conv2d(filters: 8, kernel: 3) }
    skip: identity
  }
  optional pool { max_pool }
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
