//! The sections of a spec as one table: keys, what they take, defaults, and a line of documentation for each.
//!
//! In: the tables in this folder. Out: checking with every mistake told ([`check`]), defaults, the settings that
//! [`Setting`] holds, what this version only checks ([`Later`]), and the reference ([`reference`]).

mod check;
mod data;
mod decide;
mod front_ends;
mod quantize;
mod reference;
mod search;
mod setting;
mod sources;
mod supernet;
#[cfg(test)]
mod tests;
mod train;

use crate::elaborate::units::Dimension;

pub(super) use check::section as check;
pub(super) use reference::reference;
pub use setting::{Later, Setting, Settings};

/// A section: `train { key: value }`.
pub(crate) struct Section {
    /// Its word.
    pub(crate) name: &'static str,
    /// What it is for, in one line.
    pub(crate) doc: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [Key],
    /// `None` if this version carries it out; else what to do instead.
    pub(crate) later: Option<&'static str>,
}

/// A key of a section, or an argument of a form.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it says, in one line.
    pub(crate) doc: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// What stands where it is not given.
    pub(crate) default: Default,
    /// A value as it is written.
    pub(crate) example: &'static str,
    /// Whether a range, a set or the name of a decision may stand here.
    pub(crate) decides: bool,
    /// Whether its value may stand without its name.
    pub(crate) positional: bool,
    /// `None` if this version carries it out; else what to do instead.
    pub(crate) later: Option<&'static str>,
}

