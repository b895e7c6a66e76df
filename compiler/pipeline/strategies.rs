//! The spec's strategy on the points of its space.

use rand_chacha::ChaCha8Rng;

use crate::elaborate::{Preference, Program, Requirement, Strategy as Spec};
use crate::pipeline::figures::{metric_name, metric_word, objective_of};
use crate::pipeline::study::{Point, Start, Study};
use crate::search::{AgingEvolution, Breeder, Entry, Goal, LossScale, Nsga2, Random, Strategy};
use crate::space;

/// Makes points of a spec's space.
struct Points<'a> {
    study: &'a Study<'a>,
}

impl Points<'_> {
    fn point(&self, genome: space::Genome) -> Point {
        let first = self.study.program.search.halving.first().copied();
        // A first leg is no longer than the whole; where that is not known, the training says why.
        let epochs = first.map(|first| self.study.epochs(&genome).map_or(first, |whole| whole.min(first)));
        Point { epochs, ..self.new_point(genome) }
    }

    fn new_point(&self, genome: space::Genome) -> Point {
        Point::new(self.study.program, genome)
    }

    /// A child, which begins with the weights of a parent if the spec says so.
    fn child(&self, genome: space::Genome, parent: &Entry<Point>) -> Point {
        match self.study.program.search.inherit {
            None => self.point(genome),
            Some(epochs) => {
                Point { epochs: Some(epochs), start: Some(Start::of(parent)), ..self.new_point(genome) }
            }
        }
    }
}

impl Breeder<Point> for Points<'_> {
    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        self.point(space::sample(&self.study.program.space, rng))
    }

    fn mutate(&self, parent: &Entry<Point>, rng: &mut ChaCha8Rng) -> Point {
        let program = self.study.program;
        let genome = space::mutate(&program.space, &parent.genome.genome, &program.search.morphs, rng);
        self.child(genome, parent)
    }

    fn redraw(&self, of: &Point, chance: f64, rng: &mut ChaCha8Rng) -> Point {
        let genome = space::redraw(&self.study.program.space, &of.genome, chance, rng);
        Point { epochs: of.epochs, start: of.start.clone(), ..self.new_point(genome) }
    }

    fn cross(&self, a: &Entry<Point>, b: &Entry<Point>, rng: &mut ChaCha8Rng) -> Point {
        let space = &self.study.program.space;
        self.child(space::cross(space, &a.genome.genome, &b.genome.genome, rng), a)
    }

    fn violation(&self, of: &Entry<Point>) -> f64 {
        violation(self.study.program, of)
    }
}

/// By how much a trained network breaks what is required of quality, each limit as a share of it; 0 where it does not.
pub(super) fn violation(program: &Program, of: &Entry<Point>) -> f64 {
    let excess = |requirement: &Requirement| {
        let found = of.metrics.get(metric_word(requirement.metric)).copied().unwrap_or(f64::NAN);
        let (limit, sign) = (requirement.limit, if requirement.metric.is_gain() { -1.0 } else { 1.0 });
        let excess = sign * (found - limit) / limit.abs().max(f64::MIN_POSITIVE);
        if excess.is_nan() { f64::INFINITY } else { excess.max(0.0) }
    };
    program.requirements.iter().filter(|requirement| requirement.metric.is_quality()).map(excess).sum()
}

/// The strategy of a study's spec.
pub(super) fn strategy<'a>(study: &'a Study<'a>) -> Box<dyn Strategy<Point> + 'a> {
    let breeder = Points { study };
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
