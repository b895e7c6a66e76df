//! The decisions that a region sees: its own and those of the regions around it.

use crate::space::{DecisionId, GenomeNode, Region, RegionId, Value};

/// The values in scope, innermost first: a chain along the path from the root.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    outer: Option<&'a Scope<'a>>,
    decisions: &'a [DecisionId],
    values: &'a [Value],
    channels: Option<(RegionId, usize)>,
}

impl<'a> Scope<'a> {
    /// Nothing decided.
    pub fn empty() -> Scope<'a> {
        Scope { outer: None, decisions: &[], values: &[], channels: None }
    }

    /// What an instance of `region` sees within `outer`.
    pub fn within(outer: &'a Scope<'a>, region: &'a Region, node: &'a GenomeNode) -> Scope<'a> {
        Scope { outer: Some(outer), decisions: &region.decisions, values: &node.values, channels: None }
    }

    /// What is seen where these decisions have these values, within `outer`.
    pub(crate) fn of(outer: &'a Scope<'a>, decisions: &'a [DecisionId], values: &'a [Value]) -> Scope<'a> {
        Scope { outer: Some(outer), decisions, values, channels: None }
    }

    /// This scope with the channels of what comes into its region.
    pub fn with_channels(mut self, region: RegionId, channels: usize) -> Scope<'a> {
        self.channels = Some((region, channels));
        self
    }

    /// The channels of what comes into `region`, where they are known.
    pub fn channels(&self, region: RegionId) -> Option<usize> {
        match self.channels {
            Some((known, channels)) if known == region => Some(channels),
            _ => self.outer.and_then(|outer| outer.channels(region)),
        }
    }

    /// The value of a decision; `None` outside its region.
    pub fn get(&self, decision: DecisionId) -> Option<&'a Value> {
        match self.decisions.iter().position(|&known| known == decision) {
            Some(index) => self.values.get(index),
            None => self.outer.and_then(|outer| outer.get(decision)),
        }
    }
}
