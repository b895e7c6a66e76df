//! The seeded, stratified cut of the training samples into training and validation.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::data::dataset::{Dataset, Parts, Splits};
use crate::diagnostic::{Code, Diagnostic};

/// How validation samples are taken from the training samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Share of each class that goes to validation, in (0, 1).
    pub validation: f64,
    /// Decides which samples go; does not change how many.
    pub seed: u64,
}

/// Cuts `parts.train` class by class; samples keep their order within a part.
///
/// # Errors
/// E0704 if the share is not in (0, 1), if a class has no training samples, or if the share leaves a class
/// without samples on one side.
pub(super) fn split(parts: Parts, cut: &Cut) -> Result<Splits, Diagnostic> {
    if !(cut.validation > 0.0 && cut.validation < 1.0) {
        let message = format!("the validation share is {} %", cut.validation * 100.0);
        return Err(
            Diagnostic::error(Code::DATA_SPLIT, message).help("give a share above 0 % and below 100 %")
        );
    }
    let mut rng = stream(cut.seed);
    let mut in_validation = vec![false; parts.train.len()];
    let mut classes = vec![Vec::new(); parts.train.classes.len()];
    for (index, &label) in parts.train.labels.iter().enumerate() {
        classes[label as usize].push(index);
    }
    for (class, members) in classes.iter_mut().enumerate() {
        let n_validation = validation_count(&parts.train, class, members.len(), cut.validation)?;
        for taken in 0..n_validation {
            let other = taken + below(&mut rng, members.len() - taken);
            members.swap(taken, other);
            in_validation[members[taken]] = true;
        }
    }
    let side = |validation: bool| -> Vec<usize> {
        (0..in_validation.len()).filter(|&index| in_validation[index] == validation).collect()
    };
    let (train, val) = (parts.train.select(&side(false)), parts.train.select(&side(true)));
    Ok(Splits { train, val, test: parts.test })
}

fn validation_count(data: &Dataset, class: usize, members: usize, share: f64) -> Result<usize, Diagnostic> {
    let name = data.classes[class].escape_debug();
    if members == 0 {
        let message = format!("the class `{name}` has no training samples");
        return Err(Diagnostic::error(Code::DATA_SPLIT, message)
            .help("add samples of the class, or take its label out of the declaration"));
    }
    let count = (members as f64 * share).round() as usize;
    if count == 0 || count >= members {
        let side = if count == 0 { "validation" } else { "training" };
        let message = format!(
            "{} % of the {members} samples of the class `{name}` leaves none for {side}",
            share * 100.0
        );
        return Err(
            Diagnostic::error(Code::DATA_SPLIT, message).help("change the share, or give more samples")
        );
    }
    Ok(count)
}

/// The cut's own random stream.
fn stream(seed: u64) -> ChaCha8Rng {
    let digest = Sha256::new().chain_update(b"nasc cut\n").chain_update(seed.to_le_bytes()).finalize();
    ChaCha8Rng::from_seed(digest.into())
}

/// A number below `bound`, which is not 0: the high word of a product, whose bias is below `bound / 2^64`.
fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let wide = u128::from(rng.next_u64()) * bound as u128;
    usize::try_from(wide >> 64).expect("less than bound")
}
