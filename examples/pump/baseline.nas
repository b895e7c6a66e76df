nas 1
with "pump.nas"

/// One network of the space, chosen by hand.
let width = 32
let code = 6

search { trials: 1, finalists: 1 }
