use crate::diagnostic::Code;
use crate::graph::{Graph, NodeId, Weights};
use crate::ops::{
    Activation, Add, AvgPool2d, BatchNorm, Clamp, Constant, Conv2d, Dense, DepthwiseConv2d, Input, MaxPool2d,
    Padding, Param, ParamRole, Reshape, Window,
};
use crate::tensor::{Scale, Shape, TensorType, Value};
use crate::train::engine::{Distribution, Engine, Unary};
use crate::train::tape::{Tape, Var};
use crate::train::*;

mod compose;
mod generic;
mod losses;
pub(super) mod operators;
mod quantized;
mod random;
mod targets;
mod training;

/// The forward pass of one operator in `f64`, written without a look at the engine.
pub(super) mod naive {
    use crate::ops::Window;

    /// `x [N,H,W,C]`, `w [O,Kh,Kw,C]`, or depthwise `w [1,Kh,Kw,C]`.
    pub(in crate::train) fn conv(
        [n, h, w, c]: [usize; 4],
        filters: Option<usize>,
        window: &Window,
        (x, weights, bias): (&[f64], &[f64], &[f64]),
    ) -> Vec<f64> {
        let [ho, wo] = window.output("naive", [h, w]).expect("fits");
        let [kh, kw] = window.kernel;
        let outputs = filters.unwrap_or(c);
        let mut y = Vec::new();
        for i in 0..n * ho * wo * outputs {
            let (sample, row, column, o) =
                (i / outputs / wo / ho, i / outputs / wo % ho, i / outputs % wo, i % outputs);
            let mut sum = bias[o];
            for tap in 0..kh * kw {
                let at = |axis: usize, output: usize, k: usize| {
                    window.origin(axis, output) + (k * window.dilation[axis]) as isize
                };
                let (p, q) = (at(0, row, tap / kw), at(1, column, tap % kw));
                if p < 0 || q < 0 || p >= h as isize || q >= w as isize {
                    continue;
                }
                let pixel = ((sample * h + p as usize) * w + q as usize) * c;
                match filters {
                    None => sum += x[pixel + o] * weights[tap * c + o],
                    Some(_) => {
                        sum +=
                            (0..c).map(|k| x[pixel + k] * weights[(o * kh * kw + tap) * c + k]).sum::<f64>();
                    }
                }
            }
            y.push(sum);
        }
        y
    }

    /// Means or maxima of windows.
    pub(in crate::train) fn pool(
        [n, h, w, c]: [usize; 4],
        mean: bool,
        window: &Window,
        x: &[f64],
    ) -> Vec<f64> {
        let [ho, wo] = window.output("naive", [h, w]).expect("fits");
        let mut y = Vec::new();
        for i in 0..n * ho * wo * c {
            let (sample, row, column, channel) = (i / c / wo / ho, i / c / wo % ho, i / c % wo, i % c);
            let mut inside = Vec::new();
            for p in 0..h {
                for q in 0..w {
                    let reaches = |axis: usize, output: usize, place: usize| {
                        let k = place as isize - window.origin(axis, output);
                        k >= 0 && k < window.kernel[axis] as isize
                    };
                    if reaches(0, row, p) && reaches(1, column, q) {
                        inside.push(x[((sample * h + p) * w + q) * c + channel]);
                    }
                }
            }
            let sum: f64 = inside.iter().sum();
            y.push(if mean {
                sum / inside.len() as f64
            } else {
                inside.into_iter().fold(f64::MIN, f64::max)
            });
        }
        y
    }

    pub(in crate::train) fn batch_norm(
        c: usize,
        epsilon: f64,
        x: &[f64],
        gamma: &[f64],
        beta: &[f64],
    ) -> Vec<f64> {
        let rows = x.len() / c;
        let mut y = vec![0.0; x.len()];
        for k in 0..c {
            let mean = (0..rows).map(|r| x[r * c + k]).sum::<f64>() / rows as f64;
            let variance = (0..rows).map(|r| (x[r * c + k] - mean).powi(2)).sum::<f64>() / rows as f64;
            for r in 0..rows {
                y[r * c + k] = (x[r * c + k] - mean) / (variance + epsilon).sqrt() * gamma[k] + beta[k];
            }
        }
        y
    }

