//! The state of a training between two epochs: taking it out, and going on from it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Weights;
use crate::tensor::{DType, Value};
use crate::train::divergence::Watch;
use crate::train::engine::Engine;
use crate::train::predict::upload;
use crate::train::trainer::Trainer;

/// How far a training is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Epochs done.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// Factor of the learning rate, below 1 after attempts that diverged.
    pub rate_factor: f64,
    /// What is known of the losses so far.
    pub watch: Watch,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { epoch: 0, step: 0, rate_factor: 1.0, watch: Watch::default() }
    }
}

/// All that a training needs to go on, between two epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// How far it is.
    pub progress: Progress,
    /// `value.NAME` for each parameter; `MEMORY.NAME` for each that is trained and each of the optimiser's
    /// [`memories`](crate::train::Optimizer::memories).
    pub tensors: Weights,
}

impl<E: Engine> Trainer<E> {
    /// What two trainings share if and only if one can go on from a state of the other, and would have got there
    /// itself: SHA-256, in hexadecimal, of graph, recipe, seed, batches and numerics.
    pub fn identity(&self) -> String {
        let parts = [
            self.graph.clone(),
            self.recipe.canonical(),
            self.seed.to_string(),
            self.source.identity(),
            format!("{:?}", self.engine.numerics()),
        ];
        sha256_hex(parts.join("\n").as_bytes())
    }

    /// What [`resume`](Trainer::resume) takes.
    pub fn state(&self) -> State {
        let mut tensors = Weights::new();
        for (index, (param, value)) in self.network.params().iter().zip(self.parameters.values()).enumerate()
        {
            tensors.insert(format!("value.{}", param.name), self.value(value));
            let names = self.recipe.optimizer.memories().iter();
            for (name, memory) in names.zip(self.parameters.memory(index)) {
                tensors.insert(format!("{name}.{}", param.name), self.value(memory));
            }
        }
        State { progress: self.progress.clone(), tensors }
    }

    /// Goes on from a state of a training with the same [`identity`](Trainer::identity); the result is the same as
    /// without the interruption, bit for bit.
    ///
    /// # Errors
    /// E0802 if the state cannot be of this training; it is unchanged then.
    pub fn resume(&mut self, state: &State) -> Result<(), Diagnostic> {
        let expected = self.state();
        let alike = |(a, b): ((&String, &Value), (&String, &Value))| {
            a.0 == b.0 && a.1.shape() == b.1.shape() && b.1.dtype() == DType::F32
        };
        let Progress { epoch, step, rate_factor, .. } = state.progress;
        let fits = state.tensors.len() == expected.tensors.len()
            && expected.tensors.iter().zip(&state.tensors).all(alike)
            && epoch <= self.recipe.epochs
            && Some(step) == epoch.checked_mul(self.source.batches() as u64)
            && rate_factor > 0.0
            && rate_factor <= 1.0;
        if !fits {
            let message = "the saved state of a training does not belong to this training";
            return Err(Diagnostic::error(Code::STORE, message));
        }
        let (engine, names) = (&self.engine, self.recipe.optimizer.memories());
        let params = self.network.params();
        let load = |prefix: &str, index: usize| {
            upload(engine, &state.tensors[&format!("{prefix}.{}", params[index].name)])
        };
        let values = (0..params.len()).map(|index| load("value", index)).collect();
        self.parameters.restore(values, |index, memory| load(names[memory], index));
        self.progress = state.progress.clone();
        Ok(())
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
