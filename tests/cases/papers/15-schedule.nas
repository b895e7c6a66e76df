nas 1

// Knobs of the schedule (MCUNetV2's patches, Pex' partial execution).
model m(input: (32, 32, 3), classes: 10) {
  conv2d(filters: 1..16, kernel: {3, 5})
  global_avg_pool
  dense(units: classes)
}

schedule { patches: 1..4, split: auto, partial: channels }

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
