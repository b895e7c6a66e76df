//! The contact sheet: which samples of each class are shown, and how.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Inspected;
use super::draw::{self, Pixels};
use crate::data::{Dataset, Element, FrontEnd, Part, spread};
use crate::pipeline::prepare::{Features, Prepared, TrainingRows};
use crate::train::Rows as _;

/// Classes that are shown.
const CLASSES: usize = 40;
/// Bytes of drawings, after which no further class is begun.
const BYTES: usize = 4 << 20;
/// The longer side of a picture.
const SIDE: usize = 128;
/// Changed versions of one training sample.
const CHANGED: usize = 2;

/// All that is shown.
pub(super) struct Sheet {
    pub(super) rows: Vec<Row>,
    /// Classes that are not shown.
    pub(super) left_out: usize,
    /// What the drawings are.
    pub(super) legend: &'static str,
}

/// The samples of a class.
pub(super) struct Row {
    /// Its name; empty where there are no classes.
    pub(super) class: String,
    pub(super) figures: Vec<Figure>,
    /// The first training sample of them as changes make it.
    pub(super) changed: Vec<Figure>,
}

/// A sample.
pub(super) struct Figure {
    /// Elements of HTML.
    pub(super) drawing: String,
    /// Where it is from.
    pub(super) name: String,
    /// Its part.
    pub(super) part: &'static str,
    /// Its group, and its number to predict.
    pub(super) detail: String,
}

/// How samples are drawn.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sound,
    Picture,
    Lines,
    Bars,
    Map,
}

impl Kind {
    fn of(found: &Inspected, front_end: Option<&FrontEnd>) -> Kind {
        match (front_end, found.extents) {
            (Some(FrontEnd::Audio(_)), _) => Kind::Sound,
            (Some(FrontEnd::Picture(_)), _) => Kind::Picture,
            (_, [_, 1, 1]) if found.rate.is_some() && found.element == Element::I16 => Kind::Sound,
            (_, [1, 1, _]) => Kind::Bars,
            (_, [_, 1, _]) => Kind::Lines,
            _ if found.element == Element::U8 => Kind::Picture,
            _ => Kind::Map,
        }
    }

    fn legend(self, with_features: bool) -> &'static str {
        match (self, with_features) {
            (Kind::Sound, true) => {
                "Above the sound, its peak as high as the drawing; below the features as the network sees them: time \
                 from left to right, low bands below, dark what is under the mean and light what is above."
            }
            (Kind::Sound, false) => "The sound, its peak as high as the drawing.",
            (Kind::Picture, _) => "Pictures as the front end leaves them.",
            (Kind::Lines, _) => "A line for each channel, in deviations from its mean (3.5 to the edge).",
            (Kind::Bars, _) => "A bar for each channel, in deviations from its mean (3 to the edge).",
            (Kind::Map, _) => "Dark what is under the mean and light what is above.",
        }
    }
}

/// Draws what draws on samples.
struct Drawer<'a> {
    data: &'a Prepared,
    features: Option<Arc<Features>>,
    kind: Kind,
    /// Mean and deviation of each channel.
    scale: Vec<(f64, f64)>,
}

/// The sheet with so many samples of each class.
pub(super) fn draw(
    data: &Prepared,
    features: Option<Arc<Features>>,
    found: &Inspected,
    samples: usize,
) -> Sheet {
    let kind = Kind::of(found, features.as_ref().map(|features| &features.front_end));
    let with_features = features.as_ref().is_some_and(|found| matches!(found.front_end, FrontEnd::Audio(_)));
    let all = [found.values.all];
    let ranges = if found.values.channels.is_empty() { &all[..] } else { &found.values.channels };
    let positive = |deviation: f64| if deviation > 0.0 { deviation } else { 1.0 };
    let scale = ranges.iter().map(|range| (range.mean, positive(range.deviation))).collect();
    let drawer = Drawer { data, features, kind, scale };
    let n_classes = data.splits.train.classes.len();
    let classes: Vec<Option<u32>> = match n_classes {
        0 => vec![None],
        _ => (0..n_classes.min(CLASSES)).filter_map(|class| u32::try_from(class).ok()).map(Some).collect(),
    };
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for class in classes {
        if bytes > BYTES {
            break;
        }
        let row = drawer.row(class, samples);
        bytes += row.figures.iter().chain(&row.changed).map(|figure| figure.drawing.len()).sum::<usize>();
        rows.push(row);
    }
    Sheet { left_out: n_classes.max(1) - rows.len(), rows, legend: kind.legend(with_features) }
}

