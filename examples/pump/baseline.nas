nas 1
with "pump.nas"

/// One network of the space, chosen by hand.
let width = 16
let code = 1

search { trials: 1, finalists: 1 }
