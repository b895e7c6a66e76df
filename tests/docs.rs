//! The language reference in `docs/` is what the compiler's own tables say.

use std::fs;
use std::path::Path;

#[test]
fn reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let wanted = nasc::elaborate::reference();
    if std::env::var_os("NASC_BLESS").is_some() {
        fs::write(&path, &wanted).expect("docs/ can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    assert!(
        found == wanted,
        "docs/reference.md is stale from line {:?} on: run `make docs`",
        differs.map(|at| at + 1)
    );
}
