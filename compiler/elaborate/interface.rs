//! What a model takes and gives: `input`, `classes`, `outputs`, `scale`; and what of it nothing uses.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::model::Builder;
use crate::elaborate::value::{self, Place};
use crate::source::Span;
use crate::space::{
    Argument, Branching, DecisionId, Expr, MAX_EXTENT, Output, RegionId, RegionKind, Space, Value,
    WidthScale, arguments,
};
use crate::syntax::ast;
use crate::syntax::print_expr;

/// Parameters of a model that say what it takes and gives.
const OWN: [&str; 3] = ["input", "classes", "outputs"];

/// Widths are multiples of this unless `round` says otherwise. Source  MobileNetV2, MCUNet, Once-for-All
const ROUND: i64 = 8;

fn parameter<'a>(model: &'a ast::Definition, name: &str) -> Option<&'a ast::Param> {
    model.params.iter().find(|param| param.name.text == name)
}

/// What the model gives.
pub(super) fn output(model: &ast::Definition, out: &mut Diagnostics) -> Option<Output> {
    let (classes, outputs) = (parameter(model, "classes"), parameter(model, "outputs"));
    if let (Some(classes), Some(outputs)) = (classes, outputs) {
        let error = Diagnostic::error(Code::NOT_ALLOWED, "a model has `classes` or `outputs`, not both");
        let error =
            error.at(outputs.name.span, "numbers to predict").at(classes.name.span, "classes to tell apart");
        out.push(error.help("keep `classes` for classification, `outputs` for regression"));
        return None;
    }
    match (classes, outputs) {
        (Some(param), _) => {
            count(param.default.as_ref()?, "the number of classes", 2, out).map(Output::Classes)
        }
        (_, Some(param)) => {
            count(param.default.as_ref()?, "the number of outputs", 1, out).map(Output::Values)
        }
        (None, None) => Some(Output::Input),
    }
}

/// What a model gives whose number of classes or outputs is wrong: later messages should not speak of another kind.
pub(super) fn meant(model: &ast::Definition) -> Output {
    match (parameter(model, "classes"), parameter(model, "outputs")) {
        (Some(_), _) => Output::Classes(2),
        (None, Some(_)) => Output::Values(1),
        (None, None) => Output::Input,
    }
}

fn count(value: &ast::Expr, what: &str, least: usize, out: &mut Diagnostics) -> Option<usize> {
    let found = match value.kind {
        ast::ExprKind::Number(ast::Number::Integer(size), None) => usize::try_from(size).ok(),
        _ => None,
    };
    let good = found.filter(|found| (least..=65536).contains(found));
    if good.is_none() {
        let allowed = format!("an integer from {least} to 65536");
        let message = format!("{what} is {allowed}, found `{}`", print_expr(value));
        let is_integer = matches!(value.kind, ast::ExprKind::Number(ast::Number::Integer(_), None));
        let code = if is_integer { Code::RANGE } else { Code::TYPE };
        out.push(Diagnostic::error(code, message).at(value.span, format!("expected {allowed}")));
    }
    good
}

