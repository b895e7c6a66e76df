mod alternatives;
mod data;
mod full;
mod rewrites;
mod study;
mod tasks;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use super::*;
use crate::data::{Dataset, Element, FrontEnd, IntegerQuantizer, Picture, Quantizer, RawInput, RawQuantizer};
use crate::estimate::FrontEndCost;
use crate::estimate::tests::schedules;
use crate::graph::Graph;
use crate::ops::{Add, Clamp, Op, Window};
use crate::pipeline::locking::{read_weights, weights_from_bytes, weights_to_bytes};
use crate::pipeline::tensors::sha256;
use crate::plan::Effort;
use crate::quantize::tests::FloatNet;
use crate::target::{CostTable, Isa, Target};
use crate::tensor::{Hertz, Value};
use proptest::prelude::*;

const SEARCH: Passes = Passes { effort: Effort::Search };
const FINAL: Passes = Passes { effort: Effort::Final };

fn target() -> Target {
    Target {
        name: "test".into(),
        core: None,
        isa: Isa::Armv7em,
        clock: Hertz(80_000_000),
        ram: None,
        flash: None,
        align: 16,
        active_milliwatts: None,
        cost: CostTable { cycles_per_mac: 2.0, cycles_per_element: 10.0, cycles_per_call: 60.0 },
        toolchain: None,
        source: "a test".into(),
    }
}

/// A training graph: convolutions with batch normalisation, a residual sum, a dense layer.
fn training_net(seed: u64) -> FloatNet {
    let mut net = FloatNet::new(seed, false);
    let height = 3 + net.below(6);
    let x = net.input([1, height, 1, 2]);
    let mut y = net.conv2d(x, Window::same([3, 1], [1, 1], [height, 1]), 4, Clamp::None);
    y = net.batch_norm(y);
    y = net.add(crate::ops::Activation { clamp: Clamp::Relu }, &[y]);
    for _ in 0..net.below(3) {
        let z = net.conv2d(y, Window::valid([1, 1], [1, 1]), 4, Clamp::None);
        let z = net.batch_norm(z);
        y = net.add(Add { clamp: Clamp::Relu, requant: None }, &[y, z]);
    }
    let flat = net.flat(y);
    let y = net.dense(flat, 3, Clamp::None);
    net.graph.add_output(y);
    net
}

fn integer_net(seed: u64) -> Graph {
    let mut net = training_net(seed);
    let samples = net.samples(6);
    FINAL.quantized(&net.graph, &net.weights, &samples).expect("finite")
}

fn raw_of(graph: &Graph) -> RawInput {
    let input = graph.ty(graph.network_inputs()[0]);
    let channels = *input.shape.0.last().expect("a dimension");
    let zero_point = input.quant.as_ref().expect("quantized").zero_point;
    let [_, height, width, _] = input.shape.nhwc().expect("a feature map");
    RawInput {
        front_end: FrontEnd::Values { element: Element::F32, extents: [height, width, channels] },
        quantizer: Quantizer::Float(RawQuantizer {
            mean: vec![0.25; channels],
            factor: vec![40.0; channels],
            zero_point,
        }),
    }
}

fn stored(seed: u64) -> StoredNetwork {
    let graph = integer_net(seed);
    let raw = raw_of(&graph);
    let network = IntegerNetwork::new(graph.clone(), raw.clone()).expect("host code");
    let shape = graph.ty(graph.network_inputs()[0]).shape.clone();
    let golden = GoldenSet::new(&network, &data(&shape.0, 5)).expect("evaluates");
    StoredNetwork { graph, raw, golden }
}

fn data(shape: &[usize], count: usize) -> Dataset {
    let mut shape = shape.to_vec();
    shape[0] = count;
    let shape = crate::tensor::Shape::from(shape);
    let values = (0..shape.elements()).map(|at| (at % 23) as f32 / 7.0 - 1.5).collect();
    let inputs = Value::from_f32(&shape, values).expect("as many");
    let labels = (0..count).map(|at| at as u32 % 3).collect();
    Dataset::from_values(&inputs, labels, ["a", "b", "c"].map(String::from).to_vec())
}

