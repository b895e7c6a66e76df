nas 1

// Boards of STMicroelectronics. `ram` is the largest memory without a gap: the arena is one piece.

/// STM32F446RE, a board of the MicroNets paper.
target "nucleo-f446re" {
  core:   "cortex-m4"
  clock:  180 MHz
  ram:    128 KiB
  flash:  512 KiB
  power:  163 mW
  source: "DS10693 for memories and clock; power measured in arXiv:2010.11267 (table 4): energy over latency, within 1 % over its DS-CNNs"
}

/// STM32F412ZG, the smallest chip of the MCUNet paper.
target "stm32f412g-disco" {
  core:   "cortex-m4"
  clock:  100 MHz
  ram:    256 KiB
  flash:  1 MiB
  power:  37 mW
  source: "DS11139 for memories and clock; power from its 112 uA/MHz in run mode at 3.3 V, the chip alone, peripherals off"
}

/// STM32L476RG: low power, the L4 that wearables have.
target "nucleo-l476rg" {
  core:   "cortex-m4"
  clock:  80 MHz
  ram:    96 KiB
  flash:  1 MiB
  power:  34 mW
  source: "DS10198 for memories (SRAM1; SRAM2 has 32 KiB more elsewhere), clock and power: 10.2 mA in run mode at 80 MHz, from flash, at 3.3 V, the chip alone"
}

/// STM32L4R5ZI, the reference board of MLPerf Tiny.
target "nucleo-l4r5zi" {
  core:   "cortex-m4"
  clock:  120 MHz
  ram:    640 KiB
  flash:  2 MiB
  power:  44 mW
  source: "DS12023 for memories and clock; power from its 110 uA/MHz in run mode at 3.3 V, the chip alone, peripherals off"
}

/// STM32F746NG, a board of the MicroNets and MCUNet papers.
target "stm32f746g-disco" {
  core:   "cortex-m7"
  clock:  216 MHz
  ram:    320 KiB
  flash:  1 MiB
  power:  445 mW
  source: "DS10916 for memories and clock; power measured in arXiv:2010.11267 (table 4): energy over latency, within 1 % over its DS-CNNs"
}

/// STM32H743ZI, the largest chip of the MCUNet paper.
target "nucleo-h743zi" {
  core:   "cortex-m7"
  clock:  480 MHz
  ram:    512 KiB
  flash:  2 MiB
  power:  436 mW
  source: "DS12110 for memories (AXI SRAM; 1 MiB in all) and clock; power from its 275 uA/MHz in run mode at 3.3 V, the chip alone, peripherals off"
}

/// STM32G071RB: a small chip without DSP instructions.
target "nucleo-g071rb" {
  core:   "cortex-m0+"
  clock:  64 MHz
  ram:    36 KiB
  flash:  128 KiB
  power:  21 mW
  source: "DS12232 for memories (36 KiB without parity check) and clock; power from its 100 uA/MHz in run mode at 3.3 V, the chip alone, peripherals off"
}
