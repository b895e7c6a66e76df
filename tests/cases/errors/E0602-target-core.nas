nas 1
model m(input: 8, classes: 2) { dense(units: classes) }
target "board" { core: "cortex-m5", ram: 64 KiB }
target "chicken" { core: "egg" }
target "egg" { core: "chicken", clock: 8 MHz }
target "omelette" { core: "egg", ram: 1 KiB }
target "word" { core: cortex, align: 3 }

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
