//! The error of a network that gives its input again as C; the arithmetic is in `emit/reconstruction.rs`.

use crate::data::Quantizer;
use crate::emit::c::{Context, front_end};
use crate::emit::reconstruction::{self, Reconstruction};

/// What the function is called behind the prefix.
pub(super) const SYMBOL: &str = "error";

const DECLARATION: &str = "
/* How far an output of @_run_raw is from the values that it was given: the sum of the squared differences, in
   256ths of a squared step of the input. Values are not clamped to 8 bit here, so what is beyond the range of normal
   samples counts in full, up to 512 steps from the mean. */
uint64_t @_error(const @_raw_t *raw, const @_output_t *output);
";

const ERROR: &str = "
uint64_t @_error(const @_raw_t *raw, const @_output_t *output)
{
    uint64_t sum = 0;
    if (raw == NULL || output == NULL) {
        return UINT64_MAX;
    }
    for (int32_t i = 0; i < $_OUTPUT_SIZE; ++i) {
        const int32_t c = i % CHANNELS;
STEPS        const int32_t found = ((output[i] - OUTPUT_ZERO) * RATIO + 2048) >> 12;
        const int64_t difference = 16 * steps - found;
        sum += (uint64_t)(difference * difference);
    }
    return sum;
}
";

const STEPS_FLOAT: &str = "\
        float t = (raw[i] - @_raw_mean[c]) * @_raw_factor[c];
        t = t != t ? 0.0f : t;
        t = t < -1024.0f ? -1024.0f : t;
        t = t > 1024.0f ? 1024.0f : t;
        const int32_t twice = (int32_t)t;
        const int32_t steps = (twice + (twice >= 0 ? 1 : -1)) / 2;
";

const STEPS_INTEGER: &str = "\
        int32_t steps = ((raw[i] - @_raw_offset[c]) * @_raw_factor[c] + HALF) >> SHIFT;
        steps = steps < -512 ? -512 : steps;
        steps = steps > 512 ? 512 : steps;
";

/// The function, where the network has one.
pub(super) fn source(context: &Context<'_>) -> String {
    match reconstruction::offered(context.network) {
        Some((error, quantizer)) => context.fill(&function(&error, quantizer)),
        None => String::new(),
    }
}

fn function(error: &Reconstruction, quantizer: &Quantizer) -> String {
    let steps = match quantizer {
        Quantizer::Float(_) => STEPS_FLOAT.to_owned(),
        Quantizer::Integer(integer) => STEPS_INTEGER
            .replace("HALF", &(1u32 << (integer.shift - 1)).to_string())
            .replace("SHIFT", &integer.shift.to_string()),
    };
    ERROR
        .replace("STEPS", &steps)
        .replace("CHANNELS", &quantizer.period().to_string())
        .replace("OUTPUT_ZERO", &front_end::number(error.zero_point))
        .replace("RATIO", &error.ratio.to_string())
}

/// Its line of the header, where the network has one.
pub(super) fn declaration(context: &Context<'_>) -> String {
    match reconstruction::offered(context.network) {
        Some(_) => context.fill(DECLARATION),
        None => String::new(),
    }
}

const PAGE: &str = "
## Anomalies

The network gives its input again. `@_error` says how far it is from it, and a sample whose error is above a threshold
is an anomaly. The mean of the squares in the unit of standardised values is
`error * $_INPUT_SCALE * $_INPUT_SCALE / (256.0f * $_OUTPUT_SIZE)`, which `nasc eval` calls `mse`.

```c
/* 1 for an anomaly, 0 for a normal sample. */
int is_anomaly(const @_raw_t *values, uint64_t threshold)
{
    @_output_t again[$_OUTPUT_SIZE];
    return @_run_raw(&network, values, again) == $_OK && @_error(values, again) > threshold;
}
```
";

