//! Front ends as C: from raw values to the input slot, for whole samples and for streams.
//!
//! A front end has three kinds of text: what quantizes a feature, what makes the features of a pixel or a row, and
//! the interface. `audio` has the text of rows of sound. Rows of features wait in the context until a sample of them is
//! whole; whole samples of sound take the same way.

use crate::data::{Axis, FrontEnd, Picture, Quantizer, RawInput};
use crate::emit::c::{Context, audio};
use crate::emit::front_end::{StreamShape, context_bytes};

/// How names of functions and tables begin that are not part of the interface.
pub(super) const PREFIX: &str = "raw_";

/// The other functions, which no kernel may be called.
pub(super) const SYMBOLS: [&str; 3] = ["detect", "reset", "stream"];

/// A value in the text: negative ones in parentheses.
pub(super) fn number(value: impl Into<i64>) -> String {
    let value = value.into();
    if value < 0 { format!("({value})") } else { value.to_string() }
}

/// Replaces words by values.
fn with(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
}

const QUANTIZE_INTEGER: &str = "
/* A feature as the network takes it: standardised and rounded, halves up. */
static int8_t @_raw_quantize(int32_t x, int32_t c)
{
    int32_t q = (((x - @_raw_offset[c]) * @_raw_factor[c] + HALF) >> SHIFT) + ZERO_POINT;
    q = q < -128 ? -128 : q;
    q = q > 127 ? 127 : q;
    return (int8_t)q;
}
";

const QUANTIZE_FLOAT: &str = "
/* A feature as the network takes it: twice the quantized value, truncated and halved away from zero;
   not-a-number becomes 0. */
static int8_t @_raw_quantize(float x, int32_t c)
{
    float t = (x - @_raw_mean[c]) * @_raw_factor[c];
    t = t != t ? 0.0f : t;
    t = t < -1024.0f ? -1024.0f : t;
    t = t > 1024.0f ? 1024.0f : t;
    const int32_t twice = (int32_t)t;
    int32_t q = (twice + (twice >= 0 ? 1 : -1)) / 2 + ZERO_POINT;
    q = q < -128 ? -128 : q;
    q = q > 127 ? 127 : q;
    return (int8_t)q;
}
";

const PIXEL: &str = "
/* A pixel of the network's picture: the mean under a window of the camera's, whose pixels count PIXEL_Y times
   PIXEL_X parts. */
static int32_t @_raw_pixel(const @_raw_t *raw, int32_t y, int32_t x, int32_t c)
{
    int32_t top = y * STEP_Y - BEFORE_Y;
    int32_t left = x * STEP_X - BEFORE_X;
    uint32_t sum = HALFu;
CLAMPS    const int32_t bottom = top + WINDOW_Y;
    const int32_t right = left + WINDOW_X;
    for (int32_t v = top / PIXEL_Y; v * PIXEL_Y < bottom; ++v) {
        const int32_t from_y = v * PIXEL_Y > top ? v * PIXEL_Y : top;
        const int32_t to_y = (v + 1) * PIXEL_Y < bottom ? (v + 1) * PIXEL_Y : bottom;
        uint32_t row = 0;
        for (int32_t u = left / PIXEL_X; u * PIXEL_X < right; ++u) {
            const int32_t from_x = u * PIXEL_X > left ? u * PIXEL_X : left;
            const int32_t to_x = (u + 1) * PIXEL_X < right ? (u + 1) * PIXEL_X : right;
            const @_raw_t *const p = raw + (v * WIDTH + u) * CHANNELS;
            row += (uint32_t)(to_x - from_x) * VALUE;
        }
        sum += (uint32_t)(to_y - from_y) * row;
    }
    return (int32_t)(sum / PARTSu);
}
";

const PIXEL_OF_ONE_SIZE: &str = "
/* A pixel of the network's picture: that of the camera's, which has its size. */
static int32_t @_raw_pixel(const @_raw_t *raw, int32_t y, int32_t x, int32_t c)
{
    const @_raw_t *const p = raw + (y * WIDTH + x) * CHANNELS;
    return (int32_t)VALUE;
}
";

const RUN_RAW_VALUES: &str = "
int @_run_raw(@_ctx *ctx, const @_raw_t *raw, @_output_t *output)
{
    @_input_t *const input_slot = @_input(ctx);
    if (input_slot == NULL || raw == NULL) {
        return $_ERROR_NULL;
    }
    for (int32_t i = 0; i < $_RAW_SIZE; i += CHANNELS) {
        for (int32_t c = 0; c < CHANNELS; ++c) {
            input_slot[i + c] = @_raw_quantize(raw[i + c], c);
        }
    }
    return @_run(ctx, NULL, output);
}
";

