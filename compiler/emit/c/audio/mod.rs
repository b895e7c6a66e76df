//! The C text of features of sound: the arithmetic of `data::front_end::audio`, bit for bit.
//!
//! In: the front end with its tables. Out: constant tables, and functions that make one row of features of one frame
//! and the frame of the next hop of a stream; what memory they need, and what they cost. `@` stands for the bundle's name, `$`
//! for it in capitals. Deliberately not done here: what becomes of rows, which is the bundle's.
//!
//! A stream keeps the samples that the next frame shares with those before ([`kept`] of them). For each hop they are
//! put together with the new ones in scratch memory, so that a frame is in one piece and every pass reads it in the
//! order it wants.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::data::Audio;
use crate::target::Isa;

/// Names that the code takes, after the bundle's prefix; all begin in this way.
pub(super) const PREFIX: &str = "features_";

const CODE: &str = include_str!("features.c");

const FIRST_OF_TWO: &str = "
/* One group of the first pass; `present` of its two points have samples. */
$_INLINE void @_features_group(const int16_t *frame, int32_t n, int32_t present, int32_t *data)
{
    int32_t *const x = data + 4 * @_features_reversed(n);
    int32_t b_re = 0;
    int32_t b_im = 0;
    int32_t a_re;
    int32_t a_im;
    @_features_windowed(frame, n, &a_re, &a_im);
    if (present > 1) {
        @_features_windowed(frame, n + @_features_groups, &b_re, &b_im);
    }
    x[0] = a_re + b_re;
    x[1] = a_im + b_im;
    x[2] = a_re - b_re;
    x[3] = a_im - b_im;
}
";

const FIRST_OF_FOUR: &str = "
/* One group of the first pass; `present` of its four points have samples. */
$_INLINE void @_features_group(const int16_t *frame, int32_t n, int32_t present, int32_t *data)
{
    int32_t *const x = data + 8 * @_features_reversed(n);
    int32_t re[4] = {0, 0, 0, 0};
    int32_t im[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < present; ++i) {
        @_features_windowed(frame, n + i * @_features_groups, &re[i], &im[i]);
    }
    const int32_t sum_re = re[0] + re[2];
    const int32_t sum_im = im[0] + im[2];
    const int32_t difference_re = re[0] - re[2];
    const int32_t difference_im = im[0] - im[2];
    const int32_t p_re = re[1] + re[3];
    const int32_t p_im = im[1] + im[3];
    const int32_t q_re = re[1] - re[3];
    const int32_t q_im = im[1] - im[3];
    x[0] = sum_re + p_re;
    x[1] = sum_im + p_im;
    x[2] = difference_re + q_im;
    x[3] = difference_im - q_re;
    x[4] = sum_re - p_re;
    x[5] = sum_im - p_im;
    x[6] = difference_re - q_im;
    x[7] = difference_im + q_re;
}
";

const START: &str = "
/* Window and first pass. Frames shorter than the transform leave the last points of some groups without samples. */
static $_NOINLINE void @_features_start(const int16_t *frame, int32_t *data)
{
    for (int32_t n = 0; n < @_features_edge; ++n) {
        @_features_group(frame, n, PRESENT + 1, data);
    }
    for (int32_t n = @_features_edge; n < @_features_groups; ++n) {
        @_features_group(frame, n, PRESENT, data);
    }
}
";

