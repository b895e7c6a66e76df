//! The C of features of sound against the definition in Rust, bit for bit: compiled by every compiler that is there,
//! run here and on emulated Cortex-M0, M3 and M4.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::{cost, hop_code, kept, row_code, scratch_bytes, table_bytes, tables};
use crate::data::{Audio, AudioSpec, Scratch, Stream};
use crate::emit::c::rows;
use crate::target::Isa;

const HEAD: &str = "\
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define $_INLINE static inline __attribute__((always_inline))
#define $_NOINLINE __attribute__((noinline))
#else
#define $_INLINE static inline
#define $_NOINLINE
#endif
";

/// Every frame by itself, then the same as a stream of hops.
const CHECK: &str = "
static int32_t @_scratch[SCRATCH];
static int16_t @_row[BANDS];
static int16_t @_state[KEPT + 1];

static int @_check(void)
{
    for (int32_t i = 0; i < RECORDINGS; ++i) {
        const int16_t *const samples = @_recordings + i * LENGTH;
        memmove(@_state, samples, KEPT * sizeof(int16_t));
        for (int32_t t = 0; t < FRAMES; ++t) {
            for (int32_t streamed = 0; streamed < 2; ++streamed) {
                const int16_t *frame = samples + t * HOP;
                if (streamed != 0) {
                    frame = @_features_hop(@_state, frame + KEPT, @_scratch);
                }
                @_features_row(frame, @_scratch, @_row);
                for (int32_t band = 0; band < BANDS; ++band) {
                    if (@_row[band] != @_expected[(i * FRAMES + t) * BANDS + band]) {
                        return 1;
                    }
                }
            }
        }
    }
    return 0;
}
";

/// Starts a bare Cortex-M and ends the emulator with what `main` returns.
const START: &str = "
extern uint32_t stack_top;

