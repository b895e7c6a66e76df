nas 1

// Hard constraints and soft bounds, objectives, a reference point, and the papers' ways of counting.
model m(input: (32, 32, 3), classes: 10) {
  conv2d(filters: 1..16, kernel: {3, 5})
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, reference: [accuracy(80 %), ram(64 KiB)] }
require {
  ram <= 64 KiB
  ram(munas) <= 2 kB
  ram(sparse_wm1) <= 4 kB
  ram(inout) <= 4 kB on ["cortex-m4", "cortex-m7"]
  flash <= 512 KiB
}
prefer { macs <= 200_000 weight 0.2, latency <= 60 ms on "cortex-m4" }
maximize accuracy
minimize ram(munas) on "cortex-m4"
minimize flash
minimize macs
