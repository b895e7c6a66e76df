//! The choice of one term for every class that the root needs: cheapest in total, each class counted once.
//!
//! In: a [`Problem`], which is an e-graph stripped to costs and children, and a selection that is known to be
//! good (the graph as it was given). Out: a selection without cycles that is never dearer than the given one,
//! and whether it is proved cheapest. Ties go to fewer operators, then to the given selection, then to the
//! earlier candidate, so the result depends on the problem alone. Time is never read.
//!
//! Not done here: costs that are not sums over terms, such as peak memory. For those there is [`near`]: selections
//! that cost about as little, of which the caller may know more.
//!
//! Source  greedy-DAG: egraphs-good/extraction-gym, `greedy_dag`; its results can be cyclic (issue 25 there), so
//! every selection is checked before it is taken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

/// How hard extraction tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// Greedy-DAG alone.
    Greedy,
    /// Greedy-DAG, then branch and bound until the choice is proved.
    Exact {
        /// Branches after which the best choice so far is taken.
        limit: usize,
    },
}

/// A sum of costs, compared by deployment first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    /// What the caller's cost says.
    pub(crate) deployment: u64,
    /// Operators that run.
    pub(crate) operators: u64,
}

impl std::ops::Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost {
            deployment: self.deployment.saturating_add(other.deployment),
            operators: self.operators.saturating_add(other.operators),
        }
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::default(), |a, b| a + b)
    }
}

/// A term that a class can be computed by.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Its own cost, without its children.
    pub(crate) cost: Cost,
    /// The classes it needs.
    pub(crate) children: Vec<usize>,
}

/// Classes with their candidates. Numbering children before users makes the greedy pass converge sooner.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The candidates of every class, at least one each.
    pub(crate) classes: Vec<Vec<Candidate>>,
    /// The class that is wanted.
    pub(crate) root: usize,
}

/// For every class the candidate to compute it by; `None` where it is not needed.
pub(crate) type Choice = Vec<Option<usize>>;

/// A checked selection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selection {
    /// One candidate for every needed class, and only for those.
    pub(crate) choice: Choice,
    /// Their sum.
    pub(crate) cost: Cost,
    /// Needed classes, children before users; the root is last.
    pub(crate) order: Vec<usize>,
    /// Whether no selection is cheaper.
    pub(crate) proved: bool,
}

/// The cheapest selection that was found; `given` must be complete and free of cycles below the root.
pub(crate) fn extract(problem: &Problem, given: &Choice, exactness: Exactness) -> Selection {
    let given = select(problem, given).expect("a graph has no cycle");
    if problem.classes.iter().all(|candidates| candidates.len() == 1) {
        return Selection { proved: matches!(exactness, Exactness::Exact { .. }), ..given };
    }
    let mut best = match select(problem, &greedy(problem)) {
        Some(greedy) if greedy.cost < given.cost => greedy,
        _ => given,
    };
    if let Exactness::Exact { limit } = exactness {
        best = exact(problem, best, limit);
    }
    best
}

/// Follows a choice from the root; `None` if it has a cycle or a gap.
pub(crate) fn select(problem: &Problem, choice: &Choice) -> Option<Selection> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; problem.classes.len()];
    let mut selection = Selection {
        choice: vec![None; problem.classes.len()],
        cost: Cost::default(),
        order: Vec::new(),
        proved: false,
    };
    let mut stack = vec![(problem.root, false)];
    while let Some((class, ready)) = stack.pop() {
        let candidate = &problem.classes[class][choice[class]?];
        if ready {
            marks[class] = Mark::Done;
            selection.order.push(class);
            continue;
        }
        match marks[class] {
            Mark::Done => continue,
            Mark::Open => return None,
            Mark::New => marks[class] = Mark::Open,
        }
        selection.choice[class] = choice[class];
        selection.cost = selection.cost + candidate.cost;
        stack.push((class, true));
        for &child in candidate.children.iter().rev() {
            match marks[child] {
                Mark::New => stack.push((child, false)),
                Mark::Open => return None,
                Mark::Done => {}
            }
        }
    }
    Some(selection)
}