const RUN_RAW_PICTURE: &str = "
int @_run_raw(@_ctx *ctx, const @_raw_t *raw, @_output_t *output)
{
    @_input_t *input_slot = @_input(ctx);
    if (input_slot == NULL || raw == NULL) {
        return $_ERROR_NULL;
    }
    for (int32_t y = 0; y < HEIGHT; ++y) {
        for (int32_t x = 0; x < WIDTH; ++x) {
            for (int32_t c = 0; c < CHANNELS; ++c) {
                *input_slot++ = @_raw_quantize(@_raw_pixel(raw, y, x, c), c);
            }
        }
    }
    return @_run(ctx, NULL, output);
}
";

const RESET: &str = "
int @_reset(@_ctx *ctx)
{
    if (ctx == NULL || ctx->arena == NULL) {
        return $_ERROR_NULL;
    }
    ctx->next_row = 0;
    ctx->until_run = $_ROWS;
MORE    return $_OK;
}
";

const PUSH: &str = "
/* Puts a row of features behind those that came before. */
static void @_raw_push(@_ctx *ctx, const @_raw_t *features)
{
    int8_t *const row = ctx->rows + ctx->next_row * BANDS;
    for (int32_t c = 0; c < BANDS; ++c) {
        row[c] = @_raw_quantize(features[c], c);
    }
    ctx->next_row = ctx->next_row + 1 < $_ROWS ? ctx->next_row + 1 : 0;
}
";

const PLACE: &str = "
/* Puts the rows into the input slot, the oldest first. */
static void @_raw_place(@_ctx *ctx)
{
    @_input_t *const input_slot = (@_input_t *)(ctx->arena + @_at_INPUT);
    const size_t newer = (size_t)ctx->next_row * BANDS;
    memmove(input_slot, ctx->rows + newer, $_INPUT_SIZE - newer);
    memmove(input_slot + ($_INPUT_SIZE - newer), ctx->rows, newer);
}
";

const RUN_RAW_AUDIO: &str = "
int @_run_raw(@_ctx *ctx, const @_raw_t *raw, @_output_t *output)
{
    if (raw == NULL || @_reset(ctx) != $_OK) {
        return $_ERROR_NULL;
    }
    for (int32_t i = 0; i < $_ROWS; ++i) {
        int16_t row[BANDS];
        @_features_row(raw + i * $_HOP_SIZE, (int32_t *)(void *)ctx->arena, row);
        @_raw_push(ctx, row);
    }
    @_raw_place(ctx);
    return @_run(ctx, NULL, output);
}
";

const STREAM: &str = "
int @_stream(@_ctx *ctx, const @_raw_t *hop, @_output_t *scores)
{
    if (ctx == NULL || ctx->arena == NULL || hop == NULL || scores == NULL) {
        return $_ERROR_NULL;
    }
PUSH    if (--ctx->until_run > 0) {
        return 0;
    }
    ctx->until_run = $_EVERY;
    @_raw_place(ctx);
RUN    return 1;
}
";

const PUSH_AUDIO: &str = "\
    int32_t *const scratch = (int32_t *)(void *)ctx->arena;
    const int16_t *const frame = @_features_hop(SAMPLES, hop, scratch);
    int16_t row[BANDS];
WARM    @_features_row(frame, scratch, row);
    @_raw_push(ctx, row);
";

const WARM: &str = "\
    /* No frame is whole before so many hops. */
    if (ctx->until_row > 0) {
        --ctx->until_row;
        return 0;
    }
";

const RUN_AND_SMOOTH: &str = "\
    @_run(ctx, NULL, ctx->past + ctx->next_past * $_OUTPUT_SIZE);
    ctx->next_past = ctx->next_past + 1 < $_SMOOTH ? ctx->next_past + 1 : 0;
    ctx->n_past = ctx->n_past < $_SMOOTH ? ctx->n_past + 1 : $_SMOOTH;
    for (int32_t i = 0; i < $_OUTPUT_SIZE; ++i) {
        /* Twice the sum, each output from 0 on, and once the divisor's half: rounds halves up. */
        const uint32_t count = (uint32_t)ctx->n_past;
        uint32_t sum = count;
        for (int32_t past = 0; past < ctx->n_past; ++past) {
            sum += 2u * (uint32_t)(ctx->past[past * $_OUTPUT_SIZE + i] + 128);
        }
        scores[i] = (@_output_t)((int32_t)(sum / (2u * count)) - 128);
    }
";

