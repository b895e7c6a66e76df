//! The standard library: the spaces of the five systems against their papers' arithmetic, blocks, boards.

use std::fs;
use std::path::Path;

use nasc::diagnostic::{Style, render};
use nasc::elaborate::{self, Options, Program};
use nasc::graph::Graph;
use nasc::ops::Op;
use nasc::source::SourceMap;
use nasc::space::{Space, cardinality, instantiate, sample, unrolled};
use nasc::target::Isa;
use nasc::tensor::Bytes;
use num_bigint::BigUint;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const NAMES: [&str; 7] =
    ["mcunet", "ofa_mbv3", "munas", "sparse", "micronets_kws", "micronets_vww", "micronets_ad"];

/// Networks drawn from each space.
const SAMPLES: usize = 100;

fn program_of(name: &str, text: &str) -> Program {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &Options::default());
    let messages = render(&diagnostics, &sources, Style::Plain);
    program.unwrap_or_else(|| panic!("{name} is wrong:\n{messages}"))
}

fn space(name: &str) -> Space {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("stdlib/spaces/{name}.nas"));
    program_of(name, &fs::read_to_string(path).expect("a space of the library")).space
}

fn big(value: u64) -> BigUint {
    BigUint::from(value)
}

/// The exact number of points.
fn points(space: &Space) -> BigUint {
    let found = cardinality(space);
    assert!(found.exact, "only bounded by {}", found.count);
    found.count
}

/// Five stages of two to four blocks with nine variants each.
fn stages() -> BigUint {
    let stage = 9u64.pow(2) + 9u64.pow(3) + 9u64.pow(4);
    assert_eq!(stage, 7371);
    big(stage).pow(5)
}

#[test]
fn every_space_of_the_library_is_tested() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib/spaces");
    let mut found: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().replace(".nas", ""))
        .collect();
    found.sort();
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(found, names);
}

/// MCUNet: 12 resolutions, 9 widths; OFA: 25 resolutions.
#[test]
fn the_mobile_spaces_have_the_papers_sizes() {
    assert_eq!(points(&space("mcunet")), stages() * big(108));
    assert_eq!(points(&space("ofa_mbv3")), stages() * big(25));
    assert_eq!(stages().to_string(), "21758655492572485851");
}

/// The authors' product over the schema of their code, with `kernels` and `sizes` values of a kernel and of a pool.
fn munas_schema(kernels: u64, sizes: u64) -> BigUint {
    let layer = big(3 * kernels * 128 * 2 * 2 * 2 * 2);
    let block = big(2 * 3) * layer.pow(3);
    big(10) * block.pow(10) * big(2 * sizes * 3) * big(247).pow(3)
}

#[test]
fn the_space_of_munas_has_the_authors_size() {
    let space = space("munas");
    let unrolled = unrolled(&space);
    assert_eq!(unrolled, munas_schema(3, 3));
    // Their function counts 3..7 and 2..6 as five values: thirty kernels and one pool.
    let theirs = unrolled * big(5).pow(31) / big(3).pow(31);
    assert_eq!(theirs, munas_schema(5, 5));
    assert!(theirs.to_string().starts_with("1146") && theirs.to_string().len() == 153, "{theirs}");
    // What differs in a decision that is there: of a full convolution kernel, filters and stride, of a pointwise one
    // filters, of a depthwise one kernel and stride; pooling before, normalisation and activation of each; the link
    // of all blocks but the first.
    let layer = big((3 * 128 * 2 + 128 + 3 * 2) * 8);
    let block: BigUint = (1..=3).map(|layers| layer.pow(layers)).sum();
    let blocks: BigUint = (1..=10).map(|blocks| block.pow(blocks) * big(2).pow(blocks - 1)).sum();
    let hidden: BigUint = (1..=3).map(|layers| big(247).pow(layers)).sum();
    assert_eq!(points(&space), blocks * big(2 * 3) * hidden);
}

#[test]
fn the_space_of_sparse_has_the_size_in_its_text() {
    let layer = big(4 * 100 * (1 + 1001 + 1));
    let block = big(1001) * (1..=3).map(|layers| layer.pow(layers)).sum::<BigUint>();
    let network = block.pow(2) * big(1 + 3) * big(1 + 191 + 191 * 191);
    let recipe = big(1001 * 1001 * 10_000 * 127 * 1001);
    assert_eq!(points(&space("sparse")), network * recipe);
}