/// What a selection may cost more than the cheapest, as a divisor of that one's cost: 1.6 %.
const NEAR: u64 = 64;

/// Selections that differ from a good one in the candidate of one needed class, and in what that needs besides, and
/// cost hardly more: the cheapest of them, at most so many, those of earlier classes first where they cost the same.
pub(crate) fn near(problem: &Problem, best: &Selection, most: usize) -> Vec<Selection> {
    if most == 0 || problem.classes.iter().all(|candidates| candidates.len() == 1) {
        return Vec::new();
    }
    let others = greedy(problem);
    let limit = best.cost.deployment.saturating_add(best.cost.deployment / NEAR);
    let mut found: Vec<Selection> = Vec::new();
    for &class in &best.order {
        for index in (0..problem.classes[class].len()).filter(|&index| best.choice[class] != Some(index)) {
            let mut choice = best.choice.clone();
            choice.iter_mut().zip(&others).for_each(|(chosen, other)| *chosen = chosen.or(*other));
            choice[class] = Some(index);
            let selection = select(problem, &choice).filter(|found| found.cost.deployment <= limit);
            let is_new = |selection: &Selection| found.iter().all(|known| known.choice != selection.choice);
            found.extend(selection.filter(is_new));
        }
    }
    found.sort_by_key(|selection| selection.cost);
    found.truncate(most);
    found
}

/// A set of classes.
#[derive(Clone, Debug, PartialEq)]
struct Set(SmallVec<[u64; 4]>);

impl Set {
    fn empty(classes: usize) -> Set {
        Set(smallvec![0; classes.div_ceil(64)])
    }

    fn full(classes: usize) -> Set {
        let mut set = Set::empty(classes);
        (0..classes).for_each(|class| set.insert(class));
        set
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }

    fn insert(&mut self, class: usize) {
        self.0[class / 64] |= 1 << (class % 64);
    }

    fn contains(&self, class: usize) -> bool {
        self.0[class / 64] & (1 << (class % 64)) != 0
    }

    fn unite(&mut self, other: &Set) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn intersect(&mut self, other: &Set) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, &word)| {
            // Each step takes the lowest bit away.
            let rest = |&rest: &u64| Some(rest & (rest - 1)).filter(|&rest| rest != 0);
            let words = std::iter::successors(Some(word).filter(|&word| word != 0), rest);
            words.map(move |rest| 64 * at + rest.trailing_zeros() as usize)
        })
    }
}

