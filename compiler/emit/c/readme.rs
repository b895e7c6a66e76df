//! The bundle's page for people, and its CMake file.

use std::fmt::Write as _;

use crate::emit::c::names::comment;
use crate::emit::c::{Context, ports, reconstruction};
use crate::emit::front_end::StreamShape;

const CMAKE: &str = "\
# @: a network compiled by nasc. Use it with add_subdirectory and link to @::@.
cmake_minimum_required(VERSION 3.13)
project(@ C)

add_library(@ STATIC @.c @_weights.c)
add_library(@::@ ALIAS @)
target_include_directories(@ PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_features(@ PUBLIC c_std_99)

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  enable_testing()
  add_executable(@_test @_test.c)
  target_compile_definitions(@_test PRIVATE %_TEST_MAIN)
  target_link_libraries(@_test PRIVATE @::@)
  add_test(NAME @_test COMMAND @_test)
endif()
";

const USAGE: &str = "
## Use

Compile `@.c` and `@_weights.c` with your program; nothing else is needed.

```c
#include \"@.h\"

$_ALIGNED static unsigned char arena[$_ARENA_BYTES];
static @_ctx network;

EXAMPLE```

`@_init` is needed once. To save a copy, write to `@_input(SLOT)` and pass `NULL`. Every function returns
`$_OK` or one of the negative `$_ERROR_` codes.

## Files

| file | what it is |
|---|---|
| `@.h` | the interface: functions, sizes, scales, error codes |
| `@.c` | kernels and steps |
| `@_weights.c` | constant tables; `$_WEIGHTS_SECTION` may name a section for them |
| `@_test.c` | self-test: `@_test()` gives the number of output bytes that differ; `$_TEST_MAIN` adds a `main` |
| `@.graph` | the integer graph and the plan, for `nasc verify` and `nasc eval` |
| `CMakeLists.txt` | library `@::@` and, on its own, the self-test |

The code is C99 and C++11, allocates nothing and needs `memmove` alone of the C library. Several networks
link into one program. An instance is not shared between threads; instances are independent.
";

/// A caller of a network with one input and one output.
const CLASSIFY: &str = "\
int classify(const RAW_TYPE *values)
{
    @_output_t scores[$_OUTPUT_SIZE];
    int best = 0;
    if (@_init(&network, arena, sizeof arena) != $_OK || @_RUN(&network, values, scores) != $_OK) {
        return -1;
    }
    for (int i = 1; i < $_OUTPUT_SIZE; ++i) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}
";

/// A caller of any other.
const INFER: &str = "\
/* Of several inputs or outputs each begins at its _OFFSET. */
int infer(const @_input_t values[$_INPUT_SIZE], @_output_t results[$_OUTPUT_SIZE])
{
    if (@_init(&network, arena, sizeof arena) != $_OK) {
        return -1;
    }
    return @_run(&network, values, results);
}
";

const BORDERS: &str = "
## Elements

The network computes with integers. These functions are between them and what the model takes and gives; each
may be left out:

";

const STREAM: &str = "
## Streaming

`@_stream` takes a signal without end, `$_HOP_SIZE` values at a time (HOP), and keeps what it needs in the
context. After `$_FIRST_HOP` hops a sample is whole: then, and every EVERY, it runs the network and writes
SCORES.

```c
int start(void)
{
    return @_init(&network, arena, sizeof arena);
}

/* Call it with every $_HOP_SIZE values that come; a class when it begins to be heard, else -1. */
int listen(const @_raw_t *hop)
{
    static int last = -1;
    @_output_t scores[$_OUTPUT_SIZE];
    if (@_stream(&network, hop, scores) == 1) {
        const int heard = @_detect(scores, THRESHOLD);
        /* One sound is above the threshold in several runs. */
        if (heard != last) {
            last = heard;
            return heard;
        }
    }
    return -1;
}
```

Let the two halves of a DMA buffer have `$_HOP_SIZE` values each, and call it from the main loop when one is
full: the values are read where they are. A call that runs the network takes longest; it has to end before the
other half is full, or else more hops have to be buffered.

`@_detect` gives the first of the greatest scores if it is above a threshold in steps of the output: a real score
`r` is the step `r / $_OUTPUT_SCALE + $_OUTPUT_ZERO_POINT`. `@_reset` forgets the signal, as `@_init` does.
`@_run_raw` takes a whole sample; FORGETS.
";

/// How the network listens.
fn stream(shape: &StreamShape, outputs: usize) -> String {
    let StreamShape { hop, row, stream, .. } = *shape;
    let is_sound = hop != row || shape.held > 0;
    let hops = |count: usize| {
        if count == 1 { "hop from then on".to_owned() } else { format!("{count} hops from then on") }
    };
    let scores = match stream.smooth {
        1 => "its output".to_owned(),
        count => {
            format!("the means of its last {count} outputs, or of as many as there are, halves rounded up")
        }
    };
    let forgets = if is_sound {
        "it works in the same memory, so it forgets the signal"
    } else {
        "it leaves the signal as it is"
    };
    let threshold = if outputs == 1 { "0" } else { "64" };
    STREAM
        .replace("(HOP)", if is_sound { "(the samples from one frame to the next)" } else { "(a row)" })
        .replace("EVERY", &hops(stream.every))
        .replace("SCORES", &scores)
        .replace("THRESHOLD", threshold)
        .replace("FORGETS", forgets)
}

/// The text of `CMakeLists.txt`.
pub(super) fn cmake(context: &Context<'_>) -> String {
    // `$` stands for a variable of CMake here.
    CMAKE.replace('@', context.name).replace('%', &context.upper)
}

/// The text of `README.md`.
pub(super) fn readme(context: &Context<'_>) -> String {
    let network = context.network;
    let (raw_type, run) = if network.raw.is_some() { ("@_raw_t", "run_raw") } else { ("@_input_t", "run") };
    let mut out = format!("# {}\n\nA neural network, compiled to C by nasc.\n", context.name);
    let (example, slot) = match network.one_each() {
        Some(_) => (CLASSIFY, "&network"),
        None if network.inputs.len() == 1 => (INFER, "&network"),
        None => (INFER, "&network, number"),
    };
    let usage = USAGE.replace("EXAMPLE", example).replace("SLOT", slot);
    out.push_str(&context.fill(&usage.replace("RAW_TYPE", raw_type).replace("RUN", run)));
    let borders = ports::converters(network);
    if !borders.is_empty() {
        out.push_str(BORDERS);
        borders.iter().for_each(|border| out.push_str(&context.fill(&format!("- `{border}`\n"))));
    }
    if let Some(shape) = network.raw.and_then(|raw| StreamShape::new(&raw.front_end)) {
        out.push_str(&context.fill(&stream(&shape, network.interface().output_elements)));
    }
    out.push_str(&reconstruction::page(context));
    out.push_str("\n## Memory\n\n| what | value |\n|---|---|\n");
    let mut row = |what: &str, value: String| {
        writeln!(out, "| {what} | {value} |").expect("a String takes all");
    };
    for (word, types) in [("input", network.inputs), ("output", network.outputs)] {
        for (number, ty) in types.iter().enumerate() {
            let name = if types.len() == 1 { word.to_owned() } else { format!("{word} {number}") };
            row(&name, format!("`{}`", comment(&ty.to_string())));
        }
    }
    row("arena (RAM)", format!("{} B, aligned to {}", network.arena_bytes, network.align()));
    row("constant tables (flash)", format!("{} B", network.weights_bytes()));
    row("multiply-accumulates", network.macs.to_string());
    out
}
