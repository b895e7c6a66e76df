//! Which rule made what: rules leave word of it in the e-graph, and a graph's explanations are read off what was chosen.

use std::sync::Arc;

use egg::{Applier, Id, PatternAst, Subst, Symbol, Var};

use crate::graph::{Graph, NodeId};
use crate::rewrite::Explanation;
use crate::rewrite::analysis::{Facts, Terms};
use crate::rewrite::classes::{Classes, Given, Member};
use crate::rewrite::convert::Encoded;
use crate::rewrite::language::Term;
use crate::rewrite::rules::Rule;

/// What rules did to the terms of an e-graph, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Vec<Event>);

/// A rule that added to a class; the inputs of terms are as they were named then.
#[derive(Clone, Debug)]
struct Event {
    rule: &'static str,
    /// What was in the class that it matched.
    before: Vec<Term>,
    /// What came into it: a new term, or all of another class.
    added: Vec<Term>,
}

impl History {
    /// The rule that made a term that was not read.
    pub(crate) fn maker(&self, encoded: &Encoded, term: &Term) -> Option<&'static str> {
        if encoded.was_read(term) {
            return None;
        }
        let wanted = encoded.canonical(term);
        self.0.iter().find(|event| encoded.holds(&event.added, &wanted)).map(|event| event.rule)
    }

    /// The rule that found a term that was read equal to another one that was.
    pub(crate) fn merger(&self, encoded: &Encoded, term: &Term) -> Option<&'static str> {
        let wanted = encoded.canonical(term);
        let merges = |event: &&Event| {
            encoded.holds(&event.before, &wanted) && event.added.iter().any(|term| encoded.was_read(term))
        };
        self.0.iter().find(merges).map(|event| event.rule)
    }
}

/// The applier of a rule, which leaves word.
struct Recording(Arc<dyn Applier<Term, Facts> + Sync + Send>);

/// A rule that leaves word of what it does.
pub(crate) fn recording(mut rule: Rule) -> Rule {
    rule.applier = Arc::new(Recording(rule.applier));
    rule
}

impl Applier<Term, Facts> for Recording {
    fn apply_one(
        &self,
        terms: &mut Terms,
        matched: Id,
        subst: &Subst,
        ast: Option<&PatternAst<Term>>,
        rule: Symbol,
    ) -> Vec<Id> {
        let before = terms[matched].nodes.clone();
        let changed = self.0.apply_one(terms, matched, subst, ast, rule);
        if !changed.is_empty() {
            let nodes = terms[terms.find(matched)].nodes.iter();
            let added = nodes.filter(|term| !before.contains(term)).cloned().collect();
            terms.analysis.history.0.push(Event { rule: rule.as_str(), before, added });
        }
        changed
    }

    fn get_pattern_ast(&self) -> Option<&PatternAst<Term>> {
        self.0.get_pattern_ast()
    }

    fn vars(&self) -> Vec<Var> {
        self.0.vars()
    }
}

/// What was chosen: the member of each needed class, and the node that it became.
pub(crate) struct Chosen {
    /// By class.
    pub(crate) members: Vec<Option<usize>>,
    /// By class.
    pub(crate) nodes: Vec<Option<NodeId>>,
}

/// Why layers are computed otherwise than they were written, in the order in which they were read.
pub(crate) fn explanations(
    source: &Graph,
    rewritten: &Graph,
    classes: &Classes<'_>,
    chosen: &Chosen,
) -> Vec<Explanation> {
    let explained = |given: &Given| -> Option<Explanation> {
        let written = source.node(given.node?).label.to_string();
        let member = chosen.members[given.class].filter(|&member| given.member != Some(member))?;
        let rules = match given.rule {
            Some(rule) => vec![rule.to_owned()],
            None => chain(classes, chosen, given.class, &classes.list[given.class].members[member]),
        };
        let layer = rewritten.node(chosen.nodes[given.class]?).label.to_string();
        (!written.is_empty() && !rules.is_empty()).then_some(Explanation { layer, written, rules })
    };
    classes.given.iter().filter_map(explained).collect()
}

/// The rules that led to a member, the first one first: those that made what it was made of are found where nothing
/// else needs the class between.
fn chain(classes: &Classes<'_>, chosen: &Chosen, class: usize, member: &Member<'_>) -> Vec<String> {
    let Some(rule) = member.rule else { return Vec::new() };
    let read = classes.list[class].members.iter().find(|member| member.rule.is_none());
    let below = read.iter().flat_map(|read| &read.inputs).find_map(|&below| {
        let is_between = below < class && chosen.members[below].is_none();
        let members = || classes.list[below].members.iter();
        let same = members().find(|other| other.inputs == member.inputs);
        let same = same.or_else(|| members().find(|other| other.inputs.first() == member.inputs.first()));
        same.filter(|_| is_between).map(|same| (below, same))
    });
    let mut rules = below.map_or_else(Vec::new, |(below, same)| chain(classes, chosen, below, same));
    rules.push(rule.to_owned());
    rules
}
