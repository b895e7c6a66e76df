nas 1
with "fashion.nas"

/// One network of the space, chosen by hand.
let first = 16
let width = 24
let deep = 64

model fashion(input: (28, 28, 1), classes: 10) {
  conv2d(filters: first, kernel: 3, norm: batch, act: relu)
  conv2d(filters: width, kernel: 3, stride: 2, norm: batch, act: relu)
  conv2d(filters: width, kernel: 3, norm: batch, act: relu)
  conv2d(filters: deep, kernel: 3, stride: 2, norm: batch, act: relu)
  ds_conv(filters: deep)
  global_avg_pool
  dense(units: classes)
}

search { trials: 1, finalists: 1 }
