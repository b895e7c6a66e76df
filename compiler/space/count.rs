//! How many points a space has.
//!
//! A dynamic program over the region tree. For an instance of a region and the values of the decisions around it
//! that its structure reads, it finds a map: for each set of decisions around it that its points read, how many
//! points read just those. Structural decisions (counts, choices, conditions) are enumerated where they live, only
//! together with what reads them; the others multiply. What reads a decision is known once the whole instance
//! in which it lives is: values of one that nothing reads are not told apart, and a forbidden combination that
//! reads it is not had.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use num_bigint::BigUint;

use crate::space::encode::greatest;
use crate::space::facts::Facts;
use crate::space::genome::children_of;
use crate::space::{DecisionId, RegionId, RegionKind, Scope, Space, Value};

/// Steps of counting after which an upper bound has to do.
const WORK: usize = 1_000_000;

/// A number of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cardinality {
    /// The number, or an upper bound of it.
    pub count: BigUint,
    /// Whether it is the number.
    pub exact: bool,
}

/// How many points a space has: genomes that differ in a live decision, without the forbidden ones. Not all of them
/// need be networks: a window may turn out larger than its input.
pub fn cardinality(space: &Space) -> Cardinality {
    cardinality_within(space, WORK)
}

/// The same with a limit of steps. Without enough of them the bound is the number that forbids nothing, or else that
/// of [`unrolled`].
pub(crate) fn cardinality_within(space: &Space, work: usize) -> Cardinality {
    let facts = Facts::new(space);
    if let Some(count) = count(&facts, work) {
        return Cardinality { count, exact: true };
    }
    if !space.forbids.is_empty() {
        let mut free = space.clone();
        free.forbids.clear();
        if let Some(count) = count(&Facts::new(&free), work) {
            return Cardinality { count, exact: false };
        }
    }
    Cardinality { count: unrolled(space), exact: false }
}

/// The product of the numbers of values of all decisions of the largest network, as [`crate::space::encode`] lists
/// them: repeats at their greatest count, all options side by side.
///
/// Source  how µNAS, arXiv:2010.14246, states the size of its space
pub fn unrolled(space: &Space) -> BigUint {
    unrolled_region(space, space.root())
}

fn unrolled_region(space: &Space, id: RegionId) -> BigUint {
    let region = space.region(id);
    let own = region.decisions.iter().map(|&decision| BigUint::from(space.decision(decision).domain.len()));
    let children: BigUint =
        space.children(id).into_iter().map(|child| unrolled_region(space, child)).product();
    let times = match &region.kind {
        RegionKind::Repeat { count, .. } => u32::try_from(greatest(space, count)).unwrap_or(0),
        _ => 1,
    };
    own.product::<BigUint>() * children.pow(times)
}

/// What is known of some points before the regions around theirs are: the decisions around it that they read, and
/// combinations that are forbidden as soon as the regions around read these, too.
type Key = (BTreeSet<DecisionId>, BTreeSet<BTreeSet<DecisionId>>);

/// How many points share a key.
type Counts = BTreeMap<Key, BigUint>;

/// Values of structural decisions around a region.
type Fixed = BTreeMap<DecisionId, Value>;

/// A region with the values that its counts depend on; whether its `link` is read.
type Place = (RegionId, Vec<(DecisionId, Value)>, bool);

fn count(facts: &Facts<'_>, work: usize) -> Option<BigUint> {
    let mut counter = Counter { facts, work, known: BTreeMap::new(), powers: BTreeMap::new() };
    let counts = counter.region(facts.space.root(), &Fixed::new(), None)?;
    // Nothing lives around the root, so there is at most one key.
    Some(counts.values().sum())
}

struct Counter<'a> {
    facts: &'a Facts<'a>,
    work: usize,
    known: BTreeMap<Place, Rc<Counts>>,
    /// For a repeated body: the counts of 0, 1, 2, ... repetitions.
    powers: BTreeMap<Place, Vec<Rc<Counts>>>,
}

