//! Runs a bundle: on this machine and on an emulated Cortex-M, and measures it there.
//!
//! In: a [`Bundle`] in memory, its [`Interface`] and samples. Out: the outputs for every sample and, of the
//! emulated run, counts and the sizes of the linked image ([`Measured`]). Everything happens in a temporary
//! folder that is removed afterwards; programs are stopped when their time is over.
//!
//! On the board, QEMU runs with `-icount shift=0`, where one instruction takes one nanosecond, and the ticks of its
//! timer are counted; `machine.rs` has the boards.

mod elf;
mod link;
mod machine;
mod process;
mod stack;
mod tools;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::link::{damaged, sizes};
use crate::device::machine::Machine;
use crate::device::process::TempFolder;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::emit::{Bundle, Element, Interface};
use crate::target::Toolchain;

pub use link::link_board;
pub use tools::{Tool, find, tools};

const HARNESS: &str = include_str!("harness.c");
const LINKER_SCRIPT: &str = include_str!("board.ld");
const BUILD_LIMIT: Duration = Duration::from_secs(300);
/// Greatest size of the files of a bundle together.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// Options under which emitted C is clean.
pub const STRICT_FLAGS: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"];

/// What a bundle is run on.
#[derive(Clone, Copy, Debug)]
pub enum Samples<'a> {
    /// The bytes of the network's inputs, through `_run`.
    Int8(&'a [Vec<i8>]),
    /// Raw values, through `_run_raw`; each is one of the front end's element. Where there is a stream, each sample
    /// goes through it too, hop by hop, and has to give the same output.
    Raw(&'a [Vec<f32>]),
}

impl Samples<'_> {
    fn len(&self) -> usize {
        match self {
            Samples::Int8(samples) => samples.len(),
            Samples::Raw(samples) => samples.len(),
        }
    }

    fn to_bytes(self, element: Element) -> Vec<u8> {
        match self {
            Samples::Int8(samples) => samples.iter().flatten().map(|&x| x as u8).collect(),
            Samples::Raw(samples) => {
                let mut bytes = Vec::new();
                samples.iter().for_each(|sample| element.encode(sample, &mut bytes));
                bytes
            }
        }
    }
}

/// How this machine's compiler is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCompiler {
    /// The program, such as `cc`.
    pub program: String,
    /// Its options.
    pub flags: Vec<String>,
}

impl Default for HostCompiler {
    fn default() -> HostCompiler {
        let flags = STRICT_FLAGS.iter().chain(&["-O2"]).map(ToString::to_string).collect();
        HostCompiler { program: "cc".into(), flags }
    }
}

/// What an emulated run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardRun {
    /// The output of every sample.
    pub outputs: Vec<Vec<i8>>,
    /// What was measured.
    pub measured: Measured,
}

/// `measured.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The cross compiler, as it names itself.
    pub toolchain: String,
    /// The figures.
    pub device: Device,
}

/// The figures of an emulated run. Sections are those of the bundle's own objects as linked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The machine that was emulated.
    pub core: String,
    /// Instructions of one `_run` on its slots, exact to those of one tick: at most 50.
    pub instructions: u64,
    /// Instructions from the raw values of one sample to the network's input: those of one `_run_raw` without those of
    /// one `_run`, whose own differ a little from input to input. `None` where no raw values were run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_end_instructions: Option<u64>,
    /// Number of samples run.
    pub samples: usize,
    /// Output bytes of all samples that differ from what was expected.
    pub mismatched_bytes: u64,
    /// Stack that a run from these samples on took.
    pub stack_bytes: u64,
    /// Bound on the stack by the compiler's frame sizes.
    pub stack_bound_bytes: u64,
    /// Code.
    pub text_bytes: u64,
    /// Constants, tables among them.
    pub rodata_bytes: u64,
    /// Initialised variables.
    pub data_bytes: u64,
    /// Zeroed variables.
    pub bss_bytes: u64,
    /// `sizeof(<name>_ctx)`.
    pub ctx_bytes: u64,
    /// Constant tables in the image, to compare with `_WEIGHTS_BYTES`.
    pub weights_bytes_linked: u64,
}

impl Device {
    /// The network's RAM with an arena of that size, without stack.
    pub fn ram_bytes(&self, arena_bytes: u64) -> u64 {
        arena_bytes + self.ctx_bytes + self.data_bytes + self.bss_bytes
    }

    /// The network's flash.
    pub fn flash_bytes(&self) -> u64 {
        self.text_bytes + self.rodata_bytes + self.data_bytes
    }
}

