//! E09xx: lock, weights, bundles, tools and output.

use super::codes;

codes! {
    LOCK_STALE = 901, "The lock file was made from another spec, other data or another nasc: the message says which section changed. Without `--locked` the command searches again; with it, it stops here.";
    LOCK_FORMAT = 902, "The lock or the weights file is damaged or was written by a later version of nasc. Restore it from version control, or run `nasc compile --research` to make it anew.";
    LOCK_MISSING = 903, "`--locked`, `eval`, `report` and `diff` need the lock, and most of them the weights, beside the spec, and one of them is not there. Run `nasc compile` without `--locked` once and commit both files.";
    OUTPUT = 904, "A file could not be written. Everything is written to a temporary file first, so what was there before is intact. Check the folder's permissions and the free space.";
    TOOL_MISSING = 905, "A program that is needed is not installed: the cross compiler `arm-none-eabi-gcc` or the emulator `qemu-system-arm`. `nasc doctor` lists them with the packages that bring them.";
    TOOL_FAILED = 906, "A compiler or the emulator ended with an error on the emitted code. Its output is in the notes. This should not happen with a supported version: please report it.";
    BUNDLE = 907, "The folder is not a bundle that nasc wrote, or a file of it is missing or damaged. `nasc compile` writes it again.";
    MISMATCH = 908, "The emitted code gave other bytes than the evaluator. The message names the first sample and byte. This is a bug in nasc or in the compiler used: please report it with the bundle.";
    UNVERIFIED = 909, "The bundle was written but not run, because the cross compiler or the emulator is missing. Its code is the same as that of a verified one; `nasc verify` proves it once the tools are installed.";
    NAME = 910, "The name given for the bundle cannot be used for C files and macros. A name has letters, digits and `_`, and starts with a letter.";
    FORMAT = 911, "`nasc fmt` found that the file in its new layout would say something else than before, and left it as it is. This is a bug of nasc: please report it with the file.";
}