#[test]
fn the_spaces_of_micronets_have_the_sizes_in_their_texts() {
    let widths = 276 / 4;
    assert_eq!(points(&space("micronets_kws")), big(widths) * big(widths + 1).pow(9));
    assert_eq!(points(&space("micronets_ad")), big(widths) * big(widths + 1).pow(5));
    assert_eq!(points(&space("micronets_vww")), big(2) * big(10).pow(35));
}

/// The share of points that are networks. Only the poolings of µNAS could meet too small a map, and they keep borders.
#[test]
fn samples_of_every_space_are_networks() {
    for name in NAMES {
        let space = space(name);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut networks = 0;
        let mut problems = Vec::new();
        for _ in 0..SAMPLES {
            match instantiate(&space, &sample(&space, &mut rng)) {
                Ok(graph) => {
                    networks += 1;
                    assert!(graph.macs().0 > 0, "{name}");
                }
                Err(problem) => problems.push(problem.message),
            }
        }
        assert!(networks >= 95, "{name}: {networks} of {SAMPLES}; {problems:?}");
    }
}

/// A file that takes one block of the library, with the sections that every spec has.
fn one(block: &str, body: &str) -> Graph {
    let text = format!(
        "nas 1\nuse std/blocks {{ {block} }}\nmodel m(input: (16, 16, 8), classes: 4) {{\n{body}\nglobal_avg_pool\n\
         dense(units: classes)\n}}\n\
         data {{ source: ts(train: \"a.ts\", test: \"b.ts\"), split: holdout(val: 20 %) }}\n\
         train {{ optimizer: adamw(lr: 1e-3), epochs: 1, batch: 8 }}\nsearch {{ strategy: random, trials: 1 }}\n\
         maximize accuracy\n"
    );
    let space = program_of(block, &text).space;
    let point = sample(&space, &mut ChaCha8Rng::seed_from_u64(1));
    instantiate(&space, &point).unwrap_or_else(|error| panic!("{block}: {error:?}"))
}

/// Multiply-accumulates of each block on a map of 16 x 16 x 8, counted by hand, and a dense layer of `out` by 4.
#[test]
fn blocks_do_the_work_that_their_papers_count() {
    let pixels = 16 * 16;
    let quarter = 8 * 8;
    let cases: [(&str, &str, u64, u64); 14] = [
        ("ds_conv", "ds_conv(filters: 12)", pixels * (9 * 8 + 8 * 12), 12),
        ("mbconv", "mbconv(out: 8)", pixels * (8 * 48 + 9 * 48 + 48 * 8), 8),
        ("mbconv", "mbconv(out: 8, expand: 1, kernel: 5)", pixels * (25 * 8 + 8 * 8), 8),
        (
            "mbconv",
            "mbconv(out: 16, expand: 3, stride: 2)",
            pixels * 8 * 24 + quarter * (9 * 24 + 24 * 16),
            16,
        ),
        ("mbconv_se", "mbconv_se(out: 8, expand: 4)", pixels * (8 * 32 + 9 * 32 + 32 * 8) + 2 * 32 * 8, 8),
        ("squeeze_excite", "squeeze_excite(ratio: 1)", 2 * 8 * 8, 8),
        ("basic_block", "basic_block(filters: 8)", pixels * 2 * 9 * 8 * 8, 8),
        (
            "basic_block",
            "basic_block(filters: 16, stride: 2)",
            quarter * (9 * 8 * 16 + 9 * 16 * 16 + 8 * 16),
            16,
        ),
        (
            "basic_block",
            "basic_block(filters: 4, project: true)",
            pixels * (9 * 8 * 4 + 9 * 4 * 4 + 8 * 4),
            4,
        ),
        ("bottleneck", "bottleneck(filters: 2)", pixels * (8 * 2 + 9 * 2 * 2 + 2 * 8), 8),
        (
            "bottleneck",
            "bottleneck(filters: 4, stride: 2)",
            pixels * 8 * 4 + quarter * (9 * 4 * 4 + 4 * 16 + 8 * 16),
            16,
        ),
        (
            "inception",
            "inception(one: 2, three_in: 3, three: 4, five_in: 1, five: 2, pool: 5)",
            pixels * (8 * 2 + 8 * 3 + 9 * 3 * 4 + 8 + 25 * 2 + 8 * 5),
            13,
        ),
        ("fire", "fire(squeeze: 2, expand: 3)", pixels * (8 * 2 + 2 * 3 + 9 * 2 * 3), 6),
        ("dense_block", "dense_block(layers: 2, growth: 3)", pixels * (9 * 8 * 3 + 9 * 11 * 3), 14),
    ];
    for (block, body, macs, out) in cases {
        assert_eq!(one(block, body).macs().0, macs + out * 4, "{body}");
    }
    let body = "downsampled_conv(filters: 6, kernel: 3, ratio: 0.25)";
    assert_eq!(one("downsampled_conv", body).macs().0, pixels * (8 * 2 + 9 * 2 * 6) + 6 * 4);
}

