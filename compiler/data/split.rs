//! Which part each sample goes to: shares, groups that stay together, or lists.
//!
//! In: a [`Collection`] and a [`Cut`]. Out: a [`Partition`] of sample numbers, each part in the collection's order. A
//! test part does not depend on the seed: two runs with other seeds are scored on the same samples.

use std::collections::BTreeSet;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::data::collect::{Collection, Part};
use crate::data::groups::{Groups, group_name};
use crate::data::lists;
use crate::diagnostic::{Code, Diagnostic};

/// How samples are parted.
#[derive(Clone, Debug, PartialEq)]
pub enum Split {
    /// The source has a test part; this share of the others, in (0, 1), is for validation: of every class, or of the
    /// groups where the source names some.
    Holdout(f64),
    /// Whole groups go to a part until it has its share, as far as groups allow also of every class. Where the source
    /// has a test part, that stays, and the shares of the others part the rest.
    Groups {
        /// Share of the samples for validation.
        val: f64,
        /// Share of the samples for the test.
        test: f64,
        /// Whether samples without a group belong to their file; else each is a group of its own.
        by_file: bool,
    },
    /// Each part is listed in a file.
    Lists {
        /// File that lists training samples; `None` for all that the others do not list.
        train: Option<String>,
        /// File that lists validation samples.
        val: String,
        /// File that lists test samples.
        test: String,
    },
}

/// How samples are parted, and the seed where chance decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// How.
    pub split: Split,
    /// Decides which samples, or which groups, go to validation.
    pub seed: u64,
}

/// The numbers of the samples of each part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// To learn from.
    pub train: Vec<usize>,
    /// To compare candidates on.
    pub val: Vec<usize>,
    /// For the last figure.
    pub test: Vec<usize>,
}

impl Partition {
    /// The samples of a part.
    pub fn part(&self, part: Part) -> &[usize] {
        match part {
            Part::Train => &self.train,
            Part::Val => &self.val,
            Part::Test => &self.test,
        }
    }
}

/// Parts the samples of a collection; lists lie below `root`.
///
/// # Errors
/// E0704 if a share is not in (0, 1), a part or the training samples of a class are empty, or a list names what is
/// not there; E0701 and E0702 for the lists themselves.
pub(super) fn partition(data: &Collection, cut: &Cut, root: &Path) -> Result<Partition, Diagnostic> {
    let parts = match &cut.split {
        Split::Holdout(share) => holdout(data, *share, cut.seed)?,
        Split::Groups { val, test, by_file } => groups(data, *val, *test, *by_file)?,
        Split::Lists { train, val, test } => {
            lists::parts(data, [train.as_deref(), Some(val), Some(test)], root)?
        }
    };
    let gather = |part: Part| -> Vec<usize> {
        (0..data.len()).filter(|&sample| parts[sample] == Some(part)).collect()
    };
    let partition =
        Partition { train: gather(Part::Train), val: gather(Part::Val), test: gather(Part::Test) };
    check(data, &partition, &cut.split)?;
    Ok(partition)
}

fn check(data: &Collection, partition: &Partition, split: &Split) -> Result<(), Diagnostic> {
    for part in Part::ALL {
        if partition.part(part).is_empty() {
            let message = format!("the part `{}` has no samples", part.name());
            let error = Diagnostic::error(Code::DATA_SPLIT, message);
            return Err(match too_few_groups(data, split) {
                Some(few) => error.note(few).help(
                    "keep less together: `by(column, ...)` goes by the `group:` of the source, and without one by \
                     single samples; or name a `test:` in the source",
                ),
                None => error.help("change the shares of `split`, or give more data"),
            });
        }
    }
    if data.labels.is_empty() || is_anomaly(data) {
        return Ok(());
    }
    let mut counts = vec![0usize; data.classes.len()];
    partition.train.iter().for_each(|&sample| counts[data.labels[sample] as usize] += 1);
    match counts.iter().position(|&count| count == 0) {
        Some(class) => Err(no_training(&data.classes[class])),
        None => Ok(()),
    }
}

/// What is kept together, if that is less than there are parts.
fn too_few_groups(data: &Collection, split: &Split) -> Option<String> {
    let Split::Groups { by_file, .. } = split else { return None };
    let groups: BTreeSet<String> =
        (0..data.len()).map(|sample| group_name(data, sample, *by_file)).take(100_000).collect();
    let listed: Vec<String> = groups.iter().map(|group| group.escape_debug().to_string()).collect();
    (listed.len() < Part::ALL.len())
        .then(|| format!("`split: by(...)` keeps all of {} together", listed.join(" and of ")))
}

