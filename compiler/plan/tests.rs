//! Oracles: painting bytes over time, and brute force over all orders and placements.

mod all_orders;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bound::Pressure;
use super::liveness::Analysis;
use super::*;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What random problems look like.
struct Shape {
    max_steps: u64,
    max_bytes: u64,
    max_align_log2: u64,
    /// Steps read buffers among so many that came last.
    recent: u64,
    overlaps: bool,
}

fn buffer(name: &str, bytes: u64, align: u64, kind: BufferKind) -> Buffer {
    Buffer { name: name.to_string(), bytes, align, kind }
}

fn random_buffer(random: &mut Random, shape: &Shape, name: String, kind: BufferKind) -> Buffer {
    let bytes = if random.chance(5) { 0 } else { 1 + random.below(shape.max_bytes) };
    Buffer { name, bytes, align: 1 << random.below(shape.max_align_log2 + 1), kind }
}

fn random_interval(random: &mut Random) -> Interval {
    let distance = random.below(11) as i64 - 5;
    match random.below(5) {
        0 | 1 => Interval::only(distance),
        2 => Interval::at_most(distance),
        3 => Interval::at_least(distance),
        _ => Interval { low: distance, high: distance + random.below(3) as i64 },
    }
}

fn random_problem(seed: u64, shape: &Shape) -> Problem {
    let mut random = Random(seed);
    let mut problem = Problem::default();
    for input in 0..1 + random.below(2) {
        let filled = random_buffer(&mut random, shape, format!("in{input}"), BufferKind::Input);
        problem.buffers.push(filled);
    }
    let mut readable: Vec<usize> = (0..problem.buffers.len()).collect();
    for number in 0..1 + random.below(shape.max_steps) {
        let mut step = Step { name: format!("s{number}"), ..Step::default() };
        for _ in 0..1 + random.below(2) {
            let recent = (readable.len() as u64).min(shape.recent);
            let read = readable[readable.len() - 1 - random.below(recent) as usize];
            step.reads.push(BufferId(read));
        }
        for _ in 0..if random.chance(15) { 2 } else { 1 } {
            let kind = if random.chance(15) { BufferKind::Output } else { BufferKind::Internal };
            let id = problem.buffers.len();
            let written = random_buffer(&mut random, shape, format!("b{id}"), kind);
            problem.buffers.push(written);
            step.writes.push(BufferId(id));
        }
        if random.chance(20) {
            let id = problem.buffers.len();
            let scratch = random_buffer(&mut random, shape, format!("t{id}"), BufferKind::Scratch);
            problem.buffers.push(scratch);
            step.scratch.push(BufferId(id));
        }
        for &read in &step.reads {
            for &written in &step.writes {
                if shape.overlaps && random.chance(60) {
                    let safe = (0..1 + random.below(2)).map(|_| random_interval(&mut random)).collect();
                    step.overlaps.push(Overlap { read, written, safe });
                }
            }
        }
        readable.extend(step.writes.iter().map(|id| id.0));
        problem.steps.push(step);
    }
    problem
}

const SMALL: Shape = Shape { max_steps: 5, max_bytes: 5, recent: 4, max_align_log2: 2, overlaps: true };
const PLAIN: Shape = Shape { max_steps: 12, max_bytes: 5, recent: 4, max_align_log2: 0, overlaps: false };
const WIDE: Shape = Shape { max_steps: 24, max_bytes: 5, recent: 4, max_align_log2: 4, overlaps: true };

/// The owner of each byte.
struct Bytes(Vec<Option<usize>>);

impl Bytes {
    /// Takes the bytes of a buffer; false if another than the tolerated ones owns any.
    fn claim(&mut self, problem: &Problem, offsets: &[u64], buffer: usize, tolerated: &[usize]) -> bool {
        let from = offsets[buffer] as usize;
        self.0[from..from + problem.buffers[buffer].bytes as usize].iter_mut().all(|owner| {
            let free = owner.is_none_or(|owner| tolerated.contains(&owner));
            *owner = Some(buffer);
            free
        })
    }

    fn release(&mut self, buffer: usize) {
        self.0.iter_mut().filter(|owner| **owner == Some(buffer)).for_each(|owner| *owner = None);
    }
}

