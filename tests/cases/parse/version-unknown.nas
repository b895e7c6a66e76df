nas 2
let a = 3
