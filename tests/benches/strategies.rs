//! Strategies against random search, on spaces all of whose networks are trained.
//!
//! `cargo bench --bench strategies` plays each strategy on the tables of `tests/benches/tables` with 20 seeds and prints
//! the share of the best front's volume (error and RAM, from the worst of both) that it covers after 50, 100 and 200
//! trials, and its best error. A search sees one training of each network, another one with each seed; what it found is
//! judged by the mean of all trainings. Beside them stands how probable it is that a strategy covers as much more than
//! random by chance: the one-sided Wilcoxon test of pairs of one seed. `-- --seeds N` plays more of them. Then follows how
//! well scores of untrained networks rank those of the table: Spearman's correlation with the mean accuracy, the samples of
//! naswot being normal noise.
//!
//! A table is made anew by `nasc table tests/benches/tables/NAME.nas --target cortex-m4 -o tests/benches/tables/NAME.table.gz`
//! with `--data` where its spec says.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use nasc::elaborate::{self, Program};
use nasc::graph::Graph;
use nasc::pipeline::Table;
use nasc::search::{
    self, AgingEvolution, Breeder, Candidate, Clock, Entry, Goal, MemoryStore, Metrics, Nsga2, Objective,
    Outcome, Problem, Random, Run, Screen, Settings, Status, Strategy, Ticket, TrialError, TrialParts,
    hypervolume,
};
use nasc::source::SourceMap;
use nasc::space::{self, Genome, Space};
use nasc::tensor::math::normal_quantile;
use nasc::tensor::{Shape, Value};
use nasc::train;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Trials after which a search is looked at.
const LOOKS: [usize; 3] = [50, 100, 200];

/// A point of a space.
#[derive(Clone)]
struct Point {
    genome: Genome,
    text: String,
}

impl Candidate for Point {
    fn text(&self) -> String {
        self.text.clone()
    }
}

/// A table, by genome.
struct Tabled {
    program: Program,
    rows: BTreeMap<String, (Metrics, Vec<Option<f64>>)>,
    seeds: usize,
}

/// One training of each network of a table.
struct Training<'t> {
    table: &'t Tabled,
    seed: usize,
}

impl Problem<Point> for Training<'_> {
    fn screen(&self, point: &Point) -> Screen {
        let Some((costs, _)) = self.table.rows.get(&point.text) else {
            return Screen::Invalid("not in the table".into());
        };
        let parts = TrialParts {
            graph: &point.text,
            recipe: "",
            data: "",
            front_end: "",
            quantization: "",
            engine: "",
            numerics: 1,
            seed: 0,
            replicate: 0,
            start: None,
        };
        Screen::Accept { key: parts.key(), costs: costs.clone() }
    }

    fn evaluate(&self, point: &Point, _: &Ticket<'_>) -> Result<Outcome, TrialError> {
        let error = self.table.rows[&point.text].1[self.seed];
        Ok(Outcome {
            status: if error.is_some() { Status::Trained } else { Status::Diverged },
            quality: error.map(|error| ("error".to_owned(), error)).into_iter().collect(),
            weights: Vec::new(),
        })
    }
}

/// Points of the table's space.
#[derive(Clone, Copy)]
struct Points<'t>(&'t Tabled);

impl Points<'_> {
    fn space(&self) -> &Space {
        &self.0.program.space
    }

    fn point(&self, genome: Genome) -> Point {
        Point { text: space::to_json(self.space(), &genome).to_string(), genome }
    }
}

impl Breeder<Point> for Points<'_> {
    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::sample(self.space(), rng))
    }

    fn mutate(&self, parent: &Entry<Point>, rng: &mut ChaCha8Rng) -> Point {
        let rules = &self.0.program.search.morphs;
        self.point(space::mutate(self.space(), &parent.genome.genome, rules, rng))
    }

    fn redraw(&self, of: &Point, chance: f64, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::redraw(self.space(), &of.genome, chance, rng))
    }

    fn cross(&self, a: &Entry<Point>, b: &Entry<Point>, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::cross(self.space(), &a.genome.genome, &b.genome.genome, rng))
    }

    fn violation(&self, _: &Entry<Point>) -> f64 {
        0.0
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> u64 {
        0
    }

    fn pause(&self) {}
}

