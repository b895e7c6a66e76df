//! One source, compiled for several instruction sets and chosen when it runs.

#[cfg(target_arch = "aarch64")]
use crate::train::embedded::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::train::embedded::simd::{Avx2, Avx512};
use crate::train::embedded::simd::{Lanes, Portable};

/// What the processor offers. Only [`Isa::available`] makes those that need more than every processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// What the compiler assumes anyway.
    pub(super) const PORTABLE: Isa = Isa(Level::Portable);

    /// Those of this processor, the best last.
    pub(super) fn available() -> Vec<Isa> {
        #[cfg_attr(
            not(any(target_arch = "x86_64", target_arch = "aarch64")),
            expect(unused_mut, reason = "there is nothing to add")
        )]
        let mut found = vec![Isa::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            found.push(Isa(Level::Avx2));
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                found.push(Isa(Level::Avx512));
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Isa(Level::Neon));
        found
    }

    /// The best of this processor.
    pub(super) fn detect() -> Isa {
        Isa::available().pop().unwrap_or(Isa::PORTABLE)
    }

    pub(super) fn level(self) -> Level {
        self.0
    }

    /// Lanes of a vector.
    pub(super) fn lanes(self) -> usize {
        match self.0 {
            Level::Portable => Portable::N,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::N,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::N,
            #[cfg(target_arch = "aarch64")]
            Level::Neon => Neon::N,
        }
    }

    /// Vectors of a result that advance together in a product.
    pub(super) fn vectors(self) -> usize {
        match self.0 {
            Level::Portable => Portable::VECTORS,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::VECTORS,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::VECTORS,
            #[cfg(target_arch = "aarch64")]
            Level::Neon => Neon::VECTORS,
        }
    }

    /// How it is named.
    pub(super) fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
        }
    }
}

/// Declares functions that take an [`Isa`] first and call a function that is generic over
/// [`Lanes`](super::simd::Lanes) with the vectors of that instruction set, compiled for it.
macro_rules! kernels {
    ($($(#[$doc:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) = $generic:ident;)*) => {$(
        $(#[$doc])*
        #[expect(unsafe_code, reason = "vectors need instructions that only `Isa` knows to be there")]
        $visible fn $name(isa: crate::train::embedded::isa::Isa, $($argument: $type),*) {
            use crate::train::embedded::isa::Level;
            use crate::train::embedded::simd;

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            unsafe fn avx512($($argument: $type),*) {
                // SAFETY: that of the caller.
                unsafe { $generic::<simd::Avx512>($($argument),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($argument: $type),*) {
                // SAFETY: that of the caller.
                unsafe { $generic::<simd::Avx2>($($argument),*) }
            }

            // SAFETY: only `Isa::available` makes a level, after it found its instructions; the kernels check their
            // slices.
            unsafe {
                match isa.level() {
                    Level::Portable => $generic::<simd::Portable>($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => avx2($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => avx512($($argument),*),
                    #[cfg(target_arch = "aarch64")]
                    Level::Neon => $generic::<simd::Neon>($($argument),*),
                }
            }
        }
    )*};
}
pub(super) use kernels;

/// Declares functions that take an [`Isa`] first and run their body compiled for it. The body is one and the
/// same source and every operation in it is an IEEE 754 operation, so all of them give the same bits.
macro_rules! multiversion {
    ($($(#[$doc:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        $visible fn $name(isa: crate::train::embedded::isa::Isa, $($argument: $type),*) {
            #[inline(always)]
            fn portable($($argument: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($argument: $type),*) {
                portable($($argument),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) {
                portable($($argument),*);
            }

            match isa.level() {
                crate::train::embedded::isa::Level::Portable => portable($($argument),*),
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the processor has what the function needs: `Isa` looked")]
                // SAFETY: only `Isa::available` makes this level, after it found AVX2 and FMA.
                crate::train::embedded::isa::Level::Avx2 => unsafe { avx2($($argument),*) },
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the processor has what the function needs: `Isa` looked")]
                // SAFETY: only `Isa::available` makes this level, after it found AVX-512.
                crate::train::embedded::isa::Level::Avx512 => unsafe { avx512($($argument),*) },
                #[cfg(target_arch = "aarch64")]
                crate::train::embedded::isa::Level::Neon => portable($($argument),*),
            }
        }
    )*};
}
pub(super) use multiversion;
