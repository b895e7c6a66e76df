use super::*;
use proptest::prelude::*;

#[test]
fn wilson_matches_the_published_example() {
    // Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 gives 0.2553 to 0.3662.
    let [low, high] = wilson(81, 263);
    assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
}

proptest! {
    #[test]
    fn intervals_hold_the_share(samples in 1usize..5000, share in 0.0f64..=1.0) {
        let right = (share * samples as f64) as usize;
        let [low, high] = wilson(right, samples);
        let p = right as f64 / samples as f64;
        prop_assert!(0.0 <= low && low <= p + 1e-12 && p <= high + 1e-12 && high <= 1.0, "{low} {p} {high}");
    }
}

fn memory() -> Memory {
    Memory {
        ram_bytes: 1508,
        ram_total_bytes: None,
        arena_bytes: 1504,
        lower_bound_bytes: 1504,
        optimal: true,
        family: "orders and placements".into(),
        flash_bytes: 3100,
        weights_bytes: 900,
        code_bytes: 2200,
    }
}

fn quality() -> Quality {
    Quality {
        metric: "accuracy".into(),
        float: Some(0.9375),
        int8: 0.925,
        split: "test".into(),
        samples: 40,
        ci95: [0.801, 0.974],
        classes: Vec::new(),
        confusion: Vec::new(),
    }
}

pub(super) fn report() -> Report {
    let layer = |name: &str, op: &str, macs, outputs, weights_bytes| Layer {
        name: name.into(),
        op: op.into(),
        macs,
        outputs,
        weights_bytes,
        cycles_estimated: None,
        schedule: None,
    };
    let point = FrontPoint {
        trial: 2,
        genome: serde_json::json!({ "width": 8 }),
        metrics: [("accuracy".to_owned(), 0.925)].into(),
    };
    Report {
        schema_version: SCHEMA_VERSION,
        name: "kws".into(),
        targets: vec![TargetReport {
            name: "cortex-m4".into(),
            quality: Some(quality()),
            memory: memory(),
            compute: Compute {
                macs: 12_000,
                cycles_estimated: 34_000,
                latency_seconds: None,
                energy_joules: None,
            },
            lean: None,
            layers: vec![layer("stem", "conv2d", 11_000, 800, 800), layer("head", "dense", 1_000, 10, 100)],
            genome: None,
            map: None,
            rewrites: Vec::new(),
        }],
        search: SearchReport {
            strategy: "random".into(),
            trials: 5,
            front: vec![point],
            ..SearchReport::default()
        },
        provenance: Provenance {
            nasc: "0.1.0".into(),
            data: "d".into(),
            engine: None,
            model: None,
            seed: 7,
            sections: [("space".to_owned(), "s".to_owned())].into(),
            weights: "w".into(),
            files: [("net.c".to_owned(), "h".to_owned())].into(),
        },
    }
}