const DETECT: &str = "
int @_detect(const @_output_t *scores, int threshold)
{
    int best = 0;
    if (scores == NULL) {
        return -1;
    }
    for (int i = 1; i < $_OUTPUT_SIZE; ++i) {
        best = scores[i] > scores[best] ? i : best;
    }
    return scores[best] > threshold ? best : -1;
}
";

/// The functions behind those of every network.
pub(super) fn source(context: &Context<'_>, raw: &RawInput, input_offset: &str) -> String {
    let mut out = quantize(&raw.quantizer);
    match &raw.front_end {
        FrontEnd::Values { .. } => out.push_str(&with(RUN_RAW_VALUES, &channels(raw))),
        FrontEnd::Picture(picture) => {
            out.push_str(&pixel(picture));
            let [height, width, _] = picture.to;
            let sizes = [("HEIGHT", height.to_string()), ("WIDTH", width.to_string())];
            out.push_str(&with(&with(RUN_RAW_PICTURE, &sizes), &channels(raw)));
        }
        FrontEnd::Series(_) => out.push_str(&with(RUN_RAW_VALUES, &channels(raw))),
        FrontEnd::Audio(audio) => {
            out.push_str(&audio::row_code(audio));
            out.push_str(audio::hop_code(audio));
        }
    }
    if let Some(shape) = StreamShape::new(&raw.front_end) {
        out.push_str(&stream(raw, &shape));
    }
    context.fill(&out.replace("@_at_INPUT", input_offset))
}