/// For every class the candidate whose needed classes, each counted once, cost least when it is looked at.
pub(crate) fn greedy(problem: &Problem) -> Choice {
    let n = problem.classes.len();
    let mut choice: Choice = vec![None; n];
    let mut needs = vec![Set::empty(n); n];
    let own = |choice: &Choice, class: usize| {
        choice[class].map_or(Cost::default(), |index| problem.classes[class][index].cost)
    };
    let mut set = Set::empty(n);
    for _ in 0..=n {
        let mut changed = false;
        for class in 0..n {
            if let ([only], Some(_)) = (&problem.classes[class][..], choice[class]) {
                // It needs what it needed unless something below changed, and then it costs the same.
                set.clear();
                only.children.iter().for_each(|&child| set.unite(&needs[child]));
                set.insert(class);
                if set == needs[class] {
                    continue;
                }
            }
            let mut best = choice[class].map(|_| needs[class].iter().map(|c| own(&choice, c)).sum::<Cost>());
            for (index, candidate) in problem.classes[class].iter().enumerate() {
                if candidate
                    .children
                    .iter()
                    .any(|&child| choice[child].is_none() || needs[child].contains(class))
                {
                    continue;
                }
                set.clear();
                candidate.children.iter().for_each(|&child| set.unite(&needs[child]));
                let cost = || candidate.cost + set.iter().map(|c| own(&choice, c)).sum();
                // What there is no other way to compute is not worth a sum.
                let cost =
                    if problem.classes[class].len() > 1 || best.is_some() { cost() } else { candidate.cost };
                if best.is_none_or(|best| cost < best) {
                    set.insert(class);
                    best = Some(cost);
                    choice[class] = Some(index);
                    needs[class].clone_from(&set);
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    choice
}

/// Branch and bound from a good selection. The classes that every selection needs split the problem into parts
/// that share nothing, each of a few classes in networks; a part's optimum is part of the whole's optimum
/// unless the parts close a cycle between them, in which case all is searched as one part.
fn exact(problem: &Problem, best: Selection, limit: usize) -> Selection {
    let usable = usable(problem);
    let always = always(problem, &usable)[problem.root].clone();
    let parts = parts(problem, &usable, &always);
    let mut left = limit;
    let mut choice = best.choice.clone();
    let mut proved = true;
    for roots in &parts {
        proved &= search(problem, &usable, roots, &always, &mut choice, &mut left);
    }
    let found = select(problem, &choice).or_else(|| {
        choice.clone_from(&best.choice);
        let roots: Vec<usize> = always.iter().collect();
        proved = search(problem, &usable, &roots, &always, &mut choice, &mut left);
        select(problem, &choice)
    });
    match found {
        Some(found) if found.cost < best.cost => Selection { proved, ..found },
        _ => Selection { proved, ..best },
    }
}

/// The candidates of every class that no cycle rules out.
fn usable(problem: &Problem) -> Vec<Vec<usize>> {
    let mut usable: Vec<Vec<usize>> = problem.classes.iter().map(|list| (0..list.len()).collect()).collect();
    loop {
        let always = always(problem, &usable);
        let mut changed = false;
        for (class, indices) in usable.iter_mut().enumerate() {
            let before = indices.len();
            let candidates = &problem.classes[class];
            indices.retain(|&index| {
                candidates[index].children.iter().all(|&child| !always[child].contains(class))
            });
            changed |= indices.len() < before;
        }
        if !changed {
            return usable;
        }
    }
}

/// For every class the classes that each of its selections needs, itself included; all for a class that none
/// can compute.
fn always(problem: &Problem, usable: &[Vec<usize>]) -> Vec<Set> {
    let n = problem.classes.len();
    let mut always = vec![Set::full(n); n];
    loop {
        let mut changed = false;
        for class in 0..n {
            let mut common = Set::full(n);
            for &index in &usable[class] {
                let mut needed = Set::empty(n);
                problem.classes[class][index].children.iter().for_each(|&child| needed.unite(&always[child]));
                common.intersect(&needed);
            }
            common.insert(class);
            if common != always[class] {
                always[class] = common;
                changed = true;
            }
        }
        if !changed {
            return always;
        }
    }
}

/// Groups of always needed classes that have a choice or share classes that are not always needed.
fn parts(problem: &Problem, usable: &[Vec<usize>], always: &Set) -> Vec<Vec<usize>> {
    let mut group_of: Vec<Option<usize>> = vec![None; problem.classes.len()];
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for root in always.iter() {
        let mut region = Set::empty(problem.classes.len());
        let mut stack = vec![root];
        while let Some(class) = stack.pop() {
            for &index in &usable[class] {
                for &child in &problem.classes[class][index].children {
                    if !always.contains(child) && !region.contains(child) {
                        region.insert(child);
                        stack.push(child);
                    }
                }
            }
        }
        let mut merged = vec![root];
        let mut touched: Vec<usize> = region.iter().filter_map(|class| group_of[class]).collect();
        touched.sort_unstable();
        touched.dedup();
        for group in touched {
            merged.append(&mut groups[group]);
            group_of.iter_mut().filter(|of| **of == Some(group)).for_each(|of| *of = Some(groups.len()));
        }
        region.iter().for_each(|class| group_of[class] = Some(groups.len()));
        merged.sort_unstable();
        groups.push(merged);
    }
    groups.retain(|roots| roots.iter().any(|&root| usable[root].len() > 1));
    groups
}

/// Searches one part and puts its best choices into `choice`; says whether the search was complete.
fn search(
    problem: &Problem,
    usable: &[Vec<usize>],
    roots: &[usize],
    always: &Set,
    choice: &mut Choice,
    left: &mut usize,
) -> bool {
    let floor = |class: usize| {
        usable[class].iter().map(|&index| problem.classes[class][index].cost).min().unwrap_or_default()
    };
    let mut part = Part {
        problem,
        usable,
        roots,
        always,
        floors: (0..problem.classes.len()).map(floor).collect(),
        chosen: BTreeMap::new(),
        best: None,
        limit: *left,
        complete: true,
    };
    part.best = part.seed(choice);
    let floor = roots.iter().map(|&root| part.floors[root]).sum();
    part.branch(Cost::default(), floor, roots.to_vec());
    *left = part.limit;
    if let Some((_, best)) = part.best {
        best.into_iter().for_each(|(class, index)| choice[class] = Some(index));
    }
    part.complete
}

/// A part under search.
struct Part<'a> {
    problem: &'a Problem,
    usable: &'a [Vec<usize>],
    roots: &'a [usize],
    always: &'a Set,
    floors: Vec<Cost>,
    chosen: BTreeMap<usize, usize>,
    best: Option<(Cost, BTreeMap<usize, usize>)>,
    limit: usize,
    complete: bool,
}

impl Part<'_> {
    /// Whether a class belongs to this part: a root of it, or not always needed.
    fn holds(&self, class: usize) -> bool {
        !self.always.contains(class) || self.roots.contains(&class)
    }

    /// What a whole selection chooses in this part.
    fn seed(&self, choice: &Choice) -> Option<(Cost, BTreeMap<usize, usize>)> {
        let mut chosen = BTreeMap::new();
        let mut cost = Cost::default();
        let mut stack = self.roots.to_vec();
        while let Some(class) = stack.pop() {
            if chosen.contains_key(&class) {
                continue;
            }
            let index = choice[class]?;
            let candidate = &self.problem.classes[class][index];
            chosen.insert(class, index);
            cost = cost + candidate.cost;
            stack.extend(candidate.children.iter().copied().filter(|&child| self.holds(child)));
        }
        Some((cost, chosen))
    }

    /// Decides the last pending class in every way. `cost` is that of what is chosen, `floor` the least that
    /// the pending classes add.
    fn branch(&mut self, cost: Cost, floor: Cost, mut pending: Vec<usize>) {
        if self.best.as_ref().is_some_and(|(best, _)| cost + floor >= *best) {
            return;
        }
        let Some(class) = pending.pop() else {
            self.best = Some((cost, self.chosen.clone()));
            return;
        };
        if self.limit == 0 {
            self.complete = false;
            return;
        }
        self.limit -= 1;
        let problem = self.problem;
        for &index in &self.usable[class] {
            let candidate = &problem.classes[class][index];
            if candidate.children.iter().any(|&child| self.reaches(child, class)) {
                continue;
            }
            let mut next = pending.clone();
            for &child in &candidate.children {
                if self.holds(child) && !self.chosen.contains_key(&child) && !next.contains(&child) {
                    next.push(child);
                }
            }
            let floor = next.iter().map(|&class| self.floors[class]).sum();
            self.chosen.insert(class, index);
            self.branch(cost + candidate.cost, floor, next);
            self.chosen.remove(&class);
        }
    }

    /// Whether what is chosen leads from one class to another.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![from];
        let mut next = 0;
        while let Some(&class) = seen.get(next) {
            if class == to {
                return true;
            }
            next += 1;
            if let Some(&index) = self.chosen.get(&class) {
                for &child in &self.problem.classes[class][index].children {
                    if !seen.contains(&child) {
                        seen.push(child);
                    }
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
