nas 1

/// Cells of two branches, one with a list of layers of its own, then an optional pool and one of two operators: a
/// list within a list, as in arXiv:2010.14246 (µNAS).
let width = 8..24 step 4

model cells(input: (16, 16, 1), classes: 4) {
  conv2d(filters: width, kernel: 3, norm: batch, act: relu)
  repeat blocks: 1..3 {
    parallel merge add {
      short: conv2d(filters: width, kernel: {1, 3, 5}, norm: batch, act: relu)
      long: {
        conv2d(filters: width, kernel: 3, norm: batch, act: relu)
        repeat layers: 0..2 {
          conv2d(filters: width, kernel: {1, 3}, norm: batch, act: relu)
        }
      }
    }
    optional pool { max_pool }
    choose op {
      full:      conv2d(filters: width, kernel: 3, norm: batch, act: relu)
      depthwise: depthwise_conv2d(kernel: 3, padding: valid, norm: batch, act: relu6)
    }
  }
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
