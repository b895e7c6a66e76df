// no version
let a = 3
nas 1
