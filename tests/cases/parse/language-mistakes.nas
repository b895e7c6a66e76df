nas 1
with std/spaces/
with "a.nas" { b }
param res: = 3
param res: count {64}
phase { epochs: 1 }
phase kernel epochs
forbid width > 3
forbid { width = 3, width > , (a and b, not, a in, 3 <> 4, a > b > c
  a and }
minimize ram(munas on "x"
minimize ram on x
scael { width: 3 }
block b(out: count expand: number = , act: foo = relu bar, x: = 3) {
  residual a b { relu }
  mirror
  mirror 3 { relu }
}
model m(input: 3) {
  when { relu }
  when a > 3 { relu } else
  when a > 3 { relu } else tanh
  when a > 3 { relu } else when b > 4 { tanh }
  when a >= { relu } else { dense(units 3) }
  when a > 3 relu
  when a > 3 { relu }

  else { relu }
  repeat 3 branching add { relu }
  repeat 3 branching merge { relu }
  forbid a { b }
  parallel x merge add( { a: relu }
  let log = log
  let r = log 3
}
