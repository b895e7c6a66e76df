nas 1

/// What a search says beyond its strategy; two keys change nothing beside `random`.
model m(input: (8, 8, 1), classes: 2) {
  conv2d(filters: {4, 8}, kernel: 3)
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 9, batch: 8 }
maximize accuracy
search {
  strategy: random
  trials: 20
  fidelity: halving([3, 6])
  proxy: zero_cost(synflow, top: 25 %)
  inherit: 2
  morphs: [step(filters, by: [1, 2]), change(filters)]
  networks: each
}
