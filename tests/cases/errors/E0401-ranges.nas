nas 1
let a = 24..64 step 7
let b = 64..24
let c = 1..100 by *2
let d = 0.1..0.5
let e = 0.1..0.5 step 0.3
let f = log 1..8
let g = {}
let h = {{1, 2}, 3}
model m(input: 8, classes: 2) {
  choose {}
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
