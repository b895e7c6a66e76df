nas 1

// An encoder written once with its decoder mirrored; combinations that are forbidden.
let hidden = {64, 96, 128}
let code = {4, 8, 16}
forbid { hidden == 128 and code == 16 }

model ae(input: 640) {
  mirror {
    repeat depth: 2..4 { dense(units: hidden, act: relu) }
    dense(units: code, act: relu)
    forbid { code == 16 and depth == 4 }
  }
}

data { source: csv(train: "normal.csv", test: "machines.csv", label: "anomaly"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), loss: mse, epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize auc