impl Counter<'_> {
    fn spend(&mut self, steps: usize) -> Option<()> {
        self.work = self.work.checked_sub(steps)?;
        Some(())
    }

    fn place(&self, id: RegionId, fixed: &Fixed, linked: bool) -> Place {
        let needed = self.facts.outer_structure(id);
        let values = needed.iter().filter_map(|decision| Some((*decision, fixed.get(decision)?.clone())));
        (id, values.collect(), linked)
    }

    /// The counts of an instance; `None` if it takes too much work, or a count has no value.
    fn region(&mut self, id: RegionId, fixed: &Fixed, link: Option<DecisionId>) -> Option<Rc<Counts>> {
        let place = self.place(id, fixed, link.is_some());
        if let Some(known) = self.known.get(&place) {
            return Some(Rc::clone(known));
        }
        let facts = self.facts;
        let own = &facts.space.region(id).decisions;
        let mut counts = empty();
        for group in groups(facts, id, link) {
            let part = self.group(id, fixed, &group)?;
            counts = self.join(&counts, &part)?;
        }
        // What is not structural multiplies where it is read.
        let free: Vec<DecisionId> = own.iter().copied().filter(|&one| !facts.is_structural(one)).collect();
        let counts = Rc::new(close(counts, &free, |decision, read| {
            BigUint::from(if read { facts.space.decision(decision).domain.len() } else { 1 })
        }));
        self.known.insert(place, Rc::clone(&counts));
        Some(counts)
    }

    /// The counts of a group with its decisions enumerated.
    fn group(&mut self, id: RegionId, fixed: &Fixed, group: &Group) -> Option<Counts> {
        let space = self.facts.space;
        let sizes: Vec<usize> =
            group.decisions.iter().map(|&decision| space.decision(decision).domain.len()).collect();
        let mut counts = Counts::new();
        let mut fixed = fixed.clone();
        let mut at = vec![0; sizes.len()];
        if sizes.contains(&0) {
            return Some(counts);
        }
        loop {
            self.spend(1)?;
            for (&decision, &position) in group.decisions.iter().zip(&at) {
                fixed.insert(decision, space.decision(decision).domain.get(position)?);
            }
            let alone = self.instance(id, &fixed, group)?;
            // Values of a decision that is not read are not told apart: the first stands for all.
            let closed = close(alone, &group.decisions, |decision, read| {
                let slot = group.decisions.iter().position(|&known| known == decision);
                BigUint::from(u32::from(read || slot.is_some_and(|slot| at[slot] == 0)))
            });
            for (key, count) in closed {
                *counts.entry(key).or_default() += count;
            }
            let Some(next) = (0..at.len()).find(|&slot| at[slot] + 1 < sizes[slot]) else {
                return Some(counts);
            };
            at[..next].fill(0);
            at[next] += 1;
        }
    }

    /// The counts of a group whose decisions are fixed.
    fn instance(&mut self, id: RegionId, fixed: &Fixed, group: &Group) -> Option<Counts> {
        let facts = self.facts;
        let (decisions, values): (Vec<DecisionId>, Vec<Value>) = fixed.clone().into_iter().unzip();
        let empty_scope = Scope::empty();
        let scope = Scope::of(&empty_scope, &decisions, &values);
        let mut pending = BTreeSet::new();
        for &condition in &group.conditions {
            let condition = &facts.conditions(id)[condition];
            if condition.expr.eval(&scope) == Ok(Value::Bool(true)) {
                pending.insert(condition.reads.clone());
            }
        }
        let mut counts = Counts::new();
        insert(&mut counts, (group.reads.clone(), pending), BigUint::from(1u32));
        if group.whole {
            let parts = children_of(facts.space, id, &scope).ok()?;
            if let (RegionKind::Repeat { .. }, Some(&body)) = (&facts.space.region(id).kind, parts.first()) {
                let link = facts.link_of(id);
                let first = self.region(body, fixed, None)?;
                counts = self.join(&counts, &first)?;
                let rest = self.power(body, fixed, link, parts.len() - 1)?;
                return self.join(&counts, &rest);
            }
            for child in parts {
                let part = self.region(child, fixed, None)?;
                counts = self.join(&counts, &part)?;
            }
            return Some(counts);
        }
        for &child in &group.children {
            let part = self.region(child, fixed, None)?;
            counts = self.join(&counts, &part)?;
        }
        Some(counts)
    }

    /// The counts of so many repetitions.
    fn power(
        &mut self,
        body: RegionId,
        fixed: &Fixed,
        link: Option<DecisionId>,
        n: usize,
    ) -> Option<Rc<Counts>> {
        let place = self.place(body, fixed, link.is_some());
        let once = self.region(body, fixed, link)?;
        let mut powers = self.powers.remove(&place).unwrap_or_else(|| vec![Rc::new(empty())]);
        while powers.len() <= n {
            let next = self.join(powers.last()?, &once)?;
            powers.push(Rc::new(next));
        }
        let power = Rc::clone(&powers[n]);
        self.powers.insert(place, powers);
        Some(power)
    }

    /// The counts of two parts beside each other.
    fn join(&mut self, a: &Counts, b: &Counts) -> Option<Counts> {
        self.spend(a.len() * b.len())?;
        let mut joined = Counts::new();
        for ((a_reads, a_pending), m) in a {
            for ((b_reads, b_pending), n) in b {
                let key = (a_reads | b_reads, a_pending | b_pending);
                insert(&mut joined, key, m * n);
            }
        }
        Some(joined)
    }
}

