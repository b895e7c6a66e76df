//! The graph as text: one node a line, in the order of [`Graph::order`], numbered from 0. Two graphs with equal
//! texts compute the same function of the same parameters; labels and places are left out. Users snapshot it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::graph::{Graph, NodeId};

impl Graph {
    /// The text.
    pub fn to_text(&self) -> String {
        self.text(|_| String::new())
    }

    /// The text with each node's label as a comment.
    pub fn to_text_with_labels(&self) -> String {
        self.text(|node| match self.node(node).label.as_ref() {
            "" => String::new(),
            label => format!("  // {label}"),
        })
    }

    fn text(&self, remark: impl Fn(NodeId) -> String) -> String {
        let mut out = String::new();
        let mut numbers = BTreeMap::new();
        for node in self.order() {
            let number = numbers.len();
            numbers.insert(node, number);
            let inputs: Vec<String> =
                self.inputs(node).iter().map(|input| format!("%{}", numbers[input])).collect();
            let op = &self.node(node).op;
            let line = format!("%{number} = {}({}){}", op.name(), inputs.join(", "), op.attributes());
            writeln!(out, "{line} : {}{}", self.ty(node), remark(node)).expect("a String takes all");
        }
        let outputs: Vec<String> = self.outputs().iter().map(|o| format!("%{}", numbers[o])).collect();
        writeln!(out, "return {}", outputs.join(", ")).expect("a String takes all");
        out
    }
}
