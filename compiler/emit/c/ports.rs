//! Inputs and outputs of a network as C: sizes, slots, their copies, and what brings elements of other kinds to the
//! network's integers and back.

use std::fmt::Write as _;

use crate::emit::c::function::c_type;
use crate::emit::c::names::{float, parenthesised};
use crate::emit::{Border, Network};
use crate::kernel::BufferId;
use crate::tensor::{DType, TensorType};

/// One end of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

impl Side {
    pub(super) fn word(self) -> &'static str {
        match self {
            Side::Input => "input",
            Side::Output => "output",
        }
    }

    fn types<'n>(self, network: &Network<'n>) -> &'n [TensorType] {
        match self {
            Side::Input => network.inputs,
            Side::Output => network.outputs,
        }
    }

    /// The element type of all of them.
    pub(super) fn elem(self, network: &Network<'_>) -> DType {
        self.types(network).first().map_or(DType::I8, |ty| ty.dtype)
    }

    fn buffers<'n>(self, network: &Network<'n>) -> &'n [BufferId] {
        match self {
            Side::Input => &network.program.inputs,
            Side::Output => &network.program.outputs,
        }
    }

    fn borders<'n>(self, network: &Network<'n>) -> &'n [Option<Border>] {
        match self {
            Side::Input => network.borders.inputs,
            Side::Output => network.borders.outputs,
        }
    }
}

/// Defines the sizes and scales of one end.
pub(super) fn macros(network: &Network<'_>, side: Side, define: &mut dyn FnMut(&str, String, &str)) {
    let types = side.types(network);
    let upper = side.word().to_uppercase();
    if let [ty] = types {
        let remark = if side == Side::Input { "real = scale * (integer - zero point)" } else { "" };
        return port(ty, &upper, remark, define);
    }
    let sizes: Vec<usize> = types.iter().map(|ty| ty.shape.elements()).collect();
    define(&format!("{upper}_COUNT"), types.len().to_string(), "");
    let total: usize = sizes.iter().sum();
    define(&format!("{upper}_SIZE"), total.to_string(), "of all, one after another");
    for (number, ty) in types.iter().enumerate() {
        let offset: usize = sizes[..number].iter().sum();
        define(&format!("{upper}_{number}_OFFSET"), offset.to_string(), "");
        let remark = if number == 0 { "real = scale * (integer - zero point)" } else { "" };
        port(ty, &format!("{upper}_{number}"), remark, define);
    }
}

fn port(ty: &TensorType, name: &str, remark: &str, define: &mut dyn FnMut(&str, String, &str)) {
    let quant = ty.quant.as_ref().expect("checked before");
    define(&format!("{name}_SIZE"), ty.shape.elements().to_string(), &ty.shape.to_string());
    define(&format!("{name}_SCALE"), float(quant.scale(0)), remark);
    define(&format!("{name}_ZERO_POINT"), parenthesised(quant.zero_point), "");
}

const SLOTS: &str = "\
/* The slots in the arena. A run may overwrite the input. */
@_input_t *@_input(@_ctx *ctx);
@_output_t *@_output(@_ctx *ctx);

";
const NUMBERED: &str = "\
/* The slots in the arena; of several by number, and NULL for a number that there is not. A run may overwrite inputs. */
";
const RUN_ONE: &str = "\
/* Runs the network. NULL or a slot's own pointer means that slot; anything else is copied. */
";
const RUN_SEVERAL: &str = "\
/* Runs the network. Of several inputs or outputs each begins at its _OFFSET. NULL means the slots; anything else is
   copied, and has to lie outside of the arena. */
";
const RUN: &str = "int @_run(@_ctx *ctx, const @_input_t *input, @_output_t *output);\n";

/// The declarations of slots, run and borders.
pub(super) fn declarations(network: &Network<'_>) -> String {
    let mut out = String::new();
    if network.one_each().is_some() {
        out.push_str(SLOTS);
        out.push_str(RUN_ONE);
    } else {
        out.push_str(NUMBERED);
        for side in [Side::Input, Side::Output] {
            let _ = writeln!(out, "{};", signature(network, side));
        }
        out.push('\n');
        out.push_str(RUN_SEVERAL);
    }
    out.push_str(RUN);
    for side in [Side::Input, Side::Output] {
        for (number, border) in bordered(network, side) {
            out.push_str(match (side, border) {
                (Side::Input, Border::F32) => {
                    "\n/* Real values to the integers of the input, which may be its slot: the nearest, halves away from \
                     zero. */\n"
                }
                (Side::Input, Border::U8) => "\n/* Integers without a sign to those of the input, which may be its slot. */\n",
                (Side::Output, Border::F32) => "\n/* The real values of the output's integers. */\n",
                (Side::Output, Border::U8) => "\n/* The output's integers without a sign. */\n",
            });
            let _ = writeln!(out, "{};", converter(network, side, number, border));
        }
    }
    out
}