fn read(name: &str) -> Option<Tabled> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/benches/tables");
    let text = std::fs::read_to_string(folder.join(format!("{name}.nas"))).expect("the table's spec");
    let bytes = std::fs::read(folder.join(format!("{name}.table.gz"))).ok()?;
    let table = Table::from_bytes(&bytes).expect("a table");
    let mut sources = SourceMap::new();
    let file = sources.add(format!("{name}.nas"), text);
    let (program, _) = elaborate::elaborate(&mut sources, file, &elaborate::Options::default());
    let program = program.expect("a spec without errors");
    let head = &table.head;
    let place = head.qualities.iter().position(|name| name == "error").expect("errors of classes");
    let ram = head.costs.iter().position(|name| name.starts_with("ram@")).expect("RAM of a target");
    let row = |row: &nasc::pipeline::TableRow| {
        let errors = row.qualities.iter().map(|seed| seed.as_ref().map(|seed| seed[place])).collect();
        (row.genome.clone(), (Metrics::from([("ram".to_owned(), row.costs[ram])]), errors))
    };
    Some(Tabled { program, rows: table.rows.iter().map(row).collect(), seeds: head.seeds })
}

/// The mean error of a network's trainings; 1 where one diverged.
fn error(row: &(Metrics, Vec<Option<f64>>)) -> f64 {
    row.1.iter().map(|error| error.unwrap_or(1.0)).sum::<f64>() / row.1.len() as f64
}

fn objectives() -> Vec<Objective> {
    vec![Objective::minimize("error"), Objective::minimize("ram")]
}

fn strategy<'t>(name: &str, points: Points<'t>) -> Box<dyn Strategy<Point> + 't> {
    let goals: Vec<Goal> = objectives().into_iter().map(Goal::of).collect();
    match name {
        "aging_evolution" => {
            Box::new(AgingEvolution { breeder: points, population: 24, tournament: 6, goals })
        }
        "nsga2" => Box::new(Nsga2 { breeder: points, population: 24, mutation: 0.1, crossover: 0.5, goals }),
        _ => Box::new(Random(move |rng: &mut ChaCha8Rng| points.sample(rng))),
    }
}

/// The networks of a search in the order of its trials.
fn play(table: &Tabled, name: &str, seed: u64) -> Vec<String> {
    let training = Training { table, seed: seed as usize % table.seeds };
    let (store, cancel) = (MemoryStore::default(), AtomicBool::new(false));
    let settings = Settings::new(LOOKS[LOOKS.len() - 1], seed);
    let run = Run {
        settings: &settings,
        problem: &training,
        store: &store,
        clock: &Still,
        cancel: &cancel,
        observer: &(),
    };
    let report = search::run(&mut *strategy(name, Points(table)), &run).expect("nothing fails");
    report.archive.entries().iter().map(|entry| entry.genome.text.clone()).collect()
}

