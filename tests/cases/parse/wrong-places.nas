nas 1
conv2d(filters: 8)
repeat 2 { relu }
modle m { relu }
data { source: csv("x") } train { epochs: 3 }
model m(classes: 2)
{ relu },
let x = 3;
let µ = 'text'
let y = 9007199254740993 + "\q"
