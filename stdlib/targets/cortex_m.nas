nas 1

/// A bare Cortex-M4F core.
target "cortex-m4" {
  isa: "armv7em"
  clock: 80 MHz
  align: 16
  cost: cycles(mac: 1.13, element: 49.2, call: 16)
  toolchain: gcc(
    cc: "arm-none-eabi-gcc",
    flags: ["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    machine: "mps2-an386",
  )
  source: "Arm DDI 0439B for the core; costs fitted to instruction counts of 100 emitted networks under QEMU: median error 7 %, worst 65 %"
}