    pub(in crate::train) fn cross_entropy(classes: usize, logits: &[f64], targets: &[f64]) -> Vec<f64> {
        let rows = logits.len() / classes;
        let mut loss = 0.0;
        for (row, target) in logits.chunks(classes).zip(targets.chunks(classes)) {
            let total = row.iter().map(|x| x.exp()).sum::<f64>().ln();
            loss -= row.iter().zip(target).map(|(x, t)| t * (x - total)).sum::<f64>();
        }
        vec![loss / rows as f64]
    }
}

/// Compares values and gradients on the tape with a function in `f64` and its central differences. Returns the
/// greatest error, relative to the greatest element.
fn check_gradients(
    shapes: &[&[usize]],
    on_tape: impl Fn(&mut Tape<'_, EmbeddedEngine>, &[Var]) -> Var,
    exact: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) -> f64 {
    check_surrogate(shapes, on_tape, |_, moved| exact(moved))
}

/// The same for gradients that are those of another function: `surrogate` is given the inputs, by which it equals
/// what is on the tape, and the inputs after a small step.
fn check_surrogate(
    shapes: &[&[usize]],
    on_tape: impl Fn(&mut Tape<'_, EmbeddedEngine>, &[Var]) -> Var,
    surrogate: impl Fn(&[Vec<f64>], &[Vec<f64>]) -> Vec<f64>,
) -> f64 {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let random = |key: usize, shape: &[usize]| engine.random(Distribution::Normal, 77 + key as u64, shape);
    let vars: Vec<Var> =
        shapes.iter().enumerate().map(|(key, shape)| tape.variable(random(key, shape))).collect();
    let wide = |tensor: &_| engine.download(tensor).into_iter().map(f64::from).collect::<Vec<f64>>();
    let inputs: Vec<Vec<f64>> = vars.iter().map(|&var| wide(tape.value(var))).collect();
    let y = on_tape(&mut tape, &vars);
    let values = surrogate(&inputs, &inputs);
    let mut worst = relative_error(&wide(tape.value(y)), &values);
    let weights = random(1000, engine.shape(tape.value(y)));
    let factors = wide(&weights);
    let gradients = tape.backward_with(y, weights);
    for (index, &var) in vars.iter().enumerate() {
        let objective = |place: usize, step: f64| {
            let mut moved = inputs.clone();
            moved[index][place] += step;
            surrogate(&inputs, &moved).iter().zip(&factors).map(|(y, f)| y * f).sum::<f64>()
        };
        let h = 1e-5;
        let slopes: Vec<f64> = (0..inputs[index].len())
            .map(|place| (objective(place, h) - objective(place, -h)) / (2.0 * h))
            .collect();
        worst = worst.max(relative_error(&wide(gradients.get(var).expect("a variable")), &slopes));
    }
    worst
}

fn relative_error(found: &[f64], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let scale = exact.iter().fold(1e-3, |a: f64, b| a.max(b.abs()));
    found.iter().zip(exact).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

/// Windows with strides, dilation and uneven padding, on maps of 7 x 5.
fn windows() -> Vec<Window> {
    let uneven = Padding { top: 1, bottom: 0, left: 0, right: 2 };
    vec![
        Window::valid([1, 1], [1, 1]),
        Window::valid([1, 1], [2, 2]),
        Window::same([3, 3], [1, 1], [7, 5]),
        Window::same([4, 2], [2, 1], [7, 5]),
        Window { kernel: [3, 2], stride: [3, 2], dilation: [2, 1], padding: uneven },
        Window::valid([7, 5], [1, 1]),
    ]
}

#[test]
fn convolutions_have_the_right_gradients() {
    let map = [3, 7, 5, 4];
    for window in windows() {
        let [kh, kw] = window.kernel;
        let error = check_gradients(
            &[&map, &[5, kh, kw, 4], &[5]],
            |tape, v| tape.conv2d(v[0], v[1], v[2], &window),
            |v| naive::conv(map, Some(5), &window, (&v[0], &v[1], &v[2])),
        );
        assert!(error < 1e-5, "conv2d {window:?}: {error:e}");
        let error = check_gradients(
            &[&map, &[1, kh, kw, 4], &[4]],
            |tape, v| tape.depthwise_conv2d(v[0], v[1], v[2], &window),
            |v| naive::conv(map, None, &window, (&v[0], &v[1], &v[2])),
        );
        assert!(error < 1e-5, "depthwise {window:?}: {error:e}");
    }
}

#[test]
fn transposed_convolutions_have_the_right_gradients() {
    // What the convolution does to gradients, so the product of both is symmetric.
    let (map, window) = ([2, 7, 5, 4], Window::same([3, 2], [2, 1], [7, 5]));
    let [ho, wo] = window.output("test", [7, 5]).expect("fits");
    let exact = |v: &[Vec<f64>]| {
        let mut y = vec![0.0; 2 * 7 * 5 * 4];
        for (place, x) in y.iter_mut().enumerate() {
            let mut unit = vec![0.0; 2 * 7 * 5 * 4];
            unit[place] = 1.0;
            let forward = naive::conv(map, Some(5), &window, (&unit, &v[1], &[0.0; 5]));
            *x = forward.iter().zip(&v[0]).map(|(a, b)| a * b).sum();
        }
        y
    };
    let error = check_gradients(
        &[&[2, ho, wo, 5], &[5, 3, 2, 4]],
        |tape, v| tape.conv2d_transposed(v[0], v[1], &window, [7, 5]),
        exact,
    );
    assert!(error < 1e-5, "transposed: {error:e}");
}

#[test]
fn pools_have_the_right_gradients() {
    let map = [2, 7, 5, 3];
    for window in windows().into_iter().filter(|window| window.dilation == [1, 1]) {
        let error = check_gradients(
            &[&map],
            |tape, v| tape.avg_pool2d(v[0], &window),
            |v| naive::pool(map, true, &window, &v[0]),
        );
        assert!(error < 1e-5, "avg {window:?}: {error:e}");
        let error = check_gradients(
            &[&map],
            |tape, v| tape.max_pool2d(v[0], &window),
            |v| naive::pool(map, false, &window, &v[0]),
        );
        assert!(error < 1e-5, "max {window:?}: {error:e}");
    }
}

#[test]
fn layers_have_the_right_gradients() {
    let dense = |v: &[Vec<f64>]| {
        let product = |n: usize, o: usize| (0..9).map(|i| v[0][n * 9 + i] * v[1][o * 9 + i]).sum::<f64>();
        (0..30).map(|i| product(i / 5, i % 5) + v[2][i % 5]).collect()
    };
    let error = check_gradients(&[&[6, 9], &[5, 9], &[5]], |tape, v| tape.dense(v[0], v[1], v[2]), dense);
    assert!(error < 1e-5, "dense: {error:e}");

    let shapes: [&[usize]; 3] = [&[3, 4, 2, 5], &[5], &[5]];
    let norm = |v: &[Vec<f64>]| naive::batch_norm(5, f64::from(1e-3f32), &v[0], &v[1], &v[2]);
    let error =
        check_gradients(&shapes, |tape, v| tape.batch_norm(v[0], v[1], v[2], (1e-3, Clamp::None)).0, norm);
    assert!(error < 1e-4, "batch norm: {error:e}");
    let clamped = |v: &[Vec<f64>]| norm(v).into_iter().map(|y| y.clamp(0.0, 6.0)).collect();
    let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
        tape.batch_norm(v[0], v[1], v[2], (1e-3, Clamp::Relu6)).0
    };
    let error = check_gradients(&shapes, on_tape, clamped);
    assert!(error < 1e-4, "batch norm with relu6: {error:e}");

    let targets = smoothed_targets(&[0, 3, 2], 4, 0.1);
    let wide: Vec<f64> = targets.iter().map(|&x| f64::from(x)).collect();
    let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
        let targets = tape.engine().upload(&[3, 4], &targets);
        tape.cross_entropy(v[0], &targets)
    };
    let error = check_gradients(&[&[3, 4]], on_tape, |v| naive::cross_entropy(4, &v[0], &wide));
    assert!(error < 1e-5, "cross entropy: {error:e}");
}

#[test]
fn elementwise_operations_have_the_right_gradients() {
    let each = |v: &[f64], f: &dyn Fn(f64) -> f64| v.iter().map(|&x| f(x)).collect::<Vec<f64>>();
    let error = check_gradients(&[&[40]], |tape, v| tape.relu(v[0]), |v| each(&v[0], &|x| x.max(0.0)));
    assert!(error < 1e-5, "relu: {error:e}");
    // Four times the sum, so that 6 is passed too; the value is used twice.
    let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
        let sum = tape.add(v[0], v[1]);
        let twice = tape.add(sum, sum);
        let four = tape.add(twice, twice);
        let flat = tape.reshape(four, &[60]);
        tape.relu6(flat)
    };
    let exact = |v: &[Vec<f64>]| -> Vec<f64> {
        v[0].iter().zip(&v[1]).map(|(a, b)| (4.0 * (a + b)).clamp(0.0, 6.0)).collect()
    };
    let error = check_gradients(&[&[3, 20], &[3, 20]], on_tape, exact);
    assert!(error < 1e-5, "relu6: {error:e}");
}