/// Residuals add only where shapes are equal, so a stride or another width leaves the sum out.
#[test]
fn shortcuts_are_where_shapes_are_equal() {
    let sums = |block: &str, body: &str| {
        let graph = one(block, body);
        graph.order().into_iter().filter(|&node| matches!(graph.node(node).op, Op::Add(_))).count()
    };
    assert_eq!(sums("mbconv", "mbconv(out: 8)"), 1);
    assert_eq!(sums("mbconv", "mbconv(out: 8, stride: 2)"), 0);
    assert_eq!(sums("mbconv", "mbconv(out: 16)"), 0);
    assert_eq!(sums("basic_block", "basic_block(filters: 8)"), 1);
    assert_eq!(sums("basic_block", "basic_block(filters: 16, stride: 2)"), 1);
}

/// The published memories of MicroNets' largest layer follow from widths that the spaces hold.
#[test]
fn widths_of_published_micronets_are_in_their_spaces() {
    let first = |name: &str| {
        let space = space(name);
        let filters = space.decisions.iter().find(|decision| decision.name.contains("filters"));
        filters.expect("the first convolution has a width").domain.clone()
    };
    let (kws, ad) = (first("micronets_kws"), first("micronets_ad"));
    for (width, bytes) in [(276, 169_740), (140, 86_100), (84, 51_660)] {
        assert_eq!((490 + 125) * width, bytes);
        assert!(kws.position(&nasc::space::Value::Int(width)).is_some());
    }
    for (width, bytes) in [(276, 353_280), (192, 245_760)] {
        assert_eq!((1024 + 256) * width, bytes);
        assert!(ad.position(&nasc::space::Value::Int(width)).is_some());
    }
}

#[test]
fn boards_have_memories_power_and_everything_of_their_core() {
    let targets = elaborate::stdlib_targets();
    let boards: Vec<_> = targets.values().filter(|target| target.flash.is_some()).collect();
    assert!(boards.len() >= 10, "{}", boards.len());
    for board in boards {
        assert!(board.ram.is_some() && board.active_milliwatts.is_some(), "{}", board.name);
        let core = &targets[board.core.as_ref().expect("a board has a core")];
        assert_eq!(
            (board.isa, &board.cost, &board.toolchain, board.align),
            (core.isa, &core.cost, &core.toolchain, core.align)
        );
        assert!(board.source.contains(&format!("{}: {}", core.name, core.source)), "{}", board.source);
    }
    let f446 = &targets["nucleo-f446re"];
    assert_eq!((f446.isa, f446.ram, f446.clock.0), (Isa::Armv7em, Some(Bytes(128 << 10)), 180_000_000));
    let milliwatts = |name: &str| targets[name].active_milliwatts.expect("a power").round();
    assert_eq!((milliwatts("nucleo-f446re"), milliwatts("stm32f746g-disco")), (163.0, 445.0));
    let nano = &targets["arduino-nano-33-ble"];
    assert_eq!((nano.core.as_deref(), nano.ram), (Some("cortex-m4"), targets["nrf52840-dk"].ram));
}
