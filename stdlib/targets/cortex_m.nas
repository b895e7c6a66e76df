nas 1

// Cores. A board takes one of these by `core` and adds its memories, its clock and its power.
//
// `cost` was fitted to the instruction counts of 100 emitted networks on the named machine (`cargo bench --bench
// code_size -- --target NAME`). Cores with the DSP extension take 1.25 cycles for an instruction of these, which is
// what plain loops take on a Cortex-M4 by Arm's table of timings; others count a cycle for each. Figures are corrected
// where a core is known to differ from a Cortex-M4. All are estimates: none was measured on silicon. A real chip waits
// for its flash; on the STM32L4R5 at 120 MHz other engines took 1.15 to 1.35 times the cycles of that table.

/// Cortex-M0+: two-stage pipeline, no DSP instructions, 32-bit products only.
target "cortex-m0+" {
  isa: "armv6m"
  clock: 48 MHz
  align: 16
  cost: cycles(mac: 2.69, element: 108, call: 127)
  toolchain: gcc(cc: "arm-none-eabi-gcc", flags: ["-mcpu=cortex-m0plus"], machine: "mps2-an385")
  source: "Arm DDI 0484C for the core; clock nominal; costs fitted to instructions under QEMU, run by a Cortex-M3 of which Armv6-M is a part: median error 11 %, worst 122 %; estimated"
}

/// Cortex-M3: long multiplication and division, no DSP instructions.
target "cortex-m3" {
  isa: "armv7m"
  clock: 72 MHz
  align: 16
  cost: cycles(mac: 1.51, element: 43.7, call: 24)
  toolchain: gcc(cc: "arm-none-eabi-gcc", flags: ["-mcpu=cortex-m3"], machine: "mps2-an385")
  source: "Arm DDI 0337H for the core; clock nominal; costs fitted to instructions under QEMU: median error 11 %, worst 67 %; estimated"
}

/// A bare Cortex-M4F core.
target "cortex-m4" {
  isa: "armv7em"
  clock: 80 MHz
  align: 16
  cost: cycles(mac: 1.41, element: 61.5, call: 20)
  toolchain: gcc(
    cc: "arm-none-eabi-gcc",
    flags: ["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    machine: "mps2-an386",
  )
  source: "Arm DDI 0439B for the core; costs fitted to instruction counts of 100 emitted networks under QEMU (median error 7 %, worst 65 %), times 1.25 cycles; assembly by the same table, within 2 % on 30 layers"
}

/// Cortex-M7: dual issue, with caches or tightly coupled memory.
target "cortex-m7" {
  isa: "armv7em"
  clock: 216 MHz
  align: 16
  cost: cycles(mac: 0.8, element: 30.6, call: 17.1)
  toolchain: gcc(
    cc: "arm-none-eabi-gcc",
    flags: ["-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
    machine: "mps2-an500",
  )
  source: "Arm DDI 0489F for the core; clock nominal; costs fitted to instructions under QEMU (median error 7 %, worst 38 %), times 1.25, divided by 1.91: cycles of an STM32F446RE over those of an STM32F746 for the same networks in arXiv:2010.11267, 1.90 to 1.95; estimated"
}

/// Cortex-M33 with the DSP extension.
target "cortex-m33" {
  isa: "armv8m_main"
  clock: 110 MHz
  align: 16
  cost: cycles(mac: 1.32, element: 44.6, call: 47.4)
  toolchain: gcc(
    cc: "arm-none-eabi-gcc",
    flags: ["-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
    machine: "mps2-an505",
  )
  source: "Arm 100230 for the core; clock nominal; costs fitted to instructions under QEMU (median error 6 %, worst 39 %), times 1.25, divided by 1.16: CoreMark/MHz of 4.10 against 3.54 of a Cortex-M4, by Arm; estimated"
}

/// Cortex-M55, whose vector instructions no kernel uses yet.
target "cortex-m55" {
  isa: "armv8_1m"
  clock: 160 MHz
  align: 16
  cost: cycles(mac: 1.22, element: 42.9, call: 35.8)
  toolchain: gcc(
    cc: "arm-none-eabi-gcc",
    flags: ["-mcpu=cortex-m55", "-mfloat-abi=hard"],
    machine: "mps3-an547",
  )
  source: "Arm 101051 for the core; clock nominal; costs fitted to instructions under QEMU (median error 6 %, worst 42 %), times 1.25, divided by 1.24: CoreMark/MHz of 4.40 against 3.54 of a Cortex-M4, by Arm; estimated"
}
