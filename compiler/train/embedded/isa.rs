//! One source, compiled for several instruction sets and chosen when it runs.

/// What the processor offers. Only [`Isa::detect`] makes one that needs more than every processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// What the compiler assumes anyway.
    pub(super) const PORTABLE: Isa = Isa(Level::Portable);

    /// The best of this processor.
    pub(super) fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Isa(Level::Avx2);
        }
        Isa::PORTABLE
    }

    pub(super) fn level(self) -> Level {
        self.0
    }
}

/// Declares functions that take an [`Isa`] first and run their body compiled for it. The body is one and the
/// same source and every operation in it is an IEEE 754 operation, so all of them give the same bits.
macro_rules! multiversion {
    ($($(#[$doc:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        $visible fn $name(isa: crate::train::embedded::isa::Isa, $($argument: $type),*) {
            #[inline(always)]
            fn portable($($argument: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) {
                portable($($argument),*);
            }

            match isa.level() {
                crate::train::embedded::isa::Level::Portable => portable($($argument),*),
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the processor has what the function needs: `Isa::detect` looked")]
                // SAFETY: only `Isa::detect` makes this level, after it found AVX2 and FMA.
                crate::train::embedded::isa::Level::Avx2 => unsafe { avx2($($argument),*) },
            }
        }
    )*};
}
pub(super) use multiversion;