/// Whether no live byte is lost: runs the order, painting each byte with its owner. Buffers outside `placed` count
/// as without bytes.
fn paints(problem: &Problem, order: &[usize], offsets: &[u64], placed: &dyn Fn(usize) -> bool) -> bool {
    let problem = &{
        let mut problem = problem.clone();
        (0..problem.buffers.len()).filter(|&b| !placed(b)).for_each(|b| problem.buffers[b].bytes = 0);
        problem
    };
    let ends = problem.buffers.iter().zip(offsets).map(|(buffer, offset)| buffer.bytes + offset);
    let mut bytes = Bytes(vec![None; ends.max().unwrap_or(0) as usize]);
    let kind = |buffer: usize| problem.buffers[buffer].kind;
    let mut readers: Vec<usize> = (0..problem.buffers.len())
        .map(|b| problem.steps.iter().filter(|step| step.reads.contains(&BufferId(b))).count())
        .collect();
    let inputs = || (0..problem.buffers.len()).filter(|&b| kind(b) == BufferKind::Input);
    if !inputs().all(|input| bytes.claim(problem, offsets, input, &[])) {
        return false;
    }
    inputs().filter(|&input| readers[input] == 0).for_each(|input| bytes.release(input));
    for &number in order {
        let step = &problem.steps[number];
        let mut reads: Vec<usize> = step.reads.iter().map(|id| id.0).collect();
        reads.sort_unstable();
        reads.dedup();
        reads.iter().for_each(|&read| readers[read] -= 1);
        reads.retain(|&read| readers[read] == 0 && kind(read) != BufferKind::Output);
        for id in &step.scratch {
            if !bytes.claim(problem, offsets, id.0, &[]) {
                return false;
            }
        }
        for id in &step.writes {
            let declared = |read: usize| {
                let mut entries =
                    step.overlaps.iter().filter(|o| o.read.0 == read && o.written == *id).peekable();
                let distance = offsets[id.0] as i64 - offsets[read] as i64;
                entries.peek().is_some() && entries.all(|o| o.safe.iter().any(|i| i.contains(distance)))
            };
            let tolerated: Vec<usize> = reads.iter().copied().filter(|&read| declared(read)).collect();
            if !bytes.claim(problem, offsets, id.0, &tolerated) {
                return false;
            }
        }
        let over =
            step.writes.iter().map(|id| id.0).filter(|&w| readers[w] == 0 && kind(w) != BufferKind::Output);
        let over: Vec<usize> = over.chain(step.scratch.iter().map(|id| id.0)).chain(reads).collect();
        over.into_iter().for_each(|buffer| bytes.release(buffer));
    }
    (0..problem.buffers.len()).filter(|&b| kind(b) == BufferKind::Output).all(|output| {
        bytes.0.iter().filter(|owner| **owner == Some(output)).count() as u64 == problem.buffers[output].bytes
    })
}

fn orders(problem: &Problem) -> Vec<Vec<usize>> {
    fn extend(problem: &Problem, order: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        if order.len() == problem.steps.len() {
            all.push(order.clone());
        }
        for step in 0..problem.steps.len() {
            let written = |id: &BufferId| {
                problem.buffers[id.0].kind == BufferKind::Input
                    || order.iter().any(|&done| problem.steps[done].writes.contains(id))
            };
            if !order.contains(&step) && problem.steps[step].reads.iter().all(written) {
                order.push(step);
                extend(problem, order, all);
                order.pop();
            }
        }
    }
    let mut all = Vec::new();
    extend(problem, &mut Vec::new(), &mut all);
    all
}

/// Distances from here on are beyond the sizes of small problems.
const APART: i64 = 6;

