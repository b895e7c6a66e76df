//! A µNAS-like toy space, with lists, branches, options and nested decisions, built without a spec.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

mod build;
mod points;
mod random;

use super::*;
use crate::source::{FileId, Span};

const SPAN: Span = Span { file: FileId(0), start: 0, end: 1 };

fn region(kind: RegionKind, name: &str) -> Region {
    Region { kind, decisions: Vec::new(), name: name.into(), span: SPAN }
}

fn fixed(value: Value) -> Argument {
    Argument { expr: Expr::Value(value), span: SPAN }
}

fn word(word: &str) -> Argument {
    fixed(Value::Text(word.into()))
}

fn decided(decision: DecisionId) -> Argument {
    Argument { expr: Expr::Decision(decision), span: SPAN }
}

fn decision(name: &str, domain: Domain) -> Decision {
    Decision { name: name.into(), domain, span: SPAN }
}

fn ints(values: &[i64]) -> Domain {
    Domain::Set(values.iter().map(|&x| Value::Int(x)).collect())
}

/// Plain addition of branches.
const SUM: Merge = Merge { kind: MergeKind::Add, pool: false, pad: false };

fn range(low: i64, high: i64, step: i64) -> Domain {
    Domain::Range { low, high, step, log: false }
}

fn add_conv(space: &mut Space, parent: RegionId, width: DecisionId, kernels: &[i64]) -> RegionId {
    let id = space.add_child(parent, region(RegionKind::Sequence, "conv2d"));
    let kernel = space.add_decision(id, decision("kernel", ints(kernels)));
    let layer = Layer::Conv2d {
        filters: decided(width),
        kernel: decided(kernel),
        stride: fixed(Value::Int(1)),
        padding: word("same"),
        norm: word("batch"),
        act: word("relu"),
    };
    space.set_kind(id, RegionKind::Layer(layer));
    id
}

