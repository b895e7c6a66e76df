nas 1
model m {
  repeat 2 { relu }
  repeat {2, 4}
  {
    optional { batch_norm }
  }
  choose {
    a: conv2d(filters: 8)
    b: { relu, relu6 }
    c: repeat 3 { relu }
  }
  parallel split merge {add, concat} {
    left: identity
    right: {
      let k = 3
      conv2d(filters: 8, kernel: k)
    }
  }
}
