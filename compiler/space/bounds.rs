//! What every network of a space costs at least and at most.
//!
//! Intervals over the region tree: sums over sequences, hulls over choices, every decision taken by itself. They hold
//! for every point that is a network; the converse does not: what lies within need not be reached.

use std::collections::BTreeMap;

use crate::space::interval::{Interval, Numbers, may_be, numbers, pair};
use crate::space::{Argument, Expr, Layer, Merge, MergeKind, RegionId, RegionKind, Scope, Space, Value};

/// Visits of regions after which nothing is said.
const WORK: usize = 50_000;

/// Height, width and channels; a vector has height and width 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extents {
    /// Rows.
    pub height: Interval,
    /// Columns.
    pub width: Interval,
    /// Channels, or the values of a vector.
    pub channels: Interval,
}

impl Extents {
    fn anything() -> Extents {
        let channels = Interval { low: 1, high: u64::MAX };
        Extents { height: Interval::extent(), width: Interval::extent(), channels }
    }

    fn vector(channels: Interval) -> Extents {
        Extents { height: Interval::only(1), width: Interval::only(1), channels }
    }

    fn elements(self) -> Interval {
        self.height.mul(self.width).mul(self.channels)
    }

    fn hull(self, other: Extents) -> Extents {
        Extents {
            height: self.height.hull(other.height),
            width: self.width.hull(other.width),
            channels: self.channels.hull(other.channels),
        }
    }
}

/// What holds for every network of a space, before anything is rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Multiply-accumulates.
    pub macs: Interval,
    /// Bytes of weights of 8 bits and biases of 32 bits, one for each output of a convolution or dense layer.
    pub weight_bytes: Interval,
    /// Trained parameters.
    pub parameters: Interval,
    /// Elements of the largest feature map, the input among them.
    pub largest_map: Interval,
    /// What regions give, those that a network has.
    pub outputs: BTreeMap<RegionId, Extents>,
}

/// Costs of a part of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    macs: Interval,
    weights: Interval,
    biases: Interval,
    parameters: Interval,
    largest: Interval,
}

impl Cost {
    fn anything() -> Cost {
        let any = Interval::any();
        Cost { macs: any, weights: any, biases: any, parameters: any, largest: any }
    }

    fn then(self, other: Cost) -> Cost {
        Cost {
            macs: self.macs.add(other.macs),
            weights: self.weights.add(other.weights),
            biases: self.biases.add(other.biases),
            parameters: self.parameters.add(other.parameters),
            largest: self.largest.max(other.largest),
        }
    }

    fn hull(self, other: Cost) -> Cost {
        Cost {
            macs: self.macs.hull(other.macs),
            weights: self.weights.hull(other.weights),
            biases: self.biases.hull(other.biases),
            parameters: self.parameters.hull(other.parameters),
            largest: self.largest.hull(other.largest),
        }
    }

    /// So many times in sequence; not 0 times.
    fn repeated(self, times: u64) -> Cost {
        Cost {
            macs: self.macs.times(times),
            weights: self.weights.times(times),
            biases: self.biases.times(times),
            parameters: self.parameters.times(times),
            ..self
        }
    }

    /// The same where it may also be absent.
    fn or_none(self) -> Cost {
        self.hull(Cost::default())
    }
}

/// The bounds of a space.
pub fn bounds(space: &Space) -> Bounds {
    let mut walker = Walker { space, work: WORK, channels: Vec::new(), outputs: BTreeMap::new() };
    let [height, width, channels] =
        [0, 1, 2].map(|axis| Interval::of_extent(numbers(space, &space.input[axis].expr, &|_| None)));
    let input = Extents { height, width, channels };
    let (_, mut cost) = walker.region(space.root(), input, false);
    cost.largest = cost.largest.max(input.elements());
    if walker.work == 0 {
        cost = Cost::anything();
        walker.outputs = space.regions().node_indices().map(|id| (id, Extents::anything())).collect();
    }
    Bounds {
        macs: cost.macs,
        weight_bytes: cost.weights.add(cost.biases.times(4)),
        parameters: cost.parameters,
        largest_map: cost.largest,
        outputs: walker.outputs,
    }
}

struct Walker<'a> {
    space: &'a Space,
    work: usize,
    /// What comes into the bodies around.
    channels: Vec<(RegionId, Interval)>,
    outputs: BTreeMap<RegionId, Extents>,
}

/// Output and costs of an instance.
type Given = (Extents, Cost);

