nas 1
model m(input: (28, 28, 1), classes: 10) {
  global_avg_pool
  dense(units: classes)
}
require { energy <= 2 mJ, energy <= 1 mJ on "host" }
minimize energy

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12, finalists: 3, seed: 7 }
maximize accuracy