fn lock(weights: &[u8]) -> Lock {
    let quality = LockedQuality {
        confusion: None,
        metric: "accuracy".into(),
        test: 7.0 / 9.0,
        test_ci95: [0.5, 0.9],
        test_float: 8.0 / 9.0,
        test_right: Some(7),
        test_samples: 9,
        validation: 0.75,
        validation_metric: None,
    };
    Lock {
        classes: ["a", "b", "c"].map(String::from).to_vec(),
        data: "d".into(),
        engine: None,
        finalists: Vec::new(),
        front: Vec::new(),
        history: Vec::new(),
        nasc: "0.1.0".into(),
        networks: [(
            "n0".to_owned(),
            LockedNetwork {
                genome: serde_json::json!({"width": 8}),
                quality,
                ram_bytes: [("cortex-m4".to_owned(), 790)].into(),
                trial: None,
            },
        )]
        .into(),
        objectives: Vec::new(),
        params: BTreeMap::new(),
        rank_correlation: None,
        readings: Vec::new(),
        rejected: BTreeMap::new(),
        sections: BTreeMap::from([("space".to_owned(), "s".to_owned())]),
        seed: 7,
        strategy: "random".into(),
        targets: BTreeMap::from([("test".to_owned(), "n0".to_owned())]),
        trials: 3,
        version: Lock::VERSION,
        weights: sha256(weights),
    }
}

#[test]
fn what_a_lock_has_many_of_takes_a_line_each() {
    use crate::report::TrialFigures;
    let mut lock = lock(b"");
    let metrics = || [("ram@test".to_owned(), 790.0)].into();
    let trial = |trial, quality| TrialFigures { trial, leg: 0, quality, metrics: metrics() };
    lock.history = vec![trial(0, Some(0.1)), trial(1, None)];
    let quality = &mut lock.networks.get_mut("n0").expect("the network").quality;
    quality.confusion = Some(super::quality::Confusion(vec![vec![3, 0, 0], vec![1, 2, 0], vec![0, 1, 2]]));
    let text = lock.to_text();
    for line in [
        "    {\"trial\":0,\"quality\":0.1,\"metrics\":{\"ram@test\":790.0}},",
        "    {\"trial\":1,\"metrics\":{\"ram@test\":790.0}}",
        "          [1,2,0],",
        "    \"a\",",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert_eq!(serde_json::from_str::<Lock>(&text).expect("what was written"), lock);
    lock.history.clear();
    lock.networks.values_mut().for_each(|network| network.quality.confusion = None);
    let plain = serde_json::to_string_pretty(&lock).expect("plain data") + "\n";
    assert_eq!(lock.to_text(), plain, "all else is as it was");
}

/// Files in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<std::path::PathBuf, Vec<u8>>>);

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let files = self.0.lock().expect("no test failed");
        files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.0.lock().expect("no test failed").insert(path.into(), content.to_vec());
        Ok(())
    }

    fn make_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0
            .lock()
            .expect("no test failed")
            .remove(path)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn read_lock(content: &[u8]) -> Result<Option<Lock>, Diagnostic> {
    let files = Memory::default();
    files.write(Path::new("a.lock"), content).expect("memory");
    Lock::read(&files, Path::new("a.lock"))
}

#[test]
fn locks_survive_and_damaged_ones_are_refused() {
    let lock = lock(b"weights");
    let text = lock.to_text();
    assert_eq!(read_lock(text.as_bytes()).expect("what was written"), Some(lock.clone()));
    assert_eq!(text, read_lock(text.as_bytes()).expect("readable").expect("there").to_text());
    assert!(Lock::read(&Memory::default(), Path::new("a.lock")).expect("no file is no error").is_none());
    let broken: [fn(&mut Lock); 8] = [
        |lock| lock.version = 99,
        |lock| lock.networks.clear(),
        |lock| lock.networks.values_mut().for_each(|network| network.quality.test_right = Some(10)),
        |lock| lock.networks.values_mut().for_each(|network| network.quality.test = 1.5),
        |lock| lock.networks.values_mut().for_each(|network| network.quality.metric = "ram".into()),
        |lock| {
            let worse = |network: &mut LockedNetwork| {
                (network.quality.validation_metric, network.quality.validation) = (Some("mse".into()), -1.0);
            };
            lock.networks.values_mut().for_each(worse);
        },
        |lock| lock.readings = vec![crate::emit::Reading::Scaled { mean: 0.0, deviation: 0.0 }],
        |lock| lock.networks.values_mut().for_each(|network| network.quality.validation = -0.5),
    ];
    for change in broken {
        let mut lock = lock.clone();
        change(&mut lock);
        read_lock(lock.to_text().as_bytes()).expect_err("damaged");
    }
    for end in 0..text.trim_end().len() {
        read_lock(&text.as_bytes()[..end]).expect_err("cut short");
    }
}

