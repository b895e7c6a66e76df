nas 1
model m(input: (28, 28, 1), classes: 10) {
  Conv2D(filters: 8, kernel: 3)
  conv2d(filters: 8, kernel_size: 3, padding: SAME, activation: relu)
  MaxPooling2D(pool_size: 2)
  GlobalAveragePooling2D
  linear(units: classes)
  dense(out_features: classes, act: softmax)
}

data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(validation: 20 %) }
train { optimizer: adamw(learning_rate: 1e-3, weight_decay: 0.01), epochs: 60, batch_size: 32 }
quantize { weights: int8, activations: i4 }
search { strategy: aging_evolution(population: 32), trials: 12 }
require { rom <= 64 KiB, params <= 40 kB, time <= 4 ms }
maximize accuracy
