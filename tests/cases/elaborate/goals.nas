nas 1
let limit = 24 KiB
model m(input: 64, classes: 3) {
  dense(units: 3)
}
require {
  ram <= limit
  flash <= 50 % * 128 KiB
  latency <= 60 ms on ["cortex-m4", "mine"]
  accuracy >= 90 %
}
prefer { energy <= 2 mJ weight 0.2, macs <= 2_000_000 }
minimize ram
minimize latency
target "cortex-m4" { clock: 180 MHz }
target "mine" {
  isa: "armv7em", clock: 64 MHz, ram: 256 KiB, power: 30 mW
  cost: cycles(mac: 2, element: 10, call: 50)
  source: "a board of mine"
}
quantize { calibrate: 100 samples }

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