/// How many of each part are shown: a half of training, a quarter of each other; what one lacks the next ones give.
fn shares(available: [usize; 3], wanted: usize) -> [usize; 3] {
    let others = (wanted / 4).max(1);
    let mut shares = [0; 3];
    for (at, most) in [(0, wanted.saturating_sub(2 * others).max(1)), (1, others), (2, others), (0, wanted)]
        .into_iter()
        .chain([(1, wanted), (2, wanted)])
    {
        let taken: usize = shares.iter().sum();
        let more = most.min(wanted - taken).min(available[at] - shares[at]);
        shares[at] += more;
    }
    shares
}

impl Drawer<'_> {
    fn raw(&self, part: Part) -> &Dataset {
        let splits = &self.data.splits;
        match part {
            Part::Train => &splits.train,
            Part::Val => &splits.val,
            Part::Test => &splits.test,
        }
    }

    fn row(&self, class: Option<u32>, samples: usize) -> Row {
        let members = Part::ALL.map(|part| {
            let dataset = self.raw(part);
            let is_member =
                |&index: &usize| class.is_none_or(|class| dataset.labels.get(index) == Some(&class));
            (0..dataset.len()).filter(is_member).collect::<Vec<usize>>()
        });
        let shares = shares([members[0].len(), members[1].len(), members[2].len()], samples);
        let mut row = Row { class: String::new(), figures: Vec::new(), changed: Vec::new() };
        if let Some(class) = class {
            row.class = self.data.splits.train.classes[class as usize].clone();
        }
        for ((part, members), share) in Part::ALL.into_iter().zip(&members).zip(shares) {
            let chosen: Vec<usize> = spread(members.len(), share).map(|at| members[at]).collect();
            row.figures.extend(chosen.iter().map(|&index| self.figure(part, index)));
            if let (Part::Train, Some(&first)) = (part, chosen.first()) {
                row.changed = self.changed(first);
            }
        }
        row
    }

    fn figure(&self, part: Part, index: usize) -> Figure {
        let dataset = self.raw(part);
        let mut raw = vec![0.0; dataset.sample_len()];
        dataset.sample(index, &mut raw);
        let drawing = match &self.features {
            Some(features) => {
                let splits = &features.splits;
                let made = match part {
                    Part::Train => &splits.train,
                    Part::Val => &splits.val,
                    Part::Test => &splits.test,
                };
                let mut values = vec![0.0; made.sample_len()];
                made.sample(index, &mut values);
                self.drawing(Some(&raw), values, features)
            }
            None => self.raw_drawing(&raw),
        };
        let collection = &self.data.loaded.collection;
        let row = dataset.row(index);
        let group = collection.origins[row].group.map(|group| collection.groups[group as usize].clone());
        let n = dataset.n_numbers();
        let numbers = dataset.numbers[index * n..(index + 1) * n].iter().take(4).map(|x| format!("→ {x}"));
        let detail = group.into_iter().chain(numbers).collect::<Vec<_>>().join(" ");
        Figure { drawing, name: collection.name(row), part: part.name(), detail }
    }

    /// What changes make of a training sample, as the network sees it.
    fn changed(&self, index: usize) -> Vec<Figure> {
        let Some(features) = self.features.as_ref().filter(|features| !features.augments.is_empty()) else {
            return Vec::new();
        };
        let rows = TrainingRows::new(features.clone(), &self.data.hash);
        let name = self.data.loaded.collection.name(self.data.splits.train.row(index));
        let one = |version: usize| {
            let mut random = ChaCha8Rng::seed_from_u64((CHANGED * index + version) as u64);
            let mut values = vec![0.0; features.splits.train.sample_len()];
            rows.changed(index, &mut random, &mut values);
            // Back to what the front end gives, which is what is drawn.
            let standardization = &features.standardization;
            let period = standardization.mean.len().max(1);
            for (at, x) in values.iter_mut().enumerate() {
                let channel = at % period;
                *x = *x / standardization.inv_deviation[channel] + standardization.mean[channel];
            }
            let drawing = self.drawing(None, values, features);
            Figure { drawing, name: name.clone(), part: "changed", detail: String::new() }
        };
        (0..CHANGED).map(one).collect()
    }

    /// A sample behind the front end; of sound with the recording where there is one.
    fn drawing(&self, raw: Option<&[f32]>, mut features: Vec<f32>, made: &Features) -> String {
        match (self.kind, &made.front_end) {
            (Kind::Sound, FrontEnd::Audio(_)) => {
                made.standardization.apply(&mut features);
                let [rows, columns, _] = made.front_end.extents();
                let map = picture(&Pixels::of_map(&features, rows, columns), "map");
                format!("{}{map}", raw.map(draw::waveform).unwrap_or_default())
            }
            (Kind::Picture, front_end) => {
                picture(&Pixels::of_bytes(&features, front_end.extents(), SIDE), "picture")
            }
            _ => self.raw_drawing(&features),
        }
    }

    /// A sample as it is on disk.
    fn raw_drawing(&self, raw: &[f32]) -> String {
        let extents = self.data.loaded.collection.extents;
        let [height, width, channels] = extents;
        match self.kind {
            Kind::Sound => draw::waveform(raw),
            Kind::Picture => picture(&Pixels::of_bytes(raw, extents, SIDE), "picture"),
            Kind::Lines => draw::lines(raw, channels, &self.scale),
            Kind::Bars => draw::bars(raw, &self.scale),
            Kind::Map => {
                let first = |pixel: &[f32]| {
                    let (mean, deviation) = self.scale.first().copied().unwrap_or((0.0, 1.0));
                    ((f64::from(pixel[0]) - mean) / deviation) as f32
                };
                let values: Vec<f32> = raw.chunks_exact(channels.max(1)).map(first).collect();
                picture(&Pixels::of_map(&values, height, width), "map")
            }
        }
    }
}

