//! The canonical text of each section: equal texts mean the same, so a hash of them says whether a lock is stale.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::elaborate::Program;
use crate::elaborate::value::FUNCTIONS;
use crate::space::{BinaryOp, Domain, Expr, Layer, Merge, MergeKind, Output, RegionId, RegionKind, Space};

/// The text of every section. Spans, comments, the order of sections and of keys do not show.
pub(super) fn sections(program: &Program) -> BTreeMap<String, String> {
    let mut requirements: Vec<String> = program.requirements.iter().map(json).collect();
    requirements.sort();
    let mut preferences: Vec<String> = program.preferences.iter().map(json).collect();
    preferences.sort();
    let objectives: Vec<String> = program.objectives.iter().map(json).collect();
    let targets: Vec<String> = program.targets.values().map(json).collect();
    let more = ["supernet", "schedule"].into_iter().filter(|name| program.settings.contains_key(*name));
    let phases = (!program.phases.is_empty()).then(|| ("phases", json(&program.phases)));
    [
        ("space", space(&program.space)),
        ("data", json(&program.data)),
        ("train", program.section_text("train")),
        ("quantize", program.section_text("quantize")),
        ("search", json(&program.search)),
        ("objectives", [objectives.join("\n"), preferences.join("\n")].join("\nprefer\n")),
        ("requirements", requirements.join("\n")),
        ("targets", [targets.join("\n"), program.named_targets.join("\n")].join("\nnamed\n")),
    ]
    .into_iter()
    .chain(more.map(|name| (name, program.section_text(name))))
    .chain(phases)
    .map(|(name, text)| (name.to_owned(), text))
    .collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("these types have texts for keys and finite numbers")
}

/// The space: what comes in and goes out, then the region tree, one region or decision in a line.
fn space(space: &Space) -> String {
    let [height, width, channels] = space.input.each_ref().map(|size| expr(&size.expr));
    let output = match space.output {
        Output::Classes(count) => format!("classes {count}"),
        Output::Values(count) => format!("outputs {count}"),
        Output::Input => "outputs as many as come in".to_owned(),
    };
    let mut out = format!("input ({height}, {width}, {channels})\n{output}\n");
    if let Some(scale) = &space.width_scale {
        writeln!(out, "filters * {} in multiples of {}", expr(&scale.factor), scale.round)
            .expect("a String takes all");
    }
    region(space, space.root(), 0, &mut out);
    out
}

fn region(space: &Space, id: RegionId, depth: usize, out: &mut String) {
    let region_ = space.region(id);
    let kind = match &region_.kind {
        RegionKind::Sequence => "sequence".to_owned(),
        RegionKind::Parallel { merge: how } => format!("parallel {}", merge(*how)),
        RegionKind::Repeat { count, branching: None } => format!("repeat {}", expr(count)),
        RegionKind::Repeat { count, branching: Some(branching) } => {
            format!("repeat {} branching by d{} {}", expr(count), branching.link.0, merge(branching.merge))
        }
        RegionKind::Choose { decision, .. } => format!("choose d{}", decision.0),
        RegionKind::Optional { decision } => format!("optional d{}", decision.0),
        RegionKind::When { condition } => format!("when {}", expr(condition)),
        RegionKind::Residual => "residual".to_owned(),
        RegionKind::Mirror => "mirror".to_owned(),
        RegionKind::Layer(kind) => layer(kind),
    };
    let indent = "  ".repeat(depth);
    writeln!(out, "{indent}{} = {kind}", region_.name).expect("a String takes all");
    for &decision in &region_.decisions {
        let (number, decision) = (decision.0, space.decision(decision));
        let domain = domain(&decision.domain);
        writeln!(out, "{indent}  d{number} {} in {domain}", decision.name).expect("a String takes all");
    }
    for forbid in space.forbids.iter().filter(|forbid| forbid.region == id) {
        writeln!(out, "{indent}  forbid {}", expr(&forbid.condition)).expect("a String takes all");
    }
    for child in space.children(id) {
        region(space, child, depth + 1, out);
    }
}

fn merge(merge: Merge) -> String {
    let kind = match merge.kind {
        MergeKind::Add => "add",
        MergeKind::Concat => "concat",
        MergeKind::Mul => "mul",
    };
    match (merge.pool, merge.pad) {
        (false, false) => kind.to_owned(),
        (true, false) => format!("{kind}(pool)"),
        (false, true) => format!("{kind}(pad)"),
        (true, true) => format!("{kind}(pool, pad)"),
    }
}

fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Grid { low, high, steps, log: false } => format!("{low}..{high} in {steps} parts"),
        Domain::Grid { low, high, steps, log: true } => format!("log {low}..{high} in {steps} parts"),
        Domain::Range { low, high, step, log: false } => format!("{low}..{high} step {step}"),
        Domain::Range { low, high, step, log: true } => format!("log {low}..{high} step {step}"),
        Domain::Set(values) => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            format!("{{{}}}", values.join(", "))
        }
    }
}

fn expr(value: &Expr) -> String {
    match value {
        Expr::Value(value) => value.to_string(),
        Expr::Decision(decision) => format!("d{}", decision.0),
        Expr::Binary(operator, left, right) => {
            let sign = match operator {
                BinaryOp::Add => "+",
                BinaryOp::Sub => "-",
                BinaryOp::Mul => "*",
                BinaryOp::Div | BinaryOp::Ratio => "/",
                BinaryOp::Equal => "==",
                BinaryOp::NotEqual => "!=",
                BinaryOp::Less => "<",
                BinaryOp::AtMost => "<=",
                BinaryOp::Greater => ">",
                BinaryOp::AtLeast => ">=",
                BinaryOp::And => "and",
                BinaryOp::Or => "or",
            };
            format!("({} {sign} {})", expr(left), expr(right))
        }
        Expr::Tuple(values) => {
            let values: Vec<String> = values.iter().map(expr).collect();
            format!("({})", values.join(", "))
        }
        Expr::Channels(_) => "channels".to_owned(),
        Expr::Call(function, values) => {
            let values: Vec<String> = values.iter().map(expr).collect();
            let name = FUNCTIONS.iter().find(|known| known.1 == *function).map_or("", |known| known.0);
            format!("{name}({})", values.join(", "))
        }
        Expr::Not(operand) => format!("not {}", expr(operand)),
    }
}

fn layer(layer: &Layer) -> String {
    let (name, arguments) = match layer {
        Layer::Conv2d { filters, kernel, stride, padding, norm, act } => {
            ("conv2d", vec![filters, kernel, stride, padding, norm, act])
        }
        Layer::DepthwiseConv2d { kernel, stride, padding, norm, act } => {
            ("depthwise_conv2d", vec![kernel, stride, padding, norm, act])
        }
        Layer::Dense { units, norm, act } => ("dense", vec![units, norm, act]),
        Layer::BatchNorm => ("batch_norm", Vec::new()),
        Layer::Activation { act } => ("activation", vec![act]),
        Layer::MaxPool { size, stride, padding } => ("max_pool", vec![size, stride, padding]),
        Layer::AvgPool { size, stride, padding } => ("avg_pool", vec![size, stride, padding]),
        Layer::GlobalAvgPool => ("global_avg_pool", Vec::new()),
        Layer::Flatten => ("flatten", Vec::new()),
        Layer::Upsample { factor } => ("upsample", vec![factor]),
        Layer::Dropout { rate } => ("dropout", vec![rate]),
        Layer::Identity => ("identity", Vec::new()),
    };
    let arguments: Vec<String> = arguments.into_iter().map(|argument| expr(&argument.expr)).collect();
    format!("{name}({})", arguments.join(", "))
}