#[test]
fn straight_through_rounds_forward_and_is_the_identity_backward() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let x = tape.variable(engine.upload(&[3], &[0.4, 1.5, -2.7]));
    let c = tape.constant(engine.upload(&[3], &[1.0, 1.0, 1.0]));
    let rounded = tape.straight_through(Unary::Round, x);
    let y = tape.add(rounded, c);
    assert_eq!(engine.download(tape.value(y)), [1.0, 3.0, -2.0]);
    let gradients = tape.backward_with(y, engine.upload(&[3], &[5.0, 6.0, 7.0]));
    assert_eq!(engine.download(gradients.get(x).expect("a variable")), [5.0, 6.0, 7.0]);
    assert!(gradients.get(c).is_none());
}

/// Builds training graphs.
struct Net {
    graph: Graph,
    layers: usize,
}

impl Net {
    fn new(input: [usize; 3]) -> (Net, NodeId) {
        let mut graph = Graph::new();
        let ty = TensorType::f32([1, input[0], input[1], input[2]]);
        let x = graph.add(Input { ty }, &[]).expect("an input");
        (Net { graph, layers: 0 }, x)
    }

    fn param(&mut self, name: &str, role: ParamRole, shape: &[usize], fan_in: usize) -> NodeId {
        let (name, ty) = (format!("{}.{name}", self.layers), TensorType::f32(Shape::from(shape)));
        self.graph.add(Param { name, role, ty, fan_in }, &[]).expect("a parameter")
    }

