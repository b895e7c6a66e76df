//! The embedded engine and the torch engine against each other, and both against libtorch's differentiation.

use crate::train::engine::{Distribution, Engine};
use crate::train::random;

mod gradients;
mod oracle;
mod primitives;
mod training;

/// Random tensors and extents that are the same on every engine.
struct Draw<'e, E> {
    engine: &'e E,
    key: u64,
}

impl<E: Engine> Draw<'_, E> {
    fn elements(&mut self, distribution: Distribution, count: usize) -> Vec<f32> {
        self.key += 1;
        let mut elements = vec![0.0; count];
        random::fill(distribution, self.key, &mut elements);
        elements
    }

    fn number(&mut self, low: usize, high: usize) -> usize {
        low + (self.elements(Distribution::Uniform, 1)[0] * (high + 1 - low) as f32) as usize
    }

    fn tensor(&mut self, shape: &[usize]) -> E::Tensor {
        let elements = self.elements(Distribution::Normal, shape.iter().product());
        self.engine.upload(shape, &elements)
    }
}

fn wide(elements: &[f32]) -> Vec<f64> {
    elements.iter().map(|&x| f64::from(x)).collect()
}

/// The greatest difference, relative to the greatest element.
fn relative_error(found: &[f64], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let scale = exact.iter().filter(|x| x.is_finite()).fold(1e-3, |a: f64, b| a.max(b.abs()));
    let error = |(a, b): (&f64, &f64)| {
        if a == b || (a.is_nan() && b.is_nan()) { 0.0 } else { (a - b).abs() / scale }
    };
    // What is a number on one side alone is no small difference.
    found.iter().zip(exact).map(error).map(|e| if e.is_nan() { f64::INFINITY } else { e }).fold(0.0, f64::max)
}