fn channels(raw: &RawInput) -> [(&'static str, String); 1] {
    [("CHANNELS", raw.front_end.period().to_string())]
}

fn quantize(quantizer: &Quantizer) -> String {
    let zero_point = ("ZERO_POINT", number(quantizer.zero_point()));
    match quantizer {
        Quantizer::Float(_) => with(QUANTIZE_FLOAT, &[zero_point]),
        Quantizer::Integer(integer) => {
            let half = ("HALF", (1u32 << (integer.shift - 1)).to_string());
            with(QUANTIZE_INTEGER, &[half, ("SHIFT", integer.shift.to_string()), zero_point])
        }
    }
}

fn pixel(picture: &Picture) -> String {
    let axes = picture.axes();
    let parts = axes[0].window * axes[1].window;
    let mut clamps = String::new();
    let mut values = Vec::new();
    for (name, axis, words) in [
        ("top", axes[0], ["STEP_Y", "BEFORE_Y", "WINDOW_Y", "PIXEL_Y"]),
        ("left", axes[1], ["STEP_X", "BEFORE_X", "WINDOW_X", "PIXEL_X"]),
    ] {
        let Axis { pixel, window, step, before, last } = axis;
        if before > 0 {
            clamps.push_str(&format!("    {name} = {name} < 0 ? 0 : {name};\n"));
            clamps.push_str(&format!("    {name} = {name} > {last} ? {last} : {name};\n"));
        }
        values.extend(words.into_iter().zip([step, before, window, pixel].map(|value| value.to_string())));
    }
    let value = if picture.is_greyed() {
        "((77u * p[0] + 150u * p[1] + 29u * p[2] + 128u) >> 8)"
    } else {
        "(uint32_t)p[c]"
    };
    let [_, width, channels] = picture.from;
    values.extend([
        ("CLAMPS", clamps),
        ("VALUE", value.to_owned()),
        ("WIDTH", width.to_string()),
        ("CHANNELS", channels.to_string()),
        ("HALF", (parts / 2).to_string()),
        ("PARTS", parts.to_string()),
    ]);
    let text = if picture.is_one_size() { PIXEL_OF_ONE_SIZE } else { PIXEL };
    let text =
        if picture.is_greyed() { text.replacen("{\n", "{\n    (void)c;\n", 1) } else { text.to_owned() };
    // An axis that becomes smaller starts its windows within the source.
    with(&text, &values).replace(" - 0;", ";")
}

/// Rows, whole samples of them, and the stream.
fn stream(raw: &RawInput, shape: &StreamShape) -> String {
    let smooths = shape.stream.smooth > 1;
    let mut more = String::new();
    if shape.warm > 0 {
        more.push_str(&format!("    ctx->until_row = {};\n", shape.warm));
    }
    if smooths {
        more.push_str("    ctx->next_past = 0;\n    ctx->n_past = 0;\n");
    }
    let mut out = RESET.replace("MORE", &more);
    let is_sound = matches!(raw.front_end, FrontEnd::Audio(_));
    out.push_str(PUSH);
    out.push_str(PLACE);
    if is_sound {
        out.push_str(RUN_RAW_AUDIO);
    }
    let push = if is_sound {
        let samples = if shape.held > 0 { "ctx->samples" } else { "NULL" };
        let warm = if shape.warm > 0 { WARM } else { "" };
        PUSH_AUDIO.replace("SAMPLES", samples).replace("WARM", warm)
    } else {
        "    @_raw_push(ctx, hop);\n".to_owned()
    };
    let run = if smooths { RUN_AND_SMOOTH } else { "    @_run(ctx, NULL, scores);\n" };
    out.push_str(&STREAM.replace("PUSH", &push).replace("RUN", run));
    out.push_str(DETECT);
    out.replace("BANDS", &shape.row.to_string())
}

/// Members of the context behind the arena, the largest elements first, and their padding.
pub(super) fn members(shape: &StreamShape, outputs: usize) -> String {
    let smooths = shape.stream.smooth > 1;
    let mut out = String::from("    int32_t next_row;\n    int32_t until_run;\n");
    if shape.warm > 0 {
        out.push_str("    int32_t until_row;\n");
    }
    if smooths {
        out.push_str("    int32_t next_past;\n    int32_t n_past;\n");
    }
    let past = if smooths { shape.stream.smooth as u64 * outputs as u64 } else { 0 };
    let padding = shape.context_bytes(outputs) - shape.member_bytes(outputs);
    for (ty, name, count) in [
        ("int16_t", "samples", shape.held as u64),
        ("int8_t", "rows", (shape.rows * shape.row) as u64),
        ("int8_t", "past", past),
        ("unsigned char", "padding", padding),
    ] {
        if count > 0 {
            out.push_str(&format!("    {ty} {name}[{count}];\n"));
        }
    }
    out
}

/// A check of the compiler that the context has the size that was predicted.
pub(super) const ASSERT_CONTEXT: &str =
    "typedef char @_assert_ctx[sizeof(void *) != 4 || sizeof(@_ctx) == $_CTX_BYTES ? 1 : -1];\n";

const RAW: &str = "
/* Brings $_RAW_SIZE values of the sensor, channels innermost, to the input slot, then runs. */
typedef ELEMENT @_raw_t;
int @_run_raw(@_ctx *ctx, const @_raw_t *raw, @_output_t *output);
";

const STREAMED: &str = "
/* Takes the next $_HOP_SIZE values of a signal without end, and is done with them when it returns. The first result
   comes with the hop $_FIRST_HOP, the others every $_EVERY hops: then it runs the network on the last
   $_ROWS rows of features, writes SMOOTHED to scores, and returns 1; else 0, or an error. */
int @_stream(@_ctx *ctx, const @_raw_t *hop, @_output_t *scores);

/* Forgets the signal so far, as @_init does. */
int @_reset(@_ctx *ctx);

/* The first of the greatest scores if it is above the threshold, in steps of the output; else -1. It remembers
   nothing: a sound is above the threshold in several runs. */
int @_detect(const @_output_t *scores, int threshold);
";

/// Types and functions for the header.
pub(super) fn declarations(context: &Context<'_>, raw: &RawInput) -> String {
    let mut out = RAW.replace("ELEMENT", raw.front_end.element().c_type());
    if matches!(raw.front_end, FrontEnd::Audio(_)) {
        out = out.replace("then runs. */", "then runs.\n   Forgets what `@_stream` took. */");
    }
    if let Some(shape) = StreamShape::new(&raw.front_end) {
        let smoothed = match shape.stream.smooth {
            1 => "the output",
            _ => "the means of the last $_SMOOTH outputs, halves rounded up,",
        };
        out.push_str(&STREAMED.replace("SMOOTHED", smoothed));
    }
    context.fill(&out)
}

/// Macros of a stream: name, value, remark.
pub(super) fn macros(raw: &RawInput, outputs: usize) -> Vec<(&'static str, String, &'static str)> {
    let Some(shape) = StreamShape::new(&raw.front_end) else { return Vec::new() };
    let context = 4 + context_bytes(&raw.front_end, outputs);
    let mut macros = vec![
        ("HOP_SIZE", shape.hop.to_string(), "values that a stream takes at once"),
        ("ROWS", shape.rows.to_string(), "rows of features of a sample"),
        ("FIRST_HOP", (shape.warm + shape.rows).to_string(), "hops up to the first run"),
        ("EVERY", shape.stream.every.to_string(), "hops from one run to the next"),
        ("SMOOTH", shape.stream.smooth.to_string(), "outputs that are averaged"),
        ("CTX_BYTES", context.to_string(), "the context where a pointer has 4 bytes"),
    ];
    if shape.lead > 0 {
        let remark = "values before a sample for a stream to have the sample's own rows";
        macros.push(("LEAD_SIZE", shape.lead.to_string(), remark));
    }
    macros
}
