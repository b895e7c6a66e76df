//! Where the taps of a window read, forward and backward, in an image with zeros around it.
//!
//! A *target* pixel is a sum over taps of *source* pixels. Forward, targets are outputs and sources inputs;
//! backward it is the other way round, and the targets fall into phases by the remainder of their place by the
//! stride, since those of one phase share their taps. Plans are made once for each shape and kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::ops::Window;

/// Which way a window is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    /// From inputs to outputs.
    Forward,
    /// From gradients of outputs to those of inputs.
    Backward,
}

/// What a geometry is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) direction: Direction,
    pub(super) window: Window,
    /// Height and width of the operator's input.
    pub(super) input: [usize; 2],
    /// Height and width of its output.
    pub(super) output: [usize; 2],
    /// Channels of the source.
    pub(super) channels: usize,
}

/// Targets that share their taps.
#[derive(Debug)]
pub(super) struct Phase {
    /// The first of them.
    pub(super) first: [usize; 2],
    /// Rows and columns of them.
    pub(super) grid: [usize; 2],
    /// The taps by ascending place of their source pixel: index of the tap's weights.
    pub(super) taps: Vec<usize>,
    /// For each tap, pixels of the padded source from that of the target on: down and to the right.
    pub(super) places: Vec<[usize; 2]>,
    /// Elements of the padded source where runs of neighbouring taps start.
    pub(super) runs: Vec<usize>,
    /// Elements of each run.
    pub(super) run: usize,
    /// The elements of all runs, one by one.
    pub(super) elements: Vec<usize>,
}

/// A window on images of one shape.
#[derive(Debug)]
pub(super) struct Geometry {
    /// Rows and columns of the source image.
    pub(super) source: [usize; 2],
    pub(super) channels: usize,
    /// Rows above and columns to the left of it that are zeros.
    pub(super) before: [usize; 2],
    /// Rows and columns of the padded source.
    pub(super) padded: [usize; 2],
    /// Source pixels from a target of a phase to the next.
    pub(super) step: [usize; 2],
    /// Rows and columns of targets.
    pub(super) target: [usize; 2],
    /// Targets from one of a phase to the next.
    pub(super) spread: [usize; 2],
    pub(super) phases: Vec<Phase>,
    /// Whether each target reads the source pixel at its own place and no other.
    pub(super) is_pointwise: bool,
    /// Whether some targets belong to no phase: they have no taps.
    pub(super) has_gaps: bool,
}

/// The places of a tap's source pixels relative to the target's, before padding.
type Place = (usize, [isize; 2]);

impl Geometry {
    fn new(key: &Key) -> Geometry {
        let Key { direction, window, input, output, channels } = *key;
        let (source, target) = match direction {
            Direction::Forward => (input, output),
            Direction::Backward => (output, input),
        };
        let (step, spread) = match direction {
            Direction::Forward => (window.stride, [1, 1]),
            Direction::Backward => ([1, 1], window.stride),
        };
        let sketches: Vec<([usize; 2], [usize; 2], Vec<Place>)> = match direction {
            Direction::Forward => vec![([0, 0], output, forward_places(&window))],
            Direction::Backward => backward_phases(&window, input),
        };
        let places = || sketches.iter().flat_map(|(_, grid, places)| places.iter().map(move |p| (grid, p.1)));
        let before =
            [0, 1].map(|axis| places().map(|(_, place)| (-place[axis]).max(0) as usize).max().unwrap_or(0));
        let padded = [0, 1].map(|axis| {
            let last = |(grid, place): (&[usize; 2], [isize; 2])| {
                let end = ((grid[axis] - 1) * step[axis]) as isize + place[axis] + 1;
                (end + before[axis] as isize).max(0) as usize
            };
            places().map(last).max().unwrap_or(0)
        });
        // Where nothing surrounds it, the image itself is read.
        let is_bare = before == [0, 0] && padded[0] <= source[0] && padded[1] <= source[1];
        let padded = if is_bare { source } else { padded };
        let finish = |(first, grid, places): ([usize; 2], [usize; 2], Vec<Place>)| {
            Phase::new(first, grid, places, before, padded[1], channels)
        };
        let phases: Vec<Phase> = sketches.into_iter().map(finish).collect();
        let covered: usize = phases.iter().map(|phase| phase.grid[0] * phase.grid[1]).sum();
        let is_pointwise = is_bare
            && source == target
            && (step, spread) == ([1, 1], [1, 1])
            && matches!(phases.as_slice(), [Phase { places, .. }] if *places == [[0, 0]]);
        let has_gaps = covered < target[0] * target[1];
        Geometry { source, channels, before, padded, step, target, spread, phases, is_pointwise, has_gaps }
    }

    /// Whether the source is read where it is.
    pub(super) fn is_bare(&self) -> bool {
        self.before == [0, 0] && self.padded == self.source
    }

