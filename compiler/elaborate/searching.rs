//! The section `search` as a typed view.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::Context;
use crate::elaborate::schema::{Setting, Settings};
use crate::elaborate::sections::beyond;
use crate::source::Span;
use crate::space::{Change, MorphRules};

/// How to choose networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// `random`: independent draws.
    Random,
    /// `aging_evolution`: the newest come in, the oldest go.
    AgingEvolution {
        /// Networks alive at a time.
        population: usize,
        /// Networks drawn, the best of which is changed.
        tournament: usize,
    },
    /// `nsga2`: by dominance and crowding.
    Nsga2 {
        /// Networks that may be parents.
        population: usize,
        /// Chance that a decision is drawn anew.
        mutation: f64,
        /// Share of children that have two parents.
        crossover: f64,
    },
    /// One that this version only checks.
    Other(Setting),
}

impl Strategy {
    /// Its name in a spec.
    pub fn name(&self) -> &str {
        match self {
            Strategy::Random => "random",
            Strategy::AgingEvolution { .. } => "aging_evolution",
            Strategy::Nsga2 { .. } => "nsga2",
            Strategy::Other(Setting::Word(name) | Setting::Call(name, _)) => name,
            Strategy::Other(_) => "other",
        }
    }

    /// How many trials are random before it begins, if it ever does; `None` where it changes no network.
    fn population(&self) -> Option<usize> {
        match *self {
            Strategy::AgingEvolution { population, .. } | Strategy::Nsga2 { population, .. } => {
                Some(population)
            }
            Strategy::Random | Strategy::Other(_) => None,
        }
    }
}

/// A figure of an untrained network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyScore {
    /// How differently samples switch activations.
    Naswot,
    /// Flow of signal through all weights.
    Synflow,
    /// Multiply-accumulates.
    Macs,
}

impl ProxyScore {
    /// Its name in a spec.
    pub fn name(self) -> &'static str {
        match self {
            ProxyScore::Naswot => "naswot",
            ProxyScore::Synflow => "synflow",
            ProxyScore::Macs => "macs",
        }
    }
}

/// `zero_cost(naswot, top: 20 %)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proxy {
    /// Which figure.
    pub score: ProxyScore,
    /// Candidates that are scored for each one that is trained, at least 2.
    pub pool: usize,
}

/// The `search` section: `search { strategy: random, trials: 12, finalists: 3, window: 4, seed: 7 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchSpec {
    /// How.
    pub strategy: Strategy,
    /// Networks to train, at least 1.
    pub trials: usize,
    /// Best networks to train again with other seeds, at least 1 and at most `trials`.
    pub finalists: usize,
    /// Trainings of each finalist, at least 1 (`replicates`, default 1).
    pub replicates: usize,
    /// At most this many trials are in flight; trial `i` sees the results up to `i - window`.
    pub window: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// Seconds after which no trial is started (`stop`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_seconds: Option<u64>,
    /// What decides before training who is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Epochs, growing, after each of which the better half goes on; empty where all are trained in full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halving: Vec<u64>,
    /// Epochs of a network that begins with the weights of the one that it was changed from; `None` where all begin
    /// anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherit: Option<u64>,
    /// How a strategy changes networks.
    #[serde(default)]
    pub morphs: MorphRules,
    /// Whether each target has a search and a network of its own.
    #[serde(default)]
    pub is_network_each: bool,
    /// Keys that this version only checks.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub other: Settings,
}

/// The keys that the view has fields for.
const KNOWN: [&str; 12] = [
    "strategy",
    "trials",
    "finalists",
    "replicates",
    "window",
    "seed",
    "stop",
    "proxy",
    "fidelity",
    "inherit",
    "morphs",
    "networks",
];

impl SearchSpec {
    /// The strategy, and what decides besides it who is trained and for how long: `random with halving([4])`.
    pub fn described(&self) -> String {
        let mut beside = Vec::new();
        if let Some(Proxy { score, pool }) = self.proxy {
            beside.push(format!("the best of {pool} by {}", score.name()));
        }
        if !self.halving.is_empty() {
            let epochs: Vec<String> = self.halving.iter().map(u64::to_string).collect();
            beside.push(format!("halving([{}])", epochs.join(", ")));
        }
        if let Some(epochs) = self.inherit {
            beside.push(format!("weights inherited for {epochs} epochs"));
        }
        let with = if beside.is_empty() { "" } else { " with " };
        format!("{}{with}{}", self.strategy.name(), beside.join(", "))
    }

    /// The view on a section; `None` where a key is missing, which the table forbids.
    pub(super) fn of(settings: &Settings) -> Option<SearchSpec> {
        let size = |key| usize::try_from(settings.integer(key)?).ok();
        Some(SearchSpec {
            strategy: strategy(settings)?,
            trials: size("trials")?,
            finalists: size("finalists")?,
            replicates: size("replicates")?,
            window: size("window")?,
            seed: settings.integer("seed")?,
            stop_seconds: settings.number("stop").map(|seconds| seconds.ceil() as u64),
            proxy: proxy(settings),
            halving: halving(settings),
            inherit: settings.integer("inherit"),
            morphs: settings.0.get("morphs").map(morphs).unwrap_or_default(),
            is_network_each: settings.form("networks").is_some_and(|(word, _)| word == "each"),
            other: beyond("search", settings, &KNOWN),
        })
    }
}

