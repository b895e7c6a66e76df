nas 1
let sum = 1 + 2 * 3 - (4 - 5) / -6
let ranges = [1..8, 8..64 step 8, 1..64 by *2, log 1e-4..1e-2, 10 ms..50 ms step 10 ms]
let groups = [(1), (1,), (1, 2), (), {}, [], {(1, 2), (3, 4)}]
let texts = ["", "a \"b\" \\ c\n", "µ // no comment"]
let words = [true, false, trues, falsely]
let numbers = [1_000, 2.50, 1e3, 1.5E-7, 80 %, 5 KiB, 30min]
let long = call(
  first: 1,      // comments stand anywhere
  second: [
    2,
    3,
  ],
)
