//! From syntax to meaning: names, types, units, blocks, sections.
//!
//! In: an AST and the standard library. Out: a checked [`Program`], or every user error of meaning that was found.

mod program;

pub use program::{
    DataSpec, Metric, Objective, Preference, Program, QuantizeSpec, Requirement, SearchSpec, Source, Strategy,
    TrainSpec,
};
