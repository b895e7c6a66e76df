//! From a graph to terms and, along a selection, back.
//!
//! Shared nodes stay shared both ways. Labels and places follow the main operator: a convolution that took in
//! its normalisation and its activation keeps its own label.

use std::collections::BTreeMap;
use std::sync::Arc;

use egg::{Id, Language as _};

use crate::graph::{Graph, NodeId};
use crate::ops::{Clamp, Constant, Op};
use crate::rewrite::DeploymentCost;
use crate::rewrite::analysis::{Facts, Leaf, Terms, attribute, tensor};
use crate::rewrite::extract::{Candidate, Choice, Cost, Problem, Selection};
use crate::rewrite::language::Term;
use crate::tensor::{TensorType, Value};

/// A graph as terms.
pub(crate) struct Encoded {
    /// The e-graph, without any equality yet.
    pub(crate) terms: Terms,
    /// The class of the outputs.
    pub(crate) root: Id,
    /// What was read, inputs before users; the root is last.
    given: Vec<Given>,
}

/// A term as it was read.
struct Given {
    node: Option<NodeId>,
    class: Id,
    term: Term,
}

/// Reads a verified graph.
pub(crate) fn encode(graph: &Graph) -> Encoded {
    let mut terms = Terms::new(Facts::default());
    let mut classes: BTreeMap<NodeId, Id> = BTreeMap::new();
    let mut given = Vec::new();
    for node in graph.order() {
        let op = &graph.node(node).op;
        let inputs: Vec<Id> = graph.inputs(node).iter().map(|input| classes[input]).collect();
        let term = Term::new(op, &inputs, |attribute| terms.add(Term::Attribute(attribute)));
        let term = term.unwrap_or_else(|| {
            let value = match op {
                Op::Constant(constant) => graph.constant(&constant.name).cloned(),
                _ => None,
            };
            terms.analysis.leaf(Leaf { op: op.clone(), value, source: Some(node) })
        });
        let class = terms.add(term.clone());
        classes.insert(node, class);
        given.push(Given { node: Some(node), class, term });
    }
    let outputs = Term::Outputs(graph.outputs().iter().map(|output| classes[output]).collect());
    let root = terms.add(outputs.clone());
    given.push(Given { node: None, class: root, term: outputs });
    terms.rebuild();
    Encoded { terms, root, given }
}

/// The extraction problem of an e-graph, with the way back to its terms.
pub(crate) struct Choices {
    /// Costs and children.
    pub(crate) problem: Problem,
    /// The graph as it was read.
    pub(crate) given: Choice,
    /// For every class of the problem its candidates' terms.
    pub(crate) terms: Vec<Vec<Term>>,
    /// For every class of the problem its class in the e-graph.
    pub(crate) ids: Vec<Id>,
}

/// Lays the classes that the root may need out as a problem, children mostly before users.
pub(crate) fn choices(encoded: &Encoded, cost: &dyn DeploymentCost) -> Choices {
    let terms = &encoded.terms;
    let root = terms.find(encoded.root);
    let mut ids: Vec<Id> = Vec::new();
    let mut numbers: BTreeMap<Id, usize> = BTreeMap::new();
    let mut seen: BTreeMap<Id, ()> = BTreeMap::new();
    let mut stack = vec![(root, false)];
    while let Some((id, ready)) = stack.pop() {
        if ready {
            numbers.insert(id, ids.len());
            ids.push(id);
        } else if seen.insert(id, ()).is_none() {
            stack.push((id, true));
            let children = terms[id].nodes.iter().flat_map(|term| term_inputs(terms, term));
            stack.extend(children.map(|child| (child, false)));
        }
    }
    let candidate = |term: &Term| Candidate {
        cost: term_cost(terms, term, cost),
        children: term_inputs(terms, term).iter().map(|child| numbers[child]).collect(),
    };
    let classes = ids.iter().map(|&id| terms[id].nodes.iter().map(candidate).collect()).collect();
    let mut given: Choice = vec![None; ids.len()];
    for read in &encoded.given {
        // An input of the network that no output needs has no number. The first term read for a class is made
        // of classes read before it, so the given choice has no cycle even where a rule made a term its own child.
        if let Some(&class) = numbers.get(&terms.find(read.class))
            && given[class].is_none()
        {
            let term = canonical(terms, &read.term);
            given[class] = terms[ids[class]].nodes.iter().position(|node| *node == term);
        }
    }
    let problem = Problem { classes, root: numbers[&root] };
    Choices { problem, given, terms: ids.iter().map(|&id| terms[id].nodes.clone()).collect(), ids }
}

/// A term with its children's present classes.
fn canonical(terms: &Terms, term: &Term) -> Term {
    term.clone().map_children(|child| terms.find(child))
}

fn term_inputs(terms: &Terms, term: &Term) -> Vec<Id> {
    let inputs = if let Term::Outputs(outputs) = term { outputs } else { term.inputs() };
    inputs.iter().map(|&input| terms.find(input)).collect()
}

/// Leaves and folded parameters cost nothing: they are known before the network runs.
fn term_cost(terms: &Terms, term: &Term, cost: &dyn DeploymentCost) -> Cost {
    if matches!(term, Term::FoldWeight(_) | Term::FoldBias(_)) {
        return Cost::default();
    }
    let Some(op) = term.op(|id| attribute(terms, id)) else {
        return Cost::default();
    };
    let types: Vec<Arc<TensorType>> = term.inputs().iter().map(|&id| tensor(terms, id).ty.clone()).collect();
    let types: Vec<&TensorType> = types.iter().map(|ty| &**ty).collect();
    let output = op.infer(&types).expect("the e-graph is well typed");
    Cost { deployment: cost.node(&op, &types, &output), operators: 1 }
}

