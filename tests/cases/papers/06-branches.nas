nas 1

// Branches with shape reconciliation, and blocks beside the one before them (µNAS).
model m(input: (32, 32, 3), classes: 10) {
  parallel merge add(pool, pad) {
    a: conv2d(filters: 8, kernel: 3, padding: valid)
    b: { conv2d(filters: 12, kernel: 5, padding: valid), max_pool }
  }
  parallel merge concat(pool) {
    a: conv2d(filters: 8, kernel: 3, padding: valid)
    b: identity
  }
  repeat blocks: 1..3 branching merge add(pool, pad) {
    repeat layers: 1..2 { conv2d(filters: 1..16, kernel: 3, padding: valid) }
  }
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
