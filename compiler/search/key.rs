//! What makes two trials the same trial.

use std::fmt;

use sha2::{Digest, Sha256};

/// Identity of a trial: SHA-256 of everything that its result depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrialKey([u8; 32]);

/// Everything that a trial's result depends on. Being one struct, a new part cannot be left out anywhere.
///
/// Where a candidate stands in its space is not among them: two genomes with one network are one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialParts<'a> {
    /// Canonical text of the training graph.
    pub graph: &'a str,
    /// Canonical text of the training recipe.
    pub recipe: &'a str,
    /// Hash of the data and of its cut.
    pub data: &'a str,
    /// Canonical text of the front end or standardisation.
    pub front_end: &'a str,
    /// Canonical text of the quantization section.
    pub quantization: &'a str,
    /// Numeric class of the engine: results of different classes differ in their last bits.
    pub engine: &'a str,
    /// Version of the numerics: grows when a release changes any bit of training.
    pub numerics: u32,
    /// The spec's seed. The trial's random stream starts from it, so without it here a store filled under one
    /// seed would answer for another, and a warm store would give another archive than a cold one.
    pub seed: u64,
    /// Counts repetitions of one network, for retraining and for error bars.
    pub replicate: u32,
    /// The trial whose weights the training begins with.
    pub start: Option<TrialKey>,
}

impl TrialParts<'_> {
    /// The key of these parts.
    pub fn key(&self) -> TrialKey {
        let (numerics, seed, replicate) =
            (self.numerics.to_string(), self.seed.to_string(), self.replicate.to_string());
        let parts = [
            ("graph", self.graph),
            ("recipe", self.recipe),
            ("data", self.data),
            ("front_end", self.front_end),
            ("quantization", self.quantization),
            ("engine", self.engine),
            ("numerics", numerics.as_str()),
            ("seed", seed.as_str()),
            ("replicate", replicate.as_str()),
        ];
        let mut hash = Sha256::new();
        hash.update(b"nasc trial 1\n");
        for (name, part) in parts {
            hash.update(format!("{name} {}\n", part.len()));
            hash.update(part.as_bytes());
        }
        if let Some(start) = self.start {
            hash.update(b"start 32\n");
            hash.update(start.0);
        }
        TrialKey(hash.finalize().into())
    }
}

impl TrialKey {
    /// The key that prints as `text`: 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<TrialKey> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(TrialKey(bytes))
    }

    /// Seed of the trial's random stream; the spec's seed is in the key already.
    pub fn seed(&self) -> u64 {
        let digest: [u8; 32] =
            Sha256::new().chain_update(b"nasc trial seed\n").chain_update(self.0).finalize().into();
        u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
    }
}

impl fmt::Display for TrialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// SHA-256 of `bytes` in hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    TrialKey(Sha256::digest(bytes).into()).to_string()
}
