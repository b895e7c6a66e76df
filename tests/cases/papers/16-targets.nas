nas 1

// Several targets at once, each with its limits.
model m(input: (32, 32, 3), classes: 10) {
  conv2d(filters: 1..16, kernel: {3, 5})
  global_avg_pool
  dense(units: classes)
}

target "cortex-m4" { clock: 180 MHz, ram: 128 kB, flash: 512 kB }
target "mine" { core: "cortex-m7", clock: 216 MHz, ram: 320 kB, flash: 1 MB }
require { latency <= 100 ms on "cortex-m4", latency <= 50 ms on "mine" }

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