fn strategy(settings: &Settings) -> Option<Strategy> {
    let (name, fields) = settings.form("strategy")?;
    let whole = |key| usize::try_from(fields?.integer(key)?).ok();
    Some(match name {
        "random" => Strategy::Random,
        "aging_evolution" => {
            Strategy::AgingEvolution { population: whole("population")?, tournament: whole("tournament")? }
        }
        "nsga2" => Strategy::Nsga2 {
            population: whole("population")?,
            mutation: fields?.number("mutation")?,
            crossover: fields?.number("crossover")?,
        },
        _ => Strategy::Other(settings.0.get("strategy")?.clone()),
    })
}

fn proxy(settings: &Settings) -> Option<Proxy> {
    let fields = settings.form("proxy")?.1?;
    let score = match fields.form("score")?.0 {
        "synflow" => ProxyScore::Synflow,
        "macs" => ProxyScore::Macs,
        _ => ProxyScore::Naswot,
    };
    let pool = (1.0 / fields.number("top")?).round() as usize;
    (pool > 1).then_some(Proxy { score, pool })
}

fn halving(settings: &Settings) -> Vec<u64> {
    let Some(Setting::List(epochs)) =
        settings.form("fidelity").and_then(|(_, fields)| fields?.0.get("epochs"))
    else {
        return Vec::new();
    };
    let whole = |setting: &Setting| match setting {
        Setting::Integer(epochs) => u64::try_from(*epochs).ok(),
        _ => None,
    };
    epochs.iter().filter_map(whole).collect()
}

/// The edits of a list of forms; those that it does not have are not made.
fn morphs(given: &Setting) -> MorphRules {
    let mut rules = MorphRules { others: false, insert: false, remove: false, ..MorphRules::default() };
    let Setting::List(forms) = given else { return MorphRules::default() };
    for form in forms {
        let (name, fields) = match form {
            Setting::Word(name) => (name, None),
            Setting::Call(name, fields) => (name, Some(fields)),
            _ => continue,
        };
        let decision = fields.and_then(|fields| fields.form("decision")).map(|(name, _)| name.to_owned());
        match (name.as_str(), decision) {
            ("insert", _) => rules.insert = true,
            ("remove", _) => rules.remove = true,
            ("change", Some(decision)) => drop(rules.changes.insert(decision, Change::Any)),
            ("step", Some(decision)) => {
                let by = fields.and_then(|fields| fields.0.get("by"));
                let steps = match by {
                    Some(Setting::List(by)) => by.iter().filter_map(step).collect(),
                    _ => vec![1],
                };
                rules.changes.insert(decision, Change::Steps(steps));
            }
            _ => {}
        }
    }
    rules
}

fn step(setting: &Setting) -> Option<usize> {
    match setting {
        Setting::Integer(by) => usize::try_from(*by).ok(),
        _ => None,
    }
}

/// Whether the keys of a section `search` fit one another; told if not.
pub(super) fn consistent(
    settings: &Settings,
    span: impl Fn(&str) -> Option<Span>,
    context: &mut Context<'_>,
) -> bool {
    let Some(search) = SearchSpec::of(settings) else { return true };
    if let (true, Some(many), Some(few)) =
        (search.finalists > search.trials, span("finalists"), span("trials"))
    {
        let message = format!("{} finalists cannot come out of {} trials", search.finalists, search.trials);
        let error = Diagnostic::error(Code::RANGE, message).at(many, "more than there are trials");
        context.out.push(error.at(few, format!("{} networks are trained", search.trials)));
        return false;
    }
    if let (Strategy::AgingEvolution { population, tournament }, Some(place)) =
        (&search.strategy, span("strategy"))
        && tournament > population
    {
        let message = format!("{tournament} networks cannot be drawn from {population}");
        let error = Diagnostic::error(Code::RANGE, message).at(place, "`tournament` is above `population`");
        context.out.push(error.help("let `tournament` be a quarter of `population`"));
        return false;
    }
    if let (false, Some(place)) = (search.halving.is_sorted_by(|a, b| a < b), span("fidelity")) {
        let error = Diagnostic::error(Code::RANGE, "the epochs of `halving` do not grow")
            .at(place, "each has to be greater than the one before");
        context.out.push(error.help("write them as `halving([3, 10, 30])`"));
        return false;
    }
    warn(&search, span, context);
    true
}

/// Warns of keys that change nothing.
fn warn(search: &SearchSpec, span: impl Fn(&str) -> Option<Span>, context: &mut Context<'_>) {
    let name = search.strategy.name();
    match search.strategy.population() {
        Some(all) if all >= search.trials => {
            let Some(place) = span("strategy") else { return };
            let trials = search.trials;
            let message =
                format!("all {trials} trials are random: `{name}` draws its population of {all} first");
            let warning =
                Diagnostic::warning(Code::NO_EFFECT, message).at(place, "the strategy never begins");
            context.out.push(warning.help("lower `population`, or raise `trials`"));
        }
        Some(_) => {}
        None => {
            for key in ["inherit", "morphs"] {
                let Some(place) = span(key).filter(|_| matches!(search.strategy, Strategy::Random)) else {
                    continue;
                };
                let message = format!("`{key}` changes nothing: `{name}` makes no network from another one");
                let warning = Diagnostic::warning(Code::NO_EFFECT, message).at(place, "without effect");
                context.out.push(warning.help("`strategy: aging_evolution` changes the better networks"));
            }
        }
    }
}
