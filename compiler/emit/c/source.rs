//! The code: kernels, steps and the interface's functions.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::emit::c::function::{self, Symbols, c_type};
use crate::emit::c::names::{Scope, call, comment, int32};
use crate::emit::c::{Context, apart, front_end, ports, reconstruction, table_symbol};
use crate::kernel::{Arg, BufferId, Call};
use crate::tensor::DType;

const HEAD: &str = "\
/* @.c: kernels and steps of a network compiled by nasc. C99 or C++11; allocates nothing. */
#include \"@.h\"

#include <string.h>

#if defined(__GNUC__)
#define $_INLINE static inline __attribute__((always_inline))
#define $_NOINLINE __attribute__((noinline))
#define $_NAKED __attribute__((naked, noinline))
#define $_UNUSED __attribute__((unused))
#else
#define $_INLINE static inline
#define $_NOINLINE
#endif

/* What the code relies on beyond the language standards: bytes of 8 bits, `>>` of negative values shifts
   the sign in, and conversion to signed types keeps the low bits. */
typedef char @_assert_char[(unsigned char)-1 == 255 ? 1 : -1];
typedef char @_assert_shift[(-3 >> 1) == -2 ? 1 : -1];
typedef char @_assert_wrap[(int32_t)UINT32_C(0xfffffffe) == -2 ? 1 : -1];
";

const API: &str = "
int @_init(@_ctx *ctx, void *arena, size_t arena_size)
{
    if (ctx == NULL) {
        return $_ERROR_NULL;
    }
    ctx->arena = NULL;
    if (arena == NULL) {
        return $_ERROR_NULL;
    }
    if (arena_size < $_ARENA_BYTES) {
        return $_ERROR_SIZE;
    }
    if ((uintptr_t)arena % $_ARENA_ALIGN != 0) {
        return $_ERROR_ALIGN;
    }
    ctx->arena = (unsigned char *)arena;
    return $_OK;
}
";

/// The end of `_init`, and what it is where there is a stream to forget.
const INITIALISED: &str = "arena = (unsigned char *)arena;\n    return $_OK;\n";
const RESET: &str = "arena = (unsigned char *)arena;\n    return @_reset(ctx);\n";

/// The text of `<name>.c`.
pub(super) fn source(context: &Context<'_>) -> String {
    let network = context.network;
    let program = network.program;
    let symbols = symbols(context);
    let mut helpers = BTreeSet::new();
    let mut code = String::new();
    for micro in &program.micros {
        code.push('\n');
        code.push_str(&function::micro(context.name, micro, &symbols, &mut helpers));
    }
    for item in &program.functions {
        code.push('\n');
        code.push_str(&function::function(context.name, item, &symbols, &mut helpers));
    }
    let streams = network.raw.is_some_and(|raw| raw.front_end.stream().is_some());
    let mut out = context.fill(HEAD);
    if streams {
        out.push_str(&context.fill(front_end::ASSERT_CONTEXT));
    }
    if program.micros.iter().any(|micro| micro.armv7em.is_some()) {
        writeln!(out, "\n{}\n#include <arm_acle.h>\n#endif", function::DSP_GUARD)
            .expect("a String takes all");
    }
    let offsets = Offsets::new(context);
    out.push_str(&declarations(context));
    out.push_str(&offsets.text);
    for helper in helpers {
        out.push('\n');
        out.push_str(&helper.text(context.name));
    }
    out.push_str(&code);
    out.push_str(&steps(context, &symbols, &offsets));
    let api = if streams { API.replacen(INITIALISED, RESET, 1) } else { API.to_owned() };
    out.push_str(&context.fill(&api));
    out.push_str(&context.fill(&ports::source(network, &offsets.names)));
    if let Some(raw) = network.raw {
        let input = network.program.inputs[0];
        out.push_str(&front_end::source(context, raw, &offsets.names[input.0 as usize]));
    }
    out.push_str(&reconstruction::source(context));
    out
}