#[test]
fn weights_survive_with_equal_bytes() {
    let networks: BTreeMap<String, StoredNetwork> =
        (0..3).map(|seed| (format!("n{seed}"), stored(seed))).collect();
    let bytes = weights_to_bytes(&networks);
    let back = weights_from_bytes(&bytes).expect("what was written");
    assert_eq!(weights_to_bytes(&back), bytes);
    for (name, network) in &networks {
        assert_eq!(back[name].golden, network.golden);
        assert_eq!(back[name].raw, network.raw);
        assert_eq!(back[name].graph.to_text(), network.graph.to_text());
        assert_eq!(back[name].graph.constants(), network.graph.constants());
    }
}

#[test]
fn weights_must_be_those_of_the_lock() {
    let networks = BTreeMap::from([("n0".to_owned(), stored(0))]);
    let bytes = weights_to_bytes(&networks);
    let files = Memory::default();
    let path = Path::new("a.weights");
    assert!(read_weights(&files, path, &lock(&bytes)).expect("no file is no error").is_none());
    files.write(path, &bytes).expect("memory");
    assert!(read_weights(&files, path, &lock(&bytes)).expect("readable").is_some());
    read_weights(&files, path, &lock(b"others")).expect_err("another file");
    let others = weights_to_bytes(&BTreeMap::from([("n1".to_owned(), stored(0))]));
    files.write(path, &others).expect("memory");
    let error = read_weights(&files, path, &lock(&others)).expect_err("no network of that name");
    assert!(error.message.contains("has no network"), "{}", error.message);
}

fn floats(network: &mut StoredNetwork) -> &mut RawQuantizer {
    match &mut network.raw.quantizer {
        Quantizer::Float(floats) => floats,
        Quantizer::Integer(_) => panic!("it is of floats"),
    }
}

