nas 1
let a = [8, 16]
let b = range(8, 32, 8)
let c = choice([8, 16])
let d = sqrt(4)
let e = 0.1..0.5 step 0.15
let f = 7 / 2
param g: count = relu
use blocks { ds_conv }
forbid { depth == 2 }
block again(x: count) { again(x: 3) }
block outer(x) { inner(x: x) }
block inner(x: count) { conv2d(filters: x, kernel: 3) }
model m(input: [8, 8, 3], classes: 2) {
  Input(shape: (8, 8, 3))
  residual
  softmax
  Add
  nothing
  SeparableConv2D(filters: 8)
  Activation(relu)
  dropout(rate: 50)
  conv2d([8, 16], 3)
  conv2d(filters: g, kernel: {1, 3})
  repeat depth: 1..3 { relu }
  when depth == separable { relu }
  when body == wide { relu }
  again(x: 2)
  again(x: 3)
  outer(x: relu)
  ds_conv(filters: x)
  dense(units: classes)
}
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize acc
