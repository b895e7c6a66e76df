//! Batches of samples with what is wanted of each: a label, numbers, or the sample itself.

use std::sync::{Arc, OnceLock};

use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::{Augment, Batch, BatchSource, Rows, mixup};
use crate::diagnostic::{Code, Diagnostic};
use crate::tensor::{Shape, Value};
use crate::train::recipe::Recipe;
use crate::train::stream::{numbered, shuffle};

/// What is wanted of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answers<'a> {
    /// A class of each.
    Labels(&'a [u32]),
    /// Numbers, those of one sample behind those of the other.
    Numbers(&'a [f32]),
    /// The sample itself. Where samples are changed, that before the change: a network learns to take the change off.
    Input,
}

impl<'a> From<&'a [u32]> for Answers<'a> {
    fn from(labels: &'a [u32]) -> Answers<'a> {
        Answers::Labels(labels)
    }
}

impl<'a> From<&'a Vec<u32>> for Answers<'a> {
    fn from(labels: &'a Vec<u32>) -> Answers<'a> {
        Answers::Labels(labels)
    }
}

/// The same, kept.
#[derive(Debug)]
enum Kept {
    Labels(Vec<u32>),
    Numbers(Vec<f32>),
    Input,
}

/// Where the elements of samples are.
#[derive(Debug)]
enum Elements {
    /// One sample behind the other.
    Here(Vec<f32>),
    /// They are made when they are asked for.
    Made(Arc<dyn Rows>),
}

/// Samples and what is wanted of them, to be shared by trainings.
#[derive(Debug)]
pub struct Samples {
    count: usize,
    extents: Vec<usize>,
    elements: Elements,
    answers: Kept,
    /// Numbers that are wanted of one sample.
    outputs: usize,
    hash: OnceLock<String>,
}

impl Samples {
    /// Inputs `f32 [N, ...]`, at least one, for a network with so many outputs: a label below `outputs` for each, or
    /// so many numbers, all finite; for [`Answers::Input`] a sample has so many elements.
    ///
    /// # Errors
    /// E0703 for labels and numbers, E0705 for the inputs.
    pub fn new<'a>(
        inputs: &Value,
        answers: impl Into<Answers<'a>>,
        outputs: usize,
    ) -> Result<Samples, Diagnostic> {
        let shape = inputs.shape();
        let Some(array) = inputs.as_f32().filter(|_| shape.rank() > 0 && shape.0[0] > 0) else {
            let message =
                format!("training takes samples f32[N, ...], the data is {}{shape}", inputs.dtype());
            return Err(Diagnostic::error(Code::DATA_SHAPE, message));
        };
        let elements = Elements::Here(array.iter().copied().collect());
        Samples::of(elements, (shape.0[0], shape.0[1..].to_vec()), answers, outputs)
    }

    /// Samples that are made when they are asked for; the rest as with [`Samples::new`].
    ///
    /// # Errors
    /// As [`Samples::new`].
    pub fn made<'a>(
        rows: Arc<dyn Rows>,
        answers: impl Into<Answers<'a>>,
        outputs: usize,
    ) -> Result<Samples, Diagnostic> {
        let shape = (rows.count(), rows.extents().to_vec());
        Samples::of(Elements::Made(rows), shape, answers, outputs)
    }

    fn of<'a>(
        elements: Elements,
        (count, extents): (usize, Vec<usize>),
        answers: impl Into<Answers<'a>>,
        outputs: usize,
    ) -> Result<Samples, Diagnostic> {
        let answers = match answers.into() {
            Answers::Labels(labels) => Kept::Labels(checked_labels(labels, count, outputs)?),
            Answers::Numbers(numbers) => Kept::Numbers(checked_numbers(numbers, count, outputs)?),
            Answers::Input if extents.iter().product::<usize>() == outputs => Kept::Input,
            Answers::Input => {
                let message = format!(
                    "the network has {outputs} outputs for samples f32{}: no reconstruction",
                    Shape::from(extents)
                );
                return Err(Diagnostic::error(Code::DATA_SHAPE, message));
            }
        };
        Ok(Samples { count, extents, elements, answers, outputs, hash: OnceLock::new() })
    }

    /// Whether all that is wanted is in 0..1, as binary cross-entropy has it.
    ///
    /// # Errors
    /// E0703 with the first number that is not.
    pub fn check_shares(&self) -> Result<(), Diagnostic> {
        let wrong = |numbers: &[f32]| numbers.iter().copied().find(|x| !(0.0..=1.0).contains(x));
        let wrong = match &self.answers {
            Kept::Labels(_) => None,
            Kept::Numbers(numbers) => wrong(numbers),
            Kept::Input => {
                let mut sample = Vec::new();
                (0..self.count).find_map(|index| {
                    sample.clear();
                    self.push(index, &mut sample);
                    wrong(&sample)
                })
            }
        };
        match wrong {
            Some(wrong) => {
                let message =
                    format!("a number to be learned is {wrong}, with `loss: bce` it must be in 0..1");
                Err(Diagnostic::error(Code::DATA_LABEL, message).help("write `loss: mse`"))
            }
            None => Ok(()),
        }
    }

    /// Extents of one sample.
    pub fn extents(&self) -> &[usize] {
        &self.extents
    }

    /// Elements of a sample.
    fn size(&self) -> usize {
        self.extents.iter().product()
    }

    /// Appends a sample as it is.
    pub(super) fn push(&self, index: usize, into: &mut Vec<f32>) {
        let size = self.size();
        match &self.elements {
            Elements::Here(elements) => into.extend_from_slice(&elements[index * size..(index + 1) * size]),
            Elements::Made(rows) => {
                let start = into.len();
                into.resize(start + size, 0.0);
                rows.sample(index, &mut into[start..]);
            }
        }
    }

    /// Appends a sample as a training sees it.
    fn push_changed(&self, index: usize, random: impl FnOnce() -> ChaCha8Rng, into: &mut Vec<f32>) {
        match &self.elements {
            Elements::Here(_) => self.push(index, into),
            Elements::Made(rows) => {
                let start = into.len();
                into.resize(start + self.size(), 0.0);
                rows.changed(index, &mut random(), &mut into[start..]);
            }
        }
    }

    /// Writes labels, where there are classes, and targets of the samples at these places.
    fn answer(&self, chosen: &[usize], smoothing: f64, into: &mut Batch) {
        let Batch { labels, targets, .. } = into;
        labels.clear();
        targets.clear();
        match &self.answers {
            Kept::Labels(known) => {
                labels.extend(chosen.iter().map(|&index| known[index]));
                smooth(labels, self.outputs, smoothing, targets);
            }
            Kept::Numbers(numbers) => {
                let rows = chosen.iter().map(|&index| index * self.outputs);
                rows.for_each(|start| targets.extend_from_slice(&numbers[start..start + self.outputs]));
            }
            Kept::Input => chosen.iter().for_each(|&index| self.push(index, targets)),
        }
    }

    /// SHA-256 of extents, elements and what is wanted.
    fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let mut hash = Sha256::new();
            let kind = match self.answers {
                Kept::Labels(_) => "",
                Kept::Numbers(_) => " numbers",
                Kept::Input => " input",
            };
            hash.update(format!("{:?} {}{kind}\n", self.extents, self.count));
            match &self.elements {
                Elements::Here(elements) => elements.iter().for_each(|x| hash.update(x.to_le_bytes())),
                Elements::Made(rows) => hash.update(rows.identity()),
            }
            match &self.answers {
                Kept::Labels(labels) => labels.iter().for_each(|label| hash.update(label.to_le_bytes())),
                Kept::Numbers(numbers) => numbers.iter().for_each(|x| hash.update(x.to_le_bytes())),
                Kept::Input => {}
            }
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
        })
    }
}