    fn shape(&self, x: NodeId) -> [usize; 4] {
        self.graph.ty(x).shape.nhwc().expect("a feature map")
    }

    fn conv(&mut self, x: NodeId, filters: usize, kernel: [usize; 2], stride: [usize; 2]) -> NodeId {
        self.layers += 1;
        let [_, h, w, c] = self.shape(x);
        let taps = kernel[0] * kernel[1] * c;
        let weight = self.param("w", ParamRole::Weight, &[filters, kernel[0], kernel[1], c], taps);
        let bias = self.param("b", ParamRole::Bias, &[filters], 0);
        let window = Window::same(kernel, stride, [h, w]);
        let conv = Conv2d { window, clamp: Clamp::None, requant: None };
        self.graph.add(conv, &[x, weight, bias]).expect("a convolution")
    }

    fn depthwise(&mut self, x: NodeId, kernel: [usize; 2], stride: [usize; 2]) -> NodeId {
        self.layers += 1;
        let [_, h, w, c] = self.shape(x);
        let weight = self.param("w", ParamRole::Weight, &[1, kernel[0], kernel[1], c], kernel[0] * kernel[1]);
        let bias = self.param("b", ParamRole::Bias, &[c], 0);
        let window = Window::same(kernel, stride, [h, w]);
        let conv = DepthwiseConv2d { window, clamp: Clamp::None, requant: None };
        self.graph.add(conv, &[x, weight, bias]).expect("a depthwise convolution")
    }