/// Its section of the page for people, where the network has one.
pub(super) fn page(context: &Context<'_>) -> String {
    match reconstruction::offered(context.network) {
        Some(_) => context.fill(PAGE),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::process::Command;

    use super::*;
    use crate::data::{Element, Quantizer, Standardization};
    use crate::tensor::{DType, Quant, TensorType};

    const LEN: usize = 6;
    const STRICT: [&str; 6] = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"];

    fn list<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
        values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Values near and far from the mean, and outputs.
    fn samples(element: Element) -> Vec<(Vec<f32>, Vec<i8>)> {
        let mut seed = 5u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as i32
        };
        let mut value = |sample: usize| {
            let x = (next() % 20_001 - 10_000) as f32;
            let x = if sample < 30 { (x / 100.0).round() } else { x };
            if element == Element::F32 { x / 7.0 } else { x }
        };
        let raw: Vec<Vec<f32>> = (0..60).map(|sample| (0..LEN).map(|_| value(sample)).collect()).collect();
        raw.into_iter().map(|raw| (raw, (0..LEN).map(|_| next() as i8).collect())).collect()
    }

    fn tables(quantizer: &Quantizer) -> String {
        match quantizer {
            Quantizer::Float(float) => format!(
                "typedef float net_raw_t;\nstatic const float net_raw_mean[] = {{{}}}, net_raw_factor[] = {{{}}};\n",
                list(float.mean.iter().map(|x| format!("{x:?}f"))),
                list(float.factor.iter().map(|x| format!("{x:?}f")))
            ),
            Quantizer::Integer(integer) => format!(
                "typedef int16_t net_raw_t;\nstatic const int16_t net_raw_offset[] = {{{}}}, net_raw_factor[] = {{{}}};\n",
                list(&integer.offset),
                list(&integer.factor)
            ),
        }
    }

    #[test]
    fn the_emitted_error_is_that_of_the_evaluator() {
        let ty = |scale: f32, zero_point: i32| {
            TensorType::quantized(DType::I8, [1, LEN], Quant::per_tensor(scale, zero_point))
        };
        let standardization = Standardization { mean: vec![3.0, -20.0], inv_deviation: vec![0.02, 0.5] };
        for (element, output_scale) in [(Element::F32, 0.031), (Element::I16, 0.0004), (Element::I16, 9.0)] {
            let quantizer = Quantizer::new(element, &standardization, 0.025, -9);
            let error = Reconstruction::new(&ty(0.025, -9), &ty(output_scale, 17)).expect("of one size");
            let mut main = format!(
                "#include <stddef.h>\n#include <stdint.h>\n#define NET_OUTPUT_SIZE {LEN}\ntypedef int8_t net_output_t;\n{}",
                tables(&quantizer)
            );
            main.push_str("uint64_t net_error(const net_raw_t *raw, const net_output_t *output);\n");
            main.push_str(&function(&error, &quantizer).replace('@', "net").replace('$', "NET"));
            main.push_str("int main(void)\n{\n    int wrong = net_error(NULL, NULL) != UINT64_MAX;\n");
            for (raw, output) in samples(element) {
                let suffix = if element == Element::F32 { "f" } else { "" };
                let text = |x: f32| if suffix.is_empty() { format!("{x}") } else { format!("{x:?}{suffix}") };
                let wanted = error.error(&quantizer.steps(&raw), &output);
                writeln!(
                    main,
                    "    {{\n        const net_raw_t raw[] = {{{}}};\n        const net_output_t output[] = {{{}}};\n        wrong += net_error(raw, output) != UINT64_C({wanted});\n    }}",
                    list(raw.iter().map(|&x| text(x))),
                    list(output)
                )
                .expect("a String takes all");
            }
            main.push_str("    return wrong;\n}\n");
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("main.c"), main).expect("written");
            let mut build = Command::new("cc");
            build.args(STRICT).args(["-O2", "main.c", "-o", "main"]).current_dir(&folder);
            let built = build.output().expect("cc is installed");
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            let status = Command::new(folder.path().join("main")).status().expect("it starts");
            assert_eq!(status.code(), Some(0), "{element:?} {output_scale}");
        }
    }
}
