//! Axes: the name and the unit of a figure, the range of its values, and ticks at round numbers.

use crate::report::search::is_gain;

/// What a figure is measured in; the page's script knows them by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Share,
    Bytes,
    Seconds,
    Joules,
    Count,
    Plain,
}

/// A figure of trials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::report) struct Axis {
    /// Its name among the metrics.
    pub(in crate::report) name: String,
    /// Its name for people.
    pub(in crate::report) label: String,
    pub(super) kind: Kind,
}

impl Axis {
    pub(in crate::report) fn new(name: &str) -> Axis {
        let (word, target) = name.split_once('@').map_or((name, None), |(word, on)| (word, Some(on)));
        let (text, kind) = match word {
            "ram" => ("RAM", Kind::Bytes),
            "flash" => ("flash", Kind::Bytes),
            "weights" => ("tables", Kind::Bytes),
            "latency" => ("latency", Kind::Seconds),
            "energy" => ("energy", Kind::Joules),
            "macs" => ("MACs", Kind::Count),
            "cycles" => ("cycles", Kind::Count),
            "params" => ("parameters", Kind::Count),
            "accuracy" | "error" | "f1" | "auc" | "recall" => (word, Kind::Share),
            _ => (word, Kind::Plain),
        };
        let label = target.map_or_else(|| text.to_owned(), |target| format!("{text} on {target}"));
        Axis { name: name.to_owned(), label, kind }
    }

    /// Whether it says how good a network is, and not what it costs.
    pub(super) fn is_quality(&self) -> bool {
        matches!(self.name.as_str(), "mse" | "mae" | "r2") || self.kind == Kind::Share
    }

    pub(in crate::report) fn is_gain(&self) -> bool {
        is_gain(&self.name)
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Share => "share",
            Kind::Bytes => "bytes",
            Kind::Seconds => "seconds",
            Kind::Joules => "joules",
            Kind::Count => "count",
            Kind::Plain => "plain",
        }
    }

    /// A value with its unit.
    pub(in crate::report) fn text(&self, value: f64) -> String {
        match self.kind {
            Kind::Share => crate::report::share_text(value),
            Kind::Bytes => format!("{value} B"),
            Kind::Plain => crate::report::quality_text("mse", value),
            Kind::Seconds | Kind::Joules => {
                let (divisor, unit) = unit(self.kind, value.abs());
                format!("{:.3} {unit}", value / divisor)
            }
            Kind::Count => format!("{value}"),
        }
    }

    /// The same with digits in groups, for the page.
    pub(super) fn shown(&self, value: f64) -> String {
        let is_whole = value.fract() == 0.0 && (0.0..1e15).contains(&value);
        match self.kind {
            Kind::Count if is_whole => super::grouped(value as u64),
            Kind::Bytes if is_whole => format!("{} B", super::grouped(value as u64)),
            _ => self.text(value),
        }
    }
}