/// One way to have nothing.
fn empty() -> Counts {
    Counts::from([(Key::default(), BigUint::from(1u32))])
}

/// Adds points, without those that are forbidden by what they read themselves.
fn insert(counts: &mut Counts, (reads, pending): Key, count: BigUint) {
    let pending: BTreeSet<BTreeSet<DecisionId>> = pending.iter().map(|needed| needed - &reads).collect();
    if !pending.iter().any(BTreeSet::is_empty) {
        *counts.entry((reads, pending)).or_default() += count;
    }
}

/// The counts once decisions leave the scope; `factor` says how many points one stands for, and may be 0.
fn close(counts: Counts, own: &[DecisionId], factor: impl Fn(DecisionId, bool) -> BigUint) -> Counts {
    let mut closed = Counts::new();
    for ((mut reads, mut pending), mut count) in counts {
        for decision in own {
            let read = reads.remove(decision);
            count *= factor(*decision, read);
            if !read {
                pending.retain(|needed| !needed.contains(decision));
            }
        }
        if count != BigUint::default() {
            *closed.entry((reads, pending)).or_default() += count;
        }
    }
    closed
}

/// Decisions of an instance that have to be enumerated together, and what reads them.
#[derive(Clone, Debug, Default)]
struct Group {
    decisions: Vec<DecisionId>,
    children: Vec<RegionId>,
    /// Positions among the region's conditions.
    conditions: Vec<usize>,
    /// What the region itself reads.
    reads: BTreeSet<DecisionId>,
    /// Whether it is all of the region, whose children depend on its decisions.
    whole: bool,
}

/// The parts of a region that share no structural decision of it. One part is all of it where its decisions say
/// which children there are.
fn groups(facts: &Facts<'_>, id: RegionId, link: Option<DecisionId>) -> Vec<Group> {
    let region = facts.space.region(id);
    let own: BTreeSet<DecisionId> =
        region.decisions.iter().copied().filter(|&one| facts.is_structural(one)).collect();
    let mut reads = facts.reads(id).clone();
    reads.extend(link);
    let conditions = facts.conditions(id);
    if !matches!(region.kind, RegionKind::Sequence | RegionKind::Parallel { .. }) {
        let decisions = own.into_iter().collect();
        let conditions = (0..conditions.len()).collect();
        return vec![Group { decisions, children: Vec::new(), conditions, reads, whole: true }];
    }
    let mut groups: Vec<(BTreeSet<DecisionId>, Group)> = Vec::new();
    let mut add = |touched: BTreeSet<DecisionId>, group: Group| {
        let (mut touched, mut group) = (touched, group);
        let (joined, apart): (Vec<_>, Vec<_>) =
            std::mem::take(&mut groups).into_iter().partition(|(other, _)| !other.is_disjoint(&touched));
        for (other, mut earlier) in joined {
            touched.extend(other);
            earlier.children.append(&mut group.children);
            earlier.conditions.append(&mut group.conditions);
            earlier.reads.append(&mut group.reads);
            group = earlier;
        }
        groups = apart;
        groups.push((touched, group));
    };
    for &decision in &own {
        add(BTreeSet::from([decision]), Group::default());
    }
    add(&reads & &own, Group { reads, ..Group::default() });
    for (position, condition) in conditions.iter().enumerate() {
        add(&condition.reads & &own, Group { conditions: vec![position], ..Group::default() });
    }
    for &child in facts.children(id) {
        let touched = &(facts.outer_reads(child) | facts.outer_structure(child)) & &own;
        add(touched, Group { children: vec![child], ..Group::default() });
    }
    groups
        .into_iter()
        .map(|(touched, group)| Group { decisions: touched.into_iter().collect(), ..group })
        .collect()
}
