//! Random networks without the operators that imported graphs alone have: these are never written.

use nasc::graph::NodeId;

use super::network::Builder;

impl Builder {
    /// None of them.
    pub(crate) fn imported(&mut self, _: NodeId) -> Option<NodeId> {
        None
    }
}
