//! Names in scope.

use std::rc::Rc;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::elaborate::units::Quantity;
use crate::source::Span;
use crate::space::{Expr, RegionId};
use crate::syntax::ast;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    /// Its value in the space; `None` for values that only sections take, such as `24 KiB`.
    pub expr: Option<Expr>,
    /// Its number, where it is fixed.
    pub quantity: Option<Quantity>,
    /// Where it is declared.
    pub span: Span,
    /// For the name of a `repeat`, `choose` or `optional`: where else one of that name is, so that it says neither.
    pub structure: Structure,
}

/// Whether a name is that of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Structure {
    /// Of a value.
    No,
    /// Of one `repeat`, `choose` or `optional`.
    One,
    /// Of several; the second is here.
    Several(Span),
}

/// The names of one place. A name is declared once in a body; a body further in may declare it anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    // Shared, since every call of a block starts from the names of its file.
    frames: Vec<Rc<IndexMap<String, Binding>>>,
    /// The innermost body: what `channels` is about.
    body: Option<RegionId>,
}

impl Scope {
    /// Says which body the names are of; gives the one before.
    pub(super) fn set_body(&mut self, body: Option<RegionId>) -> Option<RegionId> {
        std::mem::replace(&mut self.body, body)
    }

    /// The innermost body.
    pub(super) fn body(&self) -> Option<RegionId> {
        self.body
    }

    /// Declares the name of a `repeat`, `choose` or `optional`. A `let` of that name in the same body stays; of two
    /// structures with one name, the name says neither.
    pub(super) fn declare_structure(&mut self, name: &ast::Name, expr: Expr) {
        if self.frames.is_empty() {
            self.enter();
        }
        let frame = Rc::make_mut(self.frames.last_mut().expect("there is one"));
        let binding = match frame.get(&name.text) {
            None => Binding { expr: Some(expr), quantity: None, span: name.span, structure: Structure::One },
            Some(Binding { structure: Structure::No, .. }) => return,
            Some(known) => Binding { structure: Structure::Several(name.span), ..known.clone() },
        };
        frame.insert(name.text.clone(), binding);
    }

    /// Opens a body.
    pub(super) fn enter(&mut self) {
        self.frames.push(Rc::default());
    }

    /// Closes the innermost body.
    pub(super) fn leave(&mut self) {
        self.frames.pop();
    }

    /// What `name` stands for here.
    pub(super) fn find(&self, name: &str) -> Option<&Binding> {
        self.frames.iter().rev().find_map(|frame| frame.get(name))
    }

    /// What the innermost body itself declares as `name`.
    pub(super) fn find_innermost(&self, name: &str) -> Option<&Binding> {
        self.frames.last().and_then(|frame| frame.get(name))
    }

    /// Declares a name in the innermost body.
    ///
    /// # Errors
    ///
    /// E0202 with both places if the body has it already.
    pub(super) fn declare(&mut self, name: &ast::Name, binding: Binding) -> Result<(), Diagnostic> {
        if self.frames.is_empty() {
            self.enter();
        }
        let frame = Rc::make_mut(self.frames.last_mut().expect("there is one"));
        if let Some(earlier) = frame.get(&name.text) {
            return Err(twice(&name.text, name.span, earlier.span));
        }
        frame.insert(name.text.clone(), binding);
        Ok(())
    }

    /// Gives a declared name another value.
    pub(super) fn replace(&mut self, name: &str, expr: Expr) {
        let frames = self.frames.iter_mut().rev();
        if let Some(frame) = frames.map(Rc::make_mut).find(|frame| frame.contains_key(name)) {
            frame.entry(name.to_owned()).and_modify(|binding| {
                binding.expr = Some(expr);
                binding.quantity = None;
            });
        }
    }

    /// E0201 for a name that nothing declares and that is none of `words`.
    pub(super) fn unknown(&self, name: &str, span: Span, words: &[&str]) -> Diagnostic {
        // What is declared nearest comes first; words are worth a help only where one is near.
        let declared: Vec<&str> =
            self.frames.iter().rev().flat_map(|frame| frame.keys()).map(String::as_str).collect();
        match meant(name, words) {
            Some(_) if meant(name, &declared).is_none() => {
                unknown("value", name, span, words.iter().copied())
            }
            _ => unknown("value", name, span, declared),
        }
    }
}