    /// Batch normalisation and activation.
    fn norm(&mut self, x: NodeId, clamp: Clamp) -> NodeId {
        let c = self.shape(x)[3];
        let roles = [
            ("gamma", ParamRole::Gamma),
            ("beta", ParamRole::Beta),
            ("mean", ParamRole::Mean),
            ("variance", ParamRole::Variance),
        ];
        let [gamma, beta, mean, variance] = roles.map(|(name, role)| self.param(name, role, &[c], 0));
        let norm = BatchNorm { epsilon: Scale(1e-3) };
        let y = self.graph.add(norm, &[x, gamma, beta, mean, variance]).expect("a batch normalisation");
        self.graph.add(Activation { clamp }, &[y]).expect("an activation")
    }

    /// Global average pool and dense layer; ends the network.
    fn classify(mut self, x: NodeId, classes: usize) -> Graph {
        self.layers += 1;
        let [_, h, w, c] = self.shape(x);
        let pool = AvgPool2d { window: Window::valid([h, w], [1, 1]), clamp: Clamp::None };
        let x = self.graph.add(pool, &[x]).expect("a pool");
        let x = self.graph.add(Reshape { shape: [1, c].into() }, &[x]).expect("a reshape");
        let weight = self.param("w", ParamRole::Weight, &[classes, c], c);
        let bias = self.param("b", ParamRole::Bias, &[classes], 0);
        let dense = Dense { clamp: Clamp::None, requant: None };
        let y = self.graph.add(dense, &[x, weight, bias]).expect("a dense layer");
        self.graph.add_output(y);
        self.graph.verify().expect("well formed");
        self.graph
    }
}

/// Every operator that training knows.
pub(super) fn network() -> Graph {
    let (mut net, x) = Net::new([25, 1, 12]);
    let x = net.conv(x, 16, [5, 1], [2, 1]);
    let x = net.norm(x, Clamp::Relu6);
    let y = net.depthwise(x, [3, 1], [1, 1]);
    let y = net.norm(y, Clamp::Relu);
    let y = net.conv(y, 16, [1, 1], [1, 1]);
    let y = net.norm(y, Clamp::None);
    let x = net.graph.add(Add { clamp: Clamp::Relu, requant: None }, &[x, y]).expect("an addition");
    let window = Window::same([2, 1], [2, 1], [13, 1]);
    let x = net.graph.add(MaxPool2d { window, clamp: Clamp::None }, &[x]).expect("a pool");
    net.classify(x, 3)
}

/// Noisy sinusoids of three frequencies, `[count, 25, 1, 12]`, with phases of their own in every channel.
pub(super) fn sinusoids(count: usize, key: u64) -> (Value, Vec<u32>) {
    let engine = EmbeddedEngine::new();
    let noise = engine.download(&engine.random(Distribution::Normal, key, &[count, 25, 12]));
    let phases = engine.download(&engine.random(Distribution::Uniform, key + 1, &[count, 12]));
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 3).collect();
    let element = |i: usize| {
        let (sample, time, channel) = (i / 300, i / 12 % 25, i % 12);
        let frequency = [0.05, 0.14, 0.25][labels[sample] as usize];
        let turns = frequency * time as f64 + f64::from(phases[sample * 12 + channel]);
        (turns * std::f64::consts::TAU).sin() as f32 + 0.4 * noise[i]
    };
    let elements = (0..count * 300).map(element).collect();
    (Value::from_f32(&[count, 25, 1, 12].into(), elements).expect("as many as the shape has"), labels)
}

