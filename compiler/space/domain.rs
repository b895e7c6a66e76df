//! Domains: what a decision may be.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::space::Value;
use crate::tensor::math::power;

/// The values that a decision may take: countable, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Domain {
    /// `low..high step step`: `low`, `low + step`, up to and including `high`; with `log` drawn evenly in the logarithm.
    Range {
        /// First value.
        low: i64,
        /// Last value; `(high - low) % step == 0`.
        high: i64,
        /// Distance, at least 1.
        step: i64,
        /// Whether values are drawn evenly in the logarithm; then `low` is at least 1.
        log: bool,
    },
    /// Decimal numbers from `low` to `high`, both included, at `steps` equal distances, or at equal ratios with `log`.
    Grid {
        /// First value: a [`Value::Float`].
        low: Value,
        /// Last value: a [`Value::Float`].
        high: Value,
        /// Distances between neighbours: there are `steps + 1` values.
        steps: u32,
        /// Whether neighbours have equal ratios; then `low` is positive.
        log: bool,
    },
    /// Distinct values in the order written: numbers, tuples, words; the labels of a `choose`; `false, true` for an
    /// `optional`.
    Set(Vec<Value>),
}

impl Domain {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Domain::Range { low, high, step, .. } => usize::try_from((high - low) / step + 1).unwrap_or(0),
            Domain::Grid { steps, .. } => *steps as usize + 1,
            Domain::Set(values) => values.len(),
        }
    }

    /// Whether there is no value; `elaborate` refuses such domains.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a position.
    pub fn get(&self, index: usize) -> Option<Value> {
        match self {
            Domain::Range { low, step, .. } if index < self.len() => {
                Some(Value::Int(low + step * index as i64))
            }
            Domain::Range { .. } => None,
            Domain::Grid { low, high, steps, log } => grid_value(low, high, *steps, *log, index),
            Domain::Set(values) => values.get(index).cloned(),
        }
    }

    /// The position of a value.
    pub fn position(&self, value: &Value) -> Option<usize> {
        match (self, value) {
            (Domain::Range { low, high, step, .. }, Value::Int(x)) if low <= x && x <= high => {
                ((x - low) % step == 0).then(|| ((x - low) / step) as usize)
            }
            (Domain::Range { .. }, _) => None,
            (Domain::Grid { steps, .. }, _) => {
                // Values grow with their positions.
                let (mut least, mut most) = (0, *steps as usize);
                while least < most {
                    let middle = least + (most - least) / 2;
                    if self.get(middle).as_ref() < Some(value) { least = middle + 1 } else { most = middle }
                }
                (self.get(least).as_ref() == Some(value)).then_some(least)
            }
            (Domain::Set(values), _) => values.iter().position(|known| known == value),
        }
    }

    /// A value drawn uniformly, both ends included. Of a range with `log`, `v` is drawn with a probability
    /// proportional to the logarithm of `(v + step) / v`: that of a number drawn evenly in the logarithm and then
    /// rounded down to the range. A grid with `log` has equal ratios, so its values are equally probable.
    pub fn sample(&self, rng: &mut impl Rng) -> Value {
        let index = match *self {
            Domain::Range { low, high, step, log: true } => log_index([low, high, step], unit(rng)),
            _ => below(rng, self.len()),
        };
        self.get(index).expect("the position lies within the domain")
    }

    /// What one morphism may change a value to: the neighbours of a number in a range, any other value of a set.
    pub fn neighbours(&self, value: &Value) -> Vec<Value> {
        let here = self.position(value);
        let positions: Vec<usize> = match (self, here) {
            (Domain::Range { .. } | Domain::Grid { .. }, Some(here)) => {
                here.checked_sub(1).into_iter().chain([here + 1]).collect()
            }
            (Domain::Range { .. } | Domain::Grid { .. }, None) => vec![0],
            (Domain::Set(values), _) => (0..values.len()).filter(|&at| Some(at) != here).collect(),
        };
        positions.into_iter().filter_map(|at| self.get(at)).collect()
    }

    /// The least and greatest integer, if all values are integers.
    pub fn int_bounds(&self) -> Option<(i64, i64)> {
        match self {
            Domain::Range { low, high, .. } => Some((*low, *high)),
            Domain::Grid { .. } => None,
            Domain::Set(values) => {
                let ints: Option<Vec<i64>> = values.iter().map(Value::as_int).collect();
                let ints = ints?;
                Some((*ints.iter().min()?, *ints.iter().max()?))
            }
        }
    }
}

/// A number in 0..1, 1 excluded.
pub(super) fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The position in a range of the number that has `share` of the range's logarithm below it.
fn log_index([low, high, step]: [i64; 3], share: f64) -> usize {
    let (first, width) = (low as f64, step as f64);
    let target = share * ln((high as f64 + width) / first);
    // The least position whose upper end lies above the target.
    let (mut least, mut most) = (0, (high - low) / step);
    while least < most {
        let middle = least + (most - least) / 2;
        if ln((first + width * (middle + 1) as f64) / first) > target {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    usize::try_from(least).unwrap_or(0)
}

/// The natural logarithm of a number from 1 on. The platform's differs in its last bits.
fn ln(x: f64) -> f64 {
    let (mut mantissa, mut halvings) = (x, 0.0);
    while mantissa > 1.5 {
        mantissa /= 2.0;
        halvings += 1.0;
    }
    // ln(m) = 2 artanh((m - 1) / (m + 1)); the argument is at most 1/5 in size, so 12 terms give 17 digits.
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let (mut power, mut sum) = (ratio, 0.0);
    for term in 0..12 {
        sum += power / f64::from(2 * term + 1);
        power *= ratio * ratio;
    }
    2.0 * sum + halvings * std::f64::consts::LN_2
}

/// The value of a [`Domain::Grid`] at a position.
fn grid_value(low: &Value, high: &Value, steps: u32, log: bool, index: usize) -> Option<Value> {
    let (Value::Float(a), Value::Float(b)) = (low, high) else { return None };
    if index == 0 || steps == 0 {
        return (index == 0).then(|| low.clone());
    }
    if index >= steps as usize {
        return (index == steps as usize).then(|| high.clone());
    }
    let share = index as f64 / f64::from(steps);
    let value =
        if log { a * power(root(b / a, u64::from(steps)), index as u64) } else { a + (b - a) * share };
    Some(Value::Float(value))
}

/// The `n`th root of a number from 1 on, by bisection: the platform's `powf` differs in its last bits.
fn root(x: f64, n: u64) -> f64 {
    let (mut low, mut high) = (1.0, x);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return low;
        }
        if power(middle, n) <= x { low = middle } else { high = middle }
    }
}

/// An integer in `0..n` without bias; `n` is at least 1.
pub(crate) fn below(rng: &mut impl Rng, n: usize) -> usize {
    let n = n as u64;
    let zone = u64::MAX - u64::MAX % n;
    loop {
        let draw = rng.next_u64();
        if draw < zone {
            return (draw % n) as usize;
        }
    }
}
