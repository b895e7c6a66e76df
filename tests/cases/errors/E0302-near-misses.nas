nas 1
model m(input: 8, classes: 2) {
  dense(units: classes)
}
data {
  source: audio_folder("speech", rate: 16khz)
  split: holdout(val: 20 percent)
  features: mfcc(frame: 40, hop: 20 msec)
}
train { optimizer: adamw(lr: 1e-3), epochs: 60 epochs, batch: 32, warmup: 0..10 % }
quantize { calibrate: 200 sample, aware: last(5) }
search { strategy: random, trials: 12, stop: 30 m }
require { ram <= 24K, flash <= 24 kib, weights <= 24, macs <= 3 M, latency <= 60 sec }
prefer { macs <= 3 MMAC, ram <= 24 KB, flash <= 24 KiB }
maximize accuracy
