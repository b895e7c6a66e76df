use proptest::prelude::*;

use super::*;

fn cost(deployment: u64) -> Cost {
    Cost { deployment, operators: 1 }
}

/// Random classes. Candidate 0 needs lower classes alone, so that there is a selection; others need any.
fn problem() -> impl Strategy<Value = Problem> {
    (2usize..7).prop_flat_map(|n| {
        let candidate = |limit: usize| {
            (0u64..6, prop::collection::vec(0..limit.max(1), 0..3)).prop_map(move |(own, mut children)| {
                children.truncate(if limit == 0 { 0 } else { 3 });
                Candidate { cost: cost(own), children }
            })
        };
        let class = move |number: usize| {
            (candidate(number), prop::collection::vec(candidate(n), 0..3)).prop_map(|(first, mut rest)| {
                rest.insert(0, first);
                rest
            })
        };
        (0..n).map(class).collect::<Vec<_>>().prop_map(move |classes| Problem { classes, root: n - 1 })
    })
}

/// The cheapest of all selections.
fn brute_force(problem: &Problem) -> Cost {
    let mut best: Option<Cost> = None;
    let mut indices = vec![0; problem.classes.len()];
    loop {
        let choice: Choice = indices.iter().copied().map(Some).collect();
        if let Some(selection) = select(problem, &choice) {
            best = Some(best.map_or(selection.cost, |best| best.min(selection.cost)));
        }
        let Some(digit) = (0..indices.len()).find(|&d| indices[d] + 1 < problem.classes[d].len()) else {
            return best.expect("the first candidates have no cycle");
        };
        indices[digit] += 1;
        indices[..digit].fill(0);
    }
}

fn first(problem: &Problem) -> Choice {
    vec![Some(0); problem.classes.len()]
}

