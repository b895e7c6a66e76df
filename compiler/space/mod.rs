//! Search spaces: the region tree with its decisions, genomes, and the views on both.
//!
//! In: what `elaborate` built from a spec. Out: networks (`instantiate`), random points (`sample`), changed points
//! (`mutate`, `morphs`), and vectors (`encode`).

mod region;
mod value;

pub use region::{
    Decision, DecisionId, Genome, GenomeNode, Layer, Link, Merge, Region, RegionId, RegionKind, Space,
};
pub use value::{Argument, BinaryOp, Domain, Expr, Value};
