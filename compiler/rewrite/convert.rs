//! From a graph to terms and, along a selection of their classes, back.
//!
//! Shared nodes stay shared both ways. Labels and places follow the main operator: a convolution that took in
//! its normalisation and its activation keeps its own label.

use std::collections::BTreeMap;

use egg::{Id, Language as _};
use rustc_hash::FxHashMap;

use crate::graph::{Graph, NodeId};
use crate::ops::{Clamp, Constant, Op};
use crate::rewrite::DeploymentCost;
use crate::rewrite::analysis::{Facts, Leaf, Terms};
use crate::rewrite::classes::{Class, Classes, Form, Member, Source};
use crate::rewrite::extract::{Candidate, Choice, Cost, Problem, Selection};
use crate::rewrite::history::Chosen;
use crate::rewrite::language::Term;
use crate::tensor::TensorType;

/// A graph as terms.
pub(crate) struct Encoded {
    /// The e-graph, without any equality yet.
    pub(crate) terms: Terms,
    /// The class of the outputs.
    pub(crate) root: Id,
    /// What was read, inputs before users; the root is last.
    pub(crate) given: Vec<Read>,
}

/// A term as it was read.
pub(crate) struct Read {
    /// Its node; `None` for the root.
    pub(crate) node: Option<NodeId>,
    /// Its class.
    pub(crate) class: Id,
    /// Itself.
    pub(crate) term: Term,
}

impl Encoded {
    /// Whether a term was there before the rules.
    pub(crate) fn was_read(&self, term: &Term) -> bool {
        let wanted = self.canonical(term);
        self.given.iter().any(|read| self.canonical(&read.term) == wanted)
    }

    /// A term on the classes that its inputs are in now.
    pub(crate) fn canonical(&self, term: &Term) -> Term {
        term.clone().map_children(|child| self.terms.find(child))
    }

    /// Whether one of these is the term, which is canonical.
    pub(crate) fn holds(&self, list: &[Term], wanted: &Term) -> bool {
        list.iter().any(|term| self.canonical(term) == *wanted)
    }

    /// Where a term is in its class.
    pub(crate) fn position(&self, read: &Read) -> usize {
        let term = self.canonical(&read.term);
        let nodes = &self.terms[self.terms.find(read.class)].nodes;
        nodes.iter().position(|node| *node == term).expect("what was read stays in its class")
    }
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
        given.push(Read { node: Some(node), class, term });
    }
    let outputs = Term::Outputs(graph.outputs().iter().map(|output| classes[output]).collect());
    let root = terms.add(outputs.clone());
    given.push(Read { node: None, class: root, term: outputs });
    terms.rebuild();
    Encoded { terms, root, given }
}

/// The extraction problem of classes, with the way back to them.
pub(crate) struct Choices {
    /// Costs and children.
    pub(crate) problem: Problem,
    /// The graph as it was read.
    pub(crate) given: Choice,
    /// For every class of the problem its number among all classes.
    pub(crate) ids: Vec<usize>,
}

/// Lays the classes that the root may need out as a problem, children mostly before users.
pub(crate) fn choices(classes: &Classes<'_>, cost: &dyn DeploymentCost) -> Choices {
    let list = &classes.list;
    let mut ids: Vec<usize> = Vec::with_capacity(list.len());
    let mut numbers: Vec<Option<usize>> = vec![None; list.len()];
    let mut seen = vec![false; list.len()];
    let mut stack = vec![(classes.root, false)];
    while let Some((id, ready)) = stack.pop() {
        if ready {
            numbers[id] = Some(ids.len());
            ids.push(id);
        } else if !std::mem::replace(&mut seen[id], true) {
            stack.push((id, true));
            let children = list[id].members.iter().flat_map(|member| &member.inputs);
            stack.extend(children.map(|&child| (child, false)));
        }
    }
    let candidate = |id: usize, member: &Member<'_>| Candidate {
        cost: member_cost(classes, id, member, cost),
        children: member.inputs.iter().filter_map(|&child| numbers[child]).collect(),
    };
    let members = |&id: &usize| list[id].members.iter().map(|member| candidate(id, member)).collect();
    let problem = Problem { classes: ids.iter().map(members).collect(), root: ids.len() - 1 };
    let mut given: Choice = vec![None; ids.len()];
    for read in &classes.given {
        // An input of the network that no output needs has no number. The first term read for a class is made
        // of classes read before it, so the given choice has no cycle even where a rule made a term its own child.
        if let Some(class) = numbers[read.class]
            && given[class].is_none()
        {
            given[class] = read.member;
        }
    }
    Choices { problem, given, ids }
}

/// Leaves and folded parameters cost nothing: they are known before the network runs.
fn member_cost(classes: &Classes<'_>, id: usize, member: &Member<'_>, cost: &dyn DeploymentCost) -> Cost {
    let Form::Op(op) = &member.form else { return Cost::default() };
    if matches!(**op, Op::FoldWeight(_) | Op::FoldBias(_)) {
        return Cost::default();
    }
    let ty =
        |id: usize| classes.list[id].ty.as_deref().expect("only the root has no type, and nothing uses it");
    let types: Vec<&TensorType> = member.inputs.iter().map(|&input| ty(input)).collect();
    Cost { deployment: cost.node(op, &types, ty(id)), operators: 1 }
}