const COSINES: &str = "
/* Products of lower and of upper halves, added to a sum. */
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
$_INLINE int32_t @_features_dot(int32_t sum, int32_t a, int32_t b)
{
    int32_t result;
    __asm__(\"smlad %0, %1, %2, %3\" : \"=r\"(result) : \"r\"(a), \"r\"(b), \"r\"(sum));
    return result;
}
#else
$_INLINE int32_t @_features_dot(int32_t sum, int32_t a, int32_t b)
{
    return sum + (int16_t)(a & 0xffff) * (int16_t)(b & 0xffff) + (a >> 16) * (b >> 16);
}
#endif

/* The cosine transform of logarithms, two in a word. */
static $_NOINLINE void @_features_cosines(const int32_t *logarithms, int16_t *row)
{
    const int32_t *table = @_features_dct;
    for (int32_t k = 0; k < @_features_coefficients; ++k) {
        int32_t sum = 1 << (@_features_dct_shift - 1);
        for (int32_t n = 0; n < (@_features_filters + 1) / 2; ++n) {
            sum = @_features_dot(sum, logarithms[n], *table);
            ++table;
        }
        row[k] = (int16_t)(sum >> @_features_dct_shift);
    }
}
";

const HOP: &str = "
/* The frame that ends with the next hop of samples. `state` keeps the samples that frames share; behind the
   spectrum, `scratch` has room for a frame. */
static const int16_t *@_features_hop(int16_t *state, const int16_t *hop, int32_t *scratch)
{
    int16_t *const frame = (int16_t *)(void *)(scratch + @_features_size);
    memmove(frame, state, @_features_kept * sizeof(int16_t));
    memmove(frame + @_features_kept, hop, (@_features_frame - @_features_kept) * sizeof(int16_t));
    memmove(state, frame + @_features_hop_samples, @_features_kept * sizeof(int16_t));
    return frame;
}
";

const HOP_WITHOUT_STATE: &str = "
/* The frame that the next hop of samples begins with. */
static const int16_t *@_features_hop(int16_t *state, const int16_t *hop, int32_t *scratch)
{
    (void)state;
    (void)scratch;
    return hop;
}
";

/// A constant table.
pub(super) struct AudioTable {
    /// Its name after the bundle's prefix.
    pub(super) name: &'static str,
    /// The C type of an element.
    pub(super) ty: &'static str,
    /// Bytes of an element.
    pub(super) width: u64,
    /// What it is, for a comment.
    pub(super) remark: &'static str,
    /// The elements.
    pub(super) values: Vec<i64>,
}

/// Two numbers of 16 bit in a word, the first in the lower half.
fn pair(low: i16, high: i16) -> i64 {
    i64::from(i32::from(high) << 16 | i32::from(low as u16))
}

/// Pairs of a row, the last one filled up with 0.
fn pairs(row: &[i16]) -> impl Iterator<Item = i64> + '_ {
    row.chunks(2).map(|two| pair(two[0], two.get(1).copied().unwrap_or(0)))
}

/// The constant tables of the code.
pub(super) fn tables(audio: &Audio) -> Vec<AudioTable> {
    let (fft, mel) = (audio.fft(), audio.mel());
    let table = |name, ty, width, remark, values| AudioTable { name, ty, width, remark, values };
    let turns = fft.turns().iter().flatten().map(|&[cos, sin]| pair(cos, sin)).collect();
    let real_turns = fft.real_turns().iter().map(|&[cos, sin]| pair(cos, sin)).collect();
    let gaps = mel.gaps().iter().map(|&bins| i64::from(bins)).collect();
    let (gap_type, gap_width) =
        if mel.gaps().iter().all(|&bins| bins < 256) { ("uint8_t", 1) } else { ("uint16_t", 2) };
    let weights = mel.weights().iter().map(|&weight| i64::from(weight)).collect();
    let log = audio.log_table().iter().map(|&value| i64::from(value)).collect();
    let mut tables = vec![
        table(
            "features_window",
            "int32_t",
            4,
            "window of sound, two factors in a word",
            pairs(fft.window()).collect(),
        ),
        table("features_turns", "int32_t", 4, "turns of the transform, sine and cosine in a word", turns),
        table("features_real_turns", "int32_t", 4, "turns of the real transform", real_turns),
        table("features_weights", "int16_t", 2, "weights of bins in filters", weights),
        table("features_gaps", gap_type, gap_width, "bins between the centres of filters", gaps),
        table("features_log", "uint16_t", 2, "logarithms", log),
    ];
    if let Some(dct) = audio.dct() {
        let rows = dct.table().chunks(audio.spec().filters).flat_map(pairs).collect();
        tables.push(table("features_dct", "int32_t", 4, "cosine transform, two factors in a word", rows));
    }
    tables
}

/// Bytes between the tables and after them, where each starts at a word.
pub(in crate::emit) fn padding(audio: &Audio) -> u64 {
    let bytes = |table: &AudioTable| table.width * table.values.len() as u64;
    tables(audio).iter().map(|table| bytes(table).next_multiple_of(4) - bytes(table)).sum()
}

