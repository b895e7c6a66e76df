nas 1
model kws(classes: 12) {
  conv2d(filters: 8]
  conv2d(filters: {3, 5)
  dense(units: 3))
  relu(
  dense(units 3)
}
data { source: audio_folder("speech, rate: 16 kHz) }
let a = [1, 2
let b 3
