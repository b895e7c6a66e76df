nas 1
let width 24
model kws(classes: 12) {
  conv2d(filters: 8 kernel: 3)
  dense(units 12)
  relu
}
train { epochs = 3 }
require { ram 24 KiB }
minimise latency