/// The function that gives a slot.
fn signature(network: &Network<'_>, side: Side) -> String {
    let word = side.word();
    let index = if side.types(network).len() == 1 { "" } else { ", int number" };
    format!("@_{word}_t *@_{word}(@_ctx *ctx{index})")
}

/// The functions of all borders.
pub(super) fn converters(network: &Network<'_>) -> Vec<String> {
    let of = |side: Side| {
        bordered(network, side).map(move |(number, border)| converter(network, side, number, border))
    };
    [Side::Input, Side::Output].into_iter().flat_map(of).collect()
}

/// Ports with a border, by number.
fn bordered<'n>(network: &Network<'n>, side: Side) -> impl Iterator<Item = (usize, Border)> + 'n {
    side.borders(network).iter().enumerate().filter_map(|(number, border)| Some((number, (*border)?)))
}

/// The function of a border.
fn converter(network: &Network<'_>, side: Side, number: usize, border: Border) -> String {
    let element = match border {
        Border::F32 => "float",
        Border::U8 => "uint8_t",
    };
    let suffix = suffix(network, side, number);
    match side {
        Side::Input => format!("void @_quantize{suffix}(const {element} *from, @_input_t *to)"),
        Side::Output => format!("void @_dequantize{suffix}(const @_output_t *from, {element} *to)"),
    }
}

/// What tells one of several ports.
fn suffix(network: &Network<'_>, side: Side, number: usize) -> String {
    if side.types(network).len() == 1 { String::new() } else { format!("_{number}") }
}

/// Names behind the prefix that the functions of borders take.
pub(super) fn symbols(network: &Network<'_>) -> Vec<String> {
    let of = |(side, name): (Side, &str)| -> Vec<String> {
        bordered(network, side)
            .map(|(number, _)| format!("{name}{}", suffix(network, side, number)))
            .collect()
    };
    [(Side::Input, "quantize"), (Side::Output, "dequantize")].into_iter().flat_map(of).collect()
}

const ONE_SLOT: &str = "
SIGNATURE
{
    if (ctx == NULL || ctx->arena == NULL) {
        return NULL;
    }
    return (@_WORD_t *)VOID(ctx->arena + AT);
}
";

const SEVERAL_SLOTS: &str = "
SIGNATURE
{
    static const int32_t at[] = {AT};
    if (ctx == NULL || ctx->arena == NULL || number < 0 || number >= $_UPPER_COUNT) {
        return NULL;
    }
    return (@_WORD_t *)VOID(ctx->arena + at[number]);
}
";

/// The definitions; `offsets` are the names of the buffers' offsets.
pub(super) fn source(network: &Network<'_>, offsets: &[String]) -> String {
    let mut out = String::new();
    for side in [Side::Input, Side::Output] {
        let buffers = side.buffers(network);
        let at: Vec<&str> = buffers.iter().map(|buffer| offsets[buffer.0 as usize].as_str()).collect();
        let text = if buffers.len() == 1 { ONE_SLOT } else { SEVERAL_SLOTS };
        let text = text
            .replace("SIGNATURE", &signature(network, side))
            .replace("WORD", side.word())
            // Offsets are aligned, which compilers cannot know.
            .replace("VOID", if side.elem(network) == DType::I8 { "" } else { "(void *)" })
            .replace("UPPER", &side.word().to_uppercase())
            .replace("AT", &at.join(", "));
        out.push_str(&text);
    }
    out.push_str(&run(network, offsets));
    for side in [Side::Input, Side::Output] {
        for (number, border) in bordered(network, side) {
            let _ = write!(out, "\n{}\n", converter(network, side, number, border));
            let suffix = suffix(network, side, number);
            let upper = format!("$_{}{suffix}", side.word().to_uppercase());
            out.push_str(&body(side, border, side.elem(network)).replace('%', &upper));
        }
    }
    out
}

