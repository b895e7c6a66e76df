//! Targets: those of the standard library, with what a spec changes and adds.
//!
//! A target with a `core` has everything of that target but what it gives itself, so that a board says only what
//! its chip adds to the core: memories, clock, power.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::{Context, Fields, Limits, call, text};
use crate::elaborate::scope::{twice, unknown};
use crate::elaborate::units::Dimension;
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind};
use crate::syntax::print_expr;
use crate::target::{CostTable, Isa, Target, Toolchain};
use crate::tensor::{Bytes, Hertz};

const KEYS: [&str; 10] =
    ["core", "isa", "clock", "ram", "flash", "align", "power", "cost", "toolchain", "source"];

/// Alignment where a target names none: what an emulated core and every schedule can live with.
const DEFAULT_ALIGN: usize = 16;

const COST_EXAMPLE: &str = "cycles(mac: 2.6, element: 12, call: 60)";

/// A target's fields, those of a spec in place of those of its stdlib namesake.
struct Declared {
    span: Span,
    fields: Vec<ast::Field>,
}

/// All targets by name, and the names that the spec declares, in order.
pub(super) fn targets(
    stdlib: &[ast::File],
    spec: &ast::File,
    context: &mut Context<'_>,
) -> (BTreeMap<String, Target>, Vec<String>) {
    let mut declared: IndexMap<String, Declared> = IndexMap::new();
    for target in stdlib.iter().flat_map(targets_of) {
        let (span, fields) = (target.name.span, target.fields.clone());
        declared.insert(target.name.text.clone(), Declared { span, fields });
    }
    let mut named: IndexMap<String, Span> = IndexMap::new();
    for target in targets_of(spec) {
        let name = &target.name;
        if let Some(&first) = named.get(&name.text) {
            context.out.push(twice(&name.text, name.span, first));
            continue;
        }
        named.insert(name.text.clone(), name.span);
        // Told here for the spec's own fields, since merging drops what is given twice.
        Fields::of_section(&format!("target \"{}\"", name.text), name.span, &target.fields, &KEYS, context);
        let merged = declared
            .entry(name.text.clone())
            .or_insert_with(|| Declared { span: name.span, fields: Vec::new() });
        merged.span = name.span;
        for field in target.fields.iter().filter(|field| KEYS.contains(&field.key.text.as_str())) {
            merged.fields.retain(|other| other.key.text != field.key.text);
            merged.fields.push(field.clone());
        }
    }
    let parts = declared.iter().map(|(name, declared)| (name.as_str(), part(name, declared, context)));
    let parts: IndexMap<&str, (Part, bool)> = parts.collect();
    let targets =
        parts.keys().filter_map(|name| Some(((*name).to_owned(), complete(name, &parts, context)?)));
    let targets = targets.collect();
    (targets, named.into_keys().collect())
}

fn targets_of(file: &ast::File) -> impl Iterator<Item = &ast::Target> {
    file.items.iter().filter_map(|item| match &item.kind {
        ast::ItemKind::Target(target) => Some(target),
        _ => None,
    })
}

/// What a target says itself; `None` where it says nothing.
#[derive(Clone, Default)]
struct Part {
    core: Option<(String, Span)>,
    isa: Option<Isa>,
    clock: Option<Hertz>,
    ram: Option<Bytes>,
    flash: Option<Bytes>,
    align: Option<usize>,
    milliwatts: Option<f64>,
    cost: Option<CostTable>,
    toolchain: Option<Toolchain>,
    source: Option<String>,
}

/// Reads a target's own fields, and whether they are free of mistakes. Without a core, those that every target has
/// must be there.
fn part(name: &str, declared: &Declared, context: &mut Context<'_>) -> (Part, bool) {
    let what = format!("target \"{name}\"");
    let before = context.out.0.len();
    let fields = Fields::of_section(&what, declared.span, &declared.fields, &KEYS, context);
    let limits = |dimension, low, high, example| Limits { dimension, low, high, example };
    let core = fields.optional("core").map(|value| (value.span, text(value, "core", context)));
    let wanted = |key| core.is_none() || fields.optional(key).is_some();
    let isa = wanted("isa").then(|| isa(&fields, declared.span, context)).flatten();
    let frequency = limits(Dimension::Frequency, 1.0, 1e12, "80 MHz");
    let clock = wanted("clock").then(|| fields.number("clock", &frequency, None, context)).flatten();
    let memory = limits(Dimension::Bytes, 1.0, 1e12, "128 KiB");
    let ram = optional_number("ram", &memory, &fields, context);
    let flash = optional_number("flash", &memory, &fields, context);
    let power = optional_number("power", &limits(Dimension::Power, 1e-9, 1e3, "30 mW"), &fields, context);
    let cost = wanted("cost").then(|| fields.required("cost", COST_EXAMPLE, context)).flatten();
    let part = Part {
        isa,
        clock: clock.map(|hertz| Hertz(hertz.round() as u64)),
        ram: ram.map(|bytes| Bytes(bytes as u64)),
        flash: flash.map(|bytes| Bytes(bytes as u64)),
        align: align(&fields, context),
        milliwatts: power.map(|watts| watts * 1e3),
        cost: cost.and_then(|value| self::cost(value, context)),
        toolchain: fields.optional("toolchain").and_then(|value| toolchain(value, context)),
        source: wanted("source")
            .then(|| fields.text("source", "\"where the figures come from\"", context))
            .flatten(),
        core: core.and_then(|(span, core)| Some((core?, span))),
    };
    (part, context.out.0.len() == before)
}

