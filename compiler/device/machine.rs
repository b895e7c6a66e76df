//! The emulated machines: where their memory lies and how their clock counts instructions.
//!
//! All of them start from a vector table, take Arm semihosting calls and have a SysTick timer. Under
//! `-icount shift=0` an instruction takes one nanosecond, so a tick of a timer at `f` Hz is `1e9 / f` instructions.
//! The machine only has to execute the core's instructions: code for Armv6-M, which is a part of Armv7-M, runs on
//! the Cortex-M3, where the harness has unaligned accesses trapped as a Cortex-M0+ would.
//!
//! Source  Arm application notes AN385, AN386, AN500, AN505, AN521 and AN547; the timer's frequency was checked with
//!         loops of known length.

use crate::diagnostic::{Code, Diagnostic};

/// Memory from an address on, in bytes.
#[derive(Clone, Copy, Debug)]
struct Region {
    start: u32,
    bytes: u32,
}

/// An emulated machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// As QEMU calls it.
    pub(super) name: &'static str,
    /// Where the processor looks for its first vectors.
    vectors: u32,
    /// For code and constants.
    code: Region,
    /// For data and stack.
    ram: Region,
    /// Frequency of the timer.
    timer_hertz: u64,
}

/// Space of the vector table, in bytes.
const VECTOR_BYTES: u32 = 64;

const MACHINES: [Machine; 6] = [
    Machine {
        name: "mps2-an385",
        vectors: 0,
        code: Region { start: VECTOR_BYTES, bytes: (4 << 20) - VECTOR_BYTES },
        ram: Region { start: 0x2000_0000, bytes: 4 << 20 },
        timer_hertz: 25_000_000,
    },
    Machine {
        name: "mps2-an386",
        vectors: 0,
        code: Region { start: VECTOR_BYTES, bytes: (4 << 20) - VECTOR_BYTES },
        ram: Region { start: 0x2000_0000, bytes: 4 << 20 },
        timer_hertz: 25_000_000,
    },
    Machine {
        name: "mps2-an500",
        vectors: 0,
        code: Region { start: VECTOR_BYTES, bytes: (4 << 20) - VECTOR_BYTES },
        ram: Region { start: 0x2000_0000, bytes: 4 << 20 },
        timer_hertz: 25_000_000,
    },
    Machine {
        name: "mps2-an505",
        vectors: 0x1000_0000,
        code: Region { start: 0x1000_0000 + VECTOR_BYTES, bytes: (4 << 20) - VECTOR_BYTES },
        ram: Region { start: 0x3800_0000, bytes: 4 << 20 },
        timer_hertz: 20_000_000,
    },
    Machine {
        name: "mps2-an521",
        vectors: 0x1000_0000,
        code: Region { start: 0x1000_0000 + VECTOR_BYTES, bytes: (4 << 20) - VECTOR_BYTES },
        ram: Region { start: 0x3800_0000, bytes: 4 << 20 },
        timer_hertz: 20_000_000,
    },
    // The vectors lie in the small memory that the processor starts from; a network has more room in the next one.
    Machine {
        name: "mps3-an547",
        vectors: 0x1000_0000,
        code: Region { start: 0x1100_0000, bytes: 2 << 20 },
        ram: Region { start: 0x3100_0000, bytes: 4 << 20 },
        timer_hertz: 32_000_000,
    },
];

impl Machine {
    /// The machine of that name.
    ///
    /// # Errors
    /// E0906 if nasc has none.
    pub(super) fn find(name: Option<&str>) -> Result<&'static Machine, Diagnostic> {
        let found = MACHINES.iter().find(|machine| Some(machine.name) == name);
        found.ok_or_else(|| {
            let named = name.unwrap_or("none");
            let known: Vec<String> = MACHINES.iter().map(|machine| format!("`{}`", machine.name)).collect();
            let message = format!("nasc has no board support for the machine `{named}`");
            Diagnostic::error(Code::TOOL_FAILED, message)
                .help(format!("set the target's machine to one of {}", known.join(", ")))
        })
    }

    /// The linker's description of its memory.
    pub(super) fn memory(&self) -> String {
        self.memory_of([self.code.bytes, self.ram.bytes])
    }

    /// That of a board with the same addresses and more memory: what lies between them is for code and constants.
    pub(super) fn ample_memory(&self) -> String {
        let code = self.ram.start.saturating_sub(self.code.start).max(self.code.bytes);
        self.memory_of([code, 1 << 28])
    }

    fn memory_of(&self, [code, ram]: [u32; 2]) -> String {
        let line = |name: &str, rights: &str, start: u32, bytes: u32| {
            format!("    {name} ({rights}) : ORIGIN = {start:#010x}, LENGTH = {bytes}\n")
        };
        let lines = [
            line("VECTORS", "rx", self.vectors, VECTOR_BYTES),
            line("CODE", "rx", self.code.start, code),
            line("RAM", "rwx", self.ram.start, ram),
        ];
        format!("MEMORY\n{{\n{}}}\n", lines.concat())
    }

    /// Instructions in so many ticks, exact to those of one tick.
    pub(super) fn instructions(&self, ticks: u64) -> u64 {
        (u128::from(ticks) * 1_000_000_000 / u128::from(self.timer_hertz)).try_into().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_as_many_instructions_as_nanoseconds() {
        let instructions = |name, ticks| Machine::find(Some(name)).expect("known").instructions(ticks);
        assert_eq!(instructions("mps2-an386", 3), 120);
        assert_eq!(instructions("mps2-an505", 3), 150);
        assert_eq!(instructions("mps3-an547", 4), 125);
        assert!(Machine::find(Some("mps2-an999")).is_err() && Machine::find(None).is_err());
        for machine in MACHINES {
            assert_eq!(machine.instructions(machine.timer_hertz), 1_000_000_000);
        }
    }
}