/// `let width = 8..24 step 4; repeat blocks: 1..3 { parallel { conv; repeat layers: 0..2 { conv } }; optional pool;
/// choose { conv | depthwise } }; global_avg_pool; dense`.
fn toy() -> Space {
    let mut space = Space::new([16, 16, 1], Output::Classes(4), SPAN);
    let root = space.root();
    let width = space.add_decision(root, decision("width", range(8, 24, 4)));
    add_conv(&mut space, root, width, &[3]);
    let repeat = space.add_child(root, region(RegionKind::Sequence, "blocks"));
    let blocks = space.add_decision(repeat, decision("blocks", range(1, 3, 1)));
    space.set_kind(repeat, RegionKind::Repeat { count: Expr::Decision(blocks), branching: None });
    let body = space.add_child(repeat, region(RegionKind::Sequence, ""));

    let parallel = space.add_child(body, region(RegionKind::Parallel { merge: SUM }, "parallel"));
    add_conv(&mut space, parallel, width, &[1, 3, 5]);
    let branch = space.add_child(parallel, region(RegionKind::Sequence, "branch"));
    add_conv(&mut space, branch, width, &[3]);
    let list = space.add_child(branch, region(RegionKind::Sequence, "layers"));
    let layers = space.add_decision(list, decision("layers", range(0, 2, 1)));
    space.set_kind(list, RegionKind::Repeat { count: Expr::Decision(layers), branching: None });
    add_conv(&mut space, list, width, &[1, 3]);

    let optional = space.add_child(body, region(RegionKind::Sequence, "pool"));
    let flags = Domain::Set(vec![Value::Bool(false), Value::Bool(true)]);
    let present = space.add_decision(optional, decision("pool", flags));
    space.set_kind(optional, RegionKind::Optional { decision: present });
    let two = fixed(Value::Int(2));
    let pool = Layer::MaxPool { size: two.clone(), stride: two, padding: word("valid") };
    space.add_child(optional, region(RegionKind::Layer(pool), "max_pool"));

    let choose = space.add_child(body, region(RegionKind::Sequence, "op"));
    let labels = vec!["dense3".to_owned(), "depthwise".to_owned()];
    let options = Domain::Set(labels.iter().cloned().map(Value::Text).collect());
    let op = space.add_decision(choose, decision("op", options));
    space.set_kind(choose, RegionKind::Choose { labels, decision: op });
    add_conv(&mut space, choose, width, &[3]);
    let depthwise = Layer::DepthwiseConv2d {
        kernel: fixed(Value::Int(3)),
        stride: fixed(Value::Int(1)),
        padding: word("valid"),
        norm: word("batch"),
        act: word("relu6"),
    };
    space.add_child(choose, region(RegionKind::Layer(depthwise), "depthwise_conv2d"));

    space.add_child(root, region(RegionKind::Layer(Layer::GlobalAvgPool), "global_avg_pool"));
    let dense = Layer::Dense { units: fixed(Value::Int(4)), norm: word("none"), act: word("none") };
    space.add_child(root, region(RegionKind::Layer(dense), "dense"));
    space
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

#[test]
fn samples_are_points_and_reach_every_bound() {
    let space = toy();
    let mut rng = rng(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..400 {
        let genome = sample(&space, &mut rng);
        validate(&space, &genome).expect("a sample is a point");
        seen.insert((genome.root.values[0].clone(), genome.root.children[1].children.len()));
    }
    for width in [8, 12, 16, 20, 24] {
        for blocks in 1..=3 {
            assert!(seen.contains(&(Value::Int(width), blocks)), "{width} wide, {blocks} blocks");
        }
    }
}

#[test]
fn samples_become_verified_networks() {
    let space = toy();
    let mut rng = rng(2);
    let mut built = 0;
    for _ in 0..200 {
        let genome = sample(&space, &mut rng);
        match instantiate(&space, &genome) {
            Ok(graph) => {
                graph.verify().expect("well formed");
                built += 1;
            }
            Err(diagnostic) => assert_eq!(diagnostic.code, crate::diagnostic::Code::WINDOW, "{diagnostic:?}"),
        }
    }
    assert!(built > 150, "{built} of 200");
}

#[test]
fn every_morph_is_a_point_and_changes_something() {
    let space = toy();
    let mut rng = rng(3);
    for _ in 0..40 {
        let genome = sample(&space, &mut rng);
        let all = morphs(&space, &genome, &MorphRules::default());
        assert!(all.len() > 5);
        for morph in &all {
            let edited = apply(&space, &genome, morph, &mut rng);
            validate(&space, &edited).expect("a morph is a point");
        }
        let changed = all.iter().filter(|morph| apply(&space, &genome, morph, &mut rng) != genome).count();
        assert!(changed * 10 >= all.len() * 9, "{changed} of {}", all.len());
    }
}

#[test]
fn inserting_and_removing_a_block_are_list_edits() {
    let space = toy();
    let mut rng = rng(4);
    let genome = loop {
        let genome = sample(&space, &mut rng);
        if genome.root.children[1].children.len() == 2 {
            break genome;
        }
    };
    let blocks = &genome.root.children[1].children;
    let edited: Vec<Genome> = morphs(&space, &genome, &MorphRules::default())
        .iter()
        .map(|morph| apply(&space, &genome, morph, &mut rng))
        .collect();
    let lists: Vec<&Vec<GenomeNode>> =
        edited.iter().map(|genome| &genome.root.children[1].children).collect();
    assert!(lists.iter().any(|list| list.len() == 3 && list[1..] == blocks[..]), "insertion at the front");
    assert!(lists.iter().any(|list| list.len() == 3 && list[0] == blocks[0] && list[2] == blocks[1]));
    assert!(lists.iter().any(|list| list.len() == 1 && list[0] == blocks[1]), "removal of the first");
}

#[test]
fn a_walk_of_mutations_stays_in_the_space_and_moves_far() {
    let space = toy();
    let mut rng = rng(5);
    let start = sample(&space, &mut rng);
    let mut genome = start.clone();
    for _ in 0..300 {
        genome = mutate(&space, &genome, &MorphRules::default(), &mut rng);
        validate(&space, &genome).expect("a mutant is a point");
    }
    assert_ne!(genome, start);
}

#[test]
fn encodings_have_one_length_and_tell_genomes_apart() {
    let space = toy();
    let mut rng = rng(6);
    let genomes: Vec<Genome> = (0..100).map(|_| sample(&space, &mut rng)).collect();
    let codes: Vec<Vec<Feature>> = genomes.iter().map(|genome| encode(&space, genome)).collect();
    let paths = |code: &Vec<Feature>| code.iter().map(|f| f.path.clone()).collect::<Vec<_>>();
    for (genome, code) in genomes.iter().zip(&codes) {
        assert_eq!(paths(code), paths(&codes[0]));
        let blocks = genome.root.children[1].children.len();
        let third_is_active = code.iter().any(|f| f.path.starts_with("/1/2/") && f.active);
        assert_eq!(third_is_active, blocks == 3, "{blocks}");
    }
    for (i, a) in genomes.iter().enumerate() {
        for (j, b) in genomes.iter().enumerate().skip(i + 1) {
            assert_eq!(a == b, codes[i] == codes[j], "{i} {j}");
        }
    }
}

#[test]
fn genomes_survive_json_and_reordered_options() {
    let space = toy();
    let mut rng = rng(7);
    let mut reordered = toy();
    for decision in &mut reordered.decisions {
        if let Domain::Set(values) = &mut decision.domain {
            values.reverse();
        }
    }
    for _ in 0..100 {
        let genome = sample(&space, &mut rng);
        let json = to_json(&space, &genome);
        assert_eq!(from_json(&space, &json).expect("its own text"), genome);
        let text = serde_json::to_string(&json).expect("plain JSON");
        let parsed = serde_json::from_str(&text).expect("plain JSON");
        assert_eq!(from_json(&reordered, &parsed).expect("the same choices"), genome);
    }
}

#[test]
fn a_window_too_large_names_both_places() {
    let space = toy();
    let mut rng = rng(8);
    let found = (0..2000).find_map(|_| instantiate(&space, &sample(&space, &mut rng)).err());
    let diagnostic = found.expect("three pools and valid windows shrink 16 below 3");
    assert!(diagnostic.message.contains("is larger than the height"), "{}", diagnostic.message);
}
