//! What a compiled network becomes.
//!
//! In: a lowered [`Program`], the plan's offsets and what a user's program must know.
//! Out: a [`Bundle`] of files, made in memory. Not done here: writing files, running compilers (`device`).

mod c;
mod front_end;
mod graph_file;
mod graph_json;
pub mod jit;
mod reconstruction;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Result};
use crate::kernel::{Buffer, Program, Role};
use crate::tensor::{DType, TensorType};

pub use crate::data::{Element, FrontEnd, Quantizer, RawInput, RawQuantizer};
pub use c::emit_c;
pub use front_end::{RawInterface, check_front_end, check_raw, front_end_cost};
pub use graph_file::{GraphFile, PlacedBuffer, Plan, read_graph_file, write_graph_file};
pub use graph_json::{read_graph, write_graph};
pub use reconstruction::Reconstruction;

/// Files by name, relative to the bundle's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Contents by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// Adds a text file.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.files.insert(name.into(), text.into().into_bytes());
    }

    /// A file as text, if it is there and is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(name)?).ok()
    }
}

/// An input with the output that the integer evaluator gives for it. Elements of 16 bits are two bytes, the low one first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden {
    /// The bytes of the network's input.
    pub input: Vec<i8>,
    /// The bytes of the network's output.
    pub output: Vec<i8>,
}

/// Everything that is emitted.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// Name of the files and prefix of every symbol; see [`check_name`].
    pub name: &'a str,
    /// The lowered network, its inputs of 8 or of 16 bit, its outputs likewise; one of each where there is `raw`.
    pub program: &'a Program,
    /// Where each buffer of the program starts in the arena, in bytes.
    pub offsets: &'a [u64],
    /// Size of the arena, which holds the scratch of the front end too.
    pub arena_bytes: u64,
    /// Alignment of the arena on the target, a power of two; its buffers may need more. Tables of weights are aligned
    /// to 4 on Arm.
    pub arena_align: usize,
    /// The types of the inputs in order, quantized.
    pub inputs: &'a [TensorType],
    /// The types of the outputs in order, quantized.
    pub outputs: &'a [TensorType],
    /// What the caller has and wants instead of the network's integers.
    pub borders: Borders<'a>,
    /// What turns the sensor's values into the input; `None` if there is none.
    pub raw: Option<&'a RawInput>,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Vectors of the self-test.
    pub golden: &'a [Golden],
    /// Names of the classes; empty if there are none.
    pub labels: &'a [String],
    /// How each output is read where the network predicts numbers; else empty.
    pub readings: &'a [Reading],
}

/// Elements outside of a network that functions of their own bring to its integers and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Real numbers.
    F32,
    /// Integers without a sign: those of the network, 128 higher.
    U8,
}

/// The borders of inputs and outputs, in their order; empty where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Borders<'a> {
    /// Of each input.
    pub inputs: &'a [Option<Border>],
    /// Of each output.
    pub outputs: &'a [Option<Border>],
}

/// How a real output is read as the number that is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// `mean + deviation * output`, in the unit of the number.
    Scaled {
        /// Of the training samples.
        mean: f32,
        /// Of the training samples; positive.
        deviation: f32,
    },
    /// `1 / (1 + exp(-output))`, a number from 0 to 1.
    Share,
}

impl Reading {
    /// The number that an output means.
    pub fn read(self, output: f32) -> f64 {
        let output = f64::from(output);
        match self {
            Reading::Scaled { mean, deviation } => output * f64::from(deviation) + f64::from(mean),
            Reading::Share => crate::tensor::math::sigmoid(output as f32).into(),
        }
    }

    /// The output that training wants for a number; shares are wanted as they are.
    pub fn standardized(self, number: f32) -> f32 {
        match self {
            Reading::Scaled { mean, deviation } => {
                ((f64::from(number) - f64::from(mean)) / f64::from(deviation)) as f32
            }
            Reading::Share => number,
        }
    }

    /// Whether it can have come from data.
    pub fn is_sound(self) -> bool {
        match self {
            Reading::Scaled { mean, deviation } => {
                mean.is_finite() && deviation.is_finite() && deviation > 0.0
            }
            Reading::Share => true,
        }
    }
}

/// What a caller of the emitted code has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Prefix of every symbol.
    pub name: String,
    /// Elements of the input; of all inputs, which follow each other, where there are several.
    pub input_elements: usize,
    /// Elements of the output; of all outputs, which follow each other, where there are several.
    pub output_elements: usize,
    /// Bytes of an element of the inputs: 1 or 2.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub input_element_bytes: usize,
    /// Bytes of an element of the outputs: 1 or 2.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub output_element_bytes: usize,
    /// Elements of each input where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<usize>,
    /// Elements of each output where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<usize>,
    /// What `_run_raw` takes; `None` if there is none.
    pub raw: Option<RawInterface>,
}

fn one() -> usize {
    1
}

fn is_one(bytes: &usize) -> bool {
    *bytes == 1
}

impl Interface {
    /// Bytes of all inputs.
    pub fn input_bytes(&self) -> usize {
        self.input_elements.saturating_mul(self.input_element_bytes)
    }

    /// Bytes of all outputs.
    pub fn output_bytes(&self) -> usize {
        self.output_elements.saturating_mul(self.output_element_bytes)
    }
}