/// Whether some aligned placement in this order has at most `arena` bytes; pairs are judged by painting.
fn placeable(problem: &Problem, order: &[usize], arena: u64) -> bool {
    let mut buffers: Vec<usize> = (0..problem.buffers.len())
        .filter(|&b| {
            let used = problem
                .steps
                .iter()
                .any(|s| [&s.writes, &s.scratch].iter().any(|l| l.contains(&BufferId(b))));
            problem.buffers[b].bytes > 0 && (used || problem.buffers[b].kind == BufferKind::Input)
        })
        .collect();
    buffers.sort_by_key(|&b| {
        order.iter().position(|&s| {
            let step = &problem.steps[s];
            step.writes.iter().chain(&step.scratch).any(|id| id.0 == b)
        })
    });
    let mut legal = BTreeMap::new();
    for &a in &buffers {
        for &b in buffers.iter().filter(|&&b| b != a) {
            for distance in 1 - APART..APART {
                let mut offsets = vec![0; problem.buffers.len()];
                offsets[a] = APART as u64;
                offsets[b] = (APART + distance) as u64;
                legal.insert((a, b, distance), paints(problem, order, &offsets, &|c| c == a || c == b));
            }
        }
    }
    fn place(
        problem: &Problem,
        buffers: &[usize],
        legal: &BTreeMap<(usize, usize, i64), bool>,
        at: &mut Vec<(usize, i64)>,
        arena: u64,
    ) -> bool {
        let Some(&buffer) = buffers.get(at.len()) else { return true };
        let (bytes, align) = (problem.buffers[buffer].bytes, problem.buffers[buffer].align as usize);
        (0..(arena + 1).saturating_sub(bytes)).step_by(align).any(|offset| {
            let fits = at.iter().all(|&(other, there)| {
                legal.get(&(other, buffer, offset as i64 - there)).copied().unwrap_or(true)
            });
            fits && {
                at.push((buffer, offset as i64));
                let done = place(problem, buffers, legal, at, arena);
                at.pop();
                done
            }
        })
    }
    place(problem, &buffers, &legal, &mut Vec::new(), arena)
}

#[test]
fn final_plans_match_brute_force() {
    let (mut n_optimal, mut n_exhausted, n) = (0, 0, 400);
    for seed in 0..n {
        let problem = random_problem(seed, &SMALL);
        let found = plan(&problem, Effort::Final);
        verify(&problem, &found).unwrap();
        let orders = orders(&problem);
        let fits = |arena: u64| orders.iter().any(|order| placeable(&problem, order, arena));
        let mut optimum = found.arena_bytes;
        while optimum > 0 && fits(optimum - 1) {
            optimum -= 1;
        }
        let certificate = &found.certificate;
        assert!(certificate.lower_bound <= optimum, "seed {seed}: bound above optimum {optimum}: {found:?}");
        assert!(!certificate.optimal || found.arena_bytes == optimum, "seed {seed}: {optimum}: {found:?}");
        n_optimal += u64::from(certificate.optimal);
        n_exhausted += u64::from(certificate.proof == Proof::Exhausted);
    }
    assert_eq!(n_optimal, n, "small problems are all proved");
    assert!(n_exhausted > 0, "some need the exhaustive search");
}

/// The least peak over all orders, by the definition of live, without overlaps and alignment.
fn least_peak(problem: &Problem) -> u64 {
    fn live(problem: &Problem, done: &[usize], now: Option<usize>) -> u64 {
        let is_live = |b: usize| {
            let id = BufferId(b);
            let step = now.map(|now| &problem.steps[now]);
            let here = step.is_some_and(|s| s.writes.contains(&id) || s.scratch.contains(&id));
            let filled = problem.buffers[b].kind == BufferKind::Input
                || done.iter().any(|&s| problem.steps[s].writes.contains(&id));
            let wanted = problem.buffers[b].kind == BufferKind::Output
                || (0..problem.steps.len())
                    .any(|s| !done.contains(&s) && problem.steps[s].reads.contains(&id));
            here || (filled && (wanted || (done.is_empty() && now.is_none())))
        };
        (0..problem.buffers.len()).filter(|&b| is_live(b)).map(|b| problem.buffers[b].bytes).sum()
    }
    fn extend(problem: &Problem, order: &mut Vec<usize>, peak: u64, best: &mut u64) {
        if peak >= *best {
            return;
        }
        if order.len() == problem.steps.len() {
            *best = peak.max(live(problem, order, None)).min(*best);
            return;
        }
        for step in 0..problem.steps.len() {
            let written = |id: &BufferId| {
                problem.buffers[id.0].kind == BufferKind::Input
                    || order.iter().any(|&done| problem.steps[done].writes.contains(id))
            };
            if !order.contains(&step) && problem.steps[step].reads.iter().all(written) {
                let peak = peak.max(live(problem, order, Some(step)));
                order.push(step);
                extend(problem, order, peak, best);
                order.pop();
            }
        }
    }
    let mut best = u64::MAX;
    extend(problem, &mut Vec::new(), live(problem, &[], None), &mut best);
    best
}

