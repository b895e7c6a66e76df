nas 1

// Conditional parameters (SpArSe, µNAS): the third layer's filters exist only if there are three layers.
model m(input: (32, 32, 3), classes: 10) {
  repeat layers: 1..3 {
    let kernel = {3, 5}
    choose type {
      conv: conv2d(filters: 1..100, kernel: kernel)
      pointwise: conv2d(filters: 1..100, kernel: 1)
    }
    when type == conv and layers >= 2 {
      batch_norm
    } else {
      relu
    }
  }
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
