nas 1
// A decision of shares serves the model and the sections.
let drop = {5 %, 10 %}
let warm = {0 %, 5 %}
model m(input: (8, 8, 3), classes: 2) {
  conv2d(filters: 8, kernel: 3)
  dropout(rate: drop)
  dense(units: classes)
}
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32, warmup: warm }
search { strategy: random, trials: 12 }
maximize accuracy