fn picture(pixels: &Pixels, class: &str) -> String {
    pixels
        .address()
        .map(|address| format!("<img class=\"{class}\" alt=\"\" src=\"{address}\">"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_shown_and_never_more_than_there_are() {
        assert_eq!(shares([100, 100, 100], 8), [4, 2, 2]);
        assert_eq!(shares([100, 0, 1], 8), [7, 0, 1]);
        assert_eq!(shares([0, 3, 2], 8), [0, 3, 2]);
        assert_eq!(shares([9, 9, 9], 1), [1, 0, 0]);
        assert_eq!(shares([1, 9, 9], 8), [1, 5, 2]);
        for wanted in 1..20 {
            for available in [[5, 5, 5], [0, 0, 30], [30, 1, 0], [0, 0, 0]] {
                let shares = shares(available, wanted);
                assert!(shares.iter().zip(available).all(|(&share, most)| share <= most));
                assert_eq!(shares.iter().sum::<usize>(), wanted.min(available.iter().sum()));
            }
        }
    }

    #[test]
    fn samples_are_spread_and_differ() {
        let of = |len, count| spread(len, count).collect::<Vec<usize>>();
        assert_eq!(of(10, 2), [2, 7]);
        assert_eq!(of(10, 10), (0..10).collect::<Vec<usize>>());
        assert_eq!(of(10, 99), of(10, 10));
        assert!(of(0, 3).is_empty());
    }
}