pub(super) fn recipe(epochs: u64, batch: usize) -> Recipe {
    let optimizer = AdamW { lr: 5e-3, weight_decay: 0.02, ..AdamW::default() }.into();
    Recipe { epochs, batch, optimizer, warmup: 0.05, label_smoothing: 0.05, ..Recipe::default() }
}

fn weight_bits(weights: &Weights) -> Vec<u8> {
    weights.values().flat_map(Value::to_le_bytes).collect()
}

#[test]
fn a_small_network_learns_sinusoids() {
    let graph = network();
    let (inputs, labels) = sinusoids(450, 100);
    let mut trainer = Trainer::new(&graph, recipe(20, 32), &inputs, &labels, 1).expect("all fits");
    let first = trainer.epoch().expect("finite");
    let mut last = first;
    while !trainer.finished() {
        last = trainer.epoch().expect("finite");
    }
    assert!(last.loss < 0.6 * first.loss && last.accuracy > Some(0.95), "{first:?} {last:?}");
    assert_eq!(trainer.epoch().expect_err("all epochs are done").code, Code::RANGE);
    let (inputs, labels) = sinusoids(150, 900);
    let outputs = predict(&graph, &trainer.weights(), &inputs).expect("all fits");
    let right = accuracy(&outputs, &labels).expect("a label for each");
    assert!(right > 0.95, "unseen: {right}");
}

#[test]
fn instructions_threads_and_interruptions_do_not_change_a_bit() {
    let graph = network();
    let (inputs, labels) = sinusoids(50, 7);
    let start = |engine: EmbeddedEngine| {
        Trainer::with_engine(engine, &graph, recipe(4, 16), (&inputs, &labels), 3).expect("all fits")
    };
    let finish = |mut trainer: Trainer| {
        while !trainer.finished() {
            trainer.epoch().expect("finite");
        }
        weight_bits(&trainer.weights())
    };
    let expected = finish(start(EmbeddedEngine::new()));
    assert_eq!(finish(start(EmbeddedEngine::portable())), expected, "portable");
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        assert_eq!(pool.install(|| finish(start(EmbeddedEngine::new()))), expected, "{threads} threads");
    }
    let mut interrupted = start(EmbeddedEngine::new());
    interrupted.epoch().expect("finite");
    interrupted.epoch().expect("finite");
    let state = interrupted.state();
    let mut resumed = start(EmbeddedEngine::new());
    resumed.resume(&state).expect("a state of this training");
    assert_eq!(resumed.state(), state);
    assert_eq!(finish(resumed), expected, "resumed");
    let mut other = start(EmbeddedEngine::new());
    other.epoch().expect("finite");
    assert_ne!(weight_bits(&other.weights()), expected);
}

#[test]
fn evaluation_does_not_depend_on_the_batch() {
    let graph = network();
    let (inputs, labels) = sinusoids(70, 5);
    let mut trainer = Trainer::new(&graph, recipe(1, 32), &inputs, &labels, 2).expect("all fits");
    trainer.epoch().expect("finite");
    let weights = trainer.weights();
    let all = predict(&graph, &weights, &inputs).expect("all fits");
    let array = inputs.as_f32().expect("floats");
    for sample in [0, 63, 69] {
        let one: Vec<f32> = array.iter().skip(sample * 300).take(300).copied().collect();
        let one = Value::from_f32(&[1, 25, 1, 12].into(), one).expect("one sample");
        let alone = predict(&graph, &weights, &one).expect("all fits");
        let wanted: Vec<f32> =
            all.as_f32().expect("floats").iter().skip(sample * 3).take(3).copied().collect();
        assert_eq!(alone.as_f32().expect("floats").as_slice().expect("contiguous"), wanted);
    }
    assert_eq!(all.shape(), Shape::from([70, 3]));
}

