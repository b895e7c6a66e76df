nas 1

// The set of morphisms (µNAS, SpArSe).
model m(input: (32, 32, 3), classes: 10) {
  repeat layers: 1..10 { conv2d(filters: 1..128, kernel: {3, 5, 7}) }
  global_avg_pool
  dense(units: classes)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search {
  strategy: aging_evolution(population: 100, tournament: 25)
  trials: 2000
  morphs: [step(filters, by: [1, 3, 5]), step(kernel, by: [2]), insert, remove]
}
maximize accuracy