/// Compiles a bundle with this machine's compiler, as C or, with `-x c++` among the flags, as C++, and runs it.
///
/// # Errors
/// E0905 without a compiler; E0906 if it or the program fails; E0904 if the temporary folder cannot be written.
///
/// # Panics
/// When a sample has another size than the network's input or the raw values that it takes.
pub fn run_host(
    bundle: &Bundle,
    interface: &Interface,
    samples: Samples<'_>,
    compiler: &HostCompiler,
    limit: Duration,
) -> Result<Vec<Vec<i8>>> {
    let folder = prepare(bundle, interface, samples)?;
    let name = &interface.name;
    let mut arguments = compiler.flags.clone();
    arguments.extend(definitions(interface, samples));
    arguments.extend([format!("{name}.c"), format!("{name}_weights.c"), "nasc_harness.c".into()]);
    arguments.extend(["-o".into(), "nasc_program".into()]);
    process::run(&compiler.program, &arguments, folder.path(), BUILD_LIMIT)?;
    let program = folder.path().join("nasc_program");
    process::run(&program.to_string_lossy(), &[], folder.path(), limit)?;
    split_outputs(&folder.read("outputs.bin", "the bundle")?, interface, samples.len())
}

/// Compiles and runs the bundle's self-test on this machine.
///
/// # Errors
/// E0905 without a compiler; E0906 if it or the self-test fails; E0904 if the temporary folder cannot be
/// written.
pub fn self_test_host(
    bundle: &Bundle,
    interface: &Interface,
    compiler: &HostCompiler,
    limit: Duration,
) -> Result<()> {
    let folder = prepare(bundle, interface, Samples::Int8(&[]))?;
    let name = &interface.name;
    let mut arguments = compiler.flags.clone();
    arguments.push(format!("-D{}_TEST_MAIN", name.to_uppercase()));
    arguments.extend(["", "_weights", "_test"].map(|part| format!("{name}{part}.c")));
    arguments.extend(["-o".into(), "nasc_program".into()]);
    process::run(&compiler.program, &arguments, folder.path(), BUILD_LIMIT)?;
    let program = folder.path().join("nasc_program");
    process::run(&program.to_string_lossy(), &[], folder.path(), limit).map(|_| ())
}

/// Cross compiles a bundle, runs it on the emulated board and measures it. `expected` has the output of every
/// sample, for the count of mismatched bytes.
///
/// # Errors
/// E0905 if cross compiler or emulator is not installed; E0906 if one fails, takes longer than `limit`, or the
/// target has no emulator; E0904 if the temporary folder cannot be written.
///
/// # Panics
/// When a sample has another size than the network's input or the raw values that it takes.
pub fn run_board(
    bundle: &Bundle,
    interface: &Interface,
    samples: Samples<'_>,
    expected: &[Vec<i8>],
    toolchain: &Toolchain,
    limit: Duration,
) -> Result<BoardRun> {
    let machine = Machine::find(toolchain.machine.as_deref())?;
    let folder = prepare(bundle, interface, samples)?;
    folder.write("nasc_board.ld", format!("{}{LINKER_SCRIPT}", machine.memory()).as_bytes())?;
    build_image(&folder, interface, samples, toolchain)?;
    let arguments: Vec<String> = [
        "-machine",
        machine.name,
        "-display",
        "none",
        "-monitor",
        "none",
        "-serial",
        "none",
        "-icount",
        "shift=0",
        "-semihosting-config",
        "enable=on,target=native",
        "-kernel",
        "nasc_image.elf",
    ]
    .map(String::from)
    .to_vec();
    process::run("qemu-system-arm", &arguments, folder.path(), limit)?;
    let outputs = split_outputs(&folder.read("outputs.bin", "qemu-system-arm")?, interface, samples.len())?;
    let mut device = measure(&folder, interface, samples, toolchain, machine)?;
    device.core = machine.name.to_string();
    device.samples = samples.len();
    device.mismatched_bytes = mismatches(&outputs, expected);
    let toolchain = tools::version(&toolchain.cc).unwrap_or_else(|| toolchain.cc.clone());
    Ok(BoardRun { outputs, measured: Measured { toolchain, device } })
}