/// Whether the classes say only what is normal: then there is no anomaly to learn from.
pub(super) fn is_anomaly(data: &Collection) -> bool {
    data.classes == ["normal", "anomaly"]
}

fn no_training(class: &str) -> Diagnostic {
    let message = format!("the class `{}` has no training samples", class.escape_debug());
    Diagnostic::error(Code::DATA_SPLIT, message)
        .help("add samples of the class, or take its label out of the declaration")
}

type Parts = Vec<Option<Part>>;

fn in_range(share: f64, what: &str) -> Result<(), Diagnostic> {
    if share > 0.0 && share < 1.0 {
        return Ok(());
    }
    let message = format!("the {what} share is {} %", share * 100.0);
    Err(Diagnostic::error(Code::DATA_SPLIT, message).help("give a share above 0 % and below 100 %"))
}

fn holdout(data: &Collection, share: f64, seed: u64) -> Result<Parts, Diagnostic> {
    in_range(share, "validation")?;
    let mut parts: Parts = data.origins.iter().map(|origin| origin.part.or(Some(Part::Train))).collect();
    if !parts.contains(&Some(Part::Test)) {
        return Err(Diagnostic::error(Code::DATA_SPLIT, "the data has no test samples of its own").help(
            "write `split: by(file, train: 80 %, val: 10 %, test: 10 %)`, or name test files in `source`",
        ));
    }
    if parts.contains(&Some(Part::Val)) {
        return Ok(parts);
    }
    let left: Vec<usize> = (0..data.len()).filter(|&sample| parts[sample] == Some(Part::Train)).collect();
    if left.iter().any(|&sample| data.origins[sample].group.is_some()) {
        let whole = Groups::new(data, &left, false, Some(seed));
        whole.give(&[(Part::Val, share)], &mut parts);
        return Ok(parts);
    }
    let mut rng = stream(seed);
    for (class, mut members) in by_class(data, &left).into_iter().enumerate() {
        let n_validation = validation_count(data, class, members.len(), share)?;
        for taken in 0..n_validation {
            let other = taken + below(&mut rng, members.len() - taken);
            members.swap(taken, other);
            parts[members[taken]] = Some(Part::Val);
        }
    }
    Ok(parts)
}

/// The samples of each class; all together where there are no classes.
fn by_class(data: &Collection, samples: &[usize]) -> Vec<Vec<usize>> {
    if data.labels.is_empty() {
        return vec![samples.to_vec()];
    }
    let mut classes = vec![Vec::new(); data.classes.len()];
    samples.iter().for_each(|&sample| classes[data.labels[sample] as usize].push(sample));
    if is_anomaly(data) {
        classes.retain(|members| !members.is_empty());
    }
    classes
}

fn validation_count(
    data: &Collection,
    class: usize,
    members: usize,
    share: f64,
) -> Result<usize, Diagnostic> {
    let name = data.classes.get(class).map_or("all", String::as_str);
    if members == 0 {
        return Err(no_training(name));
    }
    let count = (members as f64 * share).round() as usize;
    if count == 0 || count >= members {
        let side = if count == 0 { "validation" } else { "training" };
        let message = format!(
            "{} % of the {members} samples of the class `{}` leaves none for {side}",
            share * 100.0,
            name.escape_debug()
        );
        return Err(
            Diagnostic::error(Code::DATA_SPLIT, message).help("change the share, or give more samples")
        );
    }
    Ok(count)
}

fn groups(data: &Collection, val: f64, test: f64, by_file: bool) -> Result<Parts, Diagnostic> {
    in_range(val, "validation")?;
    in_range(test, "test")?;
    let mut parts: Parts = data.origins.iter().map(|origin| origin.part).collect();
    let has = |parts: &Parts, part| parts.contains(&Some(part));
    let in_val = parts.iter().filter(|part| **part == Some(Part::Val)).count() as f64;
    let total = data.len() as f64;
    let shares: Vec<(Part, f64)> = match (has(&parts, Part::Test), has(&parts, Part::Val)) {
        (true, true) => Vec::new(),
        (true, false) => vec![(Part::Val, val / (1.0 - test))],
        (false, true) => vec![(Part::Test, test * total / (total - in_val))],
        (false, false) => vec![(Part::Test, test), (Part::Val, val)],
    };
    let is_free = |part: &Option<Part>| part.is_none_or(|part| part == Part::Train);
    let left: Vec<usize> = (0..data.len()).filter(|&sample| is_free(&parts[sample])).collect();
    left.iter().for_each(|&sample| parts[sample] = Some(Part::Train));
    Groups::new(data, &left, by_file, None).give(&shares, &mut parts);
    Ok(parts)
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