/// What a value is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A number of a dimension, in base units, both ends included.
    Number(Dimension, f64, f64),
    /// A whole number of a dimension, both ends included.
    Integer(Dimension, f64, f64),
    /// Text in double quotes.
    Text,
    /// Text in double quotes: a path from the spec's folder, or that of the data, down.
    Path,
    /// `true` or `false`.
    Bool,
    /// One of some words or calls.
    Forms(&'static [Form]),
    /// `[a, b]`.
    List(&'static Kind),
    /// `(a, b)`: height and width.
    Pair(&'static Kind),
    /// What any of these takes; no two take values of one look.
    OneOf(&'static [Kind]),
    /// `5..0.1`: what a number is at the start and in the end, both within these ends.
    Course(f64, f64),
    /// The name of a decision of the space.
    DecisionName,
    /// `kernel({5, 7})`: a decision of the space with some of its values.
    Narrowed,
    /// `ram(64 KiB)`: a metric with an amount.
    Amount,
    /// Read where the space is built, and not looked at here.
    OfSpace,
}

/// A word, or a call with arguments of its own: `adamw(lr: 1e-3)`.
pub(crate) struct Form {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) doc: &'static str,
    /// Its arguments; a form that needs none may be written as a word.
    pub(crate) keys: &'static [Key],
    /// `None` if this version carries it out; else what to do instead.
    pub(crate) later: Option<&'static str>,
}

/// What stands where a key is not given.
#[derive(Clone, Copy)]
pub(crate) enum Default {
    /// It must be given.
    Required,
    /// Nothing.
    Absent,
    /// This number, in base units.
    Number(f64),
    /// This whole number.
    Integer(i64),
    /// This word.
    Word(&'static str),
    /// This truth value.
    Bool(bool),
}

/// Every section that has keys of its own but `target`, in the order of the reference.
pub(crate) fn sections() -> [&'static Section; 8] {
    [
        &data::DATA,
        &train::TRAIN,
        &quantize::QUANTIZE,
        &search::SEARCH,
        &supernet::SCALE,
        &supernet::SUPERNET,
        &supernet::PHASE,
        &supernet::SCHEDULE,
    ]
}

/// The section that is called `name`; that of every `phase` is `phase`.
pub(super) fn find(name: &str) -> Option<&'static Section> {
    sections().into_iter().find(|section| section.name == name)
}

/// What other tools call keys and words, in lower case without `_`, and what the language calls them.
pub(super) const SYNONYMS: [(&str, &str); 55] = [
    ("adam", "adamw"),
    ("momentumsgd", "sgd"),
    ("beta", "momentum"),
    ("l2", "decay"),
    ("wd", "decay"),
    ("numepochs", "epochs"),
    ("maxepochs", "epochs"),
    ("minibatch", "batch"),
    ("bs", "batch"),
    ("scheduler", "schedule"),
    ("lrschedule", "schedule"),
    ("stepsize", "every"),
    ("gamma", "factor"),
    ("fixed", "constant"),
    ("criterion", "loss"),
    ("objective", "loss"),
    ("categoricalcrossentropy", "cross_entropy"),
    ("softmax", "cross_entropy"),
    ("l2loss", "mse"),
    ("gradientclip", "clip"),
    ("kd", "distill"),
    ("from", "teacher"),
    ("distillation", "distill"),
    ("alpha", "weight"),
    ("pruning", "prune"),
    ("targetsparsity", "sparsity"),
    ("qat", "aware"),
    ("quantizationaware", "aware"),
    ("samples", "calibrate"),
    ("representativedataset", "calibrate"),
    ("tflite", "litert"),
    ("maxtrials", "trials"),
    ("budget", "trials"),
    ("rounds", "trials"),
    ("algorithm", "strategy"),
    ("regularizedevolution", "aging_evolution"),
    ("ga", "evolution"),
    ("gp", "mobo"),
    ("bayesian", "mobo"),
    ("populationsize", "population"),
    ("tournamentsize", "tournament"),
    ("timeout", "stop"),
    ("randomseed", "seed"),
    ("nmfcc", "coefficients"),
    ("ncoefficients", "coefficients"),
    ("nmels", "filters"),
    ("hoplength", "hop"),
    ("framelength", "frame"),
    ("winlength", "frame"),
    ("samplerate", "rate"),
    ("fmin", "low"),
    ("fmax", "high"),
    ("zscore", "standardize"),
    ("augmentation", "augment"),
    ("wav", "audio_folder"),
];

const fn required(name: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Key {
    let default = Default::Required;
    Key { name, doc, kind, default, example, decides: false, positional: false, later: None }
}

const fn optional(
    name: &'static str,
    kind: Kind,
    default: Default,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { default, ..required(name, kind, example, doc) }
}

const fn form(name: &'static str, keys: &'static [Key], doc: &'static str) -> Form {
    Form { name, doc, keys, later: None }
}

impl Key {
    /// A range, a set or the name of a decision may stand here.
    const fn decides(self) -> Key {
        Key { decides: true, ..self }
    }

    /// The value may stand without the name.
    const fn positional(self) -> Key {
        Key { positional: true, ..self }
    }

    /// This version only checks it.
    const fn later(self, instead: &'static str) -> Key {
        Key { later: Some(instead), ..self }
    }
}

impl Form {
    /// This version only checks it.
    const fn later(self, instead: &'static str) -> Form {
        Form { name: self.name, doc: self.doc, keys: self.keys, later: Some(instead) }
    }

    /// Whether it may be written as a word.
    fn is_word(&self) -> bool {
        !self.keys.iter().any(|key| matches!(key.default, Default::Required))
    }
}

const fn count(low: f64, high: f64) -> Kind {
    Kind::Integer(Dimension::Plain, low, high)
}

const fn number(low: f64, high: f64) -> Kind {
    Kind::Number(Dimension::Plain, low, high)
}

const fn share(low: f64, high: f64) -> Kind {
    Kind::Number(Dimension::Share, low, high)
}

const fn time(low: f64, high: f64) -> Kind {
    Kind::Number(Dimension::Time, low, high)
}

const fn frequency(low: f64, high: f64) -> Kind {
    Kind::Number(Dimension::Frequency, low, high)
}

const EPOCHS: Kind = Kind::Integer(Dimension::Epochs, 0.0, 1e6);
