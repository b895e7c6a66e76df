//! The decisions that a region sees: its own and those of the regions around it.

use crate::space::{DecisionId, GenomeNode, Region, Value};

/// The values in scope, innermost first: a chain along the path from the root.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    outer: Option<&'a Scope<'a>>,
    decisions: &'a [DecisionId],
    values: &'a [Value],
}

impl<'a> Scope<'a> {
    /// Nothing decided.
    pub fn empty() -> Scope<'a> {
        Scope { outer: None, decisions: &[], values: &[] }
    }

    /// What an instance of `region` sees within `outer`.
    pub fn within(outer: &'a Scope<'a>, region: &'a Region, node: &'a GenomeNode) -> Scope<'a> {
        Scope { outer: Some(outer), decisions: &region.decisions, values: &node.values }
    }

    /// The value of a decision; `None` outside its region.
    pub fn get(&self, decision: DecisionId) -> Option<&'a Value> {
        match self.decisions.iter().position(|&known| known == decision) {
            Some(index) => self.values.get(index),
            None => self.outer.and_then(|outer| outer.get(decision)),
        }
    }
}
