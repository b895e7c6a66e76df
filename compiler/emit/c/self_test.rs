//! The self-test with golden vectors.

use std::fmt::Write as _;

use crate::emit::c::ports::Side;
use crate::emit::c::{Context, rows};
use crate::tensor::DType;

const HEAD: &str = "\
/* @_test.c: self-test of a network compiled by nasc. Define $_TEST_MAIN for a program of its own. */
#include \"@.h\"
";

const TEST: &str = "
int @_test(void)
{
    static unsigned char memory[$_ARENA_BYTES + $_ARENA_ALIGN - 1];
    const uintptr_t past = (uintptr_t)memory % $_ARENA_ALIGN;
    @_ctx ctx;
    int mismatches = 0;
    const int status = @_init(&ctx, memory + (past == 0 ? 0 : $_ARENA_ALIGN - past), $_ARENA_BYTES);
    if (status != $_OK) {
        return status;
    }
";

const LOOP: &str = "\
    for (int sample = 0; sample < COUNT; ++sample) {
        @_output_t output[$_OUTPUT_SIZE];
        const int result = @_run(&ctx, @_golden_inputs[sample], output);
        if (result != $_OK) {
            return result;
        }
        for (int i = 0; i < $_OUTPUT_SIZE; ++i) {
            mismatches += output[i] != @_golden_outputs[sample][i] ? 1 : 0;
        }
    }
";

const TAIL: &str = "\
    return mismatches;
}

#if defined($_TEST_MAIN)
int main(void)
{
    return @_test() == 0 ? 0 : 1;
}
#endif
";

/// The text of `<name>_test.c`.
pub(super) fn self_test(context: &Context<'_>) -> String {
    let golden = context.network.golden;
    let mut out = context.fill(HEAD);
    if !golden.is_empty() {
        table(context, &mut out, Side::Input, golden.iter().map(|golden| golden.input.as_slice()));
        table(context, &mut out, Side::Output, golden.iter().map(|golden| golden.output.as_slice()));
    }
    let streams = context.network.raw.is_some_and(|raw| raw.front_end.stream().is_some());
    // What a stream keeps is too much for the stack.
    let test =
        if streams { TEST.replace("    @_ctx ctx;", "    static @_ctx ctx;") } else { TEST.to_owned() };
    out.push_str(&context.fill(&test));
    if !golden.is_empty() {
        out.push_str(&context.fill(&LOOP.replace("COUNT", &golden.len().to_string())));
    }
    out.push_str(&context.fill(TAIL));
    out
}

fn table<'a>(context: &Context<'_>, out: &mut String, side: Side, vectors: impl Iterator<Item = &'a [i8]>) {
    let elements = |bytes: &[i8]| match side.elem(context.network) {
        DType::I16 => {
            let wide = |pair: &[i8]| i16::from_le_bytes([pair[0] as u8, pair[1] as u8]);
            rows(bytes.chunks_exact(2).map(wide))
        }
        DType::I8 | DType::I32 | DType::F32 => rows(bytes),
    };
    let kind = side.word();
    let bodies: Vec<String> = vectors.map(|vector| format!("{{\n{}}},\n", elements(vector))).collect();
    let head = format!("\nstatic const @_{kind}_t @_golden_{kind}s[{}]", bodies.len());
    let size = format!("[$_{}_SIZE] = {{\n", kind.to_uppercase());
    writeln!(out, "{}{}}};", context.fill(&(head + &size)), bodies.concat()).expect("a String takes all");
}
