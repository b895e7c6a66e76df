//! A saturated e-graph laid out for extraction: every class with the operators that it can be computed by.
//!
//! Attributes are back in their operators. [`direct`](super::direct) makes the same of graphs that need no e-graph.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use egg::Id;

use crate::graph::NodeId;
use crate::ops::Op;
use crate::rewrite::analysis::{Fact, attribute, tensor};
use crate::rewrite::convert::Encoded;
use crate::rewrite::language::Term;
use crate::tensor::{TensorType, Value};

/// An input, a parameter or a constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source<'g> {
    /// The operator; a folded constant's name is chosen when it is used.
    pub(crate) op: Cow<'g, Op>,
    /// A constant's data.
    pub(crate) value: Option<Arc<Value>>,
    /// The node of the graph that was read; `None` for a folded constant.
    pub(crate) node: Option<NodeId>,
}

/// What a member of a class is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form<'g> {
    /// What is given.
    Leaf(Source<'g>),
    /// An operator on inputs.
    Op(Cow<'g, Op>),
    /// The root.
    Outputs,
}

/// One way to compute a class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member<'g> {
    /// By what.
    pub(crate) form: Form<'g>,
    /// Of which classes.
    pub(crate) inputs: Vec<usize>,
    /// The rule that made it; `None` for one that was read.
    pub(crate) rule: Option<&'static str>,
}

/// What is equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class<'g> {
    /// In the order of [`Term`]s.
    pub(crate) members: Vec<Member<'g>>,
    /// The type of all of them; `None` for the root.
    pub(crate) ty: Option<Cow<'g, TensorType>>,
}

/// A node as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given {
    /// The node; `None` for the root.
    pub(crate) node: Option<NodeId>,
    /// Its class.
    pub(crate) class: usize,
    /// Which of the class's members it is; `None` for one that needs its own class.
    pub(crate) member: Option<usize>,
    /// The rule that found it equal to what was read elsewhere.
    pub(crate) rule: Option<&'static str>,
}

/// Classes, numbered in the order in which they were made: a class is made after the inputs of its first member.
#[derive(Clone, Debug)]
pub(crate) struct Classes<'g> {
    /// All classes.
    pub(crate) list: Vec<Class<'g>>,
    /// The class of the outputs.
    pub(crate) root: usize,
    /// What was read, inputs before users; the root is last.
    pub(crate) given: Vec<Given>,
}

impl Classes<'_> {
    /// Number of members in all classes.
    pub(crate) fn n_members(&self) -> usize {
        self.list.iter().map(|class| class.members.len()).sum()
    }
}

impl Classes<'static> {
    /// The classes of an e-graph.
    pub(crate) fn new(encoded: &Encoded) -> Classes<'static> {
        let terms = &encoded.terms;
        let mut ids: Vec<Id> = terms.classes().map(|class| class.id).collect();
        ids.retain(|&id| !matches!(terms[id].data, Fact::Attribute(_)));
        ids.sort_unstable();
        let numbers: BTreeMap<Id, usize> = ids.iter().copied().zip(0..).collect();
        let number = |id: Id| numbers[&terms.find(id)];
        let class = |&id: &Id| Class {
            members: terms[id].nodes.iter().map(|term| member(encoded, term, number)).collect(),
            ty: match &terms[id].data {
                Fact::Outputs => None,
                _ => Some(Cow::Owned(TensorType::clone(&tensor(terms, id).ty))),
            },
        };
        let list = ids.iter().map(class).collect();
        let given = encoded.given.iter().map(|given| Given {
            node: given.node,
            class: number(given.class),
            member: Some(encoded.position(given)),
            rule: terms.analysis.history.merger(encoded, &given.term),
        });
        Classes { list, root: number(encoded.root), given: given.collect() }
    }
}

fn member(encoded: &Encoded, term: &Term, number: impl Fn(Id) -> usize) -> Member<'static> {
    let terms = &encoded.terms;
    let (form, inputs) = match term {
        Term::Outputs(outputs) => (Form::Outputs, &**outputs),
        Term::Leaf(id) => {
            let leaf = terms.analysis.get(*id);
            let (value, node) = (leaf.value.clone(), leaf.source);
            (Form::Leaf(Source { op: Cow::Owned(leaf.op.clone()), value, node }), &[][..])
        }
        _ => {
            let op = term.op(|id| attribute(terms, id)).expect("all other terms are operators");
            (Form::Op(Cow::Owned(op)), term.inputs())
        }
    };
    let rule = terms.analysis.history.maker(encoded, term);
    Member { form, inputs: inputs.iter().map(|&input| number(input)).collect(), rule }
}
