nas 1
scale { width: {0.5, 1.0}, resolution: {24, 32}, round: 8, select: mean(macs, samples: 500) }
model m(input: (32, 32, 1), classes: 4) {
  repeat depth: 2..4 { conv2d(filters: 16, kernel: {3, 5, 7}, act: relu) }
  global_avg_pool
  dense(units: classes)
}
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
supernet { elastic: [kernel, depth], transform: kernel, sort: l1, recalibrate: batches(20, size: 64), sample: 4, distill: largest(weight: 100 %) }
phase full { epochs: 180 }
phase kernel { epochs: 120, lr: 0.08, open: [kernel({5, 7})], sample: 2 }
phase depth { open: [depth({3, 4}), kernel({3, 5, 7})], prune: spvd(threshold: 3.0), strategy: morphs, trials: 50 }
schedule { patches: 1..4, split: auto, partial: channels }
maximize accuracy
minimize ram(munas) on "cortex-m4"
