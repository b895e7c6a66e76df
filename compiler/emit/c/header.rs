//! The public header.

use std::fmt::Write as _;

use crate::emit::c::function::c_type;
use crate::emit::c::names::{comment, float, string};
use crate::emit::c::ports::{self, Side};
use crate::emit::c::{Context, front_end, reconstruction};
use crate::emit::front_end::StreamShape;
use crate::emit::{Network, Reading};

const TYPES: &str = "\
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {
#endif

";

const ERRORS: &str = "\
/* What the functions return. */
#define $_OK 0
#define $_ERROR_NULL (-1)  /* a pointer is NULL, or the context was not initialised */
#define $_ERROR_SIZE (-2)  /* the arena is smaller than $_ARENA_BYTES */
#define $_ERROR_ALIGN (-3) /* the arena is not aligned to $_ARENA_ALIGN */

";

const API: &str = "\
typedef INPUT @_input_t;
typedef OUTPUT @_output_t;

/* State of one instance. Its fields are private. */
typedef struct @_ctx {
    unsigned char *arena;
} @_ctx;

/* Prepares an instance. The arena stays the caller's and must outlive it. */
int @_init(@_ctx *ctx, void *arena, size_t arena_size);

";

const TEST: &str = "
/* Self-test, in @_test.c: the number of output bytes that differ from the golden vectors. */
int @_test(void);

#ifdef __cplusplus
}
#endif

#endif
";

const ALIGNED: &str = "\
/* Before a definition: aligns it as the arena must be. Define it yourself for other compilers. */
#if !defined($_ALIGNED)
#if defined(__GNUC__)
#define $_ALIGNED __attribute__((aligned($_ARENA_ALIGN)))
#elif defined(__cplusplus)
#define $_ALIGNED alignas($_ARENA_ALIGN)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define $_ALIGNED _Alignas($_ARENA_ALIGN)
#endif
#endif

";

/// The text of `<name>.h`.
pub(super) fn header(context: &Context<'_>) -> String {
    let network = context.network;
    let mut out = context.fill("/* @.h: a network compiled by nasc. */\n#ifndef $_H\n#define $_H\n\n");
    out.push_str(TYPES);
    let mut define = |name: &str, value: String, remark: &str| {
        let remark = if remark.is_empty() { String::new() } else { format!(" /* {} */", comment(remark)) };
        writeln!(out, "#define {}_{name} {value}{remark}", context.upper).expect("a String takes all");
    };
    define("ARENA_BYTES", network.arena_bytes.to_string(), "");
    define("ARENA_ALIGN", network.align().to_string(), "");
    ports::macros(network, Side::Input, &mut define);
    if let Some(raw) = network.raw {
        let raw_elements: usize = raw.front_end.raw_extents().iter().product();
        define("RAW_SIZE", raw_elements.to_string(), "");
        for (name, value, remark) in front_end::macros(raw, network.interface().output_elements) {
            define(name, value, remark);
        }
    }
    ports::macros(network, Side::Output, &mut define);
    define("MACS", network.macs.to_string(), "multiply-accumulates of one run");
    define("WEIGHTS_BYTES", network.weights_bytes().to_string(), "all constant tables");
    if !network.labels.is_empty() {
        let labels: Vec<String> = network.labels.iter().map(|label| string(label)).collect();
        define("LABELS", format!("{{ {} }}", labels.join(", ")), "");
    }
    readings(network, &mut define);
    out.push('\n');
    out.push_str(&context.fill(ERRORS));
    out.push_str(&context.fill(ALIGNED));
    out.push_str(&context.fill(&api(context)));
    out.push_str(&context.fill(&ports::declarations(network)));
    if let Some(raw) = network.raw {
        out.push_str(&front_end::declarations(context, raw));
    }
    out.push_str(&reconstruction::declaration(context));
    out.push_str(&context.fill(TEST));
    out
}

/// The functions of every network, with the members of this one's context.
fn api(context: &Context<'_>) -> String {
    const ARENA: &str = "    unsigned char *arena;\n";
    let shape = context.network.raw.and_then(|raw| StreamShape::new(&raw.front_end));
    let [input, output] = [Side::Input, Side::Output].map(|side| c_type(side.elem(context.network)));
    let api = API.replace("INPUT", input).replace("OUTPUT", output);
    match shape {
        Some(shape) => {
            let members = front_end::members(&shape, context.network.interface().output_elements);
            api.replace(ARENA, &format!("{ARENA}{members}"))
        }
        None => api,
    }
}

/// What turns outputs into the numbers that are predicted.
fn readings(network: &Network<'_>, define: &mut dyn FnMut(&str, String, &str)) {
    let scaled: Vec<(f32, f32)> = network
        .readings
        .iter()
        .filter_map(|reading| match *reading {
            Reading::Scaled { mean, deviation } => Some((mean, deviation)),
            Reading::Share => None,
        })
        .collect();
    if scaled.is_empty() || scaled.len() != network.readings.len() {
        return;
    }
    let list = |of: fn(&(f32, f32)) -> f32| {
        let values: Vec<String> = scaled.iter().map(|pair| float(of(pair))).collect();
        format!("{{ {} }}", values.join(", "))
    };
    define("NUMBER_MEANS", list(|pair| pair.0), "number = mean + deviation * real output");
    define("NUMBER_DEVIATIONS", list(|pair| pair.1), "");
}