fn checked_labels(labels: &[u32], count: usize, classes: usize) -> Result<Vec<u32>, Diagnostic> {
    if labels.len() != count {
        let message = format!("{} labels for {count} samples", labels.len());
        return Err(Diagnostic::error(Code::DATA_LABEL, message));
    }
    if let Some(wrong) = labels.iter().find(|&&label| label as usize >= classes) {
        let message = format!("label {wrong} of a network with {classes} outputs");
        return Err(Diagnostic::error(Code::DATA_LABEL, message));
    }
    Ok(labels.to_vec())
}

fn checked_numbers(numbers: &[f32], count: usize, outputs: usize) -> Result<Vec<f32>, Diagnostic> {
    if count.checked_mul(outputs) != Some(numbers.len()) {
        let message =
            format!("{} numbers for {count} samples of a network with {outputs} outputs", numbers.len());
        return Err(Diagnostic::error(Code::DATA_LABEL, message));
    }
    match numbers.iter().find(|x| !x.is_finite()) {
        Some(wrong) => {
            let message = format!("a number to be learned is {wrong}, it must be finite");
            Err(Diagnostic::error(Code::DATA_LABEL, message))
        }
        None => Ok(numbers.to_vec()),
    }
}

/// Samples in a random order for every epoch, each changed on its own, pairs mixed, with smoothed labels.
#[derive(Clone, Debug)]
pub struct LabelledBatches {
    samples: Arc<Samples>,
    batch: usize,
    smoothing: f64,
    mixup: Option<f64>,
    augment: Option<Arc<dyn Augment>>,
    seed: u64,
    epoch: u64,
    order: Vec<usize>,
}

