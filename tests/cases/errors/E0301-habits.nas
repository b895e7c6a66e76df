nas 1
let width = range(8, 32, 8)
model m(input: (28, 28, 1, 1), classes: "10") {
  conv2d(filters: "8", kernel: [3, 5])
  conv1d(filters: 8, kernel: (3, 1))
  dense(10)
}

data { source: "a.ts", split: 20 % }
train { optimizer: adamw, epochs: 1.5, batch: 8..64 step 8 }
search { strategy: "random", trials: 12 }
maximize accuracy
