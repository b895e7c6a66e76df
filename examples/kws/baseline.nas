nas 1
with "kws.nas"

/// One network of the space, chosen by hand.
let width = 80
let deep = 128
let bands = 4
let depth = 2
let kernel = 3

search { trials: 1, finalists: 1 }
