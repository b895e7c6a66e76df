//! The engines by name, for who chooses one.

use crate::diagnostic::{Code, Diagnostic};
use crate::train::embedded::EmbeddedEngine;
use crate::train::engine::{Engine, Numerics};
#[cfg(feature = "torch")]
use crate::train::torch::TorchEngine;

/// An engine that this build has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// [`EmbeddedEngine`].
    #[default]
    Embedded,
    /// [`TorchEngine`] on the processor.
    #[cfg(feature = "torch")]
    Torch,
}

impl EngineKind {
    /// The engine of a name, `embedded` or `torch`.
    ///
    /// # Errors
    /// E0807 for an engine that this build does not have, E0201 for a name that no engine has.
    pub fn named(name: &str) -> Result<EngineKind, Diagnostic> {
        match name {
            "embedded" => Ok(EngineKind::Embedded),
            #[cfg(feature = "torch")]
            "torch" => Ok(EngineKind::Torch),
            #[cfg(not(feature = "torch"))]
            "torch" => {
                Err(Diagnostic::error(Code::ENGINE_MISSING, "this nasc was built without the engine `torch`")
                    .help(
                        "install libtorch 2.13.0, set `LIBTORCH` to its folder, and build with \
                           `cargo build --release --locked --features torch`",
                    )
                    .help("or leave `--engine torch` out: the embedded engine needs nothing"))
            }
            _ => Err(Diagnostic::error(Code::UNKNOWN_NAME, format!("there is no engine `{name}`"))
                .help("known are `embedded` and `torch`")),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Embedded => "embedded",
            #[cfg(feature = "torch")]
            EngineKind::Torch => "torch",
        }
    }

    /// Its numeric class and the version of that, for keys of trials.
    pub fn numerics(self) -> (&'static str, u32) {
        let numerics = match self {
            EngineKind::Embedded => EmbeddedEngine::new().numerics(),
            #[cfg(feature = "torch")]
            EngineKind::Torch => TorchEngine::cpu().numerics(),
        };
        match numerics {
            Numerics::FusedChain(version) => ("fused-chain", version),
            Numerics::Foreign(name) => (name, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_have_names_and_classes() {
        let embedded = EngineKind::named("embedded").expect("always there");
        assert_eq!((embedded, embedded.name()), (EngineKind::default(), "embedded"));
        assert_eq!(embedded.numerics().0, "fused-chain");
        assert_eq!(EngineKind::named("tpu").expect_err("no such engine").code, Code::UNKNOWN_NAME);
        match EngineKind::named("torch") {
            Ok(torch) => {
                assert_eq!(torch.name(), "torch");
                assert_ne!(torch.numerics(), embedded.numerics());
            }
            Err(missing) => assert_eq!(missing.code, Code::ENGINE_MISSING),
        }
    }
}
