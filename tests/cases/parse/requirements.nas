nas 1
require {
  ram <= 24 KiB
  latency < 1.5 s on ["cortex-m4", "cortex-m7"]
  accuracy >= 90 %
  ram <= 80 % * 24 KiB on "cortex-m0"
}
prefer { energy <= 2 mJ weight 0.2 on "cortex-m4", macs <= 2000000 weight 1 }
require { ram => 3 KiB, flash <= }
