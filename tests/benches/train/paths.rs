//! The instruction paths of the embedded engine that this processor can run.

use nasc::train::EmbeddedEngine;

/// Each with its name, the fastest last.
pub(crate) fn paths() -> Vec<(&'static str, EmbeddedEngine)> {
    let best = EmbeddedEngine::new();
    let mut paths = vec![("portable", EmbeddedEngine::portable())];
    if best.is_accelerated() {
        paths.push(("avx2", best));
    }
    paths
}
