//! Search spaces: the region tree with its decisions, genomes, and the views on both.
//!
//! In: what `elaborate` built from a spec. Out: networks (`instantiate`), random points (`sample`), changed points
//! (`mutate`, `morphs`, `cross`), vectors (`encode`), the number of points (`cardinality`) and what their networks
//! cost at least and at most (`bounds`). All points that come out are in canonical form: what nothing in a point reads
//! has the first value of its domain.

mod activity;
mod bounds;
mod count;
mod cross;
mod domain;
mod encode;
mod enumerate;
mod facts;
mod genome;
mod instantiate;
mod interval;
mod layer;
mod merge;
mod mirror;
mod morph;
mod region;
mod scope;
mod spelling;
mod value;

pub use activity::canonical;
pub use bounds::{Bounds, Extents, bounds};
pub use count::{Cardinality, cardinality, unrolled};
pub use cross::cross;
pub use domain::Domain;
pub use encode::{Feature, encode};
pub use enumerate::enumerate;
pub(crate) use facts::arguments;
pub use genome::{from_json, sample, to_json, try_sample, validate};
pub use instantiate::instantiate;
pub use interval::Interval;
pub(crate) use layer::MAX_EXTENT;
pub use morph::{Change, Morph, MorphRules, apply, morphs, mutate, redraw};
pub use region::{
    Branching, Decision, DecisionId, Forbid, Genome, GenomeNode, Layer, Link, Merge, MergeKind, Output,
    Region, RegionId, RegionKind, Space, WidthScale,
};
pub use scope::Scope;
pub use value::{Argument, BinaryOp, Expr, Function, Value};

#[cfg(test)]
mod tests;