#[test]
fn running_statistics_approach_those_of_the_data() {
    let (mut net, x) = Net::new([1, 1, 2]);
    let x = net.norm(x, Clamp::None);
    let graph = net.classify(x, 2);
    let engine = EmbeddedEngine::new();
    let normal = engine.download(&engine.random(Distribution::Normal, 4, &[2000]));
    let elements = normal.iter().enumerate().map(|(i, x)| if i % 2 == 0 { 3.0 + 2.0 * x } else { x - 1.0 });
    let inputs = Value::from_f32(&[1000, 1, 1, 2].into(), elements.collect()).expect("1000 pairs");
    let labels: Vec<u32> = (0..1000).map(|i| i % 2).collect();
    let mut trainer = Trainer::new(&graph, recipe(3, 50), &inputs, &labels, 1).expect("all fits");
    while !trainer.finished() {
        trainer.epoch().expect("finite");
    }
    let weights = trainer.weights();
    let get = |name: &str| weights[name].as_f32().expect("floats").iter().copied().collect::<Vec<f32>>();
    for (found, wanted) in get("0.mean").iter().chain(&get("0.variance")).zip([3.0, -1.0, 4.0, 1.0]) {
        assert!((found - wanted).abs() < 0.25 * f32::abs(wanted), "{found} {wanted}");
    }
}

#[test]
fn recalibration_brings_lost_statistics_back() {
    let graph = network();
    let (inputs, labels) = sinusoids(120, 100);
    let mut trainer = Trainer::new(&graph, recipe(8, 32), &inputs, &labels, 1).expect("all fits");
    while !trainer.finished() {
        trainer.epoch().expect("finite");
    }
    let good = trainer.weights();
    let mut lost = good.clone();
    for (name, value) in &mut lost {
        if name.ends_with("mean") || name.ends_with("variance") {
            *value =
                Value::from_f32(&value.shape(), vec![50.0; value.shape().elements()]).expect("its shape");
        }
    }
    let share = |weights: &Weights| {
        let outputs = predict(&graph, weights, &inputs).expect("all fits");
        accuracy(&outputs, &labels).expect("a label for each")
    };
    let engine = EmbeddedEngine::new();
    let found = recalibrate(&engine, &graph, &lost, &inputs, 50).expect("all fits");
    assert!(share(&lost) < 0.5 && share(&found) > 0.9, "{} {}", share(&lost), share(&found));
    for (name, value) in &good {
        let kept = found[name] == *value;
        assert_eq!(kept, !(name.ends_with("mean") || name.ends_with("variance")), "{name}");
    }
}

#[test]
fn what_training_does_not_know_is_refused_by_name() {
    let (mut net, x) = Net::new([4, 1, 2]);
    let ty = TensorType::f32([1, 4, 1, 2]);
    let constant = net.graph.add(Constant { name: "c".into(), ty }, &[]).expect("a constant");
    let x = net.graph.add(Add { clamp: Clamp::None, requant: None }, &[x, constant]).expect("an addition");
    let error = Network::new(&net.classify(x, 2)).expect_err("a constant");
    assert_eq!(error.code, Code::NOT_ALLOWED);
    assert!(error.message.contains("`constant`"), "{}", error.message);

    let (mut net, x) = Net::new([4, 1, 2]);
    let param = net.param("p", ParamRole::Bias, &[1, 4, 1, 2], 0);
    let x = net.graph.add(Add { clamp: Clamp::None, requant: None }, &[x, param]).expect("an addition");
    let error = Network::new(&net.classify(x, 2)).expect_err("a parameter as data");
    assert!(error.message.contains("`add`"), "{}", error.message);
}

