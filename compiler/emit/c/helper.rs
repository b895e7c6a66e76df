//! Inline functions that expressions need, printed only where one is used.
//!
//! What the bundle relies on beyond C99: `>>` of a negative value shifts its sign in, and conversion to a signed
//! type keeps the low bits. Every supported compiler does so; an assertion in the source checks both.

/// One inline function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    Min32,
    Max32,
    Min64,
    Max64,
    Shl32,
    Shl64,
    RequantDouble,
    RequantSingle,
    RequantWide,
    RequantPrecise,
}

impl Helper {
    /// Its name after the bundle's prefix.
    pub(super) fn name(self) -> &'static str {
        match self {
            Helper::Min32 => "min32",
            Helper::Max32 => "max32",
            Helper::Min64 => "min64",
            Helper::Max64 => "max64",
            Helper::Shl32 => "shl32",
            Helper::Shl64 => "shl64",
            Helper::RequantDouble => "requant_double",
            Helper::RequantSingle => "requant_single",
            Helper::RequantWide => "requant_wide",
            Helper::RequantPrecise => "requant_precise",
        }
    }

    /// Its text under the bundle's prefix.
    pub(super) fn text(self, prefix: &str) -> String {
        let text = match self {
            Helper::Min32 => MIN32,
            Helper::Max32 => MAX32,
            Helper::Min64 => MIN64,
            Helper::Max64 => MAX64,
            Helper::Shl32 => SHL32,
            Helper::Shl64 => SHL64,
            Helper::RequantDouble => REQUANT_DOUBLE,
            Helper::RequantSingle => REQUANT_SINGLE,
            Helper::RequantWide => REQUANT_WIDE,
            Helper::RequantPrecise => REQUANT_PRECISE,
        };
        text.replace('@', prefix)
    }
}

const MIN32: &str = "\
static inline int32_t @_min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}
";

const MAX32: &str = "\
static inline int32_t @_max32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}
";

const MIN64: &str = "\
static inline int64_t @_min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
";

const MAX64: &str = "\
static inline int64_t @_max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}
";

const SHL32: &str = "\
static inline int32_t @_shl32(int32_t a, int32_t n)
{
    return (int32_t)((uint32_t)a << n);
}
";

const SHL64: &str = "\
static inline int64_t @_shl64(int64_t a, int32_t n)
{
    return (int64_t)((uint64_t)a << n);
}
";

/// The nudged truncating division by 2^31 of the specification is this flooring shift: for a negative product
/// the nudge is 1 - 2^30, and `ceil((p + 1 - 2^30) / 2^31) = floor((p + 2^30) / 2^31)`. The saturating case
/// needs a mantissa of -2^31, which no multiplier has.
const REQUANT_DOUBLE: &str = "\
/* x * value * 2^(shift - 31), rounded to 32 bits, then once more by the shift to the right. */
static inline int32_t @_requant_double(int32_t x, int32_t value, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * value;
    const int32_t high = (int32_t)((product + (INT64_C(1) << 30)) >> 31);
    const int32_t mask = (int32_t)((UINT32_C(1) << right) - 1u);
    const int32_t remainder = high & mask;
    const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
    return (high >> right) + (remainder > threshold ? 1 : 0);
}
";

const REQUANT_WIDE: &str = "\
/* x * value * 2^-shift, rounded once, ties up. */
static inline int32_t @_requant_wide(int64_t x, int32_t value, int32_t shift)
{
    return (int32_t)((x * value + (INT64_C(1) << (shift - 1))) >> shift);
}
";

const REQUANT_PRECISE: &str = "\
/* x * value * 2^(-22 - shift), rounded once, ties away from zero. */
static inline int32_t @_requant_precise(int64_t x, int64_t value, int32_t shift)
{
    const int64_t high = x * (value >> 22);
    const int64_t low = x * (value & 0x3fffff) - (x < 0 ? 1 : 0);
    return (int32_t)((high + (low >> 22) + (INT64_C(1) << (shift - 1))) >> shift);
}
";

const REQUANT_SINGLE: &str = "\
/* x * value * 2^(shift - 31), rounded once, ties away from zero. */
static inline int32_t @_requant_single(int32_t x, int32_t value, int32_t shift)
{
    const int32_t total = 31 - shift;
    const int64_t product = (int64_t)x * value;
    const int64_t half = (INT64_C(1) << (total - 1)) - (product < 0 ? 1 : 0);
    return (int32_t)((product + half) >> total);
}
";
