//! What a trial leaves behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::search::key::sha256_hex;

/// Named figures such as `accuracy` or `ram`, in the order of their names.
pub type Metrics = BTreeMap<String, f64>;

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// With a network.
    Trained,
    /// In numbers that are not finite or a loss that exploded. A result like any other: it is stored and not tried
    /// again.
    Diverged,
}

impl Status {
    /// Its name in exports.
    pub fn name(self) -> &'static str {
        match self {
            Status::Trained => "trained",
            Status::Diverged => "diverged",
        }
    }
}

/// Result of a training, which depends on nothing but the trial's key.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What was measured: accuracy, loss and so on. May hold NaN.
    pub quality: Metrics,
    /// The trained weights, in whatever form the caller reads back; empty if there are none.
    pub weights: Vec<u8>,
}

/// What the store keeps of a trial besides its weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// How it ended.
    pub status: Status,
    /// What was measured.
    #[serde(serialize_with = "write_metrics", deserialize_with = "read_metrics")]
    pub quality: Metrics,
    /// The costs that the candidate had in the run that trained it. For display only: costs depend on the
    /// target, which is not in the key, so every run computes its own.
    #[serde(serialize_with = "write_metrics", deserialize_with = "read_metrics")]
    pub costs: Metrics,
    /// Canonical text of the genome that was trained. For display only: another genome can have the same
    /// network.
    pub genome: String,
    /// SHA-256 of the weights, in hexadecimal.
    pub weights_hash: String,
}

impl Record {
    /// The record of an outcome.
    pub fn new(outcome: &Outcome, costs: Metrics, genome: String) -> Record {
        Record {
            status: outcome.status,
            quality: outcome.quality.clone(),
            costs,
            genome,
            weights_hash: sha256_hex(&outcome.weights),
        }
    }

    /// As one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and names always serialise")
    }

    /// The inverse of [`Record::to_json`].
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_json(text: &str) -> Result<Record, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// A figure that reads back to the same bits: JSON numbers have no NaN, and not every parser is exact.
pub(super) fn exact(x: f64) -> String {
    if x.is_nan() { "nan".to_owned() } else { format!("{x:?}") }
}

fn write_metrics<S: Serializer>(metrics: &Metrics, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metrics.iter().map(|(name, &x)| (name, exact(x))))
}

fn read_metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metrics, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
    let number = |(name, text): (String, String)| match text.parse::<f64>() {
        Ok(x) => Ok((name, x)),
        Err(_) => Err(serde::de::Error::custom(format!("`{name}` is no number"))),
    };
    texts.into_iter().map(number).collect()
}
