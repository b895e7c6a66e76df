nas 1

// Compression: pruning whose parameters are searched too (bc), and bit widths.
model m(input: (32, 32, 3), classes: 10) {
  conv2d(filters: 1..16, kernel: {3, 5})
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train {
  optimizer: adamw(lr: 1e-3)
  epochs: 60
  batch: 32
  prune: bc(threshold: 3)
}
quantize { weights: {i8, i4}, per: channel, activations: i8, aware: last(5 epochs) }
search { strategy: random, trials: 12 }
maximize accuracy
