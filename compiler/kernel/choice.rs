//! Which schedule computes a layer, where there are several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A kind of schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// The fewest cycles, whatever working memory and assembly that takes.
    #[default]
    Fast,
    /// No working memory, and no function in assembly.
    Lean,
    /// Of a sum: computed by the convolution that makes one of its terms, so that its output may take the place of the
    /// other. Where that cannot be, the same as fast.
    Fused,
}

/// The schedules of a graph's layers, by the nodes' positions in its order; those that are not named are fast.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choice(BTreeMap<usize, Variant>);

impl Choice {
    /// The schedule of a node.
    pub fn of(&self, position: usize) -> Variant {
        self.0.get(&position).copied().unwrap_or_default()
    }

    /// The same choice with another schedule for a node.
    pub fn with(mut self, position: usize, variant: Variant) -> Choice {
        match variant {
            Variant::Fast => self.0.remove(&position),
            Variant::Lean | Variant::Fused => self.0.insert(position, variant),
        };
        self
    }

    /// Whether all layers are fast.
    pub fn is_fast(&self) -> bool {
        self.0.values().all(|&variant| variant == Variant::Fast)
    }

    /// Whether some sum is to be computed by a convolution.
    pub(in crate::kernel) fn has_fused(&self) -> bool {
        self.0.values().any(|&variant| variant == Variant::Fused)
    }

    /// How many nodes have a schedule.
    pub fn count(&self, variant: Variant) -> usize {
        self.0.values().filter(|&&named| named == variant).count()
    }

    /// Positions of the nodes that are named.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.keys().copied()
    }
}

impl FromIterator<(usize, Variant)> for Choice {
    fn from_iter<I: IntoIterator<Item = (usize, Variant)>>(schedules: I) -> Choice {
        schedules.into_iter().fold(Choice::default(), |choice, (at, variant)| choice.with(at, variant))
    }
}
