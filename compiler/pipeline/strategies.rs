//! The spec's strategy on the points of its space.

use rand_chacha::ChaCha8Rng;

use crate::elaborate::{Preference, Requirement, Strategy as Spec};
use crate::pipeline::figures::{metric_name, metric_word, objective_of};
use crate::pipeline::study::{Point, Study};
use crate::search::{AgingEvolution, Breeder, Entry, Goal, LossScale, Nsga2, Random, Strategy};
use crate::space::{self, MorphRules};

/// Makes points of a spec's space.
struct Points<'a> {
    study: &'a Study<'a>,
    /// Requirements of quality, which only a trained network can break.
    required: Vec<&'a Requirement>,
}

impl Points<'_> {
    fn point(&self, genome: space::Genome) -> Point {
        Point::new(self.study.program, genome, 0)
    }
}

impl Breeder<Point> for Points<'_> {
    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::sample(&self.study.program.space, rng))
    }

    fn mutate(&self, parent: &Point, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::mutate(&self.study.program.space, &parent.genome, &MorphRules::default(), rng))
    }

    fn redraw(&self, of: &Point, chance: f64, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::redraw(&self.study.program.space, &of.genome, chance, rng))
    }

    fn cross(&self, a: &Point, b: &Point, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::cross(&self.study.program.space, &a.genome, &b.genome, rng))
    }

    fn violation(&self, of: &Entry<Point>) -> f64 {
        let excess = |requirement: &&Requirement| {
            let found = of.metrics.get(metric_word(requirement.metric)).copied().unwrap_or(f64::NAN);
            let (limit, sign) = (requirement.limit, if requirement.metric.is_gain() { -1.0 } else { 1.0 });
            let excess = sign * (found - limit) / limit.abs().max(f64::MIN_POSITIVE);
            if excess.is_nan() { f64::INFINITY } else { excess.max(0.0) }
        };
        self.required.iter().map(excess).sum()
    }
}

/// The strategy of a study's spec.
pub(super) fn strategy<'a>(study: &'a Study<'a>) -> Box<dyn Strategy<Point> + 'a> {
    let required = study.program.requirements.iter().filter(|requirement| requirement.metric.is_quality());
    let breeder = Points { study, required: required.collect() };
    match study.program.search.strategy {
        Spec::AgingEvolution { population, tournament } => {
            Box::new(AgingEvolution { breeder, population, tournament, goals: preferred(study) })
        }
        Spec::Nsga2 { population, mutation, crossover } => {
            let goals = study.objectives().into_iter().map(Goal::of).collect();
            Box::new(Nsga2 { breeder, population, mutation, crossover, goals })
        }
        // What this version only checks is refused before a search.
        Spec::Random | Spec::Other(_) => Box::new(Random(move |rng: &mut ChaCha8Rng| breeder.sample(rng))),
    }
}

/// The spec's objectives, and what it prefers: limits of objectives, or goals of their own.
fn preferred(study: &Study<'_>) -> Vec<Goal> {
    let mut goals: Vec<Goal> = study.objectives().into_iter().map(Goal::of).collect();
    for Preference { limit, weight } in &study.program.preferences {
        let is_here = |name: &&str| limit.target.as_ref().is_none_or(|target| target == name);
        let names = study.targets.iter().map(|target| target.name.as_str()).filter(is_here);
        for name in names.map(|target| metric_name(limit.metric, target)) {
            let objective = objective_of(limit.metric, name);
            // A share that is to be large is measured from 1 downwards.
            let (origin, unit) =
                if limit.metric.is_gain() { (-1.0, 1.0 - limit.limit) } else { (0.0, limit.limit) };
            let scale = (unit > 0.0).then_some(LossScale { origin, unit });
            match goals.iter_mut().find(|goal| goal.objective == objective) {
                Some(goal) => (goal.scale, goal.weight) = (scale, *weight),
                None => goals.push(Goal { objective, scale, weight: *weight }),
            }
        }
    }
    goals
}
