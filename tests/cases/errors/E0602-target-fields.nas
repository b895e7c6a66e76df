nas 1
model m(input: 8, classes: 2) { dense(units: classes) }
target "mine" { isa: "z80", clock: 0 Hz, align: 3, cost: cycles(mac: 1, element: 2), colour: "red" }
target "cortex-m4" { clock: 80 }
target "cortex-m4" { clock: 80 MHz }

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
