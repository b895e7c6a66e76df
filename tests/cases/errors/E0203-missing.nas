nas 1
model m(classes: 2) {
  conv2d(kernel: 3)
  dense(2)
}
data { source: ts(train: "a.ts"), split: holdout() }
train { epochs: 3 }