/// The probability of differences as great by chance: Wilcoxon's signed ranks, one-sided, by the normal distribution.
fn wilcoxon(differences: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = differences.iter().copied().filter(|x| *x != 0.0).collect();
    sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = sizes.len() as f64;
    let positive: f64 =
        sizes.iter().zip(1..).filter(|(x, _)| **x > 0.0).map(|(_, rank)| f64::from(rank)).sum();
    let (mean, deviation) = (n * (n + 1.0) / 4.0, (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt());
    let z = (positive - mean) / deviation.max(f64::MIN_POSITIVE);
    // Abramowitz and Stegun 7.1.26 for the tail, right to 1e-7.
    let (x, t) = (z.abs() / 2f64.sqrt(), 1.0 / (1.0 + 0.327_591_1 * z.abs() / 2f64.sqrt()));
    let series = t
        * (0.254_829_592
            + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = 0.5 * series * (-x * x).exp();
    if z > 0.0 { tail } else { 1.0 - tail }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Plays all strategies on a table.
fn compare(name: &str, table: &Tabled, seeds: u64) {
    let losses = |text: &String| {
        let row = &table.rows[text];
        vec![error(row), row.0["ram"]]
    };
    let all: Vec<Vec<f64>> = table.rows.keys().map(losses).collect();
    let corner: Vec<f64> =
        (0..2).map(|at| all.iter().map(|x| x[at]).fold(0.0, f64::max) * (1.0 + 1e-9)).collect();
    let whole = hypervolume(&all, &corner);
    let best = all.iter().map(|x| x[0]).fold(1.0, f64::min);
    println!("{name}: {} networks, least error {:.2} %", all.len(), best * 100.0);
    let mut of_random: Vec<Vec<f64>> = Vec::new();
    for strategy in ["random", "aging_evolution", "nsga2"] {
        let mut shares: Vec<Vec<f64>> = vec![Vec::new(); LOOKS.len()];
        let mut errors = Vec::new();
        for seed in 0..seeds {
            let found: Vec<Vec<f64>> = play(table, strategy, seed).iter().map(losses).collect();
            for (look, shares) in LOOKS.iter().zip(&mut shares) {
                shares.push(hypervolume(&found[..found.len().min(*look)], &corner) / whole);
            }
            errors.push(found.iter().map(|x| x[0]).fold(1.0, f64::min));
        }
        let look = |at: usize| {
            let against = of_random.get(at).map(|random: &Vec<f64>| {
                let differences: Vec<f64> = shares[at].iter().zip(random).map(|(a, b)| a - b).collect();
                let wins = differences.iter().filter(|x| **x > 0.0).count();
                format!(" ({wins} of {seeds} above random, p {:.1e})", wilcoxon(&differences))
            });
            format!("{:.2} %{}", mean(&shares[at]) * 100.0, against.unwrap_or_default())
        };
        let looks: Vec<String> = (0..LOOKS.len()).map(look).collect();
        println!("  {strategy:<16} volume {}; least error {:.2} %", looks.join(", "), mean(&errors) * 100.0);
        if strategy == "random" {
            of_random = shares;
        }
    }
}

/// Samples of normal noise for a network.
fn noise(graph: &Graph) -> Value {
    let input = graph.network_inputs()[0];
    let mut extents = graph.ty(input).shape.0.to_vec();
    extents[0] = 64;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let count: usize = extents.iter().product();
    let mut draw = || normal_quantile(((rng.next_u32() >> 9) * 2 + 1) as f32 / 16_777_216.0);
    Value::from_f32(&Shape::from(extents), (0..count).map(|_| draw()).collect())
        .expect("as many as extents say")
}

/// How well scores go with the accuracy after training.
fn rank_scores(table: &Tabled) {
    let space = &table.program.space;
    let mut found: Vec<(&str, Vec<f64>)> =
        ["macs", "synflow", "naswot"].map(|name| (name, Vec::new())).into();
    for text in table.rows.keys() {
        let json = serde_json::from_str(text).expect("a genome");
        let genome = space::from_json(space, &json).expect("a point of the space");
        let graph = space::instantiate(space, &genome).expect("a network");
        found[0].1.push(graph.macs().0 as f64);
        found[1].1.push(train::synflow(&graph, 7).expect("a network"));
        found[2].1.push(train::naswot(&graph, &noise(&graph), 7).expect("a network"));
    }
    let accuracies: Vec<f64> = table.rows.values().map(|row| 1.0 - error(row)).collect();
    let text = |(name, scores): &(&str, Vec<f64>)| {
        format!("{name} {:.2}", search::rank_correlation(scores, &accuracies).unwrap_or(0.0))
    };
    println!("  rank correlation with accuracy: {}", found.iter().map(text).collect::<Vec<_>>().join(", "));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let place = arguments.iter().position(|argument| argument == "--seeds");
    let seeds = place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(20);
    for name in ["vowels", "voice"] {
        match read(name) {
            Some(table) => {
                compare(name, &table, seeds);
                rank_scores(&table);
            }
            None => println!("{name}: no table"),
        }
    }
}
