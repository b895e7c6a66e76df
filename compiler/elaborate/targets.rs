//! Targets: those of the standard library, with what a spec changes and adds.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::{Context, Fields, Limits, call, text};
use crate::elaborate::scope::twice;
use crate::elaborate::units::Dimension;
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind};
use crate::syntax::print_expr;
use crate::target::{CostTable, Isa, Target, Toolchain};
use crate::tensor::{Bytes, Hertz};

const KEYS: [&str; 9] = ["isa", "clock", "ram", "flash", "align", "power", "cost", "toolchain", "source"];

const COST_EXAMPLE: &str = "cycles(mac: 2.6, element: 12, call: 60)";

const ISAS: [(&str, Isa); 2] = [("portable", Isa::Portable), ("armv7em", Isa::Armv7em)];

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
    let read = declared.iter().filter_map(|(name, declared)| {
        let target = target(name, declared, context)?;
        Some((name.clone(), target))
    });
    let targets = read.collect();
    (targets, named.into_keys().collect())
}

fn targets_of(file: &ast::File) -> impl Iterator<Item = &ast::Target> {
    file.items.iter().filter_map(|item| match &item.kind {
        ast::ItemKind::Target(target) => Some(target),
        _ => None,
    })
}

fn target(name: &str, declared: &Declared, context: &mut Context<'_>) -> Option<Target> {
    let what = format!("target \"{name}\"");
    let fields = Fields::of_section(&what, declared.span, &declared.fields, &KEYS, context);
    let limits = |dimension, low, high, example| Limits { dimension, low, high, example };
    let isa = fields.text("isa", "\"armv7em\"", context).and_then(|isa| {
        let found = ISAS.iter().find(|known| known.0 == isa).map(|known| known.1);
        if found.is_none() {
            let known: Vec<&str> = ISAS.iter().map(|known| known.0).collect();
            let span = fields.optional("isa").map_or(declared.span, |value| value.span);
            let error =
                Diagnostic::error(Code::TARGET_FIELD, format!("nasc has no instructions for `{isa}`"));
            context.out.push(error.at(span, "not known").help(format!("known: {}", known.join(", "))));
        }
        found
    });
    let clock = fields.number("clock", &limits(Dimension::Frequency, 1.0, 1e12, "80 MHz"), None, context);
    let memory = limits(Dimension::Bytes, 1.0, 1e12, "128 KiB");
    let ram = optional_number("ram", &memory, &fields, context);
    let flash = optional_number("flash", &memory, &fields, context);
    let power = optional_number("power", &limits(Dimension::Power, 1e-9, 1e3, "30 mW"), &fields, context);
    let align = fields.integer("align", &limits(Dimension::Plain, 1.0, 4096.0, "16"), Some(16), context);
    let align = align.filter(|align| {
        if !align.is_power_of_two() {
            let span = fields.optional("align").map_or(declared.span, |value| value.span);
            let error =
                Diagnostic::error(Code::TARGET_FIELD, format!("`align` is a power of two, found {align}"));
            context.out.push(error.at(span, "expected 1, 2, 4, 8, 16 ..."));
        }
        align.is_power_of_two()
    });
    let cost = fields.required("cost", COST_EXAMPLE, context).and_then(|value| cost(value, context));
    let toolchain = match fields.optional("toolchain") {
        Some(value) => Some(Some(toolchain(value, context)?)),
        None => Some(None),
    };
    let source = fields.text("source", "\"where the figures come from\"", context);
    Some(Target {
        name: name.to_owned(),
        isa: isa?,
        clock: Hertz(clock?.round() as u64),
        ram: ram?.map(|bytes| Bytes(bytes as u64)),
        flash: flash?.map(|bytes| Bytes(bytes as u64)),
        align: align? as usize,
        active_milliwatts: power?.map(|watts| watts * 1e3),
        cost: cost?,
        toolchain: toolchain?,
        source: source?,
    })
}

/// `None` for a mistake, `Some(None)` where the key is not given.
fn optional_number(
    key: &str,
    limits: &Limits,
    fields: &Fields<'_>,
    context: &mut Context<'_>,
) -> Option<Option<f64>> {
    match fields.optional(key) {
        Some(_) => fields.number(key, limits, None, context).map(Some),
        None => Some(None),
    }
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