impl LabelledBatches {
    /// Batches as a recipe wants them.
    pub fn new(samples: Arc<Samples>, recipe: &Recipe, seed: u64) -> LabelledBatches {
        LabelledBatches {
            samples,
            batch: recipe.batch,
            smoothing: recipe.label_smoothing,
            mixup: recipe.mixup,
            augment: None,
            seed,
            epoch: 0,
            order: Vec::new(),
        }
    }

    /// The same with random changes of the samples.
    pub fn augmented(self, augment: Arc<dyn Augment>) -> LabelledBatches {
        LabelledBatches { augment: Some(augment), ..self }
    }
}

impl BatchSource for LabelledBatches {
    fn samples(&self) -> usize {
        self.samples.count
    }

    fn batches(&self) -> usize {
        self.samples().div_ceil(self.batch)
    }

    fn input(&self) -> &[usize] {
        &self.samples.extents
    }

    fn targets(&self) -> usize {
        self.samples.outputs
    }

    fn start(&mut self, epoch: u64) {
        self.epoch = epoch;
        shuffle(self.samples(), self.seed, epoch, &mut self.order);
    }

    fn fill(&self, batch: usize, into: &mut Batch) {
        let (count, batches) = (self.samples(), self.batches());
        let chosen = &self.order[batch * count / batches..(batch + 1) * count / batches];
        into.count = chosen.len();
        into.inputs.clear();
        self.samples.answer(chosen, self.smoothing, into);
        for &index in chosen {
            let start = into.inputs.len();
            let random = || numbered(self.seed, "change", &[self.epoch, index as u64]);
            self.samples.push_changed(index, random, &mut into.inputs);
            if let Some(augment) = &self.augment {
                let mut random = numbered(self.seed, "augment", &[self.epoch, index as u64]);
                augment.apply(&mut into.inputs[start..], &self.samples.extents, &mut random);
            }
        }
        if let Some(alpha) = self.mixup {
            let mut random = numbered(self.seed, "mixup", &[self.epoch, batch as u64]);
            mixup::mix(into, alpha as f32, &mut random);
        }
    }

    fn identity(&self) -> String {
        format!(
            "samples={} outputs={} batch={} smoothing={:e} mixup={:?} augment={:?} seed={}",
            self.samples.hash(),
            self.samples.outputs,
            self.batch,
            self.smoothing,
            self.mixup,
            self.augment.as_ref().map(|augment| augment.canonical()),
            self.seed
        )
    }
}

/// Targets `[N, classes]`: a label's class has `1 - smoothing`, and all share `smoothing` equally.
///
/// Source  arXiv:1512.00567 section 7
pub fn smoothed_targets(labels: &[u32], classes: usize, smoothing: f64) -> Vec<f32> {
    let mut targets = Vec::new();
    smooth(labels, classes, smoothing, &mut targets);
    targets
}

/// [`smoothed_targets`] in place of what `targets` holds.
fn smooth(labels: &[u32], classes: usize, smoothing: f64, targets: &mut Vec<f32>) {
    let share = smoothing / classes as f64;
    targets.clear();
    targets.resize(labels.len() * classes, share as f32);
    for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
        row[label as usize] = (1.0 - smoothing + share) as f32;
    }
}
