nas 1
scale { widht: {0.5, 1.0}, resolution: {24, 32}, select: mean(ram, sample: 500) }
model m(input: (32, 32, 1), outputs: 4) {
  repeat depth: 2..4 { conv2d(filters: 16, kernel: {3, 5, 7}, act: relu) }
  global_avg_pool
  dense(units: outputs)
}
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 13 }
supernet { elastic: [kernels, 3], recalibrate: 20 }
phase full { epochs: 0, open: [kernel({5, 9}), depth(3)] }
phase full { epocs: 3 }
schedule { patches: 0..4, partial: 3 }
maximize accuracy on "cortex-m4"
minimize ram on "cortex-m5"