    /// Elements of the padded source.
    pub(super) fn padded_len(&self) -> usize {
        self.padded[0] * self.padded[1] * self.channels
    }

    /// Rows and columns of the source that the padded one holds.
    pub(super) fn inner(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.source[axis].min(self.padded[axis].saturating_sub(self.before[axis])))
    }

    /// Copies an image into the middle of a padded one, whose border is zeros already.
    pub(super) fn copy(&self, image: &[f32], padded: &mut [f32]) {
        let [rows, columns] = self.inner();
        if columns == 0 {
            return;
        }
        let (width, own) = (self.padded[1] * self.channels, self.source[1] * self.channels);
        let first = self.before[0] * width + self.before[1] * self.channels;
        for row in 0..rows {
            let line = &image[row * own..][..columns * self.channels];
            padded[first + row * width..][..line.len()].copy_from_slice(line);
        }
    }
}

fn forward_places(window: &Window) -> Vec<Place> {
    let [kh, kw] = window.kernel;
    let place = |k: usize| {
        let y = (k / kw * window.dilation[0]) as isize - window.padding.top as isize;
        let x = (k % kw * window.dilation[1]) as isize - window.padding.left as isize;
        (k, [y, x])
    };
    (0..kh * kw).map(place).collect()
}

/// For each remainder that some taps have: the first input, the number of inputs, the taps.
fn backward_phases(window: &Window, input: [usize; 2]) -> Vec<([usize; 2], [usize; 2], Vec<Place>)> {
    let [kh, kw] = window.kernel;
    let [sy, sx] = window.stride;
    let mut phases = Vec::new();
    // A stride beyond the input leaves as many remainders as there are inputs.
    let [rows, columns] = [sy.min(input[0]), sx.min(input[1])];
    for first in (0..rows * columns).map(|i| [i / columns, i % columns]) {
        let offset = |axis: usize, k: usize| {
            let before = [window.padding.top, window.padding.left][axis];
            let distance = (first[axis] + before) as isize - (k * window.dilation[axis]) as isize;
            let stride = window.stride[axis] as isize;
            (distance % stride == 0).then_some(distance / stride)
        };
        let place = |k: usize| Some((k, [offset(0, k / kw)?, offset(1, k % kw)?]));
        let mut places: Vec<Place> = (0..kh * kw).filter_map(place).collect();
        places.sort_by_key(|&(_, place)| place);
        let grid = [0, 1].map(|axis| (input[axis] - first[axis]).div_ceil(window.stride[axis]));
        if !places.is_empty() {
            phases.push((first, grid, places));
        }
    }
    phases
}

impl Phase {
    fn new(
        first: [usize; 2],
        grid: [usize; 2],
        places: Vec<Place>,
        before: [usize; 2],
        width: usize,
        channels: usize,
    ) -> Phase {
        let taps = places.iter().map(|&(tap, _)| tap).collect();
        let places: Vec<[usize; 2]> = places
            .into_iter()
            .map(|(_, place)| [0, 1].map(|axis| (place[axis] + before[axis] as isize) as usize))
            .collect();
        let element = |place: &[usize; 2]| (place[0] * width + place[1]) * channels;
        // Taps side by side are one run, if all rows of taps are alike.
        let columns = places.iter().take_while(|place| place[0] == places[0][0]).count();
        let alike = places.chunks(columns).all(|row| {
            row.len() == columns && row.windows(2).all(|pair| pair[1] == [pair[0][0], pair[0][1] + 1])
        });
        let (each, run) = if alike { (columns, columns * channels) } else { (1, channels) };
        let runs: Vec<usize> = places.iter().step_by(each).map(element).collect();
        let elements = runs.iter().flat_map(|&start| start..start + run).collect();
        Phase { first, grid, taps, places, runs, run, elements }
    }
}

/// Plans kept before all are forgotten: more than the shapes of any one network.
const KEPT: usize = 1024;

/// The geometries that were asked for.
#[derive(Debug, Default)]
pub(super) struct Geometries(Mutex<BTreeMap<Key, Arc<Geometry>>>);

impl Geometries {
    /// The geometry of a key.
    pub(super) fn get(&self, key: &Key) -> Arc<Geometry> {
        let output = key.window.output("window", key.input).expect("the window fits the input");
        assert_eq!(output, key.output, "the output of {:?} on {:?}", key.window, key.input);
        let Ok(mut known) = self.0.lock() else {
            return Arc::new(Geometry::new(key));
        };
        if let Some(found) = known.get(key) {
            return Arc::clone(found);
        }
        if known.len() >= KEPT {
            known.clear();
        }
        let made = Arc::new(Geometry::new(key));
        known.insert(*key, Arc::clone(&made));
        made
    }
}
