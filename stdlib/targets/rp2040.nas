nas 1

/// RP2040: two Cortex-M0+ cores, of which one is used; it has no flash of its own.
target "rp2040" {
  core:   "cortex-m0+"
  clock:  133 MHz
  ram:    264 KiB
  source: "RP2040 datasheet for memory and clock; it gives no current of a computing core alone"
}

/// Raspberry Pi Pico: an RP2040 with 2 MiB of external flash.
target "raspberry-pi-pico" {
  core:   "rp2040"
  clock:  125 MHz
  flash:  2 MiB
  power:  82 mW
  source: "Raspberry Pi Pico datasheet for flash; clock of its SDK; power estimated: 25 mA at 3.3 V, the order that users report for one busy core, to be measured on your board"
}
