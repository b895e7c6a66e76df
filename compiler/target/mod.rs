//! Targets: a core or board as data, written in `.nas` in the standard library or in a spec.
//!
//! In: fields that `elaborate` has read and checked. Out: what kernels, plans and estimates need to know.

use serde::{Deserialize, Serialize};

use crate::tensor::{Bytes, Hertz};

/// The instruction set that code is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isa {
    /// Portable C99, whatever the machine.
    Portable,
    /// Armv7E-M with the DSP extension: Cortex-M4 and M7.
    Armv7em,
}

/// How the cross compiler is called; `None` in [`Target::toolchain`] means the host's compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchain {
    /// The compiler's program name, such as `arm-none-eabi-gcc`.
    pub cc: String,
    /// Options that choose the core and the float ABI.
    pub flags: Vec<String>,
    /// The emulator's machine, such as `mps2-an386`; `None` where nothing emulates it.
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