#[test]
fn recipes_and_data_are_checked() {
    let graph = network();
    let (inputs, labels) = sinusoids(6, 7);
    let code = |recipe: Recipe, inputs: &Value, labels: &[u32]| {
        Trainer::new(&graph, recipe, inputs, labels, 0).expect_err("a mistake").code
    };
    let good = recipe(2, 4);
    for wrong in [
        Recipe { epochs: 0, ..good },
        Recipe { batch: 0, ..good },
        Recipe { warmup: 1.5, ..good },
        Recipe { label_smoothing: f64::NAN, ..good },
        Recipe { clip: Some(0.0), ..good },
        Recipe { mixup: Some(f64::INFINITY), ..good },
        Recipe { mixup: Some(1e-50), ..good },
        Recipe { mixup: Some(1e300), ..good },
        Recipe { schedule: Schedule::Step { every: 0, factor: 0.1 }, ..good },
        Recipe { schedule: Schedule::Step { every: 1, factor: 1.5 }, ..good },
        Recipe { optimizer: AdamW { lr: 0.0, ..AdamW::default() }.into(), ..good },
        Recipe { optimizer: AdamW { beta2: 1.0, ..AdamW::default() }.into(), ..good },
        Recipe { optimizer: Sgd { lr: f64::NAN, ..Sgd::default() }.into(), ..good },
        Recipe { optimizer: Sgd { momentum: 1.0, ..Sgd::default() }.into(), ..good },
    ] {
        assert_eq!(code(wrong, &inputs, &labels), Code::RANGE, "{wrong:?}");
    }
    assert_eq!(code(good, &inputs, &labels[1..]), Code::DATA_LABEL);
    assert_eq!(code(good, &inputs, &[0, 1, 2, 3, 0, 1]), Code::DATA_LABEL);
    let narrow = Value::from_f32(&[6, 25, 12, 1].into(), vec![0.0; 1800]).expect("1800 elements");
    assert_eq!(code(good, &narrow, &labels), Code::DATA_SHAPE);
    let none = Value::from_f32(&[0, 25, 1, 12].into(), Vec::new()).expect("no elements");
    assert_eq!(code(good, &none, &[]), Code::DATA_SHAPE);
    assert_eq!(predict(&graph, &Weights::new(), &inputs).expect_err("no weights").code, Code::MISSING);
    assert!(accuracy(&inputs, &labels).is_err());
}

#[test]
fn recipes_have_one_text() {
    assert_eq!(
        recipe(3, 16).canonical(),
        "epochs=3 batch=16 adamw(lr=5e-3 weight_decay=2e-2 beta1=9e-1 beta2=9.99e-1 epsilon=1e-8) \
         warmup=5e-2 label_smoothing=5e-2"
    );
    let sgd = Sgd { lr: 0.05, weight_decay: 5e-5, momentum: 0.9, nesterov: true };
    let full = Recipe {
        optimizer: sgd.into(),
        schedule: Schedule::Step { every: 30, factor: 0.2 },
        clip: Some(1.0),
        mixup: Some(0.3),
        ..recipe(3, 16)
    };
    assert_eq!(
        full.canonical(),
        "epochs=3 batch=16 sgd(lr=5e-2 weight_decay=5e-5 momentum=9e-1 nesterov=true) warmup=5e-2 \
         label_smoothing=5e-2 schedule=step(every=30 factor=2e-1) clip=1e0 mixup=3e-1"
    );
    let texts = [
        full,
        Recipe { optimizer: Sgd { nesterov: false, ..sgd }.into(), ..full },
        Recipe { schedule: Schedule::Constant, ..full },
        Recipe { schedule: Schedule::Cosine, ..full },
        Recipe { clip: None, ..full },
        Recipe { mixup: None, ..full },
        Recipe { clip: Some(0.3), mixup: None, ..full },
        Recipe { clip: None, mixup: Some(1.0), ..full },
        Recipe { loss: Loss::MeanSquaredError, ..full },
        Recipe { loss: Loss::BinaryCrossEntropy, ..full },
    ]
    .map(|recipe| recipe.canonical());
    let different: std::collections::BTreeSet<&String> = texts.iter().collect();
    assert_eq!(different.len(), texts.len(), "{texts:?}");
    let still = |nesterov| Recipe { optimizer: Sgd { momentum: 0.0, nesterov, ..sgd }.into(), ..full };
    assert_eq!(still(true).canonical(), still(false).canonical(), "there is nothing to look ahead at");
    for recipe in [recipe(3, 16), full] {
        let text = serde_json::to_string(&recipe).expect("serialisable");
        assert_eq!(serde_json::from_str::<Recipe>(&text).expect("the same"), recipe);
    }
}
