nas 1
model m(input: 8, classes: 2) {
  dense(units: classes)
}
data { source: ts(train: "a.ts", test: "/b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
require { mse <= 0.1, accuracy <= 90 %, f1 <= 80 %, error >= 10 %, ram(munas) == 3 KiB, flash(munas) <= 4 KiB, ram(munas, inout) <= 2 KiB }
minimize f1
maximize accuracy
minimize accuracy
