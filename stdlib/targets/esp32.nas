nas 1

/// ESP32-C3: one RV32IMC core; code and constants lie in flash behind a cache.
target "esp32-c3" {
  isa:        "rv32imc"
  clock:      160 MHz
  ram:        384 KiB
  align:      16
  cost:       cycles(mac: 2.04, element: 59, call: 32.5)
  toolchain:  gcc(cc: "riscv64-unknown-elf-gcc", flags: ["-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs"])
  source:     "ESP32-C3 datasheet for the core, clock and memory (400 KiB of which 16 are cache); costs are those of a Cortex-M3 times 1.35: CoreMark/MHz of 3.44 by Arm against 2.55 by Espressif; estimated, nothing was run"
}

/// ESP32-C3-DevKitM-1: with 4 MiB of flash in its module.
target "esp32-c3-devkitm-1" {
  core:   "esp32-c3"
  flash:  4 MiB
  power:  76 mW
  source: "ESP32-C3-MINI-1 datasheet for flash; power of the ESP32-C3 datasheet in modem sleep: 23 mA at 3.3 V, core computing at 160 MHz, radio off"
}
