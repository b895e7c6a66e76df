//! What saturation makes of most graphs, without an e-graph.
//!
//! A network is mostly chains: a convolution, its normalisation, its activation. What the rules add there follows
//! from the members of the inputs' classes, so one walk from inputs to users gives all classes with all members. Where
//! a rule would do more than add a member to the class of a node (merge classes that were read apart, or make an
//! operator below another), or where two ways lead to one term, the walk gives up and the e-graph decides. That the
//! two agree on what the walk takes is tested on random graphs, down to rounds and counts of rules.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxBuildHasher, FxHashMap, FxHasher};

use crate::graph::{Graph, NodeId};
use crate::ops::{BatchNorm, Clamp, FoldBias, FoldWeight, Op, Window};
use crate::rewrite::classes::{Class, Classes, Form, Given, Member, Source};
use crate::rewrite::language::meet;
use crate::rewrite::{Run, StopReason, Theme};
use crate::tensor::{DType, TensorType};

/// The rule on dropouts.
const DROPOUT: &str = "dropout-in-deployment";

/// The classes of a verified graph under all rules of a theme; `None` where that takes an e-graph.
pub(crate) fn saturate(graph: &Graph, theme: Theme) -> Option<(Classes<'_>, Run)> {
    let mut walk = Walk {
        graph,
        theme,
        classes: Vec::with_capacity(graph.len()),
        facts: Vec::with_capacity(graph.len()),
        seen: FxHashMap::with_capacity_and_hasher(graph.len(), FxBuildHasher),
        applied: BTreeMap::new(),
        rounds: 0,
        dropouts: 0,
    };
    let mut class_of: Vec<Option<Place>> = vec![None; graph.len()];
    let mut given = Vec::with_capacity(graph.len());
    for node in graph.order() {
        let inputs: Vec<Place> =
            graph.inputs(node).iter().map(|input| class_of[input.index()]).collect::<Option<_>>()?;
        let place = walk.node(node, &inputs)?;
        class_of[node.index()] = Some(place);
        // A dropout is no member of the class that it shares.
        let is_member = place.since == 0;
        given.push((Some(node), place.class, is_member));
    }
    let class = |output: &NodeId| class_of[output.index()].map(|place| place.class);
    let outputs = graph.outputs().iter().map(class).collect::<Option<_>>()?;
    let root = walk.classes.len();
    walk.classes
        .push(Class { members: vec![Member { form: Form::Outputs, inputs: outputs, rule: None }], ty: None });
    given.push((None, root, true));
    let Walk { mut classes, applied, rounds, dropouts, .. } = walk;
    // The member that was read is the first one until the members are sorted.
    let firsts: Vec<usize> = classes.iter_mut().map(sort).collect();
    let given = given.into_iter().map(|(node, class, is_member)| Given {
        node,
        class,
        member: is_member.then_some(firsts[class]),
        rule: (!is_member).then_some(DROPOUT),
    });
    let classes = Classes { list: classes, root, given: given.collect() };
    let run = Run {
        iterations: rounds + 1,
        nodes: classes.n_members() + dropouts,
        stop: StopReason::Saturated,
        applied: theme.names().filter_map(|name| Some((name.to_string(), *applied.get(name)?))).collect(),
    };
    Some((classes, run))
}

/// Sorts a class's members as terms are; says where the first one went.
fn sort(class: &mut Class<'_>) -> usize {
    let rank = |member: &Member<'_>| match &member.form {
        Form::Op(op) => rank(op),
        Form::Leaf(_) | Form::Outputs => 0,
    };
    let first = rank(&class.members[0]);
    class.members.sort_by_key(rank);
    class.members.iter().position(|member| rank(member) == first).unwrap_or(0)
}

/// The place of an operator in the order of terms, of those that share classes with others here.
fn rank(op: &Op) -> usize {
    match op {
        Op::Conv2d(_) => 1,
        Op::DepthwiseConv2d(_) => 2,
        Op::Dense(_) => 3,
        Op::BatchNorm(_) => 4,
        Op::Activation(_) => 5,
        Op::Add(_) => 6,
        Op::AvgPool2d(_) => 7,
        Op::MaxPool2d(_) => 8,
        _ => 9,
    }
}

/// Where a node is computed, and the round of rules since which it is.
#[derive(Clone, Copy)]
struct Place {
    class: usize,
    since: usize,
}

/// What the walk knows of a class besides its members.
struct Known {
    /// Whether it depends on parameters and constants alone.
    is_parameter: bool,
    /// Whether its elements are known.
    is_known: bool,
    /// For each member the round that made it; 0 for the one that was read.
    rounds: Vec<usize>,
}

struct Walk<'g> {
    graph: &'g Graph,
    theme: Theme,
    classes: Vec<Class<'g>>,
    facts: Vec<Known>,
    /// Classes of members by hash.
    seen: FxHashMap<u64, usize>,
    applied: BTreeMap<&'static str, usize>,
    rounds: usize,
    dropouts: usize,
}

