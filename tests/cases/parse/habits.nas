nas 1
# a comment of another language
let width = 8...32 step 8
target cortex-m4 { clock: 80 MHz }
model m(input=(28, 28, 1), classes: 10) {
  conv2d(filters: 8 kernel: 3);
  dense(units: classes)
}
train { epochs = 60 }
