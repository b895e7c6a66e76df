nas 1
with "digits.nas"

/// One network of the space, chosen by hand.
let width = 48
let deep = 64
let depth = 2
let kernel = 3

search { trials: 1, finalists: 1 }
