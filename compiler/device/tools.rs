//! The programs that running a bundle needs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::device::process;

/// A program that `nasc doctor` lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Where it is; `None` if it is not installed.
    pub path: Option<PathBuf>,
    /// First line of what it says of itself.
    pub version: Option<String>,
    /// The Debian package that brings it.
    pub package: String,
    /// What it is for.
    pub purpose: String,
}

const TOOLS: &[(&str, &str, &str)] = &[
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi", "compiles bundles for Cortex-M"),
    ("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf", "compiles bundles for RISC-V"),
    ("qemu-system-arm", "qemu-system-arm", "runs bundles on an emulated Cortex-M"),
    ("cc", "gcc", "compiles bundles for this machine"),
    ("clang", "clang", "a second opinion on the emitted C"),
    ("cmake", "cmake", "builds a bundle as a library"),
];

/// The Debian package of a program that nasc calls.
pub(super) fn package(program: &str) -> Option<&'static str> {
    match program {
        "gcc" => Some("gcc"),
        "g++" => Some("g++"),
        _ => TOOLS.iter().find(|(name, ..)| *name == program).map(|&(_, package, _)| package),
    }
}

/// All programs, found or not.
pub fn tools() -> Vec<Tool> {
    TOOLS
        .iter()
        .map(|&(name, package, purpose)| {
            let path = find(name);
            let version = path.as_ref().and_then(|_| version(name));
            Tool { name: name.into(), path, version, package: package.into(), purpose: purpose.into() }
        })
        .collect()
}

/// Where a program is, by the `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| {
            [folder.join(program), folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX))]
        })
        .find(|candidate| candidate.is_file())
}

/// The first line of `program --version`.
pub(super) fn version(program: &str) -> Option<String> {
    let limit = Duration::from_secs(20);
    let finished = process::run(program, &["--version".into()], Path::new("."), limit).ok()?;
    finished.stdout.lines().next().map(str::to_string)
}