/// The function that runs the network.
fn run(network: &Network<'_>, offsets: &[String]) -> String {
    let mut out = String::from("\nint @_run(@_ctx *ctx, const @_input_t *input, @_output_t *output)\n{\n");
    let [is_one_in, is_one_out] = [Side::Input, Side::Output].map(|side| side.types(network).len() == 1);
    if is_one_in {
        out.push_str("    @_input_t *const input_slot = @_input(ctx);\n");
    }
    if is_one_out {
        out.push_str("    @_output_t *const output_slot = @_output(ctx);\n");
    }
    let is_missing = match (is_one_in, is_one_out) {
        (true, _) => "input_slot == NULL",
        (false, true) => "output_slot == NULL",
        (false, false) => "ctx == NULL || ctx->arena == NULL",
    };
    let _ = write!(out, "    if ({is_missing}) {{\n        return $_ERROR_NULL;\n    }}\n");
    out.push_str(&copies(network, Side::Input, offsets));
    out.push_str("    @_steps(ctx->arena);\n");
    out.push_str(&copies(network, Side::Output, offsets));
    out.push_str("    return $_OK;\n}\n");
    out
}

/// Copies between the caller's memory and the slots of one end.
fn copies(network: &Network<'_>, side: Side, offsets: &[String]) -> String {
    let (word, upper) = (side.word(), side.word().to_uppercase());
    let buffers = side.buffers(network);
    let copy = |slot: &str, caller: &str, size: &str| {
        let (to, from) = if side == Side::Input { (slot, caller) } else { (caller, slot) };
        format!("        memmove({to}, {from}, {size} * sizeof(@_{word}_t));\n")
    };
    if buffers.len() == 1 {
        let copy = copy(&format!("{word}_slot"), word, &format!("$_{upper}_SIZE"));
        return format!("    if ({word} != NULL && {word} != {word}_slot) {{\n{copy}    }}\n");
    }
    let one = |(number, buffer): (usize, &BufferId)| {
        let slot = format!("ctx->arena + {}", offsets[buffer.0 as usize]);
        let caller = format!("{word} + $_{upper}_{number}_OFFSET");
        copy(&slot, &caller, &format!("$_{upper}_{number}_SIZE"))
    };
    let all: String = buffers.iter().enumerate().map(one).collect();
    format!("    if ({word} != NULL) {{\n{all}    }}\n")
}

const FROM_F32: &str = "\
{
    for (int32_t i = 0; i < %_SIZE; ++i) {
        float t = from[i] / %_SCALE;
        t = t != t ? 0.0f : t;
        t = t < -FAR ? -FAR : t;
        t = t > FAR ? FAR : t;
        int32_t steps = (int32_t)t;
        const float rest = t - (float)steps;
        steps += rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0;
        steps += %_ZERO_POINT;
        steps = steps < LOW ? LOW : steps;
        steps = steps > HIGH ? HIGH : steps;
        to[i] = (TYPE)steps;
    }
}
";

const TO_F32: &str = "\
{
    for (int32_t i = 0; i < %_SIZE; ++i) {
        to[i] = (float)(from[i] - %_ZERO_POINT) * %_SCALE;
    }
}
";

const FROM_U8: &str = "\
{
    for (int32_t i = 0; i < %_SIZE; ++i) {
        to[i] = (int8_t)(from[i] - 128);
    }
}
";

const TO_U8: &str = "\
{
    for (int32_t i = 0; i < %_SIZE; ++i) {
        to[i] = (uint8_t)(from[i] + 128);
    }
}
";

fn body(side: Side, border: Border, elem: DType) -> String {
    let text = match (side, border) {
        (Side::Input, Border::F32) => FROM_F32,
        (Side::Input, Border::U8) => FROM_U8,
        (Side::Output, Border::F32) => TO_F32,
        (Side::Output, Border::U8) => TO_U8,
    };
    let (low, high) = elem.range().unwrap_or_default();
    // Beyond what any zero point brings back.
    let far = if elem == DType::I8 { "1024.0f" } else { "131072.0f" };
    let values = [("FAR", far.to_owned()), ("LOW", low.to_string()), ("HIGH", high.to_string())];
    let text = text.replace("TYPE", c_type(elem));
    values.iter().fold(text, |text, (name, value)| text.replace(name, value))
}