impl Builder<'_> {
    /// The parameters of the model.
    pub(super) fn interface(&mut self, model: &ast::Definition, root: RegionId) {
        if parameter(model, "input").is_none() {
            let error = Diagnostic::error(Code::MISSING, "the model has no `input`");
            let error = error.at(model.name.span, "`input` is missing");
            self.out.push(error.help(format!("write `model {}(input: (49, 10, 1), ...)`", model.name.text)));
        }
        for param in &model.params {
            let name = &param.name.text;
            if let Some(ty) = &param.ty {
                self.kind_of(ty);
            }
            let Some(default) = &param.default else {
                let message = format!("the parameter `{name}` of a model needs a value");
                self.out.push(Diagnostic::error(Code::MISSING, message).at(param.name.span, "no value"));
                continue;
            };
            let mut value = default.clone();
            if name == "input" {
                if let Some(input) = self.input(default, root) {
                    self.space.input = input;
                }
                continue;
            }
            if OWN.contains(&name.as_str()) && !matches!(default.kind, ast::ExprKind::Number(..)) {
                // Told already; a value keeps its uses from being told as well.
                value.kind = ast::ExprKind::Number(ast::Number::Integer(2), None);
            }
            self.bind(&ast::Let { name: param.name.clone(), ty: None, value }, root);
        }
        self.scale_input();
    }

    /// `(49, 10, 1)`: height, width, channels; `(25, 12)`: steps, channels; `640`: channels. Each size may be a
    /// decision.
    fn input(&mut self, written: &ast::Expr, root: RegionId) -> Option<[Argument; 3]> {
        let (scope, space) = (&self.scope, &mut self.space);
        let lowered = match value::lower(written, &mut Place { scope, space, region: root, name: "input" }) {
            Ok(lowered) => lowered,
            Err(error) => {
                self.out.push(error);
                return None;
            }
        };
        let parts = match lowered {
            Expr::Tuple(parts) => parts,
            Expr::Value(Value::Tuple(parts)) => parts.into_iter().map(Expr::Value).collect(),
            other => vec![other],
        };
        let spans: Vec<Span> = match &written.kind {
            ast::ExprKind::Tuple(values) if values.len() == parts.len() => {
                values.iter().map(|v| v.span).collect()
            }
            _ => vec![written.span; parts.len()],
        };
        let one = || Argument { expr: Expr::Value(Value::Int(1)), span: written.span };
        let mut sizes = parts.into_iter().zip(spans).map(|(expr, span)| Argument { expr, span });
        let input = match sizes.len() {
            1 => Some([one(), one(), sizes.next()?]),
            2 => Some([sizes.next()?, one(), sizes.next()?]),
            3 => Some([sizes.next()?, sizes.next()?, sizes.next()?]),
            _ => None,
        };
        let good = input.filter(|input| self.input_fits(input));
        if good.is_none() {
            let message = format!("the input of a model is its shape, found `{}`", print_expr(written));
            let error = Diagnostic::error(Code::TYPE, message);
            let label =
                format!("expected one to three integers with a product of at most {}", value::MAX_COUNT);
            let error = error.at(written.span, label);
            self.out.push(error.help("write `(height, width, channels)`, `(steps, channels)` or `channels`"));
        }
        good
    }

    /// Whether every size is a positive integer, and the greatest input within the limit.
    fn input_fits(&self, input: &[Argument; 3]) -> bool {
        let mut elements = 1i64;
        for size in input {
            let greatest = std::cell::Cell::new(0);
            let verdict = value::check(&size.expr, &self.space, |value| match value.as_int() {
                Some(found) if (1..=value::MAX_COUNT).contains(&found) => {
                    greatest.set(greatest.get().max(found));
                    Ok(())
                }
                _ => Err(Code::TYPE),
            });
            elements = elements.saturating_mul(greatest.get());
            if verdict.is_err() || value::has_channels(&size.expr) {
                return false;
            }
        }
        elements <= value::MAX_COUNT
    }

    /// `scale { width: ..., resolution: ..., round: 8 }`.
    pub(super) fn scale(&mut self, root: RegionId) {
        let Some(section) = self.scale_section else { return };
        let mut round = ROUND;
        for field in &section.fields {
            match field.key.text.as_str() {
                "width" | "resolution" => {
                    let item = ast::Let { name: field.key.clone(), ty: None, value: field.value.clone() };
                    self.bind(&item, root);
                }
                "round" => match field.value.kind {
                    ast::ExprKind::Number(ast::Number::Integer(value @ 1..=256), None) => {
                        round = value as i64
                    }
                    _ => {
                        let message = format!(
                            "`round` is an integer from 1 to 256, found `{}`",
                            print_expr(&field.value)
                        );
                        let error = Diagnostic::error(Code::TYPE, message);
                        self.out.push(error.at(field.value.span, "expected an integer from 1 to 256"));
                    }
                },
                _ => {}
            }
        }
        let has = |key: &str| section.fields.iter().find(|field| field.key.text == key);
        if let (Some(field), Some(factor)) = (has("width"), self.top_value("width")) {
            let verdict = value::check(&factor, &self.space, |value| match value::as_decimal(value) {
                Some(factor) if factor > 0.0 && factor <= 64.0 => Ok(()),
                Some(_) => Err(Code::RANGE),
                None => Err(Code::TYPE),
            });
            if let Err(violation) = verdict {
                let message = format!("`width` is a factor above 0 and up to 64, found {}", violation.found);
                self.out.push(
                    Diagnostic::error(violation.code, message).at(field.value.span, "expected a number"),
                );
            }
            self.space.width_scale = Some(WidthScale { factor, round });
        }
        if has("width").is_none() && has("resolution").is_none() {
            let error = Diagnostic::error(Code::MISSING, "`scale` needs `width` or `resolution`");
            let error = error.at(section.name.span, "scales nothing");
            self.out
                .push(error.help("write `scale { width: 0.2..1.0 step 0.1, resolution: 48..224 step 16 }`"));
        }
    }

    fn top_value(&self, name: &str) -> Option<Expr> {
        self.scope.find(name).and_then(|binding| binding.expr.clone())
    }

    /// Puts the resolution in the place of the input's height and width.
    fn scale_input(&mut self) {
        let Some(section) = self.scale_section else { return };
        let Some(field) = section.fields.iter().find(|field| field.key.text == "resolution") else { return };
        let Some(expr) = self.top_value("resolution") else { return };
        let channels = self.space.input[2].clone();
        let side = Argument { expr, span: field.value.span };
        let input = [side.clone(), side, channels];
        if !self.input_fits(&input) {
            let message =
                format!("`resolution` is an integer from 1 to {MAX_EXTENT} that the input can have");
            let error = Diagnostic::error(Code::TYPE, message);
            return self.out.push(error.at(field.value.span, "expected the height and width of a map"));
        }
        self.space.input = input;
    }
}

