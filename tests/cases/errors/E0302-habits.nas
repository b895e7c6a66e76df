nas 1
model m(input: (28, 28, 1), classes: 10) {
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 0.2) }
train { optimizer: adamw(lr: 1e-3), epochs: "60", batch: 32, warmup: 0.05 }
quantize { calibrate: 200 }
search { strategy: random, trials: 12 }
target "cortex-m4" { clock: 1 GHz, ram: 128 kb }
require { ram <= 4096, flash <= 64 kib, accuracy >= 0.9, latency <= 4 KiB }
maximize accuracy
