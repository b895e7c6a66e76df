nas 1
use std/blocks { mbconv }

// Global scaling, and the choice among the spaces that it spans (TinyNAS).
scale {
  width: 0.2..1.0 step 0.1
  resolution: 48..224 step 16
  select: mean(macs, samples: 1000)
}

model m(input: (224, 224, 3), classes: 10) {
  conv2d(filters: 32, kernel: 3, stride: 2, norm: batch, act: relu6)
  mbconv(out: 16, expand: 1)
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