fn isa(fields: &Fields<'_>, near: Span, context: &mut Context<'_>) -> Option<Isa> {
    let name = fields.text("isa", "\"armv7em\"", context)?;
    let found = Isa::ALL.into_iter().find(|isa| isa.name() == name);
    if found.is_none() {
        let span = fields.optional("isa").map_or(near, |value| value.span);
        let error = Diagnostic::error(Code::TARGET_FIELD, format!("nasc has no instructions for `{name}`"));
        let known = Isa::ALL.map(Isa::name).join(", ");
        context.out.push(error.at(span, "not known").help(format!("known: {known}")));
    }
    found
}

fn align(fields: &Fields<'_>, context: &mut Context<'_>) -> Option<usize> {
    let value = fields.optional("align")?;
    let limits = Limits { dimension: Dimension::Plain, low: 1.0, high: 4096.0, example: "16" };
    let align = fields.integer("align", &limits, None, context)?;
    if !align.is_power_of_two() {
        let error =
            Diagnostic::error(Code::TARGET_FIELD, format!("`align` is a power of two, found {align}"));
        context.out.push(error.at(value.span, "expected 1, 2, 4, 8, 16 ..."));
        return None;
    }
    Some(align as usize)
}

/// A target with what it takes from its core, and the core's core. `None` if it or one of them has a mistake, of
/// which all but those of the way to the core have been told.
fn complete(name: &str, parts: &IndexMap<&str, (Part, bool)>, context: &mut Context<'_>) -> Option<Target> {
    let mut chain = vec![name];
    while let Some((core, span)) = &parts[chain[chain.len() - 1]].0.core {
        let Some((known, ..)) = parts.get_key_value(core.as_str()) else {
            if chain.len() == 1 {
                context.out.push(unknown("target", core, *span, parts.keys().copied()));
            }
            return None;
        };
        if chain.contains(known) {
            // Told once, for the target that is its own core, not for those that stand on it.
            if *known == name {
                let message = format!("`{name}` is its own core");
                let way = chain.iter().chain([known]).map(|name| format!("`{name}`")).collect::<Vec<_>>();
                let error = Diagnostic::error(Code::TARGET_FIELD, message).at(*span, "leads back to it");
                let error = error.help(format!("the cores lead in a circle: {}", way.join(", ")));
                context.out.push(error);
            }
            return None;
        }
        chain.push(known);
    }
    if !chain.iter().all(|name| parts[name].1) {
        return None;
    }
    let line: Vec<&Part> = chain.iter().map(|name| &parts[name].0).collect();
    let sources = chain.iter().zip(&line).enumerate().filter_map(|(depth, (name, part))| {
        let source = part.source.as_deref()?;
        Some(if depth == 0 { source.to_owned() } else { format!("{name}: {source}") })
    });
    Some(Target {
        name: name.to_owned(),
        core: (chain.len() > 1).then(|| chain[chain.len() - 1].to_owned()),
        isa: first(&line, |part| part.isa)?,
        clock: first(&line, |part| part.clock)?,
        ram: first(&line, |part| part.ram),
        flash: first(&line, |part| part.flash),
        align: first(&line, |part| part.align).unwrap_or(DEFAULT_ALIGN),
        active_milliwatts: first(&line, |part| part.milliwatts),
        cost: first(&line, |part| part.cost)?,
        toolchain: first(&line, |part| part.toolchain.clone()),
        source: sources.collect::<Vec<_>>().join("; "),
    })
}

/// What the first of some targets says that says it.
fn first<T>(line: &[&Part], of: impl Fn(&Part) -> Option<T>) -> Option<T> {
    line.iter().find_map(|part| of(part))
}

fn optional_number(
    key: &str,
    limits: &Limits,
    fields: &Fields<'_>,
    context: &mut Context<'_>,
) -> Option<f64> {
    fields.optional(key).and_then(|_| fields.number(key, limits, None, context))
}

fn cost(value: &ast::Expr, context: &mut Context<'_>) -> Option<CostTable> {
    let cycles = call(value, "cost", &["cycles"], COST_EXAMPLE, context)?;
    let fields = Fields::of_call(cycles, &["mac", "element", "call"], context);
    let limits = Limits { dimension: Dimension::Plain, low: 0.0, high: 1e6, example: "2.5" };
    let [mac, element, call] =
        ["mac", "element", "call"].map(|key| fields.number(key, &limits, None, context));
    Some(CostTable { cycles_per_mac: mac?, cycles_per_element: element?, cycles_per_call: call? })
}

fn toolchain(value: &ast::Expr, context: &mut Context<'_>) -> Option<Toolchain> {
    let example = "gcc(cc: \"arm-none-eabi-gcc\")";
    let gcc = call(value, "toolchain", &["gcc"], example, context)?;
    let fields = Fields::of_call(gcc, &["cc", "flags", "machine"], context);
    let cc = fields.text("cc", "\"arm-none-eabi-gcc\"", context);
    let flags = match fields.optional("flags") {
        None => Some(Vec::new()),
        Some(value) => match &value.kind {
            ExprKind::List(flags) => flags.iter().map(|flag| text(flag, "flags", context)).collect(),
            _ => {
                let message = format!("`flags` is a list of texts, found `{}`", print_expr(value));
                context.out.push(Diagnostic::error(Code::TYPE, message).at(value.span, "expected `[...]`"));
                None
            }
        },
    };
    let machine = match fields.optional("machine") {
        None => Some(None),
        Some(value) => text(value, "machine", context).map(Some),
    };
    Some(Toolchain { cc: cc?, flags: flags?, machine: machine? })
}