#[test]
fn schedules_that_are_not_fast_are_counted() {
    let mut target = report().targets.remove(0);
    let mut text = |layers, fused| {
        let ram_bytes_fast = target.memory.ram_bytes + 80;
        let lean = Lean {
            layers,
            fused,
            ram_bytes_fast,
            flash_bytes_fast: target.memory.flash_bytes,
            cycles_estimated_fast: 33_000,
        };
        target.layers[0].schedule = Some(if fused > 0 { Variant::Fused } else { Variant::Lean });
        terminal::lean_text(&lean, &target)
    };
    let tail = ", with 80 B less RAM, about 34000 cycles instead of 33000";
    assert_eq!(text(1, 0), format!("1 layer is lean{tail}"));
    assert_eq!(text(0, 1), format!("1 sum is fused with its convolution{tail}"));
    assert_eq!(text(2, 2), format!("2 layers are lean, 2 sums are fused with their convolutions{tail}"));
    assert_eq!(serde_json::to_string(&target.layers[0].schedule).expect("plain data"), r#""fused""#);
}

/// Users parse this file: a change here needs another schema version.
#[test]
fn the_schema_is_stable() {
    let text = serde_json::to_string(&report()).expect("plain data");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut lines = Vec::new();
    for (key, value) in json.as_object().expect("an object") {
        match value.get(0).and_then(|first| first.as_object()) {
            Some(target) => {
                lines.extend(target.iter().map(|(name, value)| format!("{key}[0].{name}: {value}")))
            }
            None => lines.push(format!("{key}: {value}")),
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    schema_version: 1
    name: "kws"
    targets[0].name: "cortex-m4"
    targets[0].quality: {"metric":"accuracy","float":0.9375,"int8":0.925,"split":"test","samples":40,"ci95":[0.801,0.974]}
    targets[0].memory: {"ram_bytes":1508,"ram_total_bytes":null,"arena_bytes":1504,"lower_bound_bytes":1504,"optimal":true,"family":"orders and placements","flash_bytes":3100,"weights_bytes":900,"code_bytes":2200}
    targets[0].compute: {"macs":12000,"cycles_estimated":34000}
    targets[0].layers: [{"name":"stem","op":"conv2d","macs":11000,"outputs":800,"weights_bytes":800},{"name":"head","op":"dense","macs":1000,"outputs":10,"weights_bytes":100}]
    search: {"strategy":"random","trials":5,"front":[{"trial":2,"genome":{"width":8},"metrics":{"accuracy":0.925}}]}
    provenance: {"nasc":"0.1.0","data":"d","seed":7,"sections":{"space":"s"},"weights":"w","files":{"net.c":"h"}}
    "#);
    assert_eq!(serde_json::from_str::<Report>(&text).expect("what was written"), report());
}

#[test]
fn the_table_says_what_matters() {
    insta::assert_snapshot!(table(&report()), @r#"
    accuracy  92.50 % int8 on 40 test samples (95 %: 80.10 % to 97.40 %), 93.75 % float
    RAM       1.5 KiB (1508 B); proved optimal over orders and placements
    flash     900 B tables + at most 2.1 KiB (2200 B) code
    work      12000 MAC, about 34000 cycles

    layer  operator         MAC  outputs  tables B
    stem   conv2d         11000      800       800
    head   dense           1000       10       100
    "#);
    let mut listening = report();
    let front_end = Layer {
        name: "front end".into(),
        cycles_estimated: Some(2_199_000),
        ..report().targets[0].layers[0].clone()
    };
    listening.targets[0].layers.insert(0, front_end);
    let text = table(&listening);
    assert!(text.contains("tables B  about cycles\n") && text.contains("       2199000\n"), "{text}");
    assert_eq!(text.matches("cycles").count(), 2, "{text}");
    let mut open = report();
    open.targets[0].memory.optimal = false;
    open.targets[0].memory.lower_bound_bytes = 1000;
    assert!(table(&open).contains("lower bound 1000 B"), "{}", table(&open));
}

#[test]
fn bytes_have_a_unit_and_their_exact_number() {
    assert_eq!(bytes_text(1023), "1023 B");
    assert_eq!(bytes_text(1536), "1.5 KiB (1536 B)");
    assert_eq!(share_text(0.98765), "98.77 %");
}

#[test]
fn layers_count_each_table_once() {
    use crate::kernel::{Arg, BufferId, Call, FunctionId, Program, Step, Table, TableId, TableRole};
    use crate::tensor::DType;
    let table = |name: &str, elem, len| Table {
        name: name.into(),
        elem,
        role: TableRole::Weight,
        values: vec![0; len].into(),
    };
    let call = || Call {
        function: FunctionId(0),
        buffers: vec![Arg::Buffer(BufferId(0)), Arg::Table(TableId(0)), Arg::Table(TableId(1))],
        scalars: Vec::new(),
    };
    let step = Step {
        name: "a".into(),
        op: "conv2d".into(),
        node: 0,
        absorbs: None,
        calls: vec![call(), call()],
        reads: vec![BufferId(0)],
        writes: Vec::new(),
        scratch: Vec::new(),
        overlaps: Vec::new(),
        macs: 5,
        work: Vec::new(),
    };
    let program = Program {
        tables: vec![table("w", DType::I8, 10), table("b", DType::I32, 3), table("other", DType::I8, 99)],
        steps: vec![step],
        ..Program::default()
    };
    let layers = layers(&program, &Choice::default());
    assert_eq!((layers[0].weights_bytes, layers[0].macs), (22, 5));
}
