nas 1
model m {
  choose { relu, b: relu6, c: }
  parallel merge add { conv2d(filters: 8) }
  parallel { a: relu }
  repeat { relu }
  repeat 3
}
