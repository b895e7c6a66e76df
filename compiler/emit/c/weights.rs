//! The constant tables.

use std::fmt::Write as _;

use crate::data::{FrontEnd, Quantizer};
use crate::emit::c::function::c_type;
use crate::emit::c::names::{float, int32};
use crate::emit::c::{Context, audio, rows, table_symbol};
use crate::kernel::TableRole;
use crate::tensor::DType;

const HEAD: &str = "\
/* @_weights.c: constant tables of a network compiled by nasc. */
#include \"@.h\"

/* Before every table: for example a section, as __attribute__((section(\".qspi\"))). */
#if !defined($_WEIGHTS_SECTION)
#define $_WEIGHTS_SECTION
#endif

/* Weights are read four at a time. Other targets keep what their ABI gives to arrays. */
#if defined(__GNUC__) && defined(__arm__)
#define $_TABLE_ALIGNED __attribute__((aligned(4)))
#else
#define $_TABLE_ALIGNED
#endif

#ifdef __cplusplus
extern \"C\" {
#endif
";

const TAIL: &str = "
typedef char @_assert_weights[(SIZES) == $_WEIGHTS_BYTES ? 1 : -1];

#ifdef __cplusplus
}
#endif
";

/// A table as C wants it.
struct Item {
    symbol: String,
    ty: &'static str,
    len: usize,
    remark: &'static str,
    aligned: bool,
    rows: String,
}

/// Empty tables have no C form and no bytes.
fn items(context: &Context<'_>) -> Vec<Item> {
    let tables = context.network.program.tables.iter().filter(|table| !table.values.is_empty());
    let mut items: Vec<Item> = tables
        .map(|table| Item {
            symbol: table_symbol(context, &table.name),
            ty: c_type(table.elem),
            len: table.values.len(),
            remark: match table.role {
                TableRole::Weight => "weights",
                TableRole::Bias => "bias",
                TableRole::Requant => "requantization",
                TableRole::Lookup => "lookup",
            },
            aligned: table.elem != DType::I32 && table.role == TableRole::Weight,
            rows: rows(table.values.iter().map(|value| int32(value.into()))),
        })
        .collect();
    if let Some(raw) = context.network.raw {
        items.extend(quantizer(context, &raw.quantizer));
        if let FrontEnd::Audio(audio) = &raw.front_end {
            items.extend(audio::tables(audio).into_iter().map(|table| Item {
                symbol: format!("{}_{}", context.name, table.name),
                ty: table.ty,
                len: table.values.len(),
                remark: table.remark,
                aligned: false,
                rows: rows(table.values.into_iter().map(int32)),
            }));
        }
    }
    items
}

/// The tables of what brings raw values to the input.
fn quantizer(context: &Context<'_>, quantizer: &Quantizer) -> Vec<Item> {
    let floats = |values: &[f32]| rows(values.iter().map(|&value| float(value)));
    let integers = |values: &[i32]| rows(values.iter().map(|&value| int32(value.into())));
    let tables = match quantizer {
        Quantizer::Float(raw) => [
            ("raw_mean", "means of raw values", floats(&raw.mean)),
            ("raw_factor", "factors of raw values", floats(&raw.factor)),
        ],
        Quantizer::Integer(raw) => [
            ("raw_offset", "means of features", integers(&raw.offset)),
            ("raw_factor", "factors of features", integers(&raw.factor)),
        ],
    };
    let ty = if matches!(quantizer, Quantizer::Float(_)) { "float" } else { "int16_t" };
    let item = |(name, remark, rows)| Item {
        symbol: format!("{}_{name}", context.name),
        ty,
        len: quantizer.period(),
        remark,
        aligned: false,
        rows,
    };
    tables.map(item).into()
}

/// Declarations for `<name>.c`.
pub(super) fn declarations(context: &Context<'_>) -> String {
    let mut out = String::new();
    for item in items(context) {
        let Item { symbol, ty, len, .. } = item;
        writeln!(out, "extern const {ty} {symbol}[{len}];").expect("a String takes all");
    }
    out
}

/// The text of `<name>_weights.c`.
pub(super) fn weights(context: &Context<'_>) -> String {
    let mut out = context.fill(HEAD);
    let mut sizes = Vec::new();
    for Item { symbol, ty, len, remark, aligned, rows } in items(context) {
        let align = if aligned { format!("{}_TABLE_ALIGNED ", context.upper) } else { String::new() };
        let section = format!("{}_WEIGHTS_SECTION", context.upper);
        write!(
            out,
            "\n/* {remark} */\nextern const {ty} {symbol}[{len}];\n\
             {align}{section} const {ty} {symbol}[{len}] = {{\n{rows}}};\n"
        )
        .expect("a String takes all");
        sizes.push(format!("sizeof({symbol})"));
    }
    if sizes.is_empty() {
        sizes.push("0".into());
    }
    out.push_str(&context.fill(&TAIL.replace("SIZES", &sizes.join("\n    + "))));
    out
}
