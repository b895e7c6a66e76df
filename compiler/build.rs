//! Embeds the sorted `stdlib/` tree, so that a block, a space or a target needs no line of Rust.

#![allow(clippy::disallowed_methods, reason = "a build script reads what cargo says by the environment")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("stdlib");
    println!("cargo:rerun-if-changed={}", root.display());
    find_libtorch();
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut text = String::from("pub(crate) const STDLIB_FILES: &[(&str, &str)] = &[\n");
    for path in &files {
        let name = path.strip_prefix(&root).expect("collected below the root").display().to_string();
        let name = name.replace('\\', "/");
        writeln!(text, "    ({name:?}, include_str!({:?})),", path.display().to_string())
            .expect("a String takes all");
        println!("cargo:rerun-if-changed={}", path.display());
    }
    text.push_str("];\n");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("stdlib.rs");
    fs::write(out, text).expect("OUT_DIR is writable");
}

/// Lets what is linked with libtorch find it where it was when it was built.
fn find_libtorch() {
    if env::var_os("CARGO_FEATURE_TORCH").is_none() || env::var_os("CARGO_CFG_UNIX").is_none() {
        return;
    }
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(folder) = env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "nas") {
            files.push(path);
        }
    }
}