/// E0406 for decisions that the search would make for nothing.
pub(super) fn warn_of_unused(space: &Space, out: &mut Diagnostics) {
    let mut used: Vec<DecisionId> = space.recipe_uses.clone();
    for size in &space.input {
        value::decisions_of(&size.expr, &mut used);
    }
    for forbid in &space.forbids {
        value::decisions_of(&forbid.condition, &mut used);
    }
    if let Some(scale) = &space.width_scale {
        value::decisions_of(&scale.factor, &mut used);
    }
    for region in space.regions().node_weights() {
        match &region.kind {
            RegionKind::Repeat { count, branching } => {
                value::decisions_of(count, &mut used);
                used.extend(branching.iter().map(|Branching { link, .. }| *link));
            }
            RegionKind::Choose { decision, .. } | RegionKind::Optional { decision } => used.push(*decision),
            RegionKind::When { condition } => value::decisions_of(condition, &mut used),
            RegionKind::Layer(layer) => {
                arguments(layer).for_each(|a| value::decisions_of(&a.expr, &mut used))
            }
            RegionKind::Sequence
            | RegionKind::Parallel { .. }
            | RegionKind::Residual
            | RegionKind::Mirror => {}
        }
    }
    let used: BTreeSet<DecisionId> = used.into_iter().collect();
    let mut told = BTreeSet::new();
    for (id, decision) in space.decisions.iter().enumerate() {
        let span = decision.span;
        if !used.contains(&DecisionId(id as u32)) && told.insert((span.file, span.start)) {
            let message = format!("nothing uses the decision `{}`", decision.name);
            let warning = Diagnostic::warning(Code::UNUSED_DECISION, message).at(span, "decided for nothing");
            out.push(warning.help("use it, or remove it"));
        }
    }
}