/// Builds the graph of a selection. Inputs of the network come first, in their old order, used or not.
pub(crate) fn decode(source: &Graph, encoded: &Encoded, choices: &Choices, selection: &Selection) -> Graph {
    let terms = &encoded.terms;
    let origins = Origins::new(source, encoded);
    let mut graph = Graph::new();
    let mut inputs: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for input in source.network_inputs() {
        let node = graph.add(source.node(input).op.clone(), &[]).expect("an input has no inputs");
        copy_origin(source, input, &mut graph, node);
        inputs.insert(input, node);
    }
    let mut nodes: Vec<Option<NodeId>> = vec![None; choices.ids.len()];
    let mut folded = 0;
    for &class in &selection.order {
        let index = selection.choice[class].expect("the order holds what is chosen");
        let term = &choices.terms[class][index];
        let children = choices.problem.classes[class][index].children.iter();
        let children: Vec<NodeId> =
            children.map(|&child| nodes[child].expect("children come first")).collect();
        let node = match term {
            Term::Outputs(_) => {
                children.into_iter().for_each(|output| graph.add_output(output));
                continue;
            }
            Term::Leaf(id) => {
                let leaf = terms.analysis.get(*id);
                match leaf.source.and_then(|node| inputs.get(&node)) {
                    Some(&input) => input,
                    None => add_leaf(source, leaf, &mut folded, &mut graph),
                }
            }
            _ => {
                let op = term.op(|id| attribute(terms, id)).expect("all other terms are operators");
                graph.add(op, &children).expect("the e-graph is well typed")
            }
        };
        if graph.node(node).label.is_empty()
            && let Some(origin) = origins.find(terms, term, choices.ids[class])
        {
            copy_origin(source, origin, &mut graph, node);
        }
        nodes[class] = Some(node);
    }
    graph
}

fn copy_origin(source: &Graph, from: NodeId, graph: &mut Graph, to: NodeId) {
    let from = source.node(from);
    graph.set_origin(to, from.label.clone(), from.span);
}

/// Adds a parameter or a constant with its data; a folded constant gets the next free name.
fn add_leaf(source: &Graph, leaf: &Leaf, folded: &mut usize, graph: &mut Graph) -> NodeId {
    let mut op = leaf.op.clone();
    if let Op::Constant(Constant { name, .. }) = &mut op {
        while leaf.source.is_none() && (name.is_empty() || is_constant(source, name)) {
            *name = format!("folded.{folded}");
            *folded += 1;
        }
        if let Some(value) = &leaf.value {
            graph.set_constant(name.clone(), Value::clone(value));
        }
    }
    graph.add(op, &[]).expect("a leaf has no inputs")
}

fn is_constant(graph: &Graph, name: &str) -> bool {
    graph.order().into_iter().any(|node| matches!(&graph.node(node).op, Op::Constant(c) if c.name == name))
}

/// Finds the node of the source that a term stands for.
struct Origins {
    /// By operator without its clamp, on its inputs without what was folded into them.
    by_operator: BTreeMap<(Op, Vec<Id>), NodeId>,
    /// By what is computed.
    by_class: BTreeMap<Id, NodeId>,
}

impl Origins {
    fn new(source: &Graph, encoded: &Encoded) -> Origins {
        let mut origins = Origins { by_operator: BTreeMap::new(), by_class: BTreeMap::new() };
        for given in &encoded.given {
            let Some(node) = given.node.filter(|&node| !source.node(node).label.is_empty()) else {
                continue;
            };
            if let Some(key) = key(&encoded.terms, &given.term) {
                origins.by_operator.entry(key).or_insert(node);
            }
            origins.by_class.entry(encoded.terms.find(given.class)).or_insert(node);
        }
        origins
    }

    fn find(&self, terms: &Terms, term: &Term, class: Id) -> Option<NodeId> {
        let found = key(terms, term).and_then(|key| self.by_operator.get(&key));
        let found = found.or_else(|| self.by_class.get(&class));
        found.or_else(|| self.by_class.get(&unfolded(terms, class))).copied()
    }
}

fn key(terms: &Terms, term: &Term) -> Option<(Op, Vec<Id>)> {
    let mut op = term.op(|id| attribute(terms, id))?;
    match &mut op {
        Op::Conv2d(op) => op.clamp = Clamp::None,
        Op::DepthwiseConv2d(op) => op.clamp = Clamp::None,
        Op::Dense(op) => op.clamp = Clamp::None,
        Op::Add(op) => op.clamp = Clamp::None,
        Op::Mul(op) => op.clamp = Clamp::None,
        Op::AvgPool2d(op) => op.clamp = Clamp::None,
        Op::MaxPool2d(op) => op.clamp = Clamp::None,
        _ => {}
    }
    Some((op, term.inputs().iter().map(|&input| unfolded(terms, terms.find(input))).collect()))
}

/// The weights or bias below what was folded into them.
fn unfolded(terms: &Terms, class: Id) -> Id {
    let mut class = terms.find(class);
    loop {
        let below = terms[class].nodes.iter().find_map(|term| match term {
            Term::FoldWeight(_) | Term::FoldBias(_) => Some(terms.find(term.inputs()[0])),
            _ => None,
        });
        // A class is made before what is folded on it, so its number falls and the loop ends.
        match below {
            Some(below) if below < class => class = below,
            _ => return class,
        }
    }
}
