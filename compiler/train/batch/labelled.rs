//! Batches of samples that have a label each.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::{Augment, Batch, BatchSource, mixup};
use crate::diagnostic::{Code, Diagnostic};
use crate::tensor::Value;
use crate::train::recipe::Recipe;
use crate::train::stream::{numbered, shuffle};

/// Samples and their labels, to be shared by trainings.
#[derive(Debug)]
pub struct Samples {
    extents: Vec<usize>,
    elements: Vec<f32>,
    labels: Vec<u32>,
    hash: OnceLock<String>,
}

impl Samples {
    /// Inputs `f32 [N, ...]`, at least one, and a label for each, below `classes`.
    ///
    /// # Errors
    /// E0703 for the labels, E0705 for the inputs.
    pub fn new(inputs: &Value, labels: &[u32], classes: usize) -> Result<Samples, Diagnostic> {
        let shape = inputs.shape();
        let Some(array) = inputs.as_f32().filter(|_| shape.rank() > 0 && shape.0[0] > 0) else {
            let message =
                format!("training takes samples f32[N, ...], the data is {}{shape}", inputs.dtype());
            return Err(Diagnostic::error(Code::DATA_SHAPE, message));
        };
        if labels.len() != shape.0[0] {
            let message = format!("{} labels for {} samples", labels.len(), shape.0[0]);
            return Err(Diagnostic::error(Code::DATA_LABEL, message));
        }
        if let Some(wrong) = labels.iter().find(|&&label| label as usize >= classes) {
            let message = format!("label {wrong} of a network with {classes} outputs");
            return Err(Diagnostic::error(Code::DATA_LABEL, message));
        }
        let elements = array.iter().copied().collect();
        let (extents, labels) = (shape.0[1..].to_vec(), labels.to_vec());
        Ok(Samples { extents, elements, labels, hash: OnceLock::new() })
    }

    /// Extents of one sample.
    pub fn extents(&self) -> &[usize] {
        &self.extents
    }

    fn sample(&self, index: usize) -> &[f32] {
        let size: usize = self.extents.iter().product();
        &self.elements[index * size..(index + 1) * size]
    }

    /// SHA-256 of extents, elements and labels.
    fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let mut hash = Sha256::new();
            hash.update(format!("{:?} {}\n", self.extents, self.labels.len()));
            self.elements.iter().for_each(|x| hash.update(x.to_le_bytes()));
            self.labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
        })
    }
}

/// Samples in a random order for every epoch, each changed on its own, pairs mixed, with smoothed labels.
#[derive(Clone, Debug)]
pub struct LabelledBatches {
    samples: Arc<Samples>,
    classes: usize,
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
    pub fn new(samples: Arc<Samples>, classes: usize, recipe: &Recipe, seed: u64) -> LabelledBatches {
        LabelledBatches {
            samples,
            classes,
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
        self.samples.labels.len()
    }

    fn batches(&self) -> usize {
        self.samples().div_ceil(self.batch)
    }

    fn input(&self) -> &[usize] {
        &self.samples.extents
    }

    fn targets(&self) -> usize {
        self.classes
    }

    fn start(&mut self, epoch: u64) {
        self.epoch = epoch;
        shuffle(self.samples(), self.seed, epoch, &mut self.order);
    }

    fn fill(&self, batch: usize, into: &mut Batch) {
        let (count, batches) = (self.samples(), self.batches());
        let chosen = &self.order[batch * count / batches..(batch + 1) * count / batches];
        into.count = chosen.len();
        into.labels.clear();
        into.labels.extend(chosen.iter().map(|&index| self.samples.labels[index]));
        into.inputs.clear();
        for &index in chosen {
            let start = into.inputs.len();
            into.inputs.extend_from_slice(self.samples.sample(index));
            if let Some(augment) = &self.augment {
                let mut random = numbered(self.seed, "augment", &[self.epoch, index as u64]);
                augment.apply(&mut into.inputs[start..], &self.samples.extents, &mut random);
            }
        }
        smooth(&into.labels, self.classes, self.smoothing, &mut into.targets);
        if let Some(alpha) = self.mixup {
            let mut random = numbered(self.seed, "mixup", &[self.epoch, batch as u64]);
            mixup::mix(into, alpha as f32, &mut random);
        }
    }

    fn identity(&self) -> String {
        format!(
            "samples={} classes={} batch={} smoothing={:e} mixup={:?} augment={:?} seed={}",
            self.samples.hash(),
            self.classes,
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
