//! The embedded engine and the torch engine against each other, and both against libtorch's differentiation.

use rayon::prelude::*;

use crate::train::engine::{Binary, Distribution, Engine};
use crate::train::random;
use crate::train::torch::TorchEngine;

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
        random::fill(distribution, self.key, 0, &mut elements);
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

#[test]
fn threads_are_those_of_the_pool_that_calls() {
    for (threads, trainings, wanted) in [(1, 1, 1), (3, 1, 3), (4, 2, 2), (2, 5, 1)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let found = pool.install(|| {
            TorchEngine::cpu().shared_by(trainings).full(&[1], 0.0);
            tch::get_num_threads()
        });
        assert_eq!(found, wanted, "{threads} threads, {trainings} trainings");
    }
}

#[test]
fn tensors_are_used_by_several_threads_at_once() {
    let engine = TorchEngine::cpu();
    let x = engine.upload(&[3], &[1.0, 2.0, 3.0]);
    let sums: Vec<Vec<f32>> =
        (0..200).into_par_iter().map(|_| engine.download(&engine.zip(Binary::Add, &x, &x))).collect();
    assert!(sums.iter().all(|sum| sum == &[2.0, 4.0, 6.0]));
}

#[test]
fn a_card_that_is_not_there_is_no_engine() {
    assert!(TorchEngine::cuda(1000).is_none());
}