/// Names of functions and micro-kernels, distinct from the interface's and the helpers'.
fn symbols(context: &Context<'_>) -> Symbols {
    let mut scope = Scope::default();
    for taken in [
        "init",
        "input",
        "output",
        "run",
        "run_raw",
        "steps",
        "test",
        "ctx",
        "min32",
        "max32",
        "min64",
        "max64",
        "shl32",
        "shl64",
        "requant_double",
        "requant_single",
        "raw_mean",
        "raw_factor",
        "input_t",
        "output_t",
        "raw_t",
    ] {
        scope.claim(&format!("{}_{taken}", context.name));
    }
    if context.network.raw.is_some() {
        for taken in front_end::SYMBOLS {
            scope.claim(&format!("{}_{taken}", context.name));
        }
    }
    scope.claim(&format!("{}_{}", context.name, reconstruction::SYMBOL));
    for taken in ports::symbols(context.network) {
        scope.claim(&format!("{}_{taken}", context.name));
    }
    for table in &context.network.program.tables {
        scope.claim(&table_symbol(context, &table.name));
    }
    let program = context.network.program;
    let names =
        program.micros.iter().map(|m| &m.meaning.name).chain(program.functions.iter().map(|f| &f.name));
    let mut symbols = Symbols::default();
    for name in names {
        let symbol = scope.claim(&format!("{}_{}", context.name, apart(context, name)));
        symbols.of.insert(name.clone(), symbol);
    }
    symbols
}

/// External constants, in `<name>_weights.c`.
fn declarations(context: &Context<'_>) -> String {
    let mut out = String::from("\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    out.push_str(&super::weights::declarations(context));
    out.push_str("#ifdef __cplusplus\n}\n#endif\n");
    out
}

/// Offsets of the buffers as constants with names.
struct Offsets {
    names: Vec<String>,
    text: String,
}

impl Offsets {
    fn new(context: &Context<'_>) -> Offsets {
        let mut scope = Scope::default();
        let mut out = String::from("\n/* Where buffers start in the arena. */\nenum {\n");
        let mut names = Vec::new();
        for (buffer, offset) in context.network.program.buffers.iter().zip(context.network.offsets) {
            let name = scope.claim(&format!("{}_at_{}", context.name, buffer.name));
            writeln!(out, "    {name} = {offset}, /* {}[{}] */", c_type(buffer.elem), buffer.len)
                .expect("a String takes all");
            names.push(name);
        }
        let last = scope.claim(&format!("{}_at_end", context.name));
        writeln!(out, "    {last} = {}_ARENA_BYTES\n}};", context.upper).expect("a String takes all");
        Offsets { names, text: out }
    }

    fn pointer(&self, context: &Context<'_>, buffer: BufferId) -> String {
        let name = &self.names[buffer.0 as usize];
        match context.network.program.buffers[buffer.0 as usize].elem {
            DType::I8 => format!("(int8_t *)(arena + {name})"),
            elem => format!("({} *)(void *)(arena + {name})", c_type(elem)),
        }
    }
}

/// The function that calls every step in order.
fn steps(context: &Context<'_>, symbols: &Symbols, offsets: &Offsets) -> String {
    let program = context.network.program;
    let mut out = context.fill("\nstatic void @_steps(unsigned char *arena)\n{\n");
    if program.steps.iter().all(|step| step.calls.is_empty()) {
        out.push_str("    (void)arena;\n");
    }
    for step in &program.steps {
        if step.calls.is_empty() {
            continue;
        }
        let macs = if step.macs > 0 { format!(", {} MAC", step.macs) } else { String::new() };
        writeln!(out, "    /* {}: {}{macs} */", comment(&step.name), comment(&step.op))
            .expect("a String takes all");
        for Call { function, buffers, scalars } in &step.calls {
            let mut arguments: Vec<String> = buffers
                .iter()
                .map(|argument| match argument {
                    Arg::Buffer(buffer) => offsets.pointer(context, *buffer),
                    Arg::Table(table) => table_symbol(context, &program.tables[table.0 as usize].name),
                })
                .collect();
            arguments.extend(scalars.iter().map(|&value| int32(value.into())));
            let name = &symbols.of[&program.functions[function.0 as usize].name];
            out.push_str(&call("    ", name, &arguments));
        }
    }
    out.push_str("}\n");
    out
}