#[test]
fn networks_that_do_not_fit_together_are_refused() {
    let good = stored(1);
    let broken: [fn(&mut StoredNetwork); 10] = [
        |network| floats(network).factor.clear(),
        |network| floats(network).mean.push(0.0),
        |network| floats(network).factor[0] = f32::INFINITY,
        |network| floats(network).zero_point = i32::MAX,
        |network| network.raw.front_end = FrontEnd::Values { element: Element::F32, extents: [1, 1, 2] },
        |network| {
            network.raw.front_end = FrontEnd::Values { element: Element::F32, extents: [usize::MAX, 1, 2] }
        },
        |network| {
            let extents = network.raw.front_end.extents();
            network.raw.front_end = FrontEnd::Values { element: Element::I16, extents };
        },
        |network| network.golden.outputs.iter_mut().for_each(|output| output.push(1)),
        |network| network.golden.raw.iter_mut().for_each(|raw| raw.push(1.0)),
        |network| {
            let output = network.graph.outputs()[0];
            network.graph.add_output(output);
        },
    ];
    for (at, change) in broken.into_iter().enumerate() {
        let mut network = good.clone();
        change(&mut network);
        let bytes = weights_to_bytes(&BTreeMap::from([("n".to_owned(), network)]));
        assert!(weights_from_bytes(&bytes).is_err(), "change {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Bytes from anyone are read or refused, and what is read can be deployed or refused.
    #[test]
    fn damaged_weights_do_no_harm(seed in any::<u64>(), changes in 1usize..6) {
        static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let bytes = BYTES.get_or_init(|| weights_to_bytes(&BTreeMap::from([("n".to_owned(), stored(2))])));
        let mut bytes = bytes.clone();
        let mut dice = FloatNet::new(seed, false);
        // The header is text: most of the damage goes there.
        let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        for _ in 0..changes {
            let end = if dice.below(4) > 0 { 8 + header } else { bytes.len() };
            let at = dice.below(end);
            let digit = b"0123456789-,"[dice.below(12)];
            bytes[at] = if dice.below(2) == 0 { digit } else { dice.below(256) as u8 };
        }
        if let Ok(networks) = weights_from_bytes(&bytes) {
            for network in networks.values() {
                if let Ok(host) = IntegerNetwork::new(network.graph.clone(), network.raw.clone()) {
                    let mut memory = host.memory();
                    network.golden.raw.iter().for_each(|raw| { host.run_raw(&mut memory, raw); });
                }
            }
        }
    }

    #[test]
    fn damaged_locks_do_no_harm(seed in any::<u64>(), changes in 1usize..6) {
        let mut bytes = lock(b"weights").to_text().into_bytes();
        let mut dice = FloatNet::new(seed, false);
        for _ in 0..changes {
            let at = dice.below(bytes.len());
            bytes[at] = if dice.below(2) == 0 { b"0123456789-,"[dice.below(12)] } else { dice.below(256) as u8 };
        }
        if let Ok(Some(lock)) = read_lock(&bytes) {
            prop_assert!(lock.targets.values().all(|network| lock.networks.contains_key(network)));
        }
    }

    #[test]
    fn passes_verify_and_final_is_no_worse(seed in any::<u64>()) {
        let mut net = training_net(seed);
        let samples = net.samples(4);
        let float = SEARCH.float(&net.graph).graph;
        float.verify().expect("verifies");
        prop_assert!(float.order().iter().all(|&node| !matches!(float.node(node).op, Op::BatchNorm(_))));
        let skeleton = SEARCH.skeleton(&net.graph);
        let trained = FINAL.quantized(&net.graph, &net.weights, &samples).expect("finite");
        skeleton.verify().expect("verifies");
        trained.verify().expect("verifies");
        let deployed = |passes: Passes, graph: &Graph| {
            let deployment = passes.deploy(graph, &target(), FrontEndCost::default()).expect("deploys");
            let functions = deployment.program.functions.iter().map(|function| &function.name);
            let micros = deployment.program.micros.iter().map(|micro| &micro.meaning.name);
            let names: Vec<String> = functions.chain(micros).cloned().collect();
            let schedules = schedules(&deployment);
            (deployment.estimate, names, schedules)
        };
        let ((before, had, expected), (after, has, found)) =
            (deployed(SEARCH, &skeleton), deployed(FINAL, &trained));
        let case = format!("{had:?} {before:?} {has:?} {after:?} {}", trained.to_text());
        prop_assert!(after.ram_bytes <= before.ram_bytes, "{}", case);
        // Where a layer needs wider arithmetic than is foreseen it costs more.
        prop_assume!(expected == found);
        prop_assert!(after.cycles <= before.cycles && after.flash_bytes <= before.flash_bytes, "{}", case);
    }
}

#[test]
fn golden_sets_are_limited_and_are_what_the_network_gives() {
    let graph = integer_net(4);
    let raw = raw_of(&graph);
    let network = IntegerNetwork::new(graph.clone(), raw).expect("host code");
    let shape = graph.ty(graph.network_inputs()[0]).shape.0.clone();
    let all = data(&shape, 1200);
    let golden = GoldenSet::new(&network, &all).expect("evaluates");
    assert_eq!(golden.len(), 1000, "at most a thousand samples");
    let mut memory = network.memory();
    let mut sample = vec![0.0; all.sample_len()];
    for at in [0, 1, 500, 999] {
        all.sample(at, &mut sample);
        assert_eq!(golden.raw[at], sample);
        assert_eq!(golden.labels[at], all.labels[at]);
        assert_eq!(golden.outputs[at], network.run(&mut memory, &golden.inputs[at]));
        assert_eq!(golden.outputs[at], network.run_raw(&mut memory, &golden.raw[at]));
    }
    let few = GoldenSet::new(&network, &data(&shape, 3)).expect("evaluates");
    assert_eq!(few.len(), 3);
    assert!(GoldenSet::new(&network, &data(&shape, 0)).expect("evaluates").is_empty());
}

#[test]
fn golden_sets_of_large_samples_are_small() {
    let mut net = FloatNet::new(6, false);
    let x = net.input([1, 300, 300, 1]);
    let window = Window::valid([300, 300], [1, 1]);
    let y = net.add(crate::ops::AvgPool2d { window, clamp: Clamp::None }, &[x]);
    let flat = net.flat(y);
    let y = net.dense(flat, 2, Clamp::None);
    net.graph.add_output(y);
    let samples = net.samples(2);
    let graph = FINAL.quantized(&net.graph, &net.weights, &samples).expect("finite");
    let network = IntegerNetwork::new(graph.clone(), raw_of(&graph)).expect("host code");
    let golden = GoldenSet::new(&network, &data(&[1, 300, 300, 1], 250)).expect("evaluates");
    assert_eq!(golden.raw.len(), 2, "at most 1 MiB of raw samples");
    assert_eq!((golden.len(), golden.labels.len(), golden.others().len()), (200, 200, 198));
    let mut memory = network.memory();
    for at in [0, 1, 2, 199] {
        assert_eq!(golden.outputs[at], network.run(&mut memory, &golden.inputs[at]));
    }
    let stored = StoredNetwork { graph, raw: network.raw.clone(), golden };
    let bytes = weights_to_bytes(&BTreeMap::from([("n".to_owned(), stored.clone())]));
    assert_eq!(weights_from_bytes(&bytes).expect("its own bytes")["n"].golden, stored.golden);
    let few = GoldenSet::new(&network, &data(&[1, 300, 300, 1], 4)).expect("evaluates");
    assert_eq!((few.len(), few.raw.len()), (4, 2));
}

/// Raw samples of every element are stored as what they are.
#[test]
fn raw_samples_of_integers_survive() {
    let good = stored(3);
    let [height, width, channels] = good.raw.front_end.extents();
    let from = [height + 2, width + 1, channels];
    let floats = good.golden.raw.clone();
    for front_end in [
        FrontEnd::Values { element: Element::I16, extents: [height, width, channels] },
        FrontEnd::Values { element: Element::U8, extents: [height, width, channels] },
        FrontEnd::Picture(Picture { from, to: [height, width, channels] }),
    ] {
        let mut network = good.clone();
        let quantizer = Quantizer::Integer(IntegerQuantizer {
            offset: vec![100; channels],
            factor: vec![9000; channels],
            shift: 14,
            zero_point: good.raw.quantizer.zero_point(),
        });
        network.raw = RawInput { front_end, quantizer };
        let size: usize = network.raw.front_end.raw_extents().iter().product();
        for (at, sample) in network.golden.raw.iter_mut().enumerate() {
            *sample = (0..size).map(|i| ((at * 31 + i * 7) % 256) as f32).collect();
        }
        network.golden.inputs =
            network.golden.raw.iter().map(|sample| network.raw.quantize(sample)).collect();
        let bytes = weights_to_bytes(&BTreeMap::from([("n".to_owned(), network.clone())]));
        let back = &weights_from_bytes(&bytes).expect("its own bytes")["n"];
        assert_eq!((&back.golden, &back.raw), (&network.golden, &network.raw));
        // Of another element than the front end takes.
        network.raw.front_end = good.raw.front_end.clone();
        network.golden.raw.clone_from(&floats);
        let bytes = weights_to_bytes(&BTreeMap::from([("n".to_owned(), network)]));
        weights_from_bytes(&bytes).expect_err("integers before floats");
    }
}

#[test]
fn every_stage_has_a_text() {
    let net = training_net(3);
    for (name, stage) in Stage::ALL.into_iter().filter(|(_, stage)| *stage != Stage::Elaborate) {
        let text = SEARCH.text(&net.graph, &target(), FrontEndCost::default(), stage);
        assert_eq!(
            text,
            SEARCH.text(&net.graph, &target(), FrontEndCost::default(), stage),
            "{name} is stable"
        );
        assert!(text.lines().count() > 3, "{name}: {text}");
    }
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let mut net = training_net(5);
    let samples = net.samples(3);
    let name = net.weights.keys().next().expect("a weight").clone();
    let shape = net.weights[&name].shape();
    let bad = Value::from_f32(&shape, vec![f32::NAN; shape.elements()]).expect("as many");
    net.weights.insert(name, bad);
    FINAL.quantized(&net.graph, &net.weights, &samples).expect_err("not finite");
}

#[test]
fn the_first_of_equal_outputs_is_the_answer() {
    use crate::pipeline::network::argmax;
    assert_eq!(argmax(&[1, 3, 3]), 1);
    assert_eq!(argmax(&[-1i8]), 0);
    assert_eq!(argmax::<i8>(&[]), 0);
}