impl<'g> Walk<'g> {
    fn node(&mut self, node: NodeId, inputs: &[Place]) -> Option<Place> {
        let graph = self.graph;
        let (op, ty) = (&graph.node(node).op, graph.ty(node));
        if matches!(op, Op::Input(_) | Op::Param(_) | Op::Constant(_)) {
            let value = match op {
                Op::Constant(constant) => graph.constant(&constant.name).cloned(),
                _ => None,
            };
            let known = Known {
                is_parameter: !matches!(op, Op::Input(_)),
                is_known: value.is_some(),
                rounds: vec![0],
            };
            let form = Form::Leaf(Source { op: Cow::Borrowed(op), value, node: Some(node) });
            let class = self.class(Member { form, inputs: Vec::new(), rule: None }, Cow::Borrowed(ty), known);
            return Some(Place { class, since: 0 });
        }
        if self.is_beyond(op, ty, inputs) {
            return None;
        }
        if self.theme == Theme::Float && matches!(op, Op::Dropout(_)) {
            return self.dropout(op, inputs[0]);
        }
        let member = Member {
            form: Form::Op(Cow::Borrowed(op)),
            inputs: inputs.iter().map(|place| place.class).collect(),
            rule: None,
        };
        let hash = hash(&member);
        if let Some(&class) = self.seen.get(&hash) {
            // The same operator on the same classes was read before; rules and dropouts made nothing of the kind.
            let was_read = self.facts[class].rounds[0] == 0 && self.dropouts == 0;
            let is_same = was_read && self.classes[class].members[0] == member;
            return is_same.then_some(Place { class, since: 0 });
        }
        let is_parameter = inputs.iter().all(|place| self.facts[place.class].is_parameter);
        let known = Known { is_parameter, is_known: false, rounds: vec![0] };
        let class = self.class(member, Cow::Borrowed(ty), known);
        self.seen.insert(hash, class);
        self.rules(class, op, inputs)?;
        Some(Place { class, since: 0 })
    }

    fn class(&mut self, member: Member<'g>, ty: Cow<'g, TensorType>, known: Known) -> usize {
        self.classes.push(Class { members: vec![member], ty: Some(ty) });
        self.facts.push(known);
        self.classes.len() - 1
    }

    fn has(&self, place: Place, is: impl Fn(&Op) -> bool) -> bool {
        let members = &self.classes[place.class].members;
        members.iter().any(|member| matches!(&member.form, Form::Op(op) if is(op)))
    }

    /// Whether a rule might do more with an operator than add to its class.
    fn is_beyond(&self, op: &Op, ty: &TensorType, inputs: &[Place]) -> bool {
        let same_type = || inputs.first().is_some_and(|x| self.classes[x.class].ty.as_deref() == Some(ty));
        let is_pointwise = |window: &Window| {
            *window == Window { dilation: window.dilation, ..Window::valid([1, 1], [1, 1]) }
        };
        let is_float = self.theme == Theme::Float;
        let requant = match op {
            Op::Conv2d(op) => op.requant,
            Op::DepthwiseConv2d(op) => op.requant,
            Op::Dense(op) => op.requant,
            Op::Add(op) => op.requant,
            Op::Mul(op) => op.requant,
            _ => None,
        };
        let is_known = !inputs.is_empty() && inputs.iter().all(|place| self.facts[place.class].is_known);
        (is_known && !is_float)
            || (requant.is_some() && is_float)
            || match op {
                Op::Activation(activation) => {
                    let below = |op: &Op| matches!(op, Op::Activation(_) | Op::Reshape(_) | Op::Transpose(_));
                    !is_float
                        || ty.dtype != DType::F32
                        || activation.clamp == Clamp::None
                        || self.has(inputs[0], below)
                }
                Op::Reshape(_) => same_type() || self.has(inputs[0], |op| matches!(op, Op::Reshape(_))),
                Op::Conv2d(_) | Op::DepthwiseConv2d(_) => self.has(inputs[0], |op| matches!(op, Op::Pad(_))),
                Op::Pad(_) | Op::Upsample2d(_) | Op::Requantize(_) | Op::Slice(_) => same_type(),
                // Whether it is in order is left to the rule.
                Op::Transpose(_) => true,
                Op::AvgPool2d(pool) => is_pointwise(&pool.window),
                Op::MaxPool2d(pool) => {
                    is_pointwise(&pool.window) || self.has(inputs[0], |op| matches!(op, Op::Activation(_)))
                }
                _ => false,
            }
    }

    /// A dropout is what it drops from: one class, in which the dropout needs itself and is never chosen.
    fn dropout(&mut self, op: &'g Op, x: Place) -> Option<Place> {
        let member = Member { form: Form::Op(Cow::Borrowed(op)), inputs: vec![x.class], rule: None };
        if x.since > 0
            || self.facts[x.class].is_parameter
            || self.seen.insert(hash(&member), x.class).is_some()
        {
            return None;
        }
        self.dropouts += 1;
        self.count(DROPOUT, 1);
        Some(Place { class: x.class, since: 1 })
    }

