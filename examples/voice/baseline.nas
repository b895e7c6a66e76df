nas 1
with "voice.nas"

/// One network of the space, chosen by hand.
let width = 64
let deep = 96
let depth = 2
let kernel = 3

search { trials: 1, finalists: 1 }
