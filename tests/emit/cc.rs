//! This machine's compilers of C.

use std::collections::BTreeMap;
use std::process::Command;

use nasc::device::HostCompiler;

/// A compiler with its options.
pub(crate) fn compiler(program: &str, flags: &[&str]) -> HostCompiler {
    HostCompiler { program: program.into(), flags: flags.iter().map(ToString::to_string).collect() }
}

/// Compiles C files in a folder and runs what comes out, under `runner` where one is given; the exit status is the
/// result.
pub(crate) fn compile_and_run(
    files: &BTreeMap<String, Vec<u8>>,
    sources: &[&str],
    flags: &[&str],
    runner: &[&str],
) -> i32 {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, contents) in files {
        std::fs::write(folder.path().join(name), contents).expect("written");
    }
    let built =
        Command::new("cc").args(flags).args(sources).args(["-o", "main"]).current_dir(&folder).output();
    let built = built.expect("cc is installed");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let main = folder.path().join("main");
    let status = match runner {
        [] => Command::new(main).status(),
        [program, options @ ..] => Command::new(program).args(options).arg(main).status(),
    };
    status.expect("it starts").code().expect("it ends by itself")
}