/// Every needed class is chosen, no other is, and the cost is their sum.
fn check(problem: &Problem, selection: &Selection) {
    let again = select(problem, &selection.choice).expect("no cycle");
    assert_eq!((again.cost, &again.order), (selection.cost, &selection.order));
    let needed = selection.choice.iter().filter(|choice| choice.is_some()).count();
    assert_eq!(needed, selection.order.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn exact_is_brute_force(problem in problem()) {
        let selection = extract(&problem, &first(&problem), Exactness::Exact { limit: 1_000_000 });
        check(&problem, &selection);
        prop_assert!(selection.proved);
        prop_assert_eq!(selection.cost, brute_force(&problem));
    }

    #[test]
    fn less_effort_is_never_better_and_never_worse_than_nothing(problem in problem(), limit in 0usize..20) {
        let given = select(&problem, &first(&problem)).expect("no cycle");
        let greedy = extract(&problem, &first(&problem), Exactness::Greedy);
        let some = extract(&problem, &first(&problem), Exactness::Exact { limit });
        check(&problem, &greedy);
        check(&problem, &some);
        prop_assert!(!greedy.proved);
        prop_assert!(greedy.cost <= given.cost);
        prop_assert!(some.cost <= greedy.cost);
        prop_assert!(!some.proved || some.cost == brute_force(&problem));
    }
}

#[test]
fn sharing_counts_once() {
    // The root needs two classes; each is dear by itself or cheap on a class that both can share.
    let shared = vec![Candidate { cost: cost(5), children: vec![] }];
    let user =
        vec![Candidate { cost: cost(4), children: vec![] }, Candidate { cost: cost(1), children: vec![0] }];
    let root = vec![Candidate { cost: cost(0), children: vec![1, 2] }];
    let problem = Problem { classes: vec![shared, user.clone(), user, root], root: 3 };
    let selection = extract(&problem, &first(&problem), Exactness::Exact { limit: 100 });
    // Alone, 4 < 1 + 5; together, 1 + 1 + 5 < 4 + 4.
    assert_eq!(selection.cost.deployment, 7);
    assert!(selection.proved);
}

#[test]
fn a_long_chain_of_choices_is_proved_in_linear_time() {
    // As fused layers look: every layer is one operator or two.
    let mut classes = vec![vec![Candidate { cost: cost(0), children: vec![] }]];
    for layer in 0..200 {
        classes.push(vec![Candidate { cost: cost(90), children: vec![2 * layer] }]);
        let two = Candidate { cost: cost(10), children: vec![2 * layer + 1] };
        classes.push(vec![two, Candidate { cost: cost(95), children: vec![2 * layer] }]);
    }
    let problem = Problem { root: classes.len() - 1, classes };
    let selection = extract(&problem, &first(&problem), Exactness::Exact { limit: 1_000 });
    assert!(selection.proved);
    assert_eq!(selection.cost.deployment, 200 * 95);
}

fn via(own: u64, child: usize) -> Candidate {
    Candidate { cost: cost(own), children: vec![child] }
}

fn alone(own: u64) -> Candidate {
    Candidate { cost: cost(own), children: vec![] }
}

/// Two classes that are cheap through each other, which would be a cycle.
#[test]
fn a_cheap_cycle_is_not_taken() {
    let user = vec![alone(4), via(1, 0)];
    let (a, b) = (vec![alone(5), via(1, 4)], vec![alone(5), via(1, 3)]);
    // What sharing gains keeps the greedy choice from being the best, so that the search has to answer.
    let root = vec![Candidate { cost: cost(0), children: vec![1, 2, 3] }];
    let problem = Problem { classes: vec![vec![alone(5)], user.clone(), user, a, b, root], root: 5 };
    let selection = extract(&problem, &first(&problem), Exactness::Exact { limit: 1_000 });
    check(&problem, &selection);
    assert!(selection.proved);
    assert_eq!(selection.cost.deployment, 7 + 5);
    assert_eq!(selection.cost, brute_force(&problem));
}

/// Both classes are always needed, so each is a part of its own, and the parts' optima close a cycle.
#[test]
fn a_cycle_between_parts_is_searched_as_one() {
    let root = vec![Candidate { cost: cost(0), children: vec![0, 1] }];
    let problem =
        Problem { classes: vec![vec![alone(5), via(1, 1)], vec![alone(5), via(1, 0)], root], root: 2 };
    let selection = extract(&problem, &first(&problem), Exactness::Exact { limit: 1_000 });
    check(&problem, &selection);
    assert!(selection.proved);
    assert_eq!(selection.cost.deployment, 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_near_costs_hardly_more_and_differs_in_one_choice(problem in problem(), most in 0usize..6) {
        let best = extract(&problem, &first(&problem), Exactness::Exact { limit: 1_000_000 });
        let found = near(&problem, &best, most);
        prop_assert!(found.len() <= most);
        prop_assert_eq!(&found, &near(&problem, &best, most));
        for (at, selection) in found.iter().enumerate() {
            check(&problem, selection);
            let limit = best.cost.deployment + best.cost.deployment / NEAR;
            prop_assert!(best.cost <= selection.cost && selection.cost.deployment <= limit);
            let both = best.choice.iter().zip(&selection.choice);
            let otherwise = both.filter(|(a, b)| a.is_some() && b.is_some() && a != b).count();
            prop_assert_eq!(otherwise, 1);
            prop_assert!(found[..at].iter().all(|other| other.choice != selection.choice));
        }
        prop_assert!(found.is_sorted_by_key(|selection| selection.cost));
    }
}

#[test]
fn near_selections_are_found_and_dearer_ones_are_not() {
    // A class that is computed in three ways: for the same, for a little more with another class, for much more.
    let ways = vec![via(1_000, 0), Candidate { cost: cost(1_000), children: vec![1] }, via(1_017, 0)];
    let root = vec![Candidate { cost: cost(0), children: vec![0, 2] }];
    let leaf = |own| vec![alone(own)];
    let problem = Problem { classes: vec![leaf(0), leaf(15), ways, root], root: 3 };
    let best = extract(&problem, &first(&problem), Exactness::Exact { limit: 100 });
    assert_eq!(best.choice[2], Some(0));
    let found = near(&problem, &best, 8);
    assert_eq!(found.iter().map(|found| found.choice[2]).collect::<Vec<_>>(), [Some(1)]);
    assert_eq!(found[0].cost.deployment, 1_015);
    assert!(near(&problem, &best, 0).is_empty());
}