#[test]
fn the_order_search_matches_brute_force() {
    for seed in 0..300 {
        let problem = random_problem(seed, &PLAIN);
        let analysis = Analysis::new(&problem);
        let pressure = Pressure::new(&analysis);
        let found = order::search(&analysis, &pressure, FINAL_STATES);
        let peak = pressure.of_order(&found.order).into_iter().max().unwrap().max(pressure.of_ends());
        assert!(found.complete);
        assert_eq!((found.bound, peak), (least_peak(&problem), found.bound), "seed {seed}");
        let cut = order::search(&analysis, &pressure, 3);
        assert!(cut.bound <= found.bound, "seed {seed}: a cut search keeps the bound sound");
        let cut_peak = pressure.of_order(&cut.order).into_iter().max().unwrap().max(pressure.of_ends());
        assert!(cut_peak >= found.bound, "seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn plans_verify_paint_repeat_and_improve_with_effort(seed in any::<u64>()) {
        let problem = random_problem(seed, &WIDE);
        let searched = plan(&problem, Effort::Search);
        prop_assert_eq!(verify(&problem, &searched), Ok(()));
        prop_assert!(paints(&problem, &searched.order, &searched.offsets, &|_| true));
        prop_assert_eq!(&plan(&problem, Effort::Search), &searched);
        if problem.steps.len() <= 12 {
            let found = plan(&problem, Effort::Final);
            prop_assert_eq!(verify(&problem, &found), Ok(()));
            prop_assert!(paints(&problem, &found.order, &found.offsets, &|_| true));
            prop_assert!(found.arena_bytes <= searched.arena_bytes);
            prop_assert!(found.certificate.lower_bound >= searched.certificate.lower_bound);
            prop_assert_eq!(&plan(&problem, Effort::Final), &found);
        }
    }

    #[test]
    fn the_verifier_agrees_with_painting_on_mutated_plans(seed in any::<u64>()) {
        let problem = random_problem(seed, &SMALL);
        let good = plan(&problem, Effort::Search);
        let mut random = Random(seed);
        for _ in 0..20 {
            let mut mutant = good.clone();
            let moved = random.below(problem.buffers.len() as u64) as usize;
            mutant.offsets[moved] = random.below(12) / problem.buffers[moved].align * problem.buffers[moved].align;
            let lives = lifetimes(&problem, &mutant.order);
            let ends = problem.buffers.iter().zip(&mutant.offsets).zip(&lives);
            let ends = ends.filter(|((b, _), life)| life.is_some() && b.bytes > 0).map(|((b, at), _)| b.bytes + at);
            mutant.arena_bytes = ends.max().unwrap_or(0);
            mutant.certificate.lower_bound = 0;
            mutant.certificate.proof = if mutant.arena_bytes == 0 { Proof::Bound } else { Proof::Open };
            mutant.certificate.optimal = mutant.arena_bytes == 0;
            let beyond = mutant.offsets.iter().any(|&offset| offset > mutant.arena_bytes);
            let paints = paints(&problem, &mutant.order, &mutant.offsets, &|_| true);
            let verdict = verify(&problem, &mutant);
            prop_assert_eq!(verdict.is_ok(), paints && !beyond, "{:?} {:?}", verdict, mutant);
        }
    }
}

/// A chain of steps from sizes, each pair with the given safe distances.
fn chain(bytes: &[u64], align: u64, safe: impl Fn(usize) -> Vec<Interval>) -> Problem {
    let mut problem = Problem::default();
    for (at, &bytes) in bytes.iter().enumerate() {
        let kind = if at == 0 { BufferKind::Input } else { BufferKind::Internal };
        problem.buffers.push(buffer(&format!("x{at}"), bytes, align, kind));
    }
    problem.buffers.last_mut().unwrap().kind = BufferKind::Output;
    for at in 1..bytes.len() {
        let (read, written) = (BufferId(at - 1), BufferId(at));
        problem.steps.push(Step {
            name: format!("conv{at}"),
            reads: vec![read],
            writes: vec![written],
            scratch: vec![],
            overlaps: vec![Overlap { read, written, safe: safe(at) }],
        });
    }
    problem
}

#[test]
fn a_convolution_writes_over_its_own_input() {
    let problem = chain(&[96, 96], 4, |_| vec![Interval::at_most(-16)]);
    let found = plan(&problem, Effort::Search);
    assert_eq!((found.arena_bytes, found.offsets), (112, vec![16, 0]));
    assert_eq!(found.certificate.proof, Proof::Bound);
}

#[test]
fn a_chain_walks_down_through_the_arena() {
    let sizes: Vec<u64> = (0..16).map(|at| 4096 - 240 * at).collect();
    let problem = chain(&sizes, 16, |_| vec![Interval::at_most(-64)]);
    let found = plan(&problem, Effort::Final);
    verify(&problem, &found).unwrap();
    assert!(found.certificate.optimal, "{}", found.to_text(&problem));
    assert!(found.arena_bytes < 4096 + 16 * 64, "{}", found.to_text(&problem));
}

#[test]
fn steps_that_walk_both_ways_reach_the_bound() {
    let both = |at: usize| if at % 2 == 1 { Interval::at_most(-64) } else { Interval::at_least(64) };
    let problem = chain(&[4096; 20], 16, |at| vec![both(at)]);
    let found = plan(&problem, Effort::Search);
    assert_eq!((found.arena_bytes, found.certificate.proof), (4160, Proof::Bound));
}

#[test]
fn mobilenet_needs_no_more_than_its_two_largest_neighbours() {
    // MobileNetV1 0.25 at 96x96x3 without overlaps: greedy by size, as in TFLM, needs 64,512 B.
    let mut sizes = vec![27648, 18432, 18432, 36864, 9216, 18432, 18432, 18432, 4608, 9216, 9216, 9216, 2304];
    sizes.extend([4608; 11]);
    sizes.extend([1152, 2304, 2304, 2304, 256, 2]);
    let problem = chain(&sizes, 16, |_| vec![]);
    let found = plan(&problem, Effort::Search);
    verify(&problem, &found).unwrap();
    assert_eq!((found.arena_bytes, found.certificate.proof), (55_296, Proof::Bound));
}

fn residual(align: u64) -> Problem {
    let kinds = [BufferKind::Input, BufferKind::Internal, BufferKind::Output, BufferKind::Scratch];
    let names = [("x", 100), ("y", 100), ("sum", 100), ("columns", 36)];
    let buffers =
        names.iter().zip(kinds).map(|(&(name, bytes), kind)| buffer(name, bytes, align, kind)).collect();
    let [x, y, sum, columns] = [0, 1, 2, 3].map(BufferId);
    let in_place = |read| Overlap { read, written: sum, safe: vec![Interval::only(0)] };
    let conv = Step {
        name: "conv".to_string(),
        reads: vec![x],
        writes: vec![y],
        scratch: vec![columns],
        overlaps: vec![Overlap { read: x, written: y, safe: vec![Interval::only(0)] }],
    };
    let add = Step {
        name: "add".to_string(),
        reads: vec![x, y],
        writes: vec![sum],
        scratch: vec![],
        overlaps: vec![in_place(x), in_place(y)],
    };
    Problem { buffers, steps: vec![conv, add] }
}

#[test]
fn a_skip_keeps_its_source_alive_and_takes_the_sum() {
    let problem = residual(16);
    let found = plan(&problem, Effort::Final);
    verify(&problem, &found).unwrap();
    insta::assert_snapshot!(found.to_text(&problem), @r"
    arena 260 B, bound 260 B: optimal, the bound is reached
    over orders, overlaps and placements at 16-byte alignment for the chosen schedules

    step  name  need
    0     conv   260
    1     add    212

    buffer   kind      offset  bytes  live
    x        input          0    100  start..1
    y        internal     112    100  0..1
    sum      output         0    100  1..end
    columns  scratch      224     36  0..0
    ");
}

#[test]
fn buffers_with_equal_lifetimes_lie_apart() {
    let [a, b] = [0, 1].map(BufferId);
    let inputs = ["a", "b"].map(|name| buffer(name, 8, 4, BufferKind::Input)).to_vec();
    let step = Step { name: "compare".to_string(), reads: vec![a, b], ..Step::default() };
    let problem = Problem { buffers: inputs, steps: vec![step] };
    let mut found = plan(&problem, Effort::Search);
    assert_eq!(found.arena_bytes, 16);
    found.offsets = vec![0, 0];
    found.arena_bytes = 8;
    assert_eq!(verify(&problem, &found), Err("`a` at 0..8 and `b` at 0..8 overlap at the start".to_string()));
}

#[test]
fn the_verifier_rejects_false_claims() {
    let problem = residual(4);
    let good = plan(&problem, Effort::Final);
    let broken = |change: &dyn Fn(&mut Plan)| {
        let mut plan = good.clone();
        change(&mut plan);
        verify(&problem, &plan).unwrap_err()
    };
    assert!(broken(&|plan| plan.order.reverse()).contains("runs before"));
    assert!(broken(&|plan| plan.order[1] = 0).contains("repeated"));
    assert!(broken(&|plan| plan.order.truncate(1)).contains("1 of 2"));
    assert!(broken(&|plan| plan.offsets[0] += 1).contains("not aligned"));
    assert!(broken(&|plan| plan.offsets[0] = u64::MAX - 3).contains("beyond"));
    assert!(broken(&|plan| plan.offsets.clear()).contains("offsets"));
    assert!(broken(&|plan| plan.arena_bytes += 4).contains("arena"));
    assert!(broken(&|plan| plan.certificate.lower_bound += 1).contains("above the arena"));
    assert!(broken(&|plan| plan.certificate.lower_bound -= 1).contains("proof"));
    assert!(broken(&|plan| plan.certificate.optimal = false).contains("optimal"));
    assert!(broken(&|plan| plan.certificate.family.clear()).contains("family"));
}

#[test]
fn malformed_problems_are_named() {
    let broken = |change: &dyn Fn(&mut Problem)| {
        let mut problem = residual(4);
        change(&mut problem);
        problem.check().unwrap_err()
    };
    assert!(broken(&|p| p.buffers[0].align = 3).contains("alignment 3"));
    assert!(broken(&|p| p.buffers[0].bytes = u64::MAX).contains("limit"));
    assert!(broken(&|p| p.steps.reverse()).contains("unwritten"));
    assert!(broken(&|p| p.steps[1].writes.push(BufferId(1))).contains("may not write"));
    assert!(broken(&|p| p.steps[1].scratch.push(BufferId(3))).contains("no scratch"));
    assert!(broken(&|p| p.steps[1].reads.push(BufferId(9))).contains("does not exist"));
    assert!(broken(&|p| p.steps[0].overlaps[0].safe[0].high = -1).contains("malformed overlap"));
    assert!(broken(&|p| p.steps.truncate(1)).contains("never written"));
}

#[test]
fn problems_without_bytes_have_an_empty_arena() {
    let unread = buffer("unread", 0, 16, BufferKind::Input);
    for problem in [Problem::default(), Problem { buffers: vec![unread], steps: vec![] }] {
        let found = plan(&problem, Effort::Final);
        verify(&problem, &found).unwrap();
        assert_eq!((found.arena_bytes, found.certificate.optimal), (0, true));
    }
}

#[test]
fn a_pair_listed_twice_needs_a_distance_safe_in_both() {
    let mut problem = chain(&[32, 32], 4, |_| vec![Interval::at_most(0)]);
    let again = Overlap {
        safe: vec![Interval::at_least(-8), Interval::only(-16)],
        ..problem.steps[0].overlaps[0].clone()
    };
    problem.steps[0].overlaps.push(again);
    assert_eq!(plan(&problem, Effort::Search).arena_bytes, 32);
    problem.steps[0].overlaps[1].safe.remove(0);
    assert_eq!(plan(&problem, Effort::Search).arena_bytes, 48);
}

#[test]
fn a_plan_survives_its_text_form() {
    let found = plan(&residual(4), Effort::Final);
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), found);
}
