nas 1
let size = 24 KiB
model m(input: 8, classes: 2) {
  conv2d(filters: 8 KiB, kernel: size)
  dense(units: classes)
}
require {
  ram <= 24
  flash <= 24 kib
  latency <= 60 KiB
  energy <= 2 mJ + 3 ms
  macs <= 5 MHz
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
