//! The instruction paths of the embedded engine that this processor can run.

use nasc::train::EmbeddedEngine;

/// Each with its name, the fastest last.
pub(crate) fn paths() -> Vec<(&'static str, EmbeddedEngine)> {
    EmbeddedEngine::every().into_iter().map(|engine| (engine.instructions(), engine)).collect()
}
