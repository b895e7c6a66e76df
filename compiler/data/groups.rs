//! Which part each group goes to: whole groups, near the shares of samples and of classes.
//!
//! In: the samples that are to be parted, and the share of each part but the training part. Out: the part of each of
//! them. Groups are taken in an order that hashes of their names decide, so neither the order of samples nor that of
//! files matters. Where groups hold all classes alike, taking them in that order until a part has its share gives it
//! its share of every class too; where a group holds one class, as a recording does, they are chosen by class.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::data::collect::{Collection, Part};
use crate::data::split::is_anomaly;

/// A part that is this much of its share away from it, in any class, is out of balance.
const TOLERANCE: f64 = 0.5;

/// One group is at most so much of a part that is not trained on, if there are enough such groups: a long recording, or
/// a speaker who says much, would decide the figures of a part alone.
const LARGEST: f64 = 0.05;

/// Figures that differ by less are equal: their terms may come in another order.
const NOTHING: f64 = 1e-9;

/// Samples that stay together.
struct Group {
    members: Vec<usize>,
    /// Its classes and how many of its samples each has.
    counts: Vec<(usize, usize)>,
}

/// Groups in the order of their hashes.
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Samples of each class.
    samples: Vec<usize>,
    /// Groups that hold each class.
    holders: Vec<usize>,
    /// The class of which nothing is trained.
    untrained: Option<usize>,
}

/// The part of each group; `None` is training.
type Given = Vec<Option<Part>>;

/// How far a cut is from what is wanted; the least is the best.
#[derive(Clone, Copy)]
struct Distance {
    /// Classes that training lacks, and those that the other parts do.
    lacking: [usize; 2],
    /// What parts are away from their shares of classes, each relative to its share: the sum and the greatest.
    sum: f64,
    greatest: f64,
}

impl Groups {
    /// The groups of samples; those of a seed come in an order of their own.
    pub(super) fn new(data: &Collection, samples: &[usize], by_file: bool, seed: Option<u64>) -> Groups {
        let mut named: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for &sample in samples {
            named.entry(group_name(data, sample, by_file)).or_default().push(sample);
        }
        let ordered: BTreeMap<[u8; 32], Vec<usize>> =
            named.into_iter().map(|(name, members)| (place(&name, seed), members)).collect();
        let count = |members: Vec<usize>| {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            let class = |&sample: &usize| data.labels.get(sample).map_or(0, |&label| label as usize);
            members.iter().for_each(|sample| *counts.entry(class(sample)).or_default() += 1);
            Group { members, counts: counts.into_iter().collect() }
        };
        let groups: Vec<Group> = ordered.into_values().map(count).collect();
        let classes = if data.labels.is_empty() { 1 } else { data.classes.len() };
        let (mut samples, mut holders) = (vec![0; classes], vec![0; classes]);
        for &(class, count) in groups.iter().flat_map(|group| &group.counts) {
            samples[class] += count;
            holders[class] += 1;
        }
        Groups { groups, samples, holders, untrained: is_anomaly(data).then_some(1) }
    }

    /// Gives each part its share of the samples, in (0, 1); what is left is as it was.
    ///
    /// The cut by hashes alone stays where no part is more than half of its share away from it, in any class. Else
    /// groups are chosen by class, if that comes nearer.
    pub(super) fn give(&self, shares: &[(Part, f64)], parts: &mut [Option<Part>]) {
        let by_hash = self.in_order(shares);
        let distance = self.distance(&by_hash, shares);
        let is_balanced = distance.lacking == [0; 2] && distance.greatest <= TOLERANCE + NOTHING;
        let given = if is_balanced {
            by_hash
        } else {
            let by_class = self.by_class(shares);
            let other = self.distance(&by_class, shares);
            let is_nearer = other.lacking < distance.lacking
                || other.lacking == distance.lacking && other.sum < distance.sum - NOTHING;
            if is_nearer { by_class } else { by_hash }
        };
        for (group, part) in self.groups.iter().zip(given) {
            if let Some(part) = part {
                group.members.iter().for_each(|&sample| parts[sample] = Some(part));
            }
        }
    }

    /// Groups by hash, each part until it has what it wants.
    fn in_order(&self, shares: &[(Part, f64)]) -> Given {
        let total: usize = self.samples.iter().sum();
        let mut parts = vec![None; self.groups.len()];
        let eligible = self.eligible(shares, total as f64);
        let mut rest = eligible.iter().peekable();
        for &(part, share) in shares {
            let (wanted, mut given) = (share * total as f64, 0.0);
            while let Some(&&next) = rest.peek() {
                let with = given + self.groups[next].members.len() as f64;
                // The last group is taken if that comes nearer to what is wanted than leaving it; a part has one at
                // least.
                if given > 0.0 && with - wanted > wanted - given {
                    break;
                }
                parts[next] = Some(part);
                given = with;
                rest.next();
            }
        }
        parts
    }

    /// The groups that parts other than training may take: those that are small beside each of them, where they hold
    /// twice as many samples as these parts want, else all.
    fn eligible(&self, shares: &[(Part, f64)], total: f64) -> Vec<usize> {
        let least = shares.iter().map(|&(_, share)| share).fold(f64::INFINITY, f64::min);
        let is_small = |group: &Group| group.members.len() as f64 <= LARGEST * least * total;
        let small: Vec<usize> = (0..self.groups.len()).filter(|&at| is_small(&self.groups[at])).collect();
        let held: usize = small.iter().map(|&at| self.groups[at].members.len()).sum();
        let wanted = shares.iter().map(|&(_, share)| share).sum::<f64>() * total;
        if held as f64 >= 2.0 * wanted { small } else { (0..self.groups.len()).collect() }
    }

