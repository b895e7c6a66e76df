//! Samples as the network's side sees them: rows of features with labels, and the three parts they come in.

use crate::data::table::Table;
use crate::tensor::{Shape, Value};

/// Samples: a view on rows of a table. Cloning one and selecting from it copies no sample.
#[derive(Clone, Debug)]
pub struct Dataset {
    table: Table,
    /// The table's row of each sample.
    rows: Vec<u32>,
    extents: [usize; 3],
    /// One index into `classes` for each sample; empty where there are no classes.
    pub labels: Vec<u32>,
    /// Names of the classes, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// Numbers to predict, those of a sample together; empty where there are none.
    pub numbers: Vec<f32>,
}

/// The three parts that a run uses, with the same classes and sample shape.
#[derive(Clone, Debug)]
pub struct Splits {
    /// Weights, standardisation and calibration come from these.
    pub train: Dataset,
    /// Candidates are compared on these.
    pub val: Dataset,
    /// The reported quality comes from these.
    pub test: Dataset,
}

impl Dataset {
    /// All rows of a table; each is `[H, W, C]`.
    ///
    /// # Panics
    /// When a row has another size, or labels or numbers are not those of all rows.
    pub fn new(
        table: Table,
        extents: [usize; 3],
        labels: Vec<u32>,
        classes: Vec<String>,
        numbers: Vec<f32>,
    ) -> Dataset {
        let rows = table.rows();
        assert_eq!(extents.iter().product::<usize>(), table.width(), "extents of a row");
        assert!(labels.is_empty() || labels.len() == rows, "a label for each row");
        assert!(numbers.is_empty() || numbers.len().is_multiple_of(rows), "numbers for each row");
        let rows = (0..u32::try_from(rows).expect("limits::SAMPLES fits")).collect();
        Dataset { table, rows, extents, labels, classes, numbers }
    }

    /// Samples F32 `[N, H, W, C]` that are in memory.
    ///
    /// # Panics
    /// When the value is none of that kind, or the labels are not those of all samples.
    pub fn from_values(inputs: &Value, labels: Vec<u32>, classes: Vec<String>) -> Dataset {
        let [_, h, w, c] = inputs.shape().nhwc().expect("samples are [N, H, W, C]");
        let values: Vec<f32> = inputs.as_f32().expect("samples are F32").iter().copied().collect();
        Dataset::new(Table::from_floats(h * w * c, &values), [h, w, c], labels, classes, Vec::new())
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// `[H, W, C]` of every sample.
    pub fn sample_shape(&self) -> [usize; 3] {
        self.extents
    }

    /// Values of a sample.
    pub fn sample_len(&self) -> usize {
        self.table.width()
    }

    /// Numbers to predict of each sample.
    pub fn n_numbers(&self) -> usize {
        if self.is_empty() { 0 } else { self.numbers.len() / self.len() }
    }

    /// What one value is.
    pub fn element(&self) -> crate::data::Element {
        self.table.element()
    }

    /// Row of the table that a sample is in.
    pub fn row(&self, sample: usize) -> usize {
        self.rows[sample] as usize
    }

    /// Reads a sample.
    ///
    /// # Panics
    /// When `into` has another length than a sample, there is no such sample, or the disk no longer gives what was
    /// written to the cache.
    pub fn sample(&self, index: usize, into: &mut [f32]) {
        self.sample_with(index, into, &mut Vec::new());
    }

    fn sample_with(&self, index: usize, into: &mut [f32], room: &mut Vec<u8>) {
        if let Err(error) = self.table.row(self.row(index), into, room) {
            panic!("{}", error.message);
        }
    }

    /// Reads all samples in order, each into the same memory.
    ///
    /// # Panics
    /// As [`sample`](Dataset::sample).
    pub fn for_each(&self, mut see: impl FnMut(usize, &[f32])) {
        let (mut sample, mut room) = (vec![0.0; self.sample_len()], Vec::new());
        for index in 0..self.len() {
            self.sample_with(index, &mut sample, &mut room);
            see(index, &sample);
        }
    }

    /// All samples as one value F32 `[N, H, W, C]`.
    ///
    /// # Panics
    /// As [`sample`](Dataset::sample).
    pub fn inputs(&self) -> Value {
        let size = self.sample_len();
        let (mut values, mut room) = (vec![0.0; self.len() * size], Vec::new());
        for (index, sample) in values.chunks_exact_mut(size.max(1)).enumerate() {
            self.sample_with(index, sample, &mut room);
        }
        let [h, w, c] = self.extents;
        let shape = Shape::from([self.len(), h, w, c]);
        Value::from_f32(&shape, values).expect("as many values as the shape has")
    }

    /// The samples at `indices`, in their order.
    ///
    /// # Panics
    /// When there is no such sample.
    pub fn select(&self, indices: &[usize]) -> Dataset {
        let n = self.n_numbers();
        Dataset {
            table: self.table.clone(),
            rows: indices.iter().map(|&index| self.rows[index]).collect(),
            extents: self.extents,
            labels: match self.labels.is_empty() {
                true => Vec::new(),
                false => indices.iter().map(|&index| self.labels[index]).collect(),
            },
            classes: self.classes.clone(),
            numbers: indices
                .iter()
                .flat_map(|&index| self.numbers[index * n..(index + 1) * n].iter().copied())
                .collect(),
        }
    }

    /// At most so many samples, evenly spread: where samples come class by class, the first ones are of one class.
    pub fn spread(&self, count: usize) -> Dataset {
        self.select(&spread(self.len(), count).collect::<Vec<usize>>())
    }

    /// The samples of one class.
    pub fn of_class(&self, class: u32) -> Dataset {
        let indices: Vec<usize> = (0..self.labels.len()).filter(|&i| self.labels[i] == class).collect();
        self.select(&indices)
    }

    /// How many samples each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.labels.iter().for_each(|&label| counts[label as usize] += 1);
        counts
    }
}

/// `count` of the numbers below `len`, evenly spread and rising; all where there are fewer.
pub fn spread(len: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(len);
    (0..count).map(move |at| (2 * at + 1) * len / (2 * count))
}

impl PartialEq for Dataset {
    /// Whether samples, labels, classes and numbers are the same, wherever they are kept.
    fn eq(&self, other: &Dataset) -> bool {
        (self.extents, &self.labels, &self.classes, &self.numbers)
            == (other.extents, &other.labels, &other.classes, &other.numbers)
            && self.len() == other.len()
            && self.inputs() == other.inputs()
    }
}
