nas 1

/// The machine that nasc runs on, by portable C.
target "host" {
  isa: "portable"
  clock: 1000 MHz
  align: 16
  cost: cycles(mac: 1, element: 2, call: 20)
  source: "a nominal core of 1 GHz; latency on the host is not a promise"
}
