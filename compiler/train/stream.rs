//! Random streams on the host: initial weights, the order of samples, how samples are changed and mixed, keys of
//! streams on a device. Each is keyed by a seed and a name, so no stream depends on how much another has used.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::graph::Weights;
use crate::ops::{Param, ParamRole};
use crate::tensor::{Value, math};

/// The stream of a purpose.
fn stream(seed: u64, purpose: &str, name: &str) -> ChaCha8Rng {
    let mut hash = started(seed, purpose);
    hash.update(name);
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// The stream of a purpose whose name is numbers: in decimal, with spaces between them.
pub(super) fn numbered(seed: u64, purpose: &str, numbers: &[u64]) -> ChaCha8Rng {
    let mut hash = started(seed, purpose);
    for (place, &number) in numbers.iter().enumerate() {
        if place > 0 {
            hash.update(b" ");
        }
        // Without a text on the heap: every step of a training has streams.
        let (mut digits, mut rest, mut first) = ([0; 20], number, 20);
        while first == 20 || rest > 0 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        hash.update(&digits[first..]);
    }
    ChaCha8Rng::from_seed(hash.finalize().into())
}

fn started(seed: u64, purpose: &str) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update([purpose.len() as u8]);
    hash.update(purpose);
    hash
}

/// Initial values: weights normal with deviation `sqrt(2 / fan_in)`, factors and variances 1, the rest 0.
/// A parameter's values depend on the seed, its name, its role, its fan-in and its shape alone. A weight
/// without fan-in counts its elements behind the first dimension.
///
/// Source  arXiv:1502.01852 (normal, `fan_in`, gain of `relu`)
pub fn initial_weights(params: &[Param], seed: u64) -> Weights {
    params.iter().map(|param| (param.name.clone(), initial(param, seed))).collect()
}

fn initial(param: &Param, seed: u64) -> Value {
    let count = param.ty.shape.elements();
    let elements = match param.role {
        ParamRole::Weight => {
            let behind = param.ty.shape.0.iter().skip(1).product::<usize>();
            let fan_in = if param.fan_in > 0 { param.fan_in } else { behind.max(1) };
            let deviation = (2.0 / fan_in as f32).sqrt();
            let mut rng = stream(seed, "initial", &param.name);
            (0..count).map(|_| deviation * math::normal_quantile(open_unit(&mut rng))).collect()
        }
        ParamRole::Gamma | ParamRole::Variance => vec![1.0; count],
        ParamRole::Bias | ParamRole::NoBias | ParamRole::Beta | ParamRole::Mean => vec![0.0; count],
    };
    Value::from_f32(&param.ty.shape, elements).expect("as many elements as the shape has")
}

/// The key of random elements on a device: each purpose, number and seed has its own.
pub(super) fn key(seed: u64, purpose: &str, number: u64) -> u64 {
    numbered(seed, purpose, &[number]).next_u64()
}

/// The order of `count` samples in an epoch.
pub(super) fn shuffle(count: usize, seed: u64, epoch: u64, order: &mut Vec<usize>) {
    permute(count, &mut numbered(seed, "shuffle", &[epoch]), order);
}

/// A random order of `count` things (Fisher-Yates).
pub(super) fn permute(count: usize, rng: &mut ChaCha8Rng, order: &mut Vec<usize>) {
    order.clear();
    order.extend(0..count);
    for i in (1..count).rev() {
        order.swap(i, below(rng, i as u64 + 1) as usize);
    }
}

/// Above 0 and below 1, exact: one of `2^23` numbers.
pub(super) fn open_unit(rng: &mut ChaCha8Rng) -> f32 {
    ((rng.next_u32() >> 9) * 2 + 1) as f32 / 16_777_216.0
}

/// A uniform number below `bound`, by rejection of the incomplete last interval.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let rest = (u64::MAX % bound + 1) % bound;
    loop {
        let draw = rng.next_u64();
        if draw <= u64::MAX - rest {
            return draw % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::TensorType;

    fn weight(name: &str, fan_in: usize) -> Param {
        Param { name: name.into(), role: ParamRole::Weight, ty: TensorType::f32([64, 5, 5, 4]), fan_in }
    }

    #[test]
    fn initial_values_depend_on_seed_and_name_alone() {
        let (a, b) = (weight("a", 100), weight("b", 100));
        let both = initial_weights(&[a.clone(), b.clone()], 1);
        assert_eq!(initial_weights(&[b, a.clone()], 1), both);
        assert_ne!(both["a"], both["b"]);
        assert_ne!(initial_weights(&[a], 2)["a"], both["a"]);
    }

    #[test]
    fn initial_weights_have_the_deviation_of_their_fan_in() {
        let weights = initial_weights(&[weight("a", 50)], 7);
        let values = weights["a"].as_f32().expect("floats");
        let mean = values.mean().expect("not empty");
        let variance = values.mapv(|x| (x - mean) * (x - mean)).mean().expect("not empty");
        assert!(mean.abs() < 0.01 && (variance * 25.0 - 1.0).abs() < 0.05, "{mean} {variance}");
        let derived = initial_weights(&[weight("a", 0)], 7);
        assert_eq!(derived, initial_weights(&[weight("a", 100)], 7));
    }

    #[test]
    fn numbers_are_names_in_decimal() {
        for (numbers, name) in
            [(vec![0], "0"), (vec![u64::MAX], "18446744073709551615"), (vec![10, 0, 7], "10 0 7")]
        {
            assert_eq!(numbered(5, "p", &numbers).next_u64(), stream(5, "p", name).next_u64(), "{name}");
        }
    }

    #[test]
    fn shuffles_are_permutations_that_differ() {
        let shuffled = |count, seed, epoch| {
            let mut order = vec![7];
            shuffle(count, seed, epoch, &mut order);
            order
        };
        let first = shuffled(100, 3, 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
        assert_ne!(first, shuffled(100, 3, 1));
        assert_eq!(first, shuffled(100, 3, 0));
    }
}
