//! Compositions.