/// Cross compiles a bundle for a target that nothing emulates: its C has to be clean for that compiler too.
///
/// # Errors
/// E0905 if the cross compiler is not installed; E0906 if it fails; E0904 if the temporary folder cannot be written.
pub fn compile_cross(bundle: &Bundle, interface: &Interface, toolchain: &Toolchain) -> Result<()> {
    let folder = prepare(bundle, interface, Samples::Int8(&[]))?;
    for part in ["", "_weights", "_test"] {
        let mut arguments: Vec<String> = STRICT_FLAGS.iter().map(ToString::to_string).collect();
        arguments.extend(options(toolchain));
        arguments.extend(["-c".into(), format!("{}{part}.c", interface.name)]);
        arguments.extend(["-o".into(), "nasc_object.o".into()]);
        process::run(&toolchain.cc, &arguments, folder.path(), BUILD_LIMIT)?;
    }
    Ok(())
}

/// The named toolchain's options: those of the design with the target's own.
fn options(toolchain: &Toolchain) -> Vec<String> {
    let mut options = vec!["-std=c99".to_string(), "-O2".into()];
    if toolchain.cc.starts_with("arm-") {
        options.push("-mthumb".into());
    }
    options.extend(toolchain.flags.iter().cloned());
    options.extend(["-ffunction-sections", "-fdata-sections"].map(String::from));
    options
}

/// Output bytes that differ, missing ones among them.
fn mismatches(outputs: &[Vec<i8>], expected: &[Vec<i8>]) -> u64 {
    let differing = |(a, b): (&Vec<i8>, &Vec<i8>)| {
        a.iter().zip(b).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len())
    };
    let shared: usize = outputs.iter().zip(expected).map(differing).sum();
    let common = outputs.len().min(expected.len());
    let lost: usize = outputs[common..].iter().chain(&expected[common..]).map(Vec::len).sum();
    (shared + lost) as u64
}

/// A folder with the bundle, the harness and the samples.
fn prepare(bundle: &Bundle, interface: &Interface, samples: Samples<'_>) -> Result<TempFolder> {
    let raw = interface.raw.as_ref();
    let (fits, size) = match samples {
        Samples::Int8(samples) => {
            let bytes = interface.input_bytes();
            (samples.iter().all(|sample| sample.len() == bytes), bytes)
        }
        Samples::Raw(samples) => {
            let elements = raw.expect("raw samples are for bundles that take them").elements;
            (samples.iter().all(|sample| sample.len() == elements), elements)
        }
    };
    assert!(fits, "samples are of the size {size}");
    crate::emit::check_name(&interface.name)?;
    let folder = TempFolder::new()?;
    let name = &interface.name;
    for file in [".h", ".c", "_weights.c", "_test.c"].map(|end| format!("{name}{end}")) {
        let contents = bundle.files.get(&file).ok_or_else(|| no_file(&file))?;
        folder.write(&file, contents)?;
    }
    folder.write("nasc_harness.c", HARNESS.as_bytes())?;
    let element = raw.map_or(Element::F32, |raw| raw.element);
    folder.write("inputs.bin", &samples.to_bytes(element))?;
    Ok(folder)
}

fn no_file(file: &str) -> Diagnostic {
    Diagnostic::error(Code::BUNDLE, format!("the bundle has no `{file}`"))
        .help("`nasc compile` writes the bundle again")
}

/// Options that tell the harness about the bundle.
fn definitions(interface: &Interface, samples: Samples<'_>) -> Vec<String> {
    let name = &interface.name;
    let mut options = vec![
        format!("-DNASC_NAME={name}"),
        format!("-DNASC_UPPER={}", name.to_uppercase()),
        format!("-DNASC_HEADER=\"{name}.h\""),
    ];
    for (ports, word) in [(&interface.inputs, "INPUTS"), (&interface.outputs, "OUTPUTS")] {
        if !ports.is_empty() {
            options.push(format!("-DNASC_{word}"));
        }
    }
    if matches!(samples, Samples::Raw(_)) {
        options.push("-DNASC_RAW".into());
        if interface.raw.as_ref().is_some_and(|raw| raw.hop.is_some()) {
            options.push("-DNASC_STREAM".into());
        }
        options.push(format!("-DNASC_LEAD={}", interface.raw.as_ref().map_or(0, |raw| raw.lead)));
    }
    options
}

