//! From syntax to meaning: names, types, units, blocks, sections.
//!
//! In: an AST and the standard library. Out: a checked [`Program`], or every user error of meaning that was found.

mod program;

pub use program::{
    DataSpec, Metric, Objective, Preference, Program, QuantizeSpec, Requirement, SearchSpec, Source,
    Strategy, TrainSpec,
};

/// TEMP
pub fn stdlib_targets() -> std::collections::BTreeMap<String, crate::target::Target> {
    use crate::target::*;
    let cost = CostTable { cycles_per_mac: 2.6, cycles_per_element: 12.0, cycles_per_call: 60.0 };
    let m4 = Target {
        name: "cortex-m4".into(),
        isa: Isa::Armv7em,
        clock: crate::tensor::Hertz(80_000_000),
        ram: None,
        flash: None,
        align: 16,
        active_milliwatts: None,
        cost,
        toolchain: Some(Toolchain {
            cc: "arm-none-eabi-gcc".into(),
            flags: ["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"].map(String::from).to_vec(),
            machine: Some("mps2-an386".into()),
        }),
        source: "x".into(),
    };
    [("cortex-m4".to_string(), m4)].into()
}
/// TEMP
pub fn elaborate(
    _s: &mut crate::source::SourceMap,
    _a: &crate::syntax::ast::File,
) -> (Option<Program>, crate::diagnostic::Diagnostics) {
    use crate::space::*;
    let span = crate::source::Span { file: crate::source::FileId(0), start: 0, end: 1 };
    let mut space = Space::new([25, 1, 12], 9, span);
    let root = space.root();
    let f = |v: Value| Argument { expr: Expr::Value(v), span };
    let w = |t: &str| f(Value::Text(t.into()));
    let reg = |kind, name: &str| Region { kind, decisions: vec![], name: name.into(), span };
    let width = space.add_decision(
        root,
        Decision { name: "width".into(), domain: Domain::Range { low: 16, high: 32, step: 8 }, span },
    );
    let add = |space: &mut Space, parent, name: &str, kernels: &[i64], stride: &[i64]| {
        let id = space.add_child(parent, reg(RegionKind::Sequence, name));
        let k = space.add_decision(
            id,
            Decision {
                name: "kernel".into(),
                domain: Domain::Set(kernels.iter().map(|&k| Value::Int(k)).collect()),
                span,
            },
        );
        let s = space.add_decision(
            id,
            Decision {
                name: "stride".into(),
                domain: Domain::Set(stride.iter().map(|&k| Value::Int(k)).collect()),
                span,
            },
        );
        let pair =
            |d| Argument { expr: Expr::Tuple(vec![Expr::Decision(d), Expr::Value(Value::Int(1))]), span };
        space.set_kind(
            id,
            RegionKind::Layer(Layer::Conv2d {
                filters: Argument { expr: Expr::Decision(width), span },
                kernel: pair(k),
                stride: pair(s),
                padding: w("same"),
                norm: w("batch"),
                act: w("relu"),
            }),
        );
    };
    add(&mut space, root, "conv1d", &[3, 5], &[1]);
    let rep = space.add_child(root, reg(RegionKind::Sequence, "repeat"));
    let depth = space.add_decision(
        rep,
        Decision { name: "depth".into(), domain: Domain::Range { low: 1, high: 2, step: 1 }, span },
    );
    space.set_kind(rep, RegionKind::Repeat { count: Expr::Decision(depth) });
    add(&mut space, rep, "conv1d", &[3, 5], &[1, 2]);
    space.add_child(root, reg(RegionKind::Layer(Layer::GlobalAvgPool), "global_avg_pool"));
    space.add_child(
        root,
        reg(
            RegionKind::Layer(Layer::Dense { units: f(Value::Int(9)), norm: w("none"), act: w("none") }),
            "dense",
        ),
    );
    let p = Program {
        name: "vowels".into(),
        space,
        data: DataSpec {
            source: Source::Ts {
                train: "JapaneseVowels_eq_TRAIN.ts".into(),
                test: "JapaneseVowels_eq_TEST.ts".into(),
            },
            validation_share: 0.2,
            standardize: true,
        },
        train: TrainSpec {
            learning_rate: 5e-3,
            weight_decay: 0.02,
            epochs: 60,
            batch: 30,
            warmup: 0.05,
            label_smoothing: 0.05,
        },
        quantize: QuantizeSpec { calibration_samples: 200 },
        search: SearchSpec {
            strategy: Strategy::Random,
            trials: 8,
            finalists: 2,
            replicates: 2,
            window: 4,
            seed: 7,
        },
        requirements: vec![Requirement { metric: Metric::Ram, limit: 4096.0, target: None, span: None }],
        preferences: vec![],
        objectives: vec![
            Objective { metric: Metric::Accuracy, target: None },
            Objective { metric: Metric::Ram, target: None },
        ],
        targets: stdlib_targets(),
        named_targets: vec![],
        sections: ["space", "data", "train", "quantize", "objectives", "search", "requirements", "targets"]
            .iter()
            .map(|s| (s.to_string(), "x".to_string()))
            .collect(),
    };
    (Some(p), Default::default())
}
