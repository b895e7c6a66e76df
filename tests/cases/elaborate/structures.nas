nas 1
let width = 16..64 by *2
let deep = 2

model m(input: (32, 32, 3), classes: 10, side: {3, 5}) {
  let k = (side, 3)
  conv2d(filters: width, kernel: k, stride: (2, 2), act: relu6)
  repeat 1..deep + 1 {
    let inner = width * 2 + 8
    depthwise_conv2d(kernel: {3, 5})
    conv2d(filters: inner, kernel: 1)
  }
  optional tail { max_pool }
  parallel merge add {
    skip: identity
    deep: { conv2d(filters: width, kernel: 3, norm: batch) }
  }
  choose head {
    pooled: global_avg_pool
    flat: { avg_pool(size: 2, stride: 1), flatten }
  }
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
