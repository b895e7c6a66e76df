//! Instruction sets of this machine, and one source compiled for each of them.

/// What the kernels may use of the processor. Only [`Level::available`] makes those that need more than every
/// processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Sse41,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

impl Level {
    /// What the compiler assumes anyway.
    pub const PORTABLE: Level = Level(Kind::Portable);

    /// Those of this processor, the best last.
    pub fn available() -> Vec<Level> {
        let mut found = vec![Level::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            let has = [
                (Kind::Sse41, is_x86_feature_detected!("sse4.1")),
                (Kind::Avx2, avx2),
                (Kind::AvxVnni, avx2 && is_x86_feature_detected!("avxvnni")),
                (Kind::Avx512Vnni, avx2 && avx512),
            ];
            found.extend(has.into_iter().filter(|&(_, has)| has).map(|(kind, _)| Level(kind)));
        }
        #[cfg(target_arch = "aarch64")]
        {
            found.push(Level(Kind::Neon));
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                found.push(Level(Kind::NeonDot));
            }
        }
        found
    }

    /// The best of this processor.
    pub fn detect() -> Level {
        Level::available().pop().unwrap_or(Level::PORTABLE)
    }

    pub(super) fn kind(self) -> Kind {
        self.0
    }

    /// How it is named.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Sse41 => "sse4.1",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot => "neon-dotprod",
        }
    }
}

/// Runs an expression with `$lanes` standing for the vectors of a level. The expression must need no instruction.
macro_rules! with_lanes {
    ($level:expr, $lanes:ident => $value:expr) => {{
        use crate::host::lanes;
        use crate::host::level::Kind;
        match $level.kind() {
            Kind::Portable => {
                type $lanes = lanes::Portable;
                $value
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Sse41 => {
                type $lanes = lanes::Sse41;
                $value
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => {
                type $lanes = lanes::Avx2;
                $value
            }
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => {
                type $lanes = lanes::AvxVnni;
                $value
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni => {
                type $lanes = lanes::Avx512;
                $value
            }
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => {
                type $lanes = lanes::Neon;
                $value
            }
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot => {
                type $lanes = lanes::NeonDot;
                $value
            }
        }
    }};
}
pub(super) use with_lanes;

/// Declares functions that take a [`Level`] first and call a function that is generic over
/// [`Lanes`](super::lanes::Lanes) with the vectors of that level, compiled for it.
macro_rules! kernels {
    ($($(#[$doc:meta])* unsafe fn $name:ident($($argument:ident: $type:ty),* $(,)?) = $generic:ident;)*) => {$(
        $(#[$doc])*
        unsafe fn $name(level: crate::host::level::Level, $($argument: $type),*) {
            use crate::host::lanes;
            use crate::host::level::Kind;

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2")]
            unsafe fn avx512($($argument: $type),*) {
                // SAFETY: that of the caller.
                unsafe { $generic::<lanes::Avx512>($($argument),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avxvnni,avx2")]
            unsafe fn avx_vnni($($argument: $type),*) {
                // SAFETY: that of the caller.
                unsafe { $generic::<lanes::AvxVnni>($($argument),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            unsafe fn avx2($($argument: $type),*) {
                // SAFETY: that of the caller.
                unsafe { $generic::<lanes::Avx2>($($argument),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "sse4.1")]
            unsafe fn sse41($($argument: $type),*) {
                // SAFETY: that of the caller.
                unsafe { $generic::<lanes::Sse41>($($argument),*) }
            }

            #[cfg(target_arch = "aarch64")]
            #[target_feature(enable = "neon,dotprod")]
            unsafe fn neon_dot($($argument: $type),*) {
                // SAFETY: that of the caller.
                unsafe { $generic::<lanes::NeonDot>($($argument),*) }
            }

            // SAFETY: only `Level::available` makes a level, after it found its instructions; pointers are those that
            // the caller answers for.
            unsafe {
                match level.kind() {
                    Kind::Portable => $generic::<lanes::Portable>($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Kind::Sse41 => sse41($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Kind::Avx2 => avx2($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Kind::AvxVnni => avx_vnni($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Kind::Avx512Vnni => avx512($($argument),*),
                    #[cfg(target_arch = "aarch64")]
                    Kind::Neon => $generic::<lanes::Neon>($($argument),*),
                    #[cfg(target_arch = "aarch64")]
                    Kind::NeonDot => neon_dot($($argument),*),
                }
            }
        }
    )*};
}
pub(super) use kernels;