    /// Groups by hash and class: first those with which a part stays within its share of every class, then one after
    /// the other that brings it nearest, where what it lacks altogether comes first. A group is left where a part
    /// that comes later, or training, would lack one of its classes.
    fn by_class(&self, shares: &[(Part, f64)]) -> Given {
        let mut parts: Given = vec![None; self.groups.len()];
        let mut free = self.holders.clone();
        for (place, &(part, share)) in shares.iter().enumerate() {
            let later = shares.len() - 1 - place;
            let mut taken = Taken { given: vec![0; self.samples.len()], wanted: self.wanted(share) };
            for (group, its) in self.groups.iter().zip(&mut parts) {
                if its.is_none() && taken.has_room(group) && self.is_spare(group, later, &free) {
                    taken.add(group, &mut free);
                    *its = Some(part);
                }
            }
            loop {
                let candidates = (0..self.groups.len()).filter(|&index| parts[index].is_none());
                let spare = candidates.filter(|&index| self.is_spare(&self.groups[index], later, &free));
                let gains = spare.filter_map(|index| Some((taken.gain(&self.groups[index])?, index)));
                // The first of equals is taken.
                let best = gains.reduce(|one, other| if is_better(other.0, one.0) { other } else { one });
                let Some((_, index)) = best else { break };
                taken.add(&self.groups[index], &mut free);
                parts[index] = Some(part);
            }
        }
        parts
    }

    /// What a share is of each class.
    fn wanted(&self, share: f64) -> Vec<f64> {
        self.samples.iter().map(|&samples| share * samples as f64).collect()
    }

    /// Whether each class of a group is left for training, and as far as there are groups for the parts that come
    /// later.
    fn is_spare(&self, group: &Group, later: usize, free: &[usize]) -> bool {
        group.counts.iter().all(|&(class, _)| {
            let others = self.holders[class] - 1;
            let kept = if self.untrained == Some(class) {
                later.min(others)
            } else {
                (later + 1).min(others.max(1))
            };
            free[class] > kept
        })
    }

    fn distance(&self, given: &Given, shares: &[(Part, f64)]) -> Distance {
        let mut found = Distance { lacking: [0; 2], sum: 0.0, greatest: 0.0 };
        for part in shares.iter().map(|&(part, _)| Some(part)).chain([None]) {
            let mut counts = vec![0; self.samples.len()];
            let of_part = self.groups.iter().zip(given).filter(|(_, to)| **to == part);
            of_part.flat_map(|(group, _)| &group.counts).for_each(|&(class, count)| counts[class] += count);
            let share = shares.iter().find(|&&(other, _)| Some(other) == part).map(|&(_, share)| share);
            for (class, &count) in counts.iter().enumerate().filter(|&(class, _)| self.samples[class] > 0) {
                let is_wanted = part.is_some() || self.untrained != Some(class);
                found.lacking[usize::from(part.is_some())] += usize::from(count == 0 && is_wanted);
                let wanted = share.map(|share| share * self.samples[class] as f64);
                let away = wanted.map_or(0.0, |wanted| away(count, wanted));
                found.sum += away;
                found.greatest = found.greatest.max(away);
            }
        }
        found
    }
}

/// What a part has of each class, and wants.
struct Taken {
    given: Vec<usize>,
    wanted: Vec<f64>,
}

/// What a group does for a part: classes that it had none of, and by how much its shares come nearer.
type Gain = (usize, f64);

impl Taken {
    fn add(&mut self, group: &Group, free: &mut [usize]) {
        for &(class, count) in &group.counts {
            self.given[class] += count;
            free[class] -= 1;
        }
    }

    fn has_room(&self, group: &Group) -> bool {
        group.counts.iter().all(|&(class, count)| (self.given[class] + count) as f64 <= self.wanted[class])
    }

    /// What a group would do; `None` if the part is better without.
    fn gain(&self, group: &Group) -> Option<Gain> {
        let lacked = group.counts.iter().filter(|&&(class, _)| self.given[class] == 0).count();
        let nearer = |&(class, count): &(usize, usize)| {
            let (given, wanted) = (self.given[class], self.wanted[class]);
            away(given, wanted) - away(given + count, wanted)
        };
        let gain = (lacked, group.counts.iter().map(nearer).sum());
        is_better(gain, (0, 0.0)).then_some(gain)
    }
}

fn is_better(one: Gain, other: Gain) -> bool {
    one.0 > other.0 || one.0 == other.0 && one.1 > other.1 + NOTHING
}

/// How far a count is from what is wanted, relative to that.
fn away(count: usize, wanted: f64) -> f64 {
    (count as f64 / wanted - 1.0).abs()
}

/// The group that a sample must stay with.
pub(super) fn group_name(data: &Collection, sample: usize, by_file: bool) -> String {
    let origin = &data.origins[sample];
    match origin.group {
        Some(group) => format!("group {}", data.groups[group as usize]),
        None if by_file => format!("file {}", data.files[origin.file as usize]),
        None => format!("sample {}", data.name(sample)),
    }
}

/// Where a group comes in the order.
fn place(name: &str, seed: Option<u64>) -> [u8; 32] {
    let hash = Sha256::new().chain_update(b"nasc group\n");
    let hash = seed.into_iter().fold(hash, |hash, seed| hash.chain_update(seed.to_le_bytes()));
    hash.chain_update(name.as_bytes()).finalize().into()
}
