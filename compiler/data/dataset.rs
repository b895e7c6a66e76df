//! Labelled samples, the three parts they come in, and the hash that identifies them.

use ndarray::Axis;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic};
use crate::tensor::{Shape, Value};

/// Labelled samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// F32 `[N, H, W, C]`, all finite.
    pub inputs: Value,
    /// One index into `classes` for each sample.
    pub labels: Vec<u32>,
    /// Names of the classes, in the order of the network's outputs.
    pub classes: Vec<String>,
}

/// What a reader gives: one part to train and validate on, one to test on, with the same classes and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// To be cut into training and validation.
    pub train: Dataset,
    /// Never seen before the last figure.
    pub test: Dataset,
}

/// The three parts that a run uses, with the same classes and sample shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// Weights, standardisation and calibration come from these.
    pub train: Dataset,
    /// Candidates are compared on these.
    pub val: Dataset,
    /// The reported quality comes from these.
    pub test: Dataset,
}

impl Dataset {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// `[H, W, C]` of every sample.
    pub fn sample_shape(&self) -> [usize; 3] {
        let [_, h, w, c] = self.inputs.shape().nhwc().expect("a data set is [N, H, W, C]");
        [h, w, c]
    }

    /// The values of all samples, row-major.
    pub fn values(&self) -> &[f32] {
        let array = self.inputs.as_f32().expect("a data set is F32");
        array.as_slice().expect("readers and cuts make dense arrays")
    }

    /// The samples at `indices`, in their order.
    pub fn select(&self, indices: &[usize]) -> Dataset {
        let array = self.inputs.as_f32().expect("a data set is F32");
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        let inputs = Value::F32(array.select(Axis(0), indices));
        Dataset { inputs, labels, classes: self.classes.clone() }
    }

    /// The same data set with the classes in the order of `other`; `names` are the files of `other` and this
    /// one.
    ///
    /// # Errors
    /// E0703 if a class is declared in one of them only, E0705 if the samples have different shapes.
    pub(super) fn matched_to(mut self, other: &Dataset, names: [&str; 2]) -> Result<Dataset, Diagnostic> {
        let (own, others) = (self.sample_shape(), other.sample_shape());
        if own != others {
            let message = format!(
                "samples of `{}` have the shape {}, those of `{}` have {}",
                names[1],
                Shape::from(own),
                names[0],
                Shape::from(others)
            );
            return Err(Diagnostic::error(Code::DATA_SHAPE, message)
                .help("bring both files to one shape [time, 1, channels]"));
        }
        let missing =
            |from: &Dataset, of: &Dataset| of.classes.iter().find(|c| !from.classes.contains(c)).cloned();
        let lonely = missing(other, &self).map(|class| (class, names[1], names[0]));
        if let Some((class, has, lacks)) =
            lonely.or_else(|| missing(&self, other).map(|class| (class, names[0], names[1])))
        {
            let message =
                format!("the label `{}` is declared in `{has}` but not in `{lacks}`", class.escape_debug());
            return Err(
                Diagnostic::error(Code::DATA_LABEL, message).help("declare the same labels in both files")
            );
        }
        let position = |class: &String| {
            let index = other.classes.iter().position(|known| known == class);
            u32::try_from(index.expect("both declare the same classes")).expect("limits::CLASSES fits")
        };
        let order: Vec<u32> = self.classes.iter().map(position).collect();
        self.labels = self.labels.iter().map(|&label| order[label as usize]).collect();
        self.classes.clone_from(&other.classes);
        Ok(self)
    }

    fn digest_into(&self, hash: &mut Sha256) {
        for extent in self.inputs.shape().0 {
            hash.update((extent as u64).to_le_bytes());
        }
        for value in self.values() {
            hash.update(value.to_bits().to_le_bytes());
        }
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
    }
}

impl Splits {
    /// SHA-256, in hexadecimal, of all that training can see: shapes, the bits of the floats, labels, classes
    /// and which sample is in which part. File names and the way a number was written do not count.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"nasc data 1\n");
        hash.update((self.train.classes.len() as u64).to_le_bytes());
        for class in &self.train.classes {
            hash.update((class.len() as u64).to_le_bytes());
            hash.update(class.as_bytes());
        }
        for part in [&self.train, &self.val, &self.test] {
            part.digest_into(&mut hash);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
