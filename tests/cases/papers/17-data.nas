nas 1

// Data in the users' terms: a folder of recordings, a split by speaker, features that are searched.
model kws(input: (49, 10, 1), classes: 12) {
  conv2d(filters: 24..64 step 8, kernel: {(10, 4), (7, 3)}, stride: (2, 2), act: relu)
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder("speech_commands", rate: 16 kHz)
  split: by(speaker, train: 80 %, val: 10 %, test: 10 %)
  features: mfcc(frame: {30 ms, 40 ms}, hop: 20 ms, coefficients: 10)
  augment: [shift(100 ms), noise(10 %)]
}
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 64 }
search { strategy: random, trials: 12 }
maximize accuracy
