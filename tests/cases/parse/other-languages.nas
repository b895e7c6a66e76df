nas 1
model m(input: (8, 8, 3), classes: 2) {
  for i in range(3) { relu }
  if d == 2 { relu }
  x = conv2d(filters: 8, kernel: 3)
  nn.Linear(10)
  conv2d(filters: 8 kernel: 3)
  conv2d(filters: 8..64 by 8, kernel: 3)
  conv2d(filters: 8..64:8, kernel: 3)
  conv2d(filters: 8...64, kernel: 3)
  conv2d(filters: 8..=64, kernel: 3)
  conv2d(filters: 8 to 64, kernel: 3)
  conv2d(filters: 8|16, kernel: 3)
  relu() relu()
  return x
  when 3 == 2: { relu }
  repeat 3: { relu }
  parallel { a: relu }
  dense(units: classes)
}
width = 8
let a = 2 ** 3
let b = k if h else 3
let c = (1 2)
let d = {1; 2}
data = { source: ts(train: a.ts, test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 6, batch: 32 }
search { strategy: random, trials: 2 }
require { ram: 4 KiB, ram <= 4 KiB and flash <= 3 KiB }
require ram <= 4 KiB
maximize: accuracy
minimize { ram }
