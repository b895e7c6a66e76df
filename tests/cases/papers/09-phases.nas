nas 1
use std/blocks { mbconv }

// Phases (Once-for-All's progressive shrinking; SpArSe's three stages).
model m(input: (64, 64, 3), classes: 10) {
  repeat depth: 2..4 { mbconv(out: 16, expand: {3, 4, 6}, kernel: {3, 5, 7}) }
  global_avg_pool
  dense(units: classes)
}

supernet { elastic: [kernel, depth, expand], transform: kernel, sort: l1 }
phase full { epochs: 180, lr: 2.6, sample: 1 }
phase kernel { epochs: 120, warmup: 4 %, lr: 0.96, sample: 1, open: [kernel({3, 5, 7})] }
phase depth1 { epochs: 25, lr: 0.08, sample: 2, open: [depth({3, 4})] }
phase refine { trials: 40, strategy: mobo(kernel: arc) }

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