/// Bytes of all tables.
pub(in crate::emit) fn table_bytes(audio: &Audio) -> u64 {
    tables(audio).iter().map(|table| table.width * table.values.len() as u64).sum()
}

/// Samples that a stream keeps from hop to hop.
pub(in crate::emit) fn kept(audio: &Audio) -> usize {
    audio.spec().frame.saturating_sub(audio.spec().hop)
}

/// Bytes of scratch memory, aligned to 4: of a row, and of a hop, which puts its frame together there.
pub(in crate::emit) fn scratch_bytes(audio: &Audio, of_hop: bool) -> u64 {
    let frame = if of_hop && kept(audio) > 0 { (2 * audio.spec().frame).next_multiple_of(4) } else { 0 };
    (4 * audio.fft().size() + frame) as u64
}

/// Integer constants of the code.
fn constants(audio: &Audio) -> String {
    let (spec, fft, mel) = (audio.spec(), audio.fft(), audio.mel());
    let radix = fft.first_radix();
    let groups = fft.size() / 2 / radix;
    let pairs = spec.frame.div_ceil(2);
    let mut out = String::from("\nenum {\n");
    let mut add = |name: &str, value: usize, remark: &str| {
        writeln!(out, "    @_features_{name} = {value}, /* {remark} */").expect("a String takes all");
    };
    add("frame", spec.frame, "samples of a frame");
    add("hop_samples", spec.hop, "samples from frame to frame");
    add("kept", kept(audio), "samples that frames share");
    add("size", fft.size(), "points of the transform");
    add("groups", groups, "groups of the first pass");
    add("edge", pairs - pairs / groups * groups, "first group without a sample at its last point");
    add("unreversed", 12 - groups.ilog2() as usize, "bits of 12 that a group's number leaves");
    add("shift", fft.shift() as usize, "bits that windowed samples lose");
    add("first", mel.first(), "lowest bin");
    add("filters", spec.filters, "filters");
    add("floor", mel.floor() as usize, "fraction bits of the energy 1");
    if let Some(dct) = audio.dct() {
        add("coefficients", spec.coefficients.unwrap_or(0), "coefficients of a row");
        add("dct_shift", dct.shift() as usize, "fraction bits that sums lose");
    }
    out.push_str("};\n");
    out
}

/// A call of every pass, whose length and stride are known to the compiler in this way.
fn passes(audio: &Audio) -> String {
    let fft = audio.fft();
    let mut out = String::new();
    let mut length = fft.first_radix();
    while 4 * length <= fft.size() / 2 {
        let stride = 3 * fft.turns().len() / length;
        writeln!(out, "    @_features_pass(scratch, {length}, {stride});").expect("a String takes all");
        length *= 4;
    }
    out
}

/// The code of `@_features_row(const int16_t *frame, int32_t *scratch, int16_t *row)`.
pub(super) fn row_code(audio: &Audio) -> String {
    let radix = audio.fft().first_radix();
    let pairs = audio.spec().frame.div_ceil(2);
    let present = pairs / (audio.fft().size() / 2 / radix);
    let odd = !audio.spec().frame.is_multiple_of(2);
    let second = if odd { "2 * n + 1 < @_features_frame ? frame[2 * n + 1] : 0" } else { "frame[2 * n + 1]" };
    let start = START.replace("PRESENT", &present.to_string());
    let group = if radix == 4 { FIRST_OF_FOUR } else { FIRST_OF_TWO };
    let (into, store, cosines, row) = match audio.dct() {
        None => (
            "const int32_t *spectrum, int16_t *row",
            "row[gap - 1] = (int16_t)value;",
            "",
            "    @_features_mel(scratch, row);\n",
        ),
        Some(_) => (
            "int32_t *spectrum",
            "/* Two logarithms go to a word, where bins have been read. */\n            \
             if (gap % 2 != 0) {\n                spectrum[gap / 2] = value;\n            } else {\n                \
             spectrum[gap / 2 - 1] |= value * 65536;\n            }",
            COSINES,
            "    @_features_mel(scratch);\n    @_features_cosines(scratch, row);\n",
        ),
    };
    let code = CODE
        .replace("SECOND", second)
        .replace("FIRST_PASS", &(group.to_owned() + &start))
        .replace("INTO", into)
        .replace("STORE", store)
        .replace("PASSES\n", &passes(audio))
        .replace("\nDCT\n", &format!("\n{cosines}\n"))
        .replace("ROW}", &format!("{row}}}"));
    constants(audio) + &code
}

