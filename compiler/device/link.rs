//! Sizes of a linked image, also of one that no emulated board can hold.

use crate::device::elf::Image;
use crate::device::machine::Machine;
use crate::device::process::TempFolder;
use crate::device::stack::CallGraph;
use crate::device::{Device, LINKER_SCRIPT, Samples, build_image, prepare};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::emit::{Bundle, Interface};
use crate::target::Toolchain;

/// Cross compiles and links a bundle as [`run_board`](super::run_board) does, for a board of the same kind with memory
/// enough, and measures what is linked. Nothing runs: counts and the stack that was used are 0.
///
/// # Errors
/// E0905 if the cross compiler is not installed; E0906 if it fails, or the target has no emulator; E0904 if the
/// temporary folder cannot be written.
pub fn link_board(bundle: &Bundle, interface: &Interface, toolchain: &Toolchain) -> Result<Device> {
    let machine = Machine::find(toolchain.machine.as_deref())?;
    let none = Samples::Int8(&[]);
    let folder = prepare(bundle, interface, none)?;
    folder.write("nasc_board.ld", format!("{}{LINKER_SCRIPT}", machine.ample_memory()).as_bytes())?;
    build_image(&folder, interface, none, toolchain)?;
    sizes(&folder, interface, none, toolchain)
}

/// Reads the sizes off what the compiler left.
pub(super) fn sizes(
    folder: &TempFolder,
    interface: &Interface,
    samples: Samples<'_>,
    toolchain: &Toolchain,
) -> Result<Device> {
    let damaged = |what: &str| damaged(toolchain, what);
    let mut graph = CallGraph::default();
    let calls = folder.read("bundle_code.ci", &toolchain.cc)?;
    graph.add(&String::from_utf8_lossy(&calls)).ok_or_else(|| damaged("frame sizes"))?;
    let source = folder.read(&format!("{}.c", interface.name), &toolchain.cc)?;
    graph.add_assembly(&String::from_utf8_lossy(&source));
    let is_raw = matches!(samples, Samples::Raw(_));
    let mut entries = vec![if is_raw { "run_raw" } else { "run" }];
    if is_raw && interface.raw.as_ref().is_some_and(|raw| raw.hop.is_some()) {
        entries.push("stream");
    }
    let bounds: Option<Vec<u64>> =
        entries.iter().map(|entry| graph.bound(&format!("{}_{entry}", interface.name))).collect();
    let stack_bound_bytes =
        bounds.and_then(|bounds| bounds.into_iter().max()).ok_or_else(|| damaged("a call graph"))?;
    let image = folder.read("nasc_image.elf", &toolchain.cc)?;
    let image = Image::parse(&image).ok_or_else(|| damaged("an image"))?;
    Ok(Device {
        stack_bound_bytes,
        text_bytes: image.section_size(".bundle_text"),
        rodata_bytes: image.section_size(".bundle_rodata"),
        data_bytes: image.section_size(".bundle_data"),
        bss_bytes: image.section_size(".bundle_bss"),
        ctx_bytes: image.object_size("nasc_ctx").ok_or_else(|| damaged("an image"))?,
        weights_bytes_linked: image.external_objects(".bundle_rodata"),
        ..Device::default()
    })
}

/// That a tool wrote something else than it does.
pub(super) fn damaged(toolchain: &Toolchain, what: &str) -> Diagnostics {
    Diagnostic::error(Code::TOOL_FAILED, format!("`{}` wrote {what} that nasc cannot read", toolchain.cc))
        .into()
}