/// What values are divided by, and the unit after that, where they reach up to `most`.
fn unit(kind: Kind, most: f64) -> (f64, &'static str) {
    let first = |units: [(f64, &'static str); 3]| {
        units.into_iter().find(|(divisor, _)| most >= *divisor).unwrap_or(units[2])
    };
    match kind {
        Kind::Share => (0.01, "%"),
        Kind::Bytes => first([(1_048_576.0, "MiB"), (4096.0, "KiB"), (1.0, "B")]),
        Kind::Seconds => first([(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")]),
        Kind::Joules => first([(1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")]),
        Kind::Count => first([(1e6, "million"), (1e4, "thousand"), (1.0, "")]),
        Kind::Plain => (1.0, ""),
    }
}

/// A range of values on so many units of a drawing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// What values are divided by before they are written.
    divisor: f64,
    /// The unit after that.
    pub(super) unit: &'static str,
    /// Where the range starts and ends in the drawing.
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale that holds all of the values with a little room at both ends.
    pub(super) fn of(kind: Kind, values: &[f64], (from, to): (f64, f64)) -> Scale {
        let finite = || values.iter().copied().filter(|value| value.is_finite() && value.abs() < 1e300);
        let (low, high) =
            (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let (divisor, unit) = unit(kind, high.abs().max(low.abs()));
        // Such units are used from a few of them on.
        let divisor = match unit {
            "KiB" => 1024.0,
            "thousand" => 1e3,
            _ => divisor,
        };
        let room = if high > low { (high - low) * 0.07 } else { high.abs().max(divisor) * 0.07 };
        Scale { low: low - room, high: high + room, divisor, unit, from, to }
    }

    /// A scale from 0 to a value.
    pub(super) fn up_to(kind: Kind, most: f64, (from, to): (f64, f64)) -> Scale {
        let scale = Scale::of(kind, &[0.0, most.max(1.0)], (from, to));
        Scale { low: 0.0, high: most.max(1.0), ..scale }
    }

    /// Where a value lies in the drawing.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from);
        if place.is_finite() { place } else { self.from }
    }

    /// Round numbers within the range, at most nine: where they lie, and their text.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let (low, high) = (self.low / self.divisor, self.high / self.divisor);
        let rough = (high - low) / 8.0;
        if !rough.is_finite() || rough <= 0.0 {
            return Vec::new();
        }
        let power = 10f64.powi(rough.log10().floor() as i32);
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * power);
        let decimals = usize::try_from((-step.log10() - 1e-9).ceil() as i64).unwrap_or(0).min(12);
        let first = (low / step).ceil();
        let ticks = (0..9).map(|at| (first + f64::from(at)) * step).take_while(|tick| *tick <= high);
        ticks
            .map(|tick| {
                let tick = if tick.abs() < step / 2.0 { 0.0 } else { tick };
                (self.place(tick * self.divisor), format!("{tick:.decimals$}"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        let texts = |kind: Kind, values: &[f64]| {
            let scale = Scale::of(kind, values, (0.0, 100.0));
            let ticks = scale.ticks();
            assert!(ticks.iter().all(|(place, _)| (0.0..=100.0).contains(place)), "{ticks:?}");
            let texts: Vec<String> = ticks.into_iter().map(|(_, text)| text).collect();
            format!("{} {}", texts.join(" "), scale.unit)
        };
        assert_eq!(texts(Kind::Share, &[0.9, 0.98]), "90 92 94 96 98 %");
        assert_eq!(texts(Kind::Bytes, &[700.0, 1100.0]), "700 800 900 1000 1100 B");
        assert_eq!(texts(Kind::Bytes, &[10_240.0, 20_480.0]), "10 12 14 16 18 20 KiB");
        assert_eq!(texts(Kind::Seconds, &[0.0021, 0.0033]), "2.2 2.4 2.6 2.8 3.0 3.2 ms");
        assert_eq!(texts(Kind::Count, &[0.0, 2e6]), "0.0 0.5 1.0 1.5 2.0 million");
        assert_eq!(texts(Kind::Bytes, &[892.0]), "840 860 880 900 920 940 B");
    }

    #[test]
    fn hostile_ranges_end() {
        for values in [&[][..], &[f64::NAN], &[-1e308, 1e308], &[0.0, 5e-324], &[f64::INFINITY]] {
            let scale = Scale::of(Kind::Plain, values, (0.0, 100.0));
            assert!(scale.ticks().len() <= 9 && scale.place(0.5).is_finite(), "{values:?}");
        }
    }

    #[test]
    fn figures_have_their_unit() {
        let text = |name: &str, value: f64| Axis::new(name).text(value);
        assert_eq!(text("ram@cortex-m4", 892.0), "892 B");
        assert_eq!(text("latency@x", 0.0023), "2.300 ms");
        assert_eq!(text("accuracy", 0.9814), "98.14 %");
        assert_eq!(Axis::new("ram@cortex-m4").label, "RAM on cortex-m4");
    }
}
