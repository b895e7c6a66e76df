//! Micro-kernels: their meaning, and what is faster on some cores.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::kernel::Function;

/// A faster form of a micro-kernel for Armv7E-M with the DSP extension, guarded by `__ARM_FEATURE_DSP`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Special {
    /// C: the body of an inline function with parameters named as in the meaning: pointers `const T *name` or
    /// `T *name`, then scalars `int32_t name`, then in-out registers as `int32_t *r0`, `*r1`, ...
    Inline(String),
    /// A whole function in assembly, without in-out registers. Its arguments come as the procedure call standard
    /// says, pointers first.
    Assembly(Assembly),
}

/// A function in assembly, one instruction or label on a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Assembly {
    /// Where there are registers for floats, which it keeps constants in.
    pub float: String,
    /// Where there are none, and constants are on the stack.
    pub plain: String,
    /// Bytes of code, of the larger of the two.
    pub bytes: u64,
    /// Bytes of stack that it takes at most.
    pub stack: u64,
}

/// A named piece of a kernel with a meaning and, for some targets, a faster form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MicroKernel {
    /// Its meaning. Its buffer parameters are the pointer arguments in order, its scalar parameters the value
    /// arguments in order, and its first `n_registers` registers are the in-out registers. No locals, no
    /// micro-kernels inside. The name is unique among the program's functions and micro-kernels.
    pub meaning: Function,
    /// Number of in-out registers.
    pub n_registers: u32,
    /// That for Armv7E-M; `None` where C is printed from the meaning.
    pub armv7em: Option<Special>,
}

/// Micro-kernels of one kind by number, each made when it is asked for first. They depend on nothing else, and a
/// search would make them again for every layer of every candidate.
pub(in crate::kernel) struct Known<const N: usize>([OnceLock<Arc<MicroKernel>>; N]);

impl<const N: usize> Known<N> {
    /// None of them made.
    pub(in crate::kernel) const fn new() -> Known<N> {
        Known([const { OnceLock::new() }; N])
    }

    /// The one with this number, below `N`.
    pub(in crate::kernel) fn get(
        &self,
        number: usize,
        make: impl FnOnce() -> MicroKernel,
    ) -> Arc<MicroKernel> {
        Arc::clone(self.0[number].get_or_init(|| Arc::new(make())))
    }
}
