//! emit

pub mod jit;
