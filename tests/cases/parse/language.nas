nas 1
use std/blocks { ds_conv, mbconv as mb }
use "mine.nas" { cell }
with std/spaces/mcunet

/// A decision that can be set.
param res: count = {64, 80, 96}
param plain = 3
let width = 24..64 step 8
let rate = log 1e-4..1e-2
let log = log(3) + log
let u = make_divisible(width * 3, 8)
scale { width: 0.2..1.0 step 0.1, resolution: 48..224 step 16, round: 8, select: mean(macs, samples: 1000) }
supernet { epochs: 3 }
schedule { start: (10, 20) }
phase kernel { epochs: 120 }
phase depth { epochs: 120 }
forbid { width > 48 and depth == 5, not (res in {64, 80} or res in 90..96), body != separable
  kernel == 7 and expand == 6
}

block mbconv(out: count, expand: number = 6, kernel: pair = 3, act: activation = relu6, kind: relu, same: (norm), p: bool) {
  residual {
    conv2d(filters: make_divisible(channels * expand, 8), kernel: 1, norm: batch, act: act)
  }
}
model m(input: (res, res, 3)) {
  residual first { relu }
  mirror { relu, max_pool }
  mirror second { relu }
  when res >= 80 and body == separable { relu } else { mb(out: 3) }
  when depth in {1, 2} { relu }
  when (depth + 1) * 2 > 3 or (a and b) {
    relu
  }
  else
  {
    tanh
  }
  when tail { relu }
  choose body { a: when x > 3 { relu } else { tanh }, b: when not x { relu }
    else { sigmoid } }
  forbid { depth > 3 and width > 48 }
  parallel name merge add(pool, pad) { a: relu, b: identity }
  repeat blocks: 1..10 branching merge add(pool, pad) { relu }
  repeat 3 branching merge concat { relu }
  when
  residual(x: 3)
  dense(units: 3)
}
require { ram(munas) <= 64 kB on ["a", "b"] }
maximize accuracy
minimize ram(munas) on "cortex-m4"
minimize ram on ["a", "b"]
