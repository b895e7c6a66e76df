//! What is known of every class: the value of an attribute, or a tensor's type and where it comes from.
//!
//! All terms of a class compute the same tensor, so they have one type (shape, element type, quantization); in
//! debug builds a rule that merges two types panics. Layout is not here: it belongs to the plan.

use std::sync::Arc;

use egg::{Analysis, DidMerge, EGraph, Id};

use crate::graph::NodeId;
use crate::ops::Op;
use crate::rewrite::history::History;
use crate::rewrite::language::{Attribute, LeafId, Term, around, meet, through};
use crate::tensor::{TensorType, Value};

/// An e-graph of terms with what is known of them.
pub(crate) type Terms = EGraph<Term, Facts>;

/// An input, a parameter or a constant.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// The operator; a folded constant's name is chosen when it is used.
    pub(crate) op: Op,
    /// A constant's data.
    pub(crate) value: Option<Arc<Value>>,
    /// The node of the graph that was read; `None` for a folded constant.
    pub(crate) source: Option<NodeId>,
}

/// The analysis: the table that leaf terms point into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    leaves: Vec<Leaf>,
    /// What rules did.
    pub(crate) history: History,
}

impl Facts {
    /// Adds a leaf.
    pub(crate) fn leaf(&mut self, leaf: Leaf) -> Term {
        self.leaves.push(leaf);
        Term::Leaf(LeafId(u32::try_from(self.leaves.len() - 1).expect("graphs have fewer nodes")))
    }

    /// The leaf of a leaf term.
    pub(crate) fn get(&self, id: LeafId) -> &Leaf {
        &self.leaves[id.0 as usize]
    }
}

/// What is known of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    /// Its type.
    pub(crate) ty: Arc<TensorType>,
    /// Whether it depends on parameters and constants alone, so that it costs nothing at run time.
    pub(crate) is_parameter: bool,
    /// Its elements, where they are known.
    pub(crate) value: Option<Arc<Value>>,
}

/// What is known of a class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// It is an attribute.
    Attribute(Attribute),
    /// It is a tensor.
    Tensor(Tensor),
    /// It is the root.
    Outputs,
}

/// The attribute of a class.
pub(crate) fn attribute(terms: &Terms, id: Id) -> &Attribute {
    match &terms[id].data {
        Fact::Attribute(attribute) => attribute,
        Fact::Tensor(_) | Fact::Outputs => panic!("class {id} is no attribute"),
    }
}

/// The tensor of a class.
pub(crate) fn tensor(terms: &Terms, id: Id) -> &Tensor {
    match &terms[id].data {
        Fact::Tensor(tensor) => tensor,
        Fact::Attribute(_) | Fact::Outputs => panic!("class {id} is no tensor"),
    }
}

impl Analysis<Term> for Facts {
    type Data = Fact;

    fn make(terms: &mut Terms, term: &Term, _id: Id) -> Fact {
        match term {
            Term::Attribute(attribute) => Fact::Attribute(attribute.clone()),
            Term::Meet([a, b]) => match (attribute(terms, *a), attribute(terms, *b)) {
                (&Attribute::Clamp(a), &Attribute::Clamp(b)) => Fact::Attribute(Attribute::Clamp(meet(a, b))),
                (a, b) => panic!("meet of {a} and {b}"),
            },
            Term::Around([margins, window]) => {
                match (attribute(terms, *margins), attribute(terms, *window)) {
                    (&Attribute::Margins(margins), &Attribute::Window(window)) => {
                        Fact::Attribute(Attribute::Window(around(margins, window)))
                    }
                    (margins, window) => panic!("{margins} around {window}"),
                }
            }
            Term::Through([outer, inner]) => match (attribute(terms, *outer), attribute(terms, *inner)) {
                (Attribute::Shape(outer), Attribute::Shape(inner)) => {
                    Fact::Attribute(Attribute::Shape(through(outer, inner)))
                }
                (outer, inner) => panic!("{outer} through {inner}"),
            },
            Term::Outputs(_) => Fact::Outputs,
            Term::Leaf(id) => {
                let leaf = terms.analysis.get(*id);
                let ty = leaf.op.infer(&[]).expect("leaves know their type");
                Fact::Tensor(Tensor {
                    ty: Arc::new(ty),
                    is_parameter: !matches!(leaf.op, Op::Input(_)),
                    value: leaf.value.clone(),
                })
            }
            _ => {
                let op = term.op(|id| attribute(terms, id)).expect("all other terms are operators");
                let inputs: Vec<&Tensor> = term.inputs().iter().map(|&id| tensor(terms, id)).collect();
                let types: Vec<&TensorType> = inputs.iter().map(|input| &*input.ty).collect();
                let ty = op.infer(&types).expect("rules keep terms well typed");
                let is_parameter = inputs.iter().all(|input| input.is_parameter);
                Fact::Tensor(Tensor { ty: Arc::new(ty), is_parameter, value: None })
            }
        }
    }

    fn merge(&mut self, kept: &mut Fact, other: Fact) -> DidMerge {
        match (kept, other) {
            (Fact::Tensor(kept), Fact::Tensor(other)) => {
                debug_assert_eq!(kept.ty, other.ty, "a rule merged tensors of two types");
                let is_parameter = kept.is_parameter || other.is_parameter;
                let has_value = kept.value.is_some() || other.value.is_some();
                let changed = |before: &Tensor| {
                    before.is_parameter != is_parameter || before.value.is_some() != has_value
                };
                let merge = DidMerge(changed(kept), changed(&other));
                kept.is_parameter = is_parameter;
                if kept.value.is_none() {
                    kept.value = other.value;
                }
                merge
            }
            (kept, other) => {
                debug_assert_eq!(*kept, other, "a rule merged what is not equal");
                DidMerge(false, false)
            }
        }
    }

    fn modify(terms: &mut Terms, id: Id) {
        if let Fact::Attribute(attribute) = &terms[id].data
            && terms[id].leaves().next().is_none()
        {
            let evaluated = Term::Attribute(attribute.clone());
            let evaluated = terms.add(evaluated);
            terms.union(id, evaluated);
        }
    }
}
