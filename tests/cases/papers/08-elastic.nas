nas 1
use std/blocks { mbconv }

// Elastic weights: kernel transform, channel sorting, recalibration (Once-for-All).
model m(input: (64, 64, 3), classes: 10) {
  repeat depth: 2..4 { mbconv(out: 16, expand: {3, 4, 6}, kernel: {3, 5, 7}) }
  global_avg_pool
  dense(units: classes)
}

supernet {
  elastic: [kernel, depth, expand]
  transform: kernel
  sort: l1
  recalibrate: batches(20, size: 64)
  sample: 4
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