fn build_image(
    folder: &TempFolder,
    interface: &Interface,
    samples: Samples<'_>,
    toolchain: &Toolchain,
) -> Result<()> {
    let name = &interface.name;
    let common = options(toolchain);
    let sources = [
        (format!("{name}.c"), "bundle_code.o"),
        (format!("{name}_weights.c"), "bundle_weights.o"),
        ("nasc_harness.c".to_string(), "nasc_harness.o"),
    ];
    for (source, object) in sources {
        let mut arguments = common.clone();
        arguments.extend(["-fcallgraph-info=su", "-DNASC_BOARD"].map(String::from));
        arguments.extend(definitions(interface, samples));
        arguments.extend(["-c".into(), source, "-o".into(), object.into()]);
        process::run(&toolchain.cc, &arguments, folder.path(), BUILD_LIMIT)?;
    }
    let mut arguments = common;
    arguments.extend(["-nostartfiles", "-Wl,--gc-sections", "-T", "nasc_board.ld"].map(String::from));
    arguments.extend(["bundle_code.o", "bundle_weights.o", "nasc_harness.o"].map(String::from));
    arguments.extend(["-o", "nasc_image.elf"].map(String::from));
    process::run(&toolchain.cc, &arguments, folder.path(), BUILD_LIMIT)?;
    Ok(())
}

/// Reads counts and sizes off what the run left.
fn measure(
    folder: &TempFolder,
    interface: &Interface,
    samples: Samples<'_>,
    toolchain: &Toolchain,
    machine: &Machine,
) -> Result<Device> {
    let counts = folder.read("counts.bin", "qemu-system-arm")?;
    let number = |at: usize| {
        let bytes = counts.get(8 * at..8 * at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    };
    let (Some(ticks), Some(stack_bytes), Some(raw_ticks)) = (number(0), number(1), number(2)) else {
        return Err(damaged(toolchain, "counts"));
    };
    let is_raw = matches!(samples, Samples::Raw(_));
    Ok(Device {
        instructions: machine.instructions(ticks),
        front_end_instructions: is_raw.then(|| machine.instructions(raw_ticks.saturating_sub(ticks))),
        stack_bytes,
        ..sizes(folder, interface, samples, toolchain)?
    })
}

fn split_outputs(bytes: &[u8], interface: &Interface, samples: usize) -> Result<Vec<Vec<i8>>> {
    let size = interface.output_bytes();
    if bytes.len() != size * samples {
        let message = format!("the bundle wrote {} B of outputs instead of {}", bytes.len(), size * samples);
        return Err(Diagnostic::error(Code::TOOL_FAILED, message).into());
    }
    Ok(bytes
        .chunks_exact(size.max(1))
        .map(|output| output.iter().map(|&byte| byte as i8).collect())
        .collect())
}

/// Reads a bundle's folder: its files, none of its subfolders.
///
/// # Errors
/// E0907 if the folder cannot be read or holds a file larger than nasc writes.
pub fn read_bundle(folder: &Path) -> Result<Bundle> {
    let fail = |why: String| -> Diagnostics {
        Diagnostic::error(Code::BUNDLE, format!("`{}` cannot be read: {why}", folder.display()))
            .help("`nasc compile` writes the bundle again")
            .into()
    };
    let mut bundle = Bundle::default();
    let mut total = 0u64;
    for entry in std::fs::read_dir(folder).map_err(|error| fail(error.to_string()))? {
        let entry = entry.map_err(|error| fail(error.to_string()))?;
        let about = std::fs::metadata(entry.path()).map_err(|error| fail(error.to_string()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !about.is_file() {
            continue;
        }
        total = total.saturating_add(about.len());
        if total > MAX_FILE_BYTES {
            return Err(fail(format!(
                "with `{name}` it has {total} B, at most {MAX_FILE_BYTES} B are allowed"
            )));
        }
        let contents = std::fs::read(entry.path()).map_err(|error| fail(error.to_string()))?;
        bundle.files.insert(name, contents);
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_name_their_package() {
        let folder = TempFolder::new().expect("a folder");
        let limit = Duration::from_secs(5);
        let error = process::run("no-such-program", &[], folder.path(), limit).err().expect("not there");
        assert_eq!(error.0[0].code, Code::TOOL_MISSING);
        assert_eq!(tools().iter().filter(|tool| tool.package == "gcc-arm-none-eabi").count(), 1);
    }

    #[test]
    fn hanging_programs_are_stopped() {
        let folder = TempFolder::new().expect("a folder");
        let limit = Duration::from_millis(50);
        let error = process::run("sleep", &["20".into()], folder.path(), limit).err().expect("too slow");
        assert_eq!(error.0[0].code, Code::TOOL_FAILED);
        let path = folder.path().to_path_buf();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn mismatches_count_missing_outputs() {
        assert_eq!(mismatches(&[vec![1, 2]], &[vec![1, 3], vec![0, 0]]), 3);
        assert_eq!(mismatches(&[vec![1, 2]], &[vec![1, 2]]), 0);
    }
}