/// E0202: `name` stands in two places of one scope.
pub(super) fn twice(name: &str, again: Span, first: Span) -> Diagnostic {
    Diagnostic::error(Code::DUPLICATE_NAME, format!("`{name}` is given twice"))
        .at(again, "given again here")
        .at(first, "first given here")
}

/// E0201: `name` is no known `what`.
pub(super) fn unknown<'a>(
    what: &str,
    name: &str,
    span: Span,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let known: Vec<&str> = known.into_iter().collect();
    let error =
        Diagnostic::error(Code::UNKNOWN_NAME, format!("unknown {what} `{name}`")).at(span, "not known here");
    match meant(name, &known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None if !known.is_empty() => error.help(listed(&known)),
        None => error,
    }
}

/// Characters of names that a help line lists; the rest is counted.
const LISTED: usize = 90;

/// "known: a, b, c", or the first of many and how many more there are.
fn listed(known: &[&str]) -> String {
    let mut length = 0;
    let fits = |name: &&&str| {
        length += name.chars().count() + 2;
        length <= LISTED + 2
    };
    let shown = known.iter().take_while(fits).count().max(1);
    // A list is not cut for one name.
    if shown + 1 >= known.len() {
        return format!("known: {}", known.join(", "));
    }
    format!("known: {} and {} more", known[..shown].join(", "), known.len() - shown)
}

/// What other tools call things, in lower case without `_`, and what the language calls them.
const SYNONYMS: [(&str, &str); 37] = [
    ("acc", "accuracy"),
    ("fc", "dense"),
    ("fullyconnected", "dense"),
    ("linear", "dense"),
    ("conv", "conv2d"),
    ("convolution", "conv2d"),
    ("dwconv", "depthwise_conv2d"),
    ("depthwiseconv", "depthwise_conv2d"),
    ("averagepooling1d", "avg_pool"),
    ("averagepooling2d", "avg_pool"),
    ("maxpooling1d", "max_pool"),
    ("maxpooling2d", "max_pool"),
    ("adaptiveavgpool1d", "global_avg_pool"),
    ("adaptiveavgpool2d", "global_avg_pool"),
    ("gap", "global_avg_pool"),
    ("globalaveragepooling1d", "global_avg_pool"),
    ("globalaveragepooling2d", "global_avg_pool"),
    ("batchnormalization", "batch_norm"),
    ("bn", "batch_norm"),
    ("bn", "batch"),
    ("batchnorm", "batch"),
    ("activation", "act"),
    ("outchannels", "filters"),
    ("outfeatures", "units"),
    ("kernelsize", "kernel"),
    ("poolsize", "size"),
    ("learningrate", "lr"),
    ("weightdecay", "decay"),
    ("batchsize", "batch"),
    ("labelsmoothing", "smoothing"),
    ("validation", "val"),
    ("int8", "i8"),
    ("memory", "ram"),
    ("rom", "flash"),
    ("params", "weights"),
    ("time", "latency"),
    ("flops", "macs"),
];

/// Which of `known` is meant by `name`: another tool's word for it, the same in other letters, or one that is near.
fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let bare = name.to_ascii_lowercase().replace('_', "");
    let same = |known: &&str| known.replace('_', "") == bare;
    let synonyms = || SYNONYMS.iter().chain(&crate::elaborate::schema::SYNONYMS);
    let synonym = |known: &&str| synonyms().any(|pair| *pair == (bare.as_str(), *known));
    let found = known.iter().copied().find(same).or_else(|| known.iter().copied().find(synonym));
    found.or_else(|| nearest(name, known.iter().copied()))
}

/// Whether `key` is missing only because it was misspelt or stands without its name: one of `strays`, the names
/// that were not known (empty for none), means it.
pub(super) fn is_meant(strays: &[String], key: &str) -> bool {
    strays.iter().any(|stray| stray.is_empty() || meant(stray, &[key]).is_some())
}