impl Walker<'_> {
    /// Bounds of an instance; `mirrored` where its layers come backwards as well.
    fn region(&mut self, id: RegionId, input: Extents, mirrored: bool) -> Given {
        if self.work == 0 {
            return (Extents::anything(), Cost::anything());
        }
        self.work -= 1;
        let space = self.space;
        let children = space.children(id);
        let given = match &space.region(id).kind {
            RegionKind::Layer(layer) => self.layer(layer, input, mirrored),
            RegionKind::Sequence => {
                self.channels.push((id, input.channels));
                let given = self.sequence(&children, input, mirrored);
                self.channels.pop();
                given
            }
            RegionKind::Residual => self.sequence(&children, input, mirrored),
            RegionKind::Mirror => {
                let (_, cost) = self.sequence(&children, input, true);
                (input, cost)
            }
            RegionKind::Choose { .. } => self.one_of(&children, input, mirrored, false),
            RegionKind::Optional { .. } => self.one_of(&children, input, mirrored, true),
            RegionKind::When { condition } => match condition.eval(&Scope::empty()) {
                Ok(Value::Bool(true)) => self.sequence(&children[..children.len().min(1)], input, mirrored),
                Ok(Value::Bool(false)) => self.sequence(children.get(1..2).unwrap_or(&[]), input, mirrored),
                _ => self.one_of(&children, input, mirrored, children.len() < 2),
            },
            RegionKind::Parallel { merge } => {
                let branches: Vec<Given> =
                    children.iter().map(|&child| self.region(child, input, mirrored)).collect();
                merged(*merge, &branches).unwrap_or((input, Cost::default()))
            }
            RegionKind::Repeat { count, branching } => {
                let count = self.numbers(count).unwrap_or((0.0, f64::from(u32::MAX)));
                let count = Interval { low: count.0.max(0.0) as u64, high: count.1.max(0.0) as u64 };
                match (children.first(), branching) {
                    (None, _) => (input, Cost::default()),
                    (Some(&body), None) => self.repeat(body, count, input, mirrored),
                    (Some(&body), Some(branching)) => self.groups(body, count, branching.merge, input),
                }
            }
        };
        let seen = self.outputs.get(&id).map_or(given.0, |seen| seen.hull(given.0));
        self.outputs.insert(id, seen);
        given
    }

    fn sequence(&mut self, children: &[RegionId], input: Extents, mirrored: bool) -> Given {
        let mut given = (input, Cost::default());
        for &child in children {
            let (output, cost) = self.region(child, given.0, mirrored);
            given = (output, given.1.then(cost));
        }
        given
    }

    fn one_of(&mut self, children: &[RegionId], input: Extents, mirrored: bool, or_none: bool) -> Given {
        let mut given = or_none.then(|| (input, Cost::default()));
        for &child in children {
            let (output, cost) = self.region(child, input, mirrored);
            given = Some(given.map_or((output, cost), |seen| (seen.0.hull(output), seen.1.hull(cost))));
        }
        given.unwrap_or((input, Cost::default()))
    }

    fn repeat(&mut self, body: RegionId, count: Interval, input: Extents, mirrored: bool) -> Given {
        let mut total = Cost::default();
        let mut now = input;
        let mut output = (count.low == 0).then_some(input);
        let mut done = 0;
        while done < count.high && self.work > 0 {
            let (next, cost) = self.region(body, now, mirrored);
            // Once nothing changes any more, what is left is more of the same.
            let same = if next == now { count.high - done } else { 1 };
            let sure = count.low.saturating_sub(done).min(same);
            if sure > 0 {
                total = total.then(cost.repeated(sure));
            }
            if same > sure {
                total = total.then(cost.repeated(same - sure).or_none());
            }
            done += same;
            now = next;
            if done >= count.low {
                output = Some(output.map_or(now, |output| output.hull(now)));
            }
        }
        (output.unwrap_or(now), total)
    }

    /// Repetitions of which each may stand beside the one before it.
    fn groups(&mut self, body: RegionId, count: Interval, merge: Merge, input: Extents) -> Given {
        let mut total = Cost::default();
        // What the current repetition may take, and what its group gives up to it.
        let (mut taken, mut given) = (input, None::<Extents>);
        let mut output = (count.low == 0).then_some(input);
        let mut widest = 0;
        let mut done = 0;
        while done < count.high && self.work > 0 {
            let (single, cost) = self.region(body, taken, false);
            widest = widest.max(single.channels.high);
            let mut next = single;
            if let Some(before) = given
                && let Some((both, _)) =
                    merged(merge, &[(before, Cost::default()), (single, Cost::default())])
            {
                next = next.hull(both);
                if merge.kind == MergeKind::Concat && merge.pad {
                    let high = widest.saturating_mul(done + 1);
                    next.channels = Interval { low: single.channels.low, high };
                }
            }
            let largest = Interval { low: 0, high: next.elements().high };
            let cost = Cost { largest: cost.largest.max(largest), ..cost };
            let next_taken = taken.hull(next);
            let same = if given == Some(next) && next_taken == taken { count.high - done } else { 1 };
            let sure = count.low.saturating_sub(done).min(same);
            if sure > 0 {
                total = total.then(cost.repeated(sure));
            }
            if same > sure {
                total = total.then(cost.repeated(same - sure).or_none());
            }
            done += same;
            (taken, given) = (next_taken, Some(next));
            if done >= count.low {
                output = Some(output.map_or(next, |output| output.hull(next)));
            }
        }
        (output.or(given).unwrap_or(input), total)
    }

    fn channels_of(&self) -> impl Fn(RegionId) -> Option<Numbers> + '_ {
        |region| {
            let known = self.channels.iter().rev().find(|(known, _)| *known == region);
            known.map(|(_, channels)| (channels.low as f64, channels.high as f64))
        }
    }

    fn numbers(&self, expr: &Expr) -> Option<Numbers> {
        numbers(self.space, expr, &self.channels_of())
    }

    fn pair(&self, argument: &Argument) -> [Interval; 2] {
        pair(self.space, &argument.expr, &self.channels_of())
    }

    fn filters(&self, argument: &Argument) -> Interval {
        use crate::space::facts::reads_channels;
        use crate::space::{BinaryOp, Function};
        let scaled = self.space.width_scale.as_ref().filter(|_| !reads_channels(&argument.expr));
        Interval::of_extent(match scaled {
            None => self.numbers(&argument.expr),
            Some(scale) => {
                let [a, b] = [&argument.expr, &scale.factor].map(|expr| Box::new(expr.clone()));
                let product = Expr::Binary(BinaryOp::Mul, a, b);
                let round = Expr::Value(Value::Int(scale.round.max(1)));
                self.numbers(&Expr::Call(Function::MakeDivisible, vec![product, round]))
            }
        })
    }

    fn layer(&self, layer: &Layer, input: Extents, mirrored: bool) -> Given {
        let channels = input.channels;
        let (output, mut cost) = match layer {
            Layer::Conv2d { filters, kernel, stride, padding, norm, .. } => {
                let output = self.window(kernel, stride, padding, input, self.filters(filters));
                let [kh, kw] = self.pair(kernel);
                let taps = kh.mul(kw).mul(channels);
                (output, self.weighted(output, taps.mul(output.channels), output.elements().mul(taps), norm))
            }
            Layer::DepthwiseConv2d { kernel, stride, padding, norm, .. } => {
                let output = self.window(kernel, stride, padding, input, channels);
                let [kh, kw] = self.pair(kernel);
                let taps = kh.mul(kw);
                (output, self.weighted(output, taps.mul(channels), output.elements().mul(taps), norm))
            }
            Layer::Dense { units, norm, .. } => {
                let output = Extents::vector(Interval::of_extent(self.numbers(&units.expr)));
                let weights = output.channels.mul(input.elements());
                (output, self.weighted(output, weights, weights, norm))
            }
            Layer::BatchNorm => (input, Cost { parameters: channels.times(2), ..Cost::default() }),
            Layer::MaxPool { size, stride, padding } | Layer::AvgPool { size, stride, padding } => {
                (self.window(size, stride, padding, input, channels), Cost::default())
            }
            Layer::GlobalAvgPool => (Extents::vector(channels), Cost::default()),
            Layer::Flatten => (Extents::vector(input.elements()), Cost::default()),
            Layer::Upsample { factor } => {
                let [down, right] = self.pair(factor);
                let (height, width) = (input.height.mul(down), input.width.mul(right));
                (Extents { height, width, channels }, Cost::default())
            }
            Layer::Activation { .. } | Layer::Dropout { .. } | Layer::Identity => (input, Cost::default()),
        };
        cost.largest = cost.largest.max(output.elements());
        if mirrored {
            cost = cost.then(self.backward(layer, input, output));
        }
        (output, cost)
    }

    /// Costs of weights with a bias for each output channel.
    fn weighted(&self, output: Extents, weights: Interval, macs: Interval, norm: &Argument) -> Cost {
        let biases = output.channels;
        let (may, may_not) = may_be(self.space, &norm.expr, "batch");
        // A bias without normalisation; a factor and an offset with it.
        let own = match (may, may_not) {
            (true, true) => biases.hull(biases.times(2)),
            (true, false) => biases.times(2),
            _ => biases,
        };
        Cost { macs, weights, biases, parameters: weights.add(own), largest: Interval::default() }
    }

    fn window(
        &self,
        kernel: &Argument,
        stride: &Argument,
        padding: &Argument,
        input: Extents,
        channels: Interval,
    ) -> Extents {
        let (kernel, stride) = (self.pair(kernel), self.pair(stride));
        let (same, valid) = may_be(self.space, &padding.expr, "same");
        let [height, width] = [0, 1].map(|axis| {
            let (extent, kernel, stride) = ([input.height, input.width][axis], kernel[axis], stride[axis]);
            let padded = extent.div_ceil(stride);
            let low = extent.low.saturating_sub(kernel.high) / stride.high.max(1) + 1;
            let high = extent.high.saturating_sub(kernel.low) / stride.low.max(1) + 1;
            match (same, valid) {
                (true, false) => padded,
                (false, _) => Interval { low, high },
                (true, true) => padded.hull(Interval { low, high }),
            }
        });
        Extents { height, width, channels }
    }

    /// Costs of the mirror image of a layer that took `input` and gave `output`.
    fn backward(&self, layer: &Layer, input: Extents, output: Extents) -> Cost {
        let largest = input.elements();
        // Normalisation is that of the layer before.
        let norm = |channels: Interval| Interval { low: 0, high: channels.times(2).high };
        let weighted = |weights: Interval, macs: Interval, biases: Interval, largest: Interval| Cost {
            macs,
            weights,
            biases,
            parameters: weights.add(biases.hull(norm(biases))),
            largest,
        };
        match layer {
            Layer::Conv2d { kernel, .. } => {
                let [kh, kw] = self.pair(kernel);
                let taps = kh.mul(kw).mul(output.channels);
                let enlarged = Extents { channels: output.channels, ..input }.elements();
                let weights = taps.mul(input.channels);
                weighted(weights, largest.mul(taps), input.channels, largest.max(enlarged))
            }
            Layer::DepthwiseConv2d { kernel, .. } => {
                let [kh, kw] = self.pair(kernel);
                let taps = kh.mul(kw);
                weighted(taps.mul(input.channels), largest.mul(taps), input.channels, largest)
            }
            Layer::Dense { .. } => {
                let weights = output.channels.mul(largest);
                weighted(weights, weights, largest, largest)
            }
            Layer::MaxPool { .. }
            | Layer::AvgPool { .. }
            | Layer::GlobalAvgPool
            | Layer::Flatten
            | Layer::Upsample { .. } => Cost { parameters: norm(input.channels), largest, ..Cost::default() },
            Layer::BatchNorm | Layer::Activation { .. } | Layer::Dropout { .. } | Layer::Identity => {
                Cost::default()
            }
        }
    }
}

