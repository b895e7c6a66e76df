nas 1
with std/spaces/micronets_kws

// A variant of another spec: other data, other limits.
param base = 32

data { source: audio_folder("my_words", rate: 16 kHz) }
require { ram <= 64 KiB, flash <= 256 KiB }
search { trials: 40, seed: 3 }
