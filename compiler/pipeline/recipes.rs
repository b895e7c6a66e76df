//! The section `train` as a recipe of the trainer.

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{LossSpec, OptimizerSpec, Program, RateSpec};
use crate::space::Genome;
use crate::train::{AdamW, Loss, Recipe, Schedule, Sgd};

/// The recipe of a point of the space.
///
/// # Errors
/// When a value that is computed from decisions does not come out.
pub(crate) fn recipe(program: &Program, genome: &Genome) -> Result<Recipe, String> {
    let spec = program.train_for(genome)?;
    let (lr, weight_decay) = (spec.learning_rate, spec.weight_decay);
    Ok(Recipe {
        epochs: spec.epochs as u64,
        batch: spec.batch,
        loss: match spec.loss {
            LossSpec::CrossEntropy => Loss::CrossEntropy,
            LossSpec::Mse => Loss::MeanSquaredError,
            LossSpec::Bce => Loss::BinaryCrossEntropy,
        },
        optimizer: match spec.optimizer {
            OptimizerSpec::Adamw => AdamW { lr, weight_decay, ..AdamW::default() }.into(),
            OptimizerSpec::Sgd { momentum, nesterov } => Sgd { lr, weight_decay, momentum, nesterov }.into(),
        },
        schedule: match spec.schedule {
            RateSpec::Cosine => Schedule::Cosine,
            RateSpec::Step { every, factor } => Schedule::Step { every, factor },
            RateSpec::Constant => Schedule::Constant,
        },
        warmup: spec.warmup,
        clip: spec.clip,
        label_smoothing: spec.label_smoothing,
        mixup: spec.mixup,
    })
}

/// What is said where a point has no recipe.
pub(crate) fn no_recipe(problem: String) -> Diagnostic {
    Diagnostic::error(Code::RANGE, format!("a decision of `train` gives no recipe: {problem}"))
}
