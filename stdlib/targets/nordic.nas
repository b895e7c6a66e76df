nas 1

/// nRF52840 on Nordic's development kit.
target "nrf52840-dk" {
  core:   "cortex-m4"
  clock:  64 MHz
  ram:    256 KiB
  flash:  1 MiB
  power:  10 mW
  source: "nRF52840 product specification 1.1 for memories, clock and power: 3.3 mA at 3 V for CoreMark from flash with cache and DC/DC converter, the chip alone, radio off"
}

/// The same chip on a board with microphone and motion sensor.
target "arduino-nano-33-ble" {
  core:   "nrf52840-dk"
  source: "Arduino ABX00030: the chip and its clock; memories are shared with the boot loader and Mbed OS, of which nothing is taken off here"
}
