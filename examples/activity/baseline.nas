nas 1
with "activity.nas"

/// One network of the space, chosen by hand.
let width = 24
let deep = 40

model activity(input: (128, 6), classes: 5) {
  conv1d(filters: width, kernel: 7, stride: 2, norm: batch, act: relu)
  conv1d(filters: width, kernel: 5, stride: 2, norm: batch, act: relu)
  conv1d(filters: deep, kernel: 3, norm: batch, act: relu)
  conv1d(filters: deep, kernel: 3, norm: batch, act: relu)
  global_avg_pool
  dense(units: classes)
}

search { trials: 1, finalists: 1 }