    fn count(&mut self, rule: &'static str, round: usize) {
        *self.applied.entry(rule).or_insert(0) += 1;
        self.rounds = self.rounds.max(round);
    }

    /// Adds to the class of a node what the rules make of it.
    fn rules(&mut self, class: usize, op: &Op, inputs: &[Place]) -> Option<()> {
        if self.theme != Theme::Float || !matches!(op, Op::Activation(_) | Op::BatchNorm(_)) {
            return Some(());
        }
        let x = inputs[0];
        for at in 0..self.classes[x.class].members.len() {
            let Member { form: Form::Op(below), inputs: of, .. } = &self.classes[x.class].members[at] else {
                continue;
            };
            let round = self.facts[x.class].rounds[at].max(x.since) + 1;
            let (below, of) = (Op::clone(below), of.clone());
            match op {
                Op::Activation(activation) => {
                    if let Some((rule, fused)) = activated(below, activation.clamp) {
                        let form = Form::Op(Cow::Owned(fused));
                        self.add(class, Member { form, inputs: of, rule: Some(rule) }, round)?;
                        self.count(rule, round);
                    }
                }
                Op::BatchNorm(norm) => self.fold(class, norm, inputs, (below, of), round)?,
                _ => {}
            }
        }
        Some(())
    }

    /// Adds what a rule made to a class, if it is nowhere yet.
    fn add(&mut self, class: usize, member: Member<'g>, round: usize) -> Option<()> {
        if self.seen.insert(hash(&member), class).is_some() {
            return None;
        }
        self.classes[class].members.push(member);
        self.facts[class].rounds.push(round);
        Some(())
    }

    /// A batch normalisation of a layer with weights that are parameters.
    fn fold(
        &mut self,
        class: usize,
        &BatchNorm { epsilon }: &BatchNorm,
        inputs: &[Place],
        (below, of): (Op, Vec<usize>),
        round: usize,
    ) -> Option<()> {
        let (rule, axis) = match &below {
            Op::Conv2d(op) if op.clamp == Clamp::None => ("batch-norm-into-conv2d", 0),
            Op::DepthwiseConv2d(op) if op.clamp == Clamp::None => ("batch-norm-into-depthwise-conv2d", 3),
            Op::Dense(op) if op.clamp == Clamp::None => ("batch-norm-into-dense", 0),
            _ => return Some(()),
        };
        let (&[x, k, b], &[_, gamma, beta, mean, variance]) = (&of[..], inputs) else { return None };
        let [gamma, beta, mean, variance] = [gamma, beta, mean, variance].map(|place| place.class);
        if ![k, b, gamma, beta, mean, variance].iter().all(|&class| self.facts[class].is_parameter) {
            return Some(());
        }
        let weight = self.parameter(FoldWeight { axis, epsilon }.into(), vec![k, gamma, variance], round)?;
        let bias =
            self.parameter(FoldBias { epsilon }.into(), vec![b, gamma, beta, mean, variance], round)?;
        let form = Form::Op(Cow::Owned(below));
        self.add(class, Member { form, inputs: vec![x, weight, bias], rule: Some(rule) }, round)?;
        self.count(rule, round);
        Some(())
    }

    /// A class for a folded parameter.
    fn parameter(&mut self, op: Op, inputs: Vec<usize>, round: usize) -> Option<usize> {
        let types: Option<Vec<&TensorType>> =
            inputs.iter().map(|&input| self.classes[input].ty.as_deref()).collect();
        let ty = op.infer(&types?).ok()?;
        let member = Member { form: Form::Op(Cow::Owned(op)), inputs, rule: None };
        let hash = hash(&member);
        let known = Known { is_parameter: true, is_known: false, rounds: vec![round] };
        let class = self.class(member, Cow::Owned(ty), known);
        self.seen.insert(hash, class).is_none().then_some(class)
    }
}

/// An operator with the clamp after it, and the rule that says so.
fn activated(mut op: Op, after: Clamp) -> Option<(&'static str, Op)> {
    let (rule, clamp) = match &mut op {
        Op::Conv2d(op) => ("activation-into-conv2d", &mut op.clamp),
        Op::DepthwiseConv2d(op) => ("activation-into-depthwise-conv2d", &mut op.clamp),
        Op::Dense(op) => ("activation-into-dense", &mut op.clamp),
        Op::Add(op) => ("activation-into-add", &mut op.clamp),
        Op::AvgPool2d(op) => ("activation-into-avg-pool", &mut op.clamp),
        Op::MaxPool2d(op) => ("activation-into-max-pool", &mut op.clamp),
        Op::Mul(op) => ("activation-into-mul", &mut op.clamp),
        _ => return None,
    };
    *clamp = meet(after, *clamp);
    Some((rule, op))
}

/// Of what a member computes of which classes; that of a member that is no operator is never asked for.
fn hash(member: &Member<'_>) -> u64 {
    let mut hasher = FxHasher::default();
    if let Form::Op(op) = &member.form {
        op.hash(&mut hasher);
    }
    member.inputs.hash(&mut hasher);
    hasher.finish()
}