static void start(void)
{
    const uint32_t end[2] = {0x20026u, (uint32_t)main()};
    register uint32_t r0 __asm__(\"r0\") = 0x20;
    register const uint32_t *r1 __asm__(\"r1\") = end;
    __asm__ volatile(\"bkpt 0xab\" : : \"r\"(r0), \"r\"(r1) : \"memory\");
}

__attribute__((section(\".vectors\"), used)) static const void *const vectors[2] = {&stack_top, (void *)start};
";

const LINK: &str = "\
SECTIONS {
    . = 0;
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
    .ARM.exidx : { *(.ARM.exidx*) }
    . = 0x20000000;
    .bss (NOLOAD) : { *(.bss*) *(COMMON) }
    stack_top = 0x20080000;
}
";

fn spec(rate: u32, frame: usize, hop: usize, filters: usize, coefficients: Option<usize>) -> AudioSpec {
    let high = f64::from(rate) / 2.0;
    let stream = Stream { every: 1, smooth: 1 };
    AudioSpec { rate, length: frame + hop, frame, hop, filters, low: 0.0, high, coefficients, stream }
}

fn specs() -> Vec<AudioSpec> {
    vec![
        spec(16_000, 640, 320, 40, Some(10)),
        spec(16_000, 400, 160, 40, None),
        spec(8000, 201, 67, 21, Some(9)),
        spec(16_000, 512, 512, 33, Some(33)),
        spec(8000, 33, 90, 3, Some(1)),
        spec(48_000, 1023, 1000, 1, None),
        spec(16_000, 64, 1, 12, None),
    ]
}

/// Silence, the loudest of several kinds, noise loud and quiet, and a tone with clicks.
fn recordings(length: usize) -> Vec<Vec<i16>> {
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    };
    let loud = |i: usize, period: usize| if (i / period).is_multiple_of(2) { i16::MIN } else { i16::MAX };
    let tone = |i: usize| (9000.0 * (i as f64 * 0.11).sin()) as i16;
    vec![
        vec![0; length],
        vec![i16::MIN; length],
        vec![i16::MAX; length],
        (0..length).map(|i| loud(i, 1)).collect(),
        (0..length).map(|i| loud(i, 7)).collect(),
        (0..length).map(|_| random()).collect(),
        (0..length).map(|_| random() >> 14).collect(),
        (0..length).map(|i| if i % 97 == 0 { i16::MAX } else { tone(i) }).collect(),
    ]
}

/// The code of a front end with a function that returns 0 if all features are right.
fn check(audio: &Audio, name: &str) -> String {
    let [frames, bands, _] = audio.extents();
    let length = audio.spec().length;
    let mut out = String::new();
    let mut bytes = 0;
    for table in tables(audio) {
        let (ty, name, len) = (table.ty, table.name, table.values.len());
        bytes += table.width * len as u64;
        write!(out, "\nstatic const {ty} @_{name}[{len}] = {{\n{}}};\n", rows(table.values)).unwrap();
    }
    assert_eq!(bytes, table_bytes(audio));
    out.push_str(&row_code(audio));
    out.push_str(hop_code(audio));
    let samples = recordings(length);
    let mut features = Vec::new();
    for recording in &samples {
        let mut found = vec![0; frames * bands];
        audio.features_i16(recording, &mut found, &mut Scratch::default());
        features.extend(found);
    }
    for (name, values) in [("recordings", &samples.concat()), ("expected", &features)] {
        write!(out, "\nstatic const int16_t @_{name}[] = {{\n{}}};\n", rows(values)).unwrap();
    }
    let mut check = CHECK.to_owned();
    for (word, value) in [
        ("SCRATCH", scratch_bytes(audio, true) as usize / 4),
        ("BANDS", bands),
        ("KEPT", kept(audio)),
        ("RECORDINGS", samples.len()),
        ("LENGTH", length),
        ("FRAMES", frames),
        ("HOP", audio.spec().hop),
    ] {
        check = check.replace(word, &value.to_string());
    }
    (out + &check).replace('@', name).replace('$', &name.to_uppercase())
}

/// A program that returns 0 if all features of all front ends are right, else the number of the first one at fault.
fn program(start: &str) -> String {
    let (mut checks, mut main) = (String::new(), String::from("\nint main(void)\n{\n"));
    for (i, spec) in specs().into_iter().enumerate() {
        let name = format!("net{i}");
        let audio = Audio::new(spec).unwrap();
        let head = HEAD.replace('$', &name.to_uppercase());
        checks.push_str(&(head + &check(&audio, &name)));
        writeln!(main, "    if ({name}_check() != 0) {{\n        return {};\n    }}", i + 1).unwrap();
    }
    checks + &main + "    return 0;\n}\n" + start
}

fn is_there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok();
    if !there {
        println!("skipped: `{tool}` is not installed");
    }
    there
}

fn compile(folder: &Path, compiler: &str, options: &[&str]) {
    let strict = ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2", "-o", "program"];
    let output = Command::new(compiler).args(strict).args(options).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{compiler} {options:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn c_on_this_machine_gives_the_same_bits() {
    let compilers: [(&str, &[&str]); 4] = [
        ("gcc", &["-std=c99", "-Wpedantic", "program.c"]),
        ("gcc", &["-std=c99", "-fsanitize=undefined", "-fno-sanitize-recover", "program.c"]),
        ("g++", &["-std=c++11", "-Wpedantic", "-x", "c++", "program.c"]),
        ("clang", &["-std=c99", "-Wpedantic", "program.c"]),
    ];
    for (compiler, options) in compilers.into_iter().filter(|(compiler, _)| is_there(compiler)) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("program.c"), program("")).unwrap();
        compile(folder.path(), compiler, options);
        let status = Command::new(folder.path().join("program")).status().unwrap();
        assert_eq!(status.code(), Some(0), "{compiler}");
    }
}

#[test]
fn c_on_a_cortex_m_gives_the_same_bits() {
    if !is_there("arm-none-eabi-gcc") || !is_there("qemu-system-arm") {
        return;
    }
    for (core, machine) in
        [("cortex-m0", "mps2-an385"), ("cortex-m3", "mps2-an385"), ("cortex-m4", "mps2-an386")]
    {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("program.c"), program(START)).unwrap();
        std::fs::write(folder.path().join("link.ld"), LINK).unwrap();
        let core = format!("-mcpu={core}");
        let options =
            ["-std=gnu99", &core, "-mthumb", "-nostartfiles", "-Wl,-e,0", "-T", "link.ld", "program.c"];
        compile(folder.path(), "arm-none-eabi-gcc", &options);
        let status = Command::new("timeout")
            .args(["60", "qemu-system-arm", "-M", machine, "-nographic", "-monitor", "none"])
            .args(["-serial", "none", "-semihosting-config", "enable=on,target=native", "-kernel"])
            .arg(folder.path().join("program"))
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0), "{core}");
    }
}

#[test]
fn costs_are_near_what_was_counted() {
    let speech = |frame: usize, hop: usize, filters: usize, coefficients: Option<usize>| {
        let spec = spec(16_000, frame, hop, filters, coefficients);
        Audio::new(AudioSpec { low: 80.0, high: 7600.0, ..spec }).unwrap()
    };
    // Instructions under QEMU of `tests/front_ends.rs`, without 20 for each feature that is quantized.
    let rows = [
        (speech(320, 160, 20, Some(10)), 22_093),
        (speech(400, 160, 24, None), 23_545),
        (speech(100, 150, 12, Some(12)), 5937),
        (speech(480, 320, 21, Some(13)), 24_883),
    ];
    for (audio, counted) in rows {
        let found = cost(&audio, Isa::Armv7em).cycles_per_row;
        assert!(found.abs_diff(counted) < counted / 10, "{found} for {counted}");
    }
    let small = cost(&speech(320, 160, 20, Some(10)), Isa::Armv6m).cycles_per_row;
    assert!(small.abs_diff(117_900) < 11_790, "{small}");
    let low = |low: f64, high: f64, spec: AudioSpec| Audio::new(AudioSpec { low, high, ..spec }).unwrap();
    let linked = [
        (low(20.0, 4000.0, spec(16_000, 640, 320, 40, Some(10))), 2337),
        (low(20.0, 8000.0, spec(16_000, 400, 160, 40, None)), 2123),
        (low(20.0, 8000.0, spec(16_000, 1024, 512, 64, None)), 2125),
    ];
    for (audio, code) in linked {
        let bound = cost(&audio, Isa::Armv7em).code_bytes;
        assert!((code..code + 500).contains(&bound), "{bound} for {code}");
    }
}
