nas 1
model m(input: 8, classes: 2) {
  dense(units: classes)
}
data { source: wav("a", sample_rate: 16 kHz), split: holdout(validation: 20 %), augmentation: [], features: mfc(frame: 40 ms) }
train { optimiser: adam(learning_rate: 1e-3, wd: 0.1), num_epochs: 60, bs: 32, lr_schedule: cosine, kd: largest }
quantize { weight: int8, representative_dataset: 200 samples, qat: whole }
search { strategy: regularized_evolution(population_size: 32), max_trials: 12, morphs: [step(kernle)] }
require { ram(unas) <= 3 KiB, flash(munas) <= 3 KiB, auroc >= 90 % }
maximize accuracy
