//! The sections `data`, `train`, `quantize` and `search`.

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::{Context, Fields, Limits, call};
use crate::elaborate::units::Dimension;
use crate::elaborate::{DataSpec, QuantizeSpec, SearchSpec, Source, Strategy, TrainSpec};
use crate::syntax::ast;

const SHARE: Limits = Limits { dimension: Dimension::Share, low: 0.0, high: 1.0, example: "5 %" };

const SOURCE_EXAMPLE: &str = "ts(train: \"train.ts\", test: \"test.ts\")";
const SPLIT_EXAMPLE: &str = "holdout(val: 20 %)";
const OPTIMIZER_EXAMPLE: &str = "adamw(lr: 1e-3)";

const fn integer(low: f64, high: f64, example: &'static str) -> Limits {
    Limits { dimension: Dimension::Plain, low, high, example }
}

fn fields<'a>(section: &'a ast::Section, known: &[&str], context: &mut Context<'_>) -> Fields<'a> {
    Fields::of_section(&section.name.text, section.name.span, &section.fields, known, context)
}

/// `data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %), normalize: standardize }`.
pub(super) fn data(section: &ast::Section, context: &mut Context<'_>) -> Option<DataSpec> {
    let fields = fields(section, &["source", "split", "normalize"], context);
    let source = fields.required("source", SOURCE_EXAMPLE, context).and_then(|value| source(value, context));
    let share = fields.required("split", SPLIT_EXAMPLE, context).and_then(|value| {
        let holdout = call(value, "split", &["holdout"], SPLIT_EXAMPLE, context)?;
        let inner = Fields::of_call(holdout, &["val"], context);
        let limits = Limits { low: 0.01, high: 0.9, example: "20 %", ..SHARE };
        inner.number("val", &limits, None, context)
    });
    let normalize = fields.word("normalize", &["none", "standardize"], Some("none"), context);
    Some(DataSpec { source: source?, validation_share: share?, standardize: normalize? == "standardize" })
}

fn source(value: &ast::Expr, context: &mut Context<'_>) -> Option<Source> {
    let reader = call(value, "source", &["ts"], SOURCE_EXAMPLE, context)?;
    let fields = Fields::of_call(reader, &["train", "test"], context);
    let train = fields.text("train", "\"train.ts\"", context);
    let test = fields.text("test", "\"test.ts\"", context);
    for (path, key) in [(&train, "train"), (&test, "test")] {
        let (Some(path), Some(value)) = (path, fields.optional(key)) else { continue };
        let leaves = path.split(['/', '\\']).any(|part| part == "..") || path.starts_with(['/', '\\']);
        if leaves || path.is_empty() {
            let message = format!("`{path}` is not a path below the folder of the data");
            let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(value.span, "not allowed");
            context.out.push(error.help("paths are relative to the spec; `--data DIR` names another folder"));
        }
    }
    Some(Source::Ts { train: train?, test: test? })
}

/// `train { optimizer: adamw(lr: 4e-3, decay: 0.02), epochs: 60, batch: 32, warmup: 5 %, smoothing: 0.05 }`.
pub(super) fn train(section: &ast::Section, context: &mut Context<'_>) -> Option<TrainSpec> {
    let fields = fields(section, &["optimizer", "epochs", "batch", "warmup", "smoothing"], context);
    let optimizer = fields.required("optimizer", OPTIMIZER_EXAMPLE, context).and_then(|value| {
        let adamw = call(value, "optimizer", &["adamw"], OPTIMIZER_EXAMPLE, context)?;
        let inner = Fields::of_call(adamw, &["lr", "decay"], context);
        let rate = inner.number("lr", &integer(1e-9, 10.0, "1e-3"), None, context);
        let decay = inner.number("decay", &integer(0.0, 10.0, "0.02"), Some(0.0), context);
        Some((rate?, decay?))
    });
    let epochs = fields.integer("epochs", &integer(1.0, 1e6, "60"), None, context);
    let batch = fields.integer("batch", &integer(1.0, 65536.0, "32"), None, context);
    let warmup = fields.number("warmup", &SHARE, Some(0.0), context);
    let smoothing = fields.number("smoothing", &integer(0.0, 0.99, "0.05"), Some(0.0), context);
    let (learning_rate, weight_decay) = optimizer?;
    Some(TrainSpec {
        learning_rate,
        weight_decay,
        epochs: epochs? as usize,
        batch: batch? as usize,
        warmup: warmup?,
        label_smoothing: smoothing?,
    })
}

/// `quantize { weights: i8, activations: i8, calibrate: 200 samples }`; all may be left out.
pub(super) fn quantize(section: Option<&ast::Section>, context: &mut Context<'_>) -> Option<QuantizeSpec> {
    let limits = Limits { dimension: Dimension::Samples, low: 1.0, high: 1e6, example: "200 samples" };
    let default = QuantizeSpec { calibration_samples: 200 };
    let Some(section) = section else { return Some(default) };
    let fields = fields(section, &["weights", "activations", "calibrate"], context);
    let weights = fields.word("weights", &["i8"], Some("i8"), context);
    let activations = fields.word("activations", &["i8"], Some("i8"), context);
    let samples = fields.integer("calibrate", &limits, Some(default.calibration_samples as u64), context);
    weights.and(activations)?;
    Some(QuantizeSpec { calibration_samples: samples? as usize })
}

/// `search { strategy: random, trials: 12, finalists: 3, replicates: 1, window: 4, seed: 7 }`.
pub(super) fn search(section: &ast::Section, context: &mut Context<'_>) -> Option<SearchSpec> {
    let known = ["strategy", "trials", "finalists", "replicates", "window", "seed"];
    let fields = fields(section, &known, context);
    let strategy = fields.word("strategy", &["random"], None, context);
    let trials = fields.integer("trials", &integer(1.0, 1e6, "100"), None, context);
    let finalists = fields.integer("finalists", &integer(1.0, 1e6, "1"), Some(1), context);
    let replicates = fields.integer("replicates", &integer(1.0, 1000.0, "1"), Some(1), context);
    let window = fields.integer("window", &integer(1.0, 1024.0, "4"), Some(4), context);
    let seed = fields.integer("seed", &integer(0.0, 9_007_199_254_740_992.0, "7"), Some(0), context);
    let (trials, finalists) = (trials?, finalists?);
    if finalists > trials
        && let (Some(many), Some(few)) = (fields.optional("finalists"), fields.optional("trials"))
    {
        let message = format!("{finalists} finalists cannot come out of {trials} trials");
        let error = Diagnostic::error(Code::RANGE, message).at(many.span, "more than there are trials");
        context.out.push(error.at(few.span, format!("{trials} networks are trained")));
        return None;
    }
    strategy?;
    Some(SearchSpec {
        strategy: Strategy::Random,
        trials: trials as usize,
        finalists: finalists as usize,
        replicates: replicates? as usize,
        window: window? as usize,
        seed: seed?,
    })
}
