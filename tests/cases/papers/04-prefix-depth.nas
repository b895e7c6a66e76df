nas 1
use std/blocks { mbconv }

// Repeated blocks with a variable count and prefix depth (Once-for-All, MCUNet).
block stage(out: count, stride: pair) {
  mbconv(out: out, expand: {3, 4, 6}, kernel: {3, 5, 7}, stride: stride)
  repeat depth: {1, 2, 3} {
    mbconv(out: out, expand: {3, 4, 6}, kernel: {3, 5, 7})
  }
}

model m(input: (64, 64, 3), classes: 10) {
  stage(out: 16, stride: 2)
  stage(out: 24, stride: 2)
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
