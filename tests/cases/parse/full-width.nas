nas 1

// Brackets of an input method.
model m(input: 8, classes: 2) {
  conv2d（filters: 8，kernel: 3)
  dense(units: classes)
}