impl Network<'_> {
    /// Alignment of the arena, which callers have to give it.
    pub fn align(&self) -> usize {
        self.arena_align.max(self.program.align())
    }

    /// Bytes of all constant tables, those of the front end among them.
    pub fn weights_bytes(&self) -> u64 {
        self.program.table_bytes() + self.raw.map_or(0, |raw| front_end::table_bytes(&raw.front_end))
    }

    /// What a caller has to know.
    pub fn interface(&self) -> Interface {
        let [inputs, outputs] = [self.inputs, self.outputs].map(sizes);
        let [input_element_bytes, output_element_bytes] =
            [self.inputs, self.outputs].map(|types| types.first().map_or(1, |ty| ty.dtype.size()));
        Interface {
            name: self.name.to_string(),
            input_elements: inputs.iter().sum(),
            output_elements: outputs.iter().sum(),
            input_element_bytes,
            output_element_bytes,
            inputs: if inputs.len() == 1 { Vec::new() } else { inputs },
            outputs: if outputs.len() == 1 { Vec::new() } else { outputs },
            raw: self.raw.map(|raw| RawInterface::new(&raw.front_end)),
        }
    }

    /// Input and output where there is one of each.
    fn one_each(&self) -> Option<(&TensorType, &TensorType)> {
        match (self.inputs, self.outputs) {
            ([input], [output]) => Some((input, output)),
            _ => None,
        }
    }

    /// Checks what the passes before promise. A failure is a bug of theirs.
    fn check(&self) {
        let buffers = &self.program.buffers;
        assert_eq!(buffers.len(), self.offsets.len(), "every buffer has an offset");
        assert!(self.arena_align.is_power_of_two(), "alignment {} is a power of two", self.arena_align);
        assert!(self.arena_bytes <= i32::MAX as u64, "an arena of {} bytes", self.arena_bytes);
        for (buffer, &offset) in buffers.iter().zip(self.offsets) {
            assert!(offset.is_multiple_of(buffer.align as u64), "`{}` is aligned", buffer.name);
            assert!(offset + buffer.bytes() <= self.arena_bytes, "`{}` ends in the arena", buffer.name);
        }
        for (slots, types, borders, role) in [
            (&self.program.inputs, self.inputs, self.borders.inputs, Role::Input),
            (&self.program.outputs, self.outputs, self.borders.outputs, Role::Output),
        ] {
            assert_eq!(slots.len(), types.len(), "`{}` has as many slots as types", self.name);
            assert!(borders.is_empty() || borders.len() == types.len(), "a border for each, or none");
            slots.iter().zip(types).for_each(|(&slot, ty)| check_slot(&buffers[slot.0 as usize], ty, role));
            assert!(types.iter().all(|ty| ty.dtype == types[0].dtype), "all {role:?}s have one element type");
        }
        if let Some(raw) = self.raw {
            let (input, _) = self.one_each().expect("a front end is before one input");
            check_raw(raw, input).expect("the front end fits the input");
            let scratch = front_end::scratch_bytes(&raw.front_end);
            assert!(scratch <= self.arena_bytes, "the front end's {scratch} B are in the arena");
            assert!(scratch == 0 || self.align() >= 4, "the front end's scratch is aligned to 4");
        }
        let interface = self.interface();
        for golden in self.golden {
            let lens = (interface.input_bytes(), interface.output_bytes());
            assert_eq!(
                (golden.input.len(), golden.output.len()),
                lens,
                "golden vectors have the network's sizes"
            );
        }
    }
}

/// Elements of each.
fn sizes(types: &[TensorType]) -> Vec<usize> {
    types.iter().map(|ty| ty.shape.elements()).collect()
}

/// Checks that a buffer is one of the network's ends.
fn check_slot(buffer: &Buffer, ty: &TensorType, role: Role) {
    assert_eq!((buffer.elem, buffer.len), (ty.dtype, ty.shape.elements()), "`{}` is a slot", buffer.name);
    assert!(buffer.role == role, "`{}` is the {role:?}", buffer.name);
    let is_known = matches!(ty.dtype, DType::I8 | DType::I16);
    assert!(is_known && ty.quant.is_some(), "{ty} is quantized to 8 or 16 bit");
}

/// Checks that a name can be used for files, symbols and macros.
///
/// # Errors
/// E0910 if it is empty, longer than 48 characters, a word of C, or has other characters than letters, digits
/// and `_`, or does not start with a letter.
pub fn check_name(name: &str) -> Result<()> {
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 48;
    let shown: String = name.chars().take(60).flat_map(char::escape_default).collect();
    if c::is_reserved(name) {
        return Err(Diagnostic::error(
            Code::NAME,
            format!("`{shown}` is a word of C and cannot name a bundle"),
        )
        .help("choose another one with `--name`")
        .into());
    }
    if good {
        return Ok(());
    }
    Err(Diagnostic::error(Code::NAME, format!("`{shown}` cannot be the prefix of C symbols"))
        .note("a name has at most 48 letters, digits and `_`, and starts with a letter")
        .help("choose another one with `--name`")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["kws", "Net_2", "a"] {
            check_name(good).expect("a C identifier");
        }
        for bad in ["", "2d", "a-b", "größe", "int", "_x", "a\nb"] {
            check_name(bad).expect_err("no C identifier");
        }
    }
}
