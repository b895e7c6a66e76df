nas 1
with "kws.nas"

/// The same space on SYNTHETIC speech of espeak-ng, which `examples/kws/make-synthetic.sh` makes: to see everything run
/// without recordings. Its figures say nothing about people.
param epochs = 20

data {
  source: audio_folder(".", rate: 16 kHz, length: 1 s, resample: true, speaker: "*_{}_nohash_*")
}

search { trials: 2, finalists: 1 }