/// Whether what [`decode`] would build is the graph that was read, node by node: there is one way to compute each
/// class, each node has its own, all are needed and stand in order, and no node needs the label of another.
pub(crate) fn is_itself(graph: &Graph, classes: &Classes<'_>) -> bool {
    let order = graph.order();
    let in_place = |(at, &node): (usize, &NodeId)| node.index() == at;
    let has_own_label = |&node: &NodeId| {
        let node = graph.node(node);
        !node.label.is_empty() || matches!(node.op, Op::Input(_) | Op::Param(_) | Op::Constant(_))
    };
    let has_data =
        |class: &Class<'_>| matches!(&class.members[0].form, Form::Leaf(leaf) if leaf.value.is_some());
    classes.list.len() == graph.len() + 1
        && classes.list.iter().all(|class| class.members.len() == 1)
        && order.len() == graph.len()
        && order.iter().enumerate().all(in_place)
        && order.iter().all(has_own_label)
        && classes.list.iter().filter(|class| has_data(class)).count() == graph.constants().len()
}

/// Builds the graph of a selection. Inputs of the network come first, in their old order, used or not.
pub(crate) fn decode(
    source: &Graph,
    classes: &Classes<'_>,
    choices: &Choices,
    selection: &Selection,
) -> (Graph, Chosen) {
    let origins = Origins::new(source, classes);
    let mut graph = Graph::with_capacity(source.len());
    let mut inputs: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for input in source.network_inputs() {
        let node = graph.add(source.node(input).op.clone(), &[]).expect("an input has no inputs");
        copy_origin(source, input, &mut graph, node);
        inputs.insert(input, node);
    }
    let mut nodes: Vec<Option<NodeId>> = vec![None; classes.list.len()];
    let mut folded = 0;
    for &class in &selection.order {
        let index = selection.choice[class].expect("the order holds what is chosen");
        let id = choices.ids[class];
        let member = &classes.list[id].members[index];
        let children = member.inputs.iter();
        let children: Vec<NodeId> =
            children.map(|&child| nodes[child].expect("children come first")).collect();
        let node = match &member.form {
            Form::Outputs => {
                children.into_iter().for_each(|output| graph.add_output(output));
                continue;
            }
            Form::Leaf(leaf) => match leaf.node.and_then(|node| inputs.get(&node)) {
                Some(&input) => input,
                None => add_leaf(source, leaf, &mut folded, &mut graph),
            },
            Form::Op(op) => graph.add(Op::clone(op), &children).expect("classes are well typed"),
        };
        if graph.node(node).label.is_empty()
            && let Some(origin) = origins.find(classes, member, id)
        {
            copy_origin(source, origin, &mut graph, node);
        }
        nodes[id] = Some(node);
    }
    let mut members = vec![None; classes.list.len()];
    for (&id, &member) in choices.ids.iter().zip(&selection.choice) {
        members[id] = member;
    }
    (graph, Chosen { members, nodes })
}

fn copy_origin(source: &Graph, from: NodeId, graph: &mut Graph, to: NodeId) {
    let from = source.node(from);
    graph.set_origin(to, from.label.clone(), from.span);
}

/// Adds a parameter or a constant with its data; a folded constant gets the next free name.
fn add_leaf(source: &Graph, leaf: &Source<'_>, folded: &mut usize, graph: &mut Graph) -> NodeId {
    let mut op = Op::clone(&leaf.op);
    if let Op::Constant(Constant { name, .. }) = &mut op {
        while leaf.node.is_none() && (name.is_empty() || is_constant(source, name)) {
            *name = format!("folded.{folded}");
            *folded += 1;
        }
        if let Some(value) = &leaf.value {
            graph.share_constant(name.clone(), value.clone());
        }
    }
    graph.add(op, &[]).expect("a leaf has no inputs")
}

fn is_constant(graph: &Graph, name: &str) -> bool {
    graph.order().into_iter().any(|node| matches!(&graph.node(node).op, Op::Constant(c) if c.name == name))
}

/// Finds the node of the source that a member stands for.
struct Origins {
    /// By operator without its clamp, on its inputs without what was folded into them.
    by_operator: FxHashMap<(Op, Vec<usize>), NodeId>,
    /// By what is computed.
    by_class: Vec<Option<NodeId>>,
}

impl Origins {
    fn new(source: &Graph, classes: &Classes<'_>) -> Origins {
        let mut origins =
            Origins { by_operator: FxHashMap::default(), by_class: vec![None; classes.list.len()] };
        for given in &classes.given {
            let Some(node) = given.node.filter(|&node| !source.node(node).label.is_empty()) else {
                continue;
            };
            let member = given.member.map(|member| &classes.list[given.class].members[member]);
            if let Some(key) = member.and_then(|member| key(classes, member)) {
                origins.by_operator.entry(key).or_insert(node);
            }
            origins.by_class[given.class].get_or_insert(node);
        }
        origins
    }

    fn find(&self, classes: &Classes<'_>, member: &Member<'_>, class: usize) -> Option<NodeId> {
        let found = key(classes, member).and_then(|key| self.by_operator.get(&key).copied());
        let found = found.or(self.by_class[class]);
        found.or_else(|| self.by_class[unfolded(classes, class)])
    }
}

fn key(classes: &Classes<'_>, member: &Member<'_>) -> Option<(Op, Vec<usize>)> {
    let Form::Op(op) = &member.form else { return None };
    let mut op = Op::clone(op);
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
    Some((op, member.inputs.iter().map(|&input| unfolded(classes, input)).collect()))
}

/// The weights or bias below what was folded into them.
fn unfolded(classes: &Classes<'_>, mut class: usize) -> usize {
    loop {
        let below = classes.list[class].members.iter().find_map(|member| match &member.form {
            Form::Op(op) if matches!(**op, Op::FoldWeight(_) | Op::FoldBias(_)) => Some(member.inputs[0]),
            _ => None,
        });
        // A class is made before what is folded on it, so its number falls and the loop ends.
        match below {
            Some(below) if below < class => class = below,
            _ => return class,
        }
    }
}
