//! The structures of a body: `repeat`, `choose`, `optional`, `parallel`, `residual`, `mirror`, `when`, `forbid`.
//!
//! A structure with a name gives that name to its decision, which lives in the body that the structure stands in, so
//! that conditions behind it can ask for it.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::model::Builder;
use crate::elaborate::scope::unknown;
use crate::elaborate::value::{self, Place};
use crate::elaborate::{condition, domain};
use crate::source::Span;
use crate::space::{
    Branching, DecisionId, Domain, Expr, Forbid, Merge, MergeKind, Region, RegionId, RegionKind, Value,
};
use crate::syntax::ast;

/// Repetitions; more is refused.
const MAX_REPEAT: i64 = 256;

/// The ways to merge.
pub(super) const MERGES: [(&str, MergeKind, &str); 3] = [
    ("add", MergeKind::Add, "the sum; shapes must be equal"),
    ("concat", MergeKind::Concat, "channels one after the other; heights and widths must be equal"),
    ("mul", MergeKind::Mul, "the product; a vector of one value for each channel multiplies every pixel"),
];

impl Builder<'_> {
    pub(super) fn repeat(&mut self, repeat: &ast::Repeat, parent: RegionId, span: Span) {
        let name = repeat.name.as_ref().map_or("repeat", |name| name.text.as_str());
        let once = RegionKind::Repeat { count: Expr::Value(Value::Int(1)), branching: None };
        let Some(region) = self.add(parent, once, name, span) else { return };
        let decision = repeat.name.as_ref().map_or("count", |name| name.text.as_str());
        let owner = if repeat.name.is_some() { parent } else { region };
        let (scope, space) = (&self.scope, &mut self.space);
        let count =
            match value::lower(&repeat.count, &mut Place { scope, space, region: owner, name: decision }) {
                Ok(count) => count,
                Err(error) => {
                    self.out.push(error);
                    Expr::Value(Value::Int(1))
                }
            };
        self.check_count(&count, repeat.count.span);
        if let Some(name) = &repeat.name {
            self.scope.declare_structure(name, count.clone());
        }
        self.space.set_kind(region, RegionKind::Repeat { count: count.clone(), branching: None });
        let merge = repeat.branching.as_ref().map(|written| self.merge(written));
        let outside = self.instances;
        self.instances = outside.saturating_mul(value::greatest(&count, &self.space));
        let body = self.add(region, RegionKind::Sequence, "", repeat.body.span);
        if let Some(body) = body {
            self.repetition(repeat, (region, body), count, merge);
        }
        self.instances = outside;
    }

    /// The body of a `repeat`.
    fn repetition(
        &mut self,
        repeat: &ast::Repeat,
        (region, body): (RegionId, RegionId),
        count: Expr,
        merge: Option<Merge>,
    ) {
        let span = repeat.body.span;
        self.scope.enter();
        if let Some(merge) = merge {
            let words = ["series", "beside"].map(|word| Value::Text(word.to_owned()));
            let link = domain::add_decision(
                &mut self.space,
                body,
                "link",
                Domain::Set(words.to_vec()),
                repeat.branching.as_ref().map_or(span, |written| written.span),
            );
            let name = ast::Name { text: "link".to_owned(), span };
            self.scope.declare_structure(&name, Expr::Decision(link));
            let branching = Some(Branching { link, merge });
            self.space.set_kind(region, RegionKind::Repeat { count, branching });
        }
        let outer = self.scope.set_body(Some(body));
        self.body(&repeat.body, body);
        self.scope.set_body(outer);
        self.scope.leave();
    }

    fn check_count(&mut self, count: &Expr, span: Span) {
        if value::has_channels(count) {
            let error = Diagnostic::error(Code::NOT_ALLOWED, "a count cannot depend on `channels`");
            return self.out.push(error.at(span, "`channels` is known only in a network"));
        }
        let verdict = value::check(count, &self.space, |value| match value {
            Value::Int(0..=MAX_REPEAT) => Ok(()),
            Value::Int(_) => Err(Code::RANGE),
            _ => Err(Code::TYPE),
        });
        if let Err(violation) = verdict {
            let what = format!("an integer from 0 to {MAX_REPEAT}");
            self.violation("the count of a `repeat`", &what, violation, span);
        }
    }

    fn violation(&mut self, what: &str, allowed: &str, violation: value::Violation, span: Span) {
        let message = format!("{what} is {allowed}, found {}", violation.found);
        let error = Diagnostic::error(violation.code, message).at(span, format!("expected {allowed}"));
        self.out.push(match violation.under.as_str() {
            "" => error,
            under => error.note(format!("found with {under}")),
        });
    }

    /// The labels of branches, each once.
    fn labels(&mut self, branches: &[ast::Branch]) -> Vec<String> {
        let mut seen: IndexMap<&str, Span> = IndexMap::new();
        for branch in branches {
            if let Some(&first) = seen.get(branch.label.text.as_str()) {
                let message = format!("the label `{}` is given twice", branch.label.text);
                self.out.push(
                    Diagnostic::error(Code::DUPLICATE_CHOICE, message)
                        .at(branch.label.span, "given again here")
                        .at(first, "first given here"),
                );
            }
            seen.entry(&branch.label.text).or_insert(branch.label.span);
        }
        branches.iter().map(|branch| branch.label.text.clone()).collect()
    }

    /// The decision of a structure: in the body around it where it has a name, which then stands for it.
    fn decide(
        &mut self,
        name: Option<&ast::Name>,
        otherwise: &str,
        (parent, region): (RegionId, RegionId),
        domain: Domain,
        span: Span,
    ) -> DecisionId {
        let owner = if name.is_some() { parent } else { region };
        let text = name.map_or(otherwise, |name| name.text.as_str());
        let decision = domain::add_decision(&mut self.space, owner, text, domain, span);
        if let Some(name) = name {
            self.scope.declare_structure(name, Expr::Decision(decision));
        }
        decision
    }

    pub(super) fn choose(&mut self, choose: &ast::Choose, parent: RegionId, span: Span) {
        let name = choose.name.as_ref().map_or("choose", |name| name.text.as_str());
        if choose.options.is_empty() {
            let error = Diagnostic::error(Code::EMPTY_RANGE, "a `choose` needs an option");
            return self.out.push(error.at(span, "nothing to choose from"));
        }
        let labels = self.labels(&choose.options);
        let Some(region) = self.add(parent, RegionKind::Sequence, name, span) else { return };
        let domain = Domain::Set(labels.iter().cloned().map(Value::Text).collect());
        let decision = self.decide(choose.name.as_ref(), "choose", (parent, region), domain, span);
        self.space.set_kind(region, RegionKind::Choose { labels, decision });
        for option in &choose.options {
            self.child(&option.body, region, &option.label.text);
        }
    }

    pub(super) fn optional(&mut self, optional: &ast::Optional, parent: RegionId, span: Span) {
        let name = optional.name.as_ref().map_or("optional", |name| name.text.as_str());
        let kind = RegionKind::Optional { decision: DecisionId(0) };
        let Some(region) = self.add(parent, kind, name, span) else { return };
        let domain = Domain::Set(vec![Value::Bool(false), Value::Bool(true)]);
        let decision = self.decide(optional.name.as_ref(), "optional", (parent, region), domain, span);
        self.space.set_kind(region, RegionKind::Optional { decision });
        self.child(&optional.body, region, "");
    }

    pub(super) fn parallel(&mut self, parallel: &ast::Parallel, parent: RegionId, span: Span) {
        let merge = self.merge(&parallel.merge);
        if parallel.branches.len() < 2 {
            let error = Diagnostic::error(Code::MISSING, "a `parallel` needs at least two branches");
            self.out.push(error.at(span, format!("has {}", parallel.branches.len())));
        }
        self.labels(&parallel.branches);
        let name = parallel.name.as_ref().map_or("parallel", |name| name.text.as_str());
        let Some(region) = self.add(parent, RegionKind::Parallel { merge }, name, span) else { return };
        for branch in &parallel.branches {
            self.child(&branch.body, region, &branch.label.text);
        }
    }

    /// `add`, `concat(pool)`, `add(pool, pad)`; plain addition where it is written wrongly.
    fn merge(&mut self, written: &ast::Expr) -> Merge {
        let mut merge = Merge { kind: MergeKind::Add, pool: false, pad: false };
        let (name, args, span) = match &written.kind {
            ast::ExprKind::Name(name) => (name, [].as_slice(), written.span),
            ast::ExprKind::Call(call) => (&call.name.text, call.args.as_slice(), call.name.span),
            _ => {
                let error = Diagnostic::error(Code::TYPE, "a merge is one word");
                self.out.push(error.at(written.span, "expected `add`, `concat` or `mul`"));
                return merge;
            }
        };
        match MERGES.iter().find(|known| known.0 == name) {
            Some((_, kind, _)) => merge.kind = *kind,
            None => self.out.push(unknown("merge", name, span, MERGES.iter().map(|known| known.0))),
        }
        for arg in args {
            match (&arg.name, &arg.value.kind) {
                (None, ast::ExprKind::Name(word)) if word == "pool" => merge.pool = true,
                (None, ast::ExprKind::Name(word)) if word == "pad" && merge.kind != MergeKind::Concat => {
                    merge.pad = true;
                }
                (None, ast::ExprKind::Name(word)) if word == "pad" => {
                    let error = Diagnostic::error(Code::NOT_ALLOWED, "`concat` takes branches of any width");
                    self.out.push(error.at(arg.value.span, "nothing to pad").help("leave `pad` out"));
                }
                (None, ast::ExprKind::Name(word)) => {
                    self.out.push(unknown("way to fit branches", word, arg.value.span, ["pool", "pad"]));
                }
                _ => {
                    let error = Diagnostic::error(Code::TYPE, "a merge takes the words `pool` and `pad`");
                    self.out.push(error.at(arg.value.span, "expected one of them"));
                }
            }
        }
        merge
    }

    /// A `residual` or a `mirror`.
    pub(super) fn wrapped(
        &mut self,
        wrapped: &ast::Wrapped,
        kind: RegionKind,
        otherwise: &str,
        (parent, span): (RegionId, Span),
    ) {
        let name = wrapped.name.as_ref().map_or(otherwise, |name| name.text.as_str());
        let is_mirror = kind == RegionKind::Mirror;
        let Some(region) = self.add(parent, kind, name, span) else { return };
        self.child(&wrapped.body, region, "");
        if is_mirror {
            self.check_mirror(region, span);
        }
    }

    /// E0204 for what has no mirror image inside `region`.
    fn check_mirror(&mut self, region: RegionId, mirror: Span) {
        for child in self.space.children(region) {
            let child_ = self.space.region(child);
            let what = match &child_.kind {
                RegionKind::Parallel { .. } => Some("a `parallel`"),
                RegionKind::Residual => Some("a `residual`"),
                RegionKind::Mirror => Some("another `mirror`"),
                RegionKind::Repeat { branching: Some(_), .. } => Some("a branching `repeat`"),
                _ => None,
            };
            if let Some(what) = what {
                let error = Diagnostic::error(Code::NOT_ALLOWED, format!("a `mirror` cannot hold {what}"));
                let error = error.at(child_.span, "has no mirror image").at(mirror, "inside this mirror");
                self.out.push(error.help("write the decoder out, layer by layer"));
                continue;
            }
            self.check_mirror(child, mirror);
        }
    }

    pub(super) fn when(&mut self, when: &ast::When, parent: RegionId, span: Span) {
        let Some(region) = self.add(parent, RegionKind::Sequence, "", span) else { return };
        let generic = !self.stack.is_empty();
        let (scope, space) = (&self.scope, &mut self.space);
        match condition::lower(&when.condition, &mut Place { scope, space, region, name: "when" }, generic) {
            Ok(condition) => self.space.set_kind(region, RegionKind::When { condition }),
            Err(error) => self.out.push(error),
        }
        self.child(&when.body, region, "");
        if let Some(otherwise) = &when.otherwise {
            self.child(otherwise, region, "");
        }
    }

    pub(super) fn forbid(&mut self, conditions: &[ast::Expr], region: RegionId, span: Span) {
        if conditions.is_empty() {
            let error = Diagnostic::error(Code::MISSING, "a `forbid` needs a condition");
            self.out
                .push(error.at(span, "forbids nothing").help("write `forbid { kernel == 7 and depth > 3 }`"));
        }
        let generic = !self.stack.is_empty();
        for written in conditions {
            let (scope, space) = (&self.scope, &mut self.space);
            let place = &mut Place { scope, space, region, name: "forbid" };
            match condition::lower(written, place, generic) {
                Ok(Expr::Value(Value::Bool(true))) => {
                    let error = Diagnostic::error(Code::EMPTY_RANGE, "this forbids every point of the space");
                    self.out.push(error.at(written.span, "is always true"));
                }
                Ok(condition) => self.space.forbids.push(Forbid { region, condition, span: written.span }),
                Err(error) => {
                    let error = self.decided_within(error, region);
                    self.out.push(error);
                }
            }
        }
    }

    /// Points at the structure that a `forbid` outside its scope names.
    fn decided_within(&self, error: Diagnostic, region: RegionId) -> Diagnostic {
        if region != self.space.root() {
            return error;
        }
        let is_meant = |region: &&Region| {
            let has_name = matches!(
                region.kind,
                RegionKind::Repeat { .. } | RegionKind::Choose { .. } | RegionKind::Optional { .. }
            );
            has_name && error.message == format!("unknown value `{}`", region.name)
        };
        let Some(found) = self.space.regions().node_weights().find(is_meant) else { return error };
        let help =
            format!("`{}` is known behind this, in the same braces: write the `forbid` there", found.name);
        Diagnostic { help: Vec::new(), ..error.clone() }.at(found.span, "is decided here").help(help)
    }
}
