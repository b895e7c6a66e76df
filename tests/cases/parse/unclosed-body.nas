nas 1
model kws(classes: 12) {
  repeat 2 {
    relu
  dense(units: classes)

data { source: csv("x") }
train { epochs 3 }