/// Branches that come together; `None` of none.
fn merged(merge: Merge, branches: &[Given]) -> Option<Given> {
    let cost = branches.iter().map(|branch| branch.1).reduce(Cost::then)?;
    let all = |of: fn(&Extents) -> Interval, join: fn(Interval, Interval) -> Interval| {
        branches.iter().map(|branch| of(&branch.0)).reduce(join)
    };
    let side: fn(Interval, Interval) -> Interval = match (merge.kind, merge.pool) {
        // One factor for each channel has no height and width.
        (MergeKind::Mul, _) => Interval::hull,
        (_, true) => Interval::min,
        (_, false) => Interval::both,
    };
    let many = branches.len() as u64;
    let channels = match (merge.kind, merge.pad) {
        (MergeKind::Concat, true) => all(|extents| extents.channels, Interval::max)?.times(many),
        (MergeKind::Concat, false) => all(|extents| extents.channels, Interval::add)?,
        (_, true) => all(|extents| extents.channels, Interval::max)?,
        (_, false) => all(|extents| extents.channels, Interval::both)?,
    };
    let (height, width) = (all(|extents| extents.height, side)?, all(|extents| extents.width, side)?);
    let output = Extents { height, width, channels };
    Some((output, Cost { largest: cost.largest.max(output.elements()), ..cost }))
}