/// The code of `@_features_hop(int16_t *state, const int16_t *hop, int32_t *scratch)`, which gives the frame of a row.
/// The state takes [`kept`] samples before a frame is whole; what it holds until then is nobody's.
pub(super) fn hop_code(audio: &Audio) -> &'static str {
    if kept(audio) > 0 { HOP } else { HOP_WITHOUT_STATE }
}

/// What features of sound cost on an instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::emit) struct Cost {
    /// Bytes of the code, at most; without tables and without the compiler's own library.
    pub(in crate::emit) code_bytes: u64,
    /// Cycles for a row, one for an instruction as the targets count them.
    pub(in crate::emit) cycles_per_row: u64,
}

/// Instructions of a butterfly, and of a point, a sample of a frame, a bin, a pair of the cosine transform and a filter
/// besides.
type Instructions = [f64; 6];

/// What a row costs. For cores with DSP instructions: instructions of the loops as GCC 12 makes them with `-O2`, within
/// 3 % of what QEMU counted in whole bundles with a first pass of radix 4; none with radix 2 was counted. For the
/// others: fitted to instructions that it counted in 14 front ends with frames of 64 to 4,096 samples, and which include
/// waits of Arm's timing table, taken out again by [`cycles_of_100`]. The bounds of the code are 2 to 8 % above the
/// greatest of the 14.
pub(in crate::emit) fn cost(audio: &Audio, isa: Isa) -> Cost {
    let mut passes = 0u64;
    let mut length = audio.fft().first_radix();
    while 4 * length <= audio.fft().size() / 2 {
        passes += 1;
        length *= 4;
    }
    let is_of_four = audio.fft().first_radix() == 4;
    let (code_bytes, instructions): (u64, Instructions) = match isa {
        Isa::Armv7em | Isa::Armv8mMain | Isa::Armv8_1m => {
            let [of_point, of_sample] = if is_of_four { [21.3, 10.5] } else { [19.0, 3.0] };
            (1250 + 330 * passes, [46.5, of_point, of_sample, 12.0, 6.0, 62.0])
        }
        Isa::Armv7m => (1950, [85.0, 92.0, 27.0, 30.0, 11.0, 0.0]),
        Isa::Armv6m => (2250, [108.0, 124.0, 54.0, 316.0, 0.0, 0.0]),
        Isa::Rv32imc => (2350, [69.0, 98.0, 12.6, 71.5, 17.5, 0.0]),
        // Portable C is compiled for a Cortex-M like that of the network: with its DSP instructions or without.
        Isa::Portable => ((1250 + 330 * passes).max(1950), [6.0, 13.0, 4.6, 2.8, 1.5, 0.0]),
        Isa::X86_64 => (3000, [6.0, 13.0, 4.6, 2.8, 1.5, 0.0]),
    };
    let (points, filters) = (audio.fft().size() / 2, audio.spec().filters);
    let pairs = filters.div_ceil(2) * audio.spec().coefficients.unwrap_or(0);
    let bins = audio.mel().weights().len();
    let counts = [points / 4 * passes as usize, points, audio.spec().frame, bins, pairs, filters];
    let total: f64 = counts.iter().zip(instructions).map(|(&count, each)| count as f64 * each).sum();
    Cost { code_bytes, cycles_per_row: (100.0 * total / cycles_of_100(isa)).round() as u64 }
}

/// What the figures of a row have for 100 instructions.
fn cycles_of_100(isa: Isa) -> f64 {
    match isa {
        Isa::Armv7m => 129.0,
        Isa::Armv6m => 124.0,
        Isa::Armv7em | Isa::Armv8mMain | Isa::Armv8_1m => 100.0,
        Isa::Rv32imc | Isa::Portable | Isa::X86_64 => 100.0,
    }
}
