//! Targets: a core or board as data, written in `.nas` in the standard library or in a spec.
//!
//! In: fields that `elaborate` has read and checked. Out: what kernels, plans and estimates need to know.

use serde::{Deserialize, Serialize};

use crate::tensor::{Bytes, Hertz};

/// The instruction set that code is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isa {
    /// Portable C99, whatever the machine.
    Portable,
    /// Armv6-M: Cortex-M0, M0+ and M1; one 32-bit product an instruction, no unaligned access.
    Armv6m,
    /// Armv7-M: Cortex-M3.
    Armv7m,
    /// Armv7E-M, with the DSP extension: Cortex-M4 and M7.
    Armv7em,
    /// Armv8-M mainline with the DSP extension: Cortex-M33.
    Armv8mMain,
    /// Armv8.1-M mainline with the DSP and vector extensions: Cortex-M55.
    #[serde(rename = "armv8_1m")]
    Armv8_1m,
    /// 32-bit RISC-V with multiplication and compressed instructions: ESP32-C3.
    Rv32imc,
    /// 64-bit x86, by portable C.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// The schedules and micro-kernels that an instruction set runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedules {
    /// What C99 says, on any machine.
    Portable,
    /// With the two-way multiply-accumulate of the Arm DSP extension.
    ArmDsp,
}

impl Isa {
    /// Every instruction set.
    pub const ALL: [Isa; 8] = [
        Isa::Portable,
        Isa::Armv6m,
        Isa::Armv7m,
        Isa::Armv7em,
        Isa::Armv8mMain,
        Isa::Armv8_1m,
        Isa::Rv32imc,
        Isa::X86_64,
    ];

    /// Its name in a target's `isa`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Armv6m => "armv6m",
            Isa::Armv7m => "armv7m",
            Isa::Armv7em => "armv7em",
            Isa::Armv8mMain => "armv8m_main",
            Isa::Armv8_1m => "armv8_1m",
            Isa::Rv32imc => "rv32imc",
            Isa::X86_64 => "x86_64",
        }
    }

    /// The schedules it runs: its own where there are some, else the portable ones. Armv8-M has the instructions of
    /// the DSP extension that Armv7E-M has; its vector extension has no schedules of its own.
    pub fn schedules(self) -> Schedules {
        match self {
            Isa::Armv7em | Isa::Armv8mMain | Isa::Armv8_1m => Schedules::ArmDsp,
            Isa::Portable | Isa::Armv6m | Isa::Armv7m | Isa::Rv32imc | Isa::X86_64 => Schedules::Portable,
        }
    }

    /// Bytes of a pointer. Of an unknown machine the most that there are.
    pub fn pointer_bytes(self) -> u64 {
        match self {
            Isa::Portable | Isa::X86_64 => 8,
            Isa::Armv6m | Isa::Armv7m | Isa::Armv7em | Isa::Armv8mMain | Isa::Armv8_1m | Isa::Rv32imc => 4,
        }
    }
}

/// How the cross compiler is called; `None` in [`Target::toolchain`] means the host's compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchain {
    /// The compiler's program name, such as `arm-none-eabi-gcc`.
    pub cc: String,
    /// Options that choose the core and the float ABI.
    pub flags: Vec<String>,
    /// The emulator's machine, such as `mps2-an386`, which need not be the board: it runs the core's instructions.
    /// `None` where nothing emulates it.
    pub machine: Option<String>,
}

/// Cycles of classes of work, for the estimate before anything is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostTable {
    /// Cycles for a multiply-accumulate of a convolution or dense layer.
    pub cycles_per_mac: f64,
    /// Cycles for an element that is loaded, requantized or stored besides.
    pub cycles_per_element: f64,
    /// Cycles for a call of a layer.
    pub cycles_per_call: f64,
}

/// A core or board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its name, as `--target` takes it.
    pub name: String,
    /// The target that the rest of its figures come from: a board's core. `None` for a core.
    #[serde(default)]
    pub core: Option<String>,
    /// Instruction set.
    pub isa: Isa,
    /// Clock.
    pub clock: Hertz,
    /// RAM of the chip; `None` for a bare core.
    pub ram: Option<Bytes>,
    /// Flash of the chip; `None` for a bare core.
    pub flash: Option<Bytes>,
    /// Alignment of the arena and of weights in bytes.
    pub align: usize,
    /// Power while computing, in milliwatts; `None` where no source is known.
    pub active_milliwatts: Option<f64>,
    /// Cost estimates.
    pub cost: CostTable,
    /// Cross compiler and emulator.
    pub toolchain: Option<Toolchain>,
    /// Where the figures come from.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_set_has_one_name_everywhere() {
        for isa in Isa::ALL {
            let text = serde_json::to_string(&isa).expect("plain data");
            assert_eq!(text, format!("\"{}\"", isa.name()));
        }
        let names: std::collections::BTreeSet<_> = Isa::ALL.map(Isa::name).into();
        assert_eq!(names.len(), Isa::ALL.len());
    }
}
