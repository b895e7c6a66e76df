//! What a spec's section `data` means, in words.

use super::Inspected;
use crate::data::{Collection, FrontEnd, Split};
use crate::elaborate::{Setting, Settings};
use crate::pipeline::prepare::Features;

/// A form with its arguments, as a spec would have it.
pub(super) fn call(name: &str, keys: Option<&Settings>) -> String {
    let Some(keys) = keys else { return name.to_owned() };
    let listed: Vec<String> =
        keys.0.iter().map(|(key, value)| format!("{key}: {}", value_of(key, value))).collect();
    format!("{name}({})", listed.join(", "))
}

fn value_of(key: &str, value: &Setting) -> String {
    match value {
        Setting::Number(x) => match key {
            "share" | "val" | "test" | "train" => format!("{} %", rounded(100.0 * x)),
            "rate" | "low" | "high" => format!("{} Hz", rounded(*x)),
            "time" | "frame" | "hop" | "length" | "window" => format!("{} ms", rounded(1e3 * x)),
            _ => rounded(*x),
        },
        Setting::Integer(x) => x.to_string(),
        Setting::Text(text) => format!("\"{text}\""),
        Setting::Word(word) => word.clone(),
        Setting::Bool(value) => value.to_string(),
        Setting::List(values) => {
            let values: Vec<String> = values.iter().map(|value| value_of(key, value)).collect();
            format!("[{}]", values.join(", "))
        }
        Setting::Call(name, keys) => call(name, Some(keys)),
        Setting::Decision(_) => "decided by the search".to_owned(),
    }
}

/// A number with at most 6 digits behind the point and no zeros at the end.
fn rounded(x: f64) -> String {
    let text = format!("{x:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

/// How samples are parted.
pub(super) fn split(split: &Split, settings: &Settings, data: &Collection) -> String {
    let percent = |share: f64| format!("{} %", rounded(100.0 * share));
    let has_test = data.origins.iter().any(|origin| origin.part == Some(crate::data::Part::Test));
    let test = |share: f64| match has_test {
        true => "the source has the test part".to_owned(),
        false => format!("{} for the test", percent(share)),
    };
    match split {
        Split::Holdout(share) => {
            let of = if data.groups.is_empty() { "the samples of each class" } else { "whole groups" };
            format!("{} of {of} for validation; the source has the test part", percent(*share))
        }
        Split::Groups { val, test: share, .. } => {
            let by = settings.form("split").and_then(|(_, keys)| keys?.form("group")).map(|(name, _)| name);
            // The spec says `column`, and its source which one.
            let column = settings.form("source").and_then(|(_, keys)| keys?.text("group"));
            let by = match (by, column) {
                (Some("column"), Some(column)) => format!("`{column}`"),
                (by, _) => by.unwrap_or("group").to_owned(),
            };
            format!("all of a {by} stays in one part; {} for validation, {}", percent(*val), test(*share))
        }
        Split::Lists { train, val, test } => {
            let train = train.as_ref().map_or("all others".to_owned(), |file| format!("`{file}`"));
            format!("listed: train in {train}, val in `{val}`, test in `{test}`")
                .replace("train in all", "train all")
        }
    }
}

/// What stands between sensor and network.
pub(in crate::pipeline) fn front_end(front_end: &FrontEnd) -> String {
    match front_end {
        FrontEnd::Values { .. } => "none, numbers go to the network as they are".to_owned(),
        FrontEnd::Series(series) => format!(
            "windows of {} rows of {} channels, on the chip one every {} rows",
            series.length, series.channels, series.stream.every
        ),
        FrontEnd::Picture(picture) => {
            let text = |[height, width, channels]: [usize; 3]| format!("{height} x {width} x {channels}");
            let (from, to) = (text(picture.from), text(picture.to));
            if from == to {
                format!("pictures of {to}")
            } else {
                format!("pictures of {from} brought to {to}")
            }
        }
        FrontEnd::Audio(audio) => {
            let spec = audio.spec();
            let ms = |samples: usize| rounded(1e3 * samples as f64 / f64::from(spec.rate.max(1)));
            let kind = match spec.coefficients {
                Some(count) => format!("{count} cepstral coefficients (MFCC) of "),
                None => "log energies of ".to_owned(),
            };
            format!(
                "{kind}{} mel bands from {} to {} Hz, {} frames of {} ms every {} ms",
                spec.filters,
                rounded(spec.low),
                rounded(spec.high),
                audio.extents()[0],
                ms(spec.frame),
                ms(spec.hop)
            )
        }
    }
}

/// How features are brought to the network's range.
pub(super) fn normalization(features: &Features) -> String {
    if features.normalization == "standardize" {
        let of = match features.front_end {
            FrontEnd::Audio(_) => "band",
            _ => "channel",
        };
        return format!("each {of} to mean 0 and deviation 1 of the training part");
    }
    let standardization = &features.standardization;
    let mean = f64::from(standardization.mean.first().copied().unwrap_or(0.0));
    let factor = f64::from(standardization.inv_deviation.first().copied().unwrap_or(1.0));
    match (mean == 0.0, factor == 1.0) {
        (true, true) => "none".to_owned(),
        (true, false) => format!("divided by {}", rounded((1e4 / factor).round() / 1e4)),
        (false, _) => {
            format!(
                "{} is subtracted, then divided by {}",
                rounded(mean),
                rounded((1e4 / factor).round() / 1e4)
            )
        }
    }
}

/// Changes of training samples.
pub(super) fn augments(settings: Option<&Settings>) -> Vec<String> {
    let Some(Setting::List(list)) = settings.and_then(|settings| settings.0.get("augment")) else {
        return Vec::new();
    };
    list.iter().map(|change| value_of("augment", change)).collect()
}

/// What is odd about the numbers, a sentence each.
pub(super) fn oddities(found: &Inspected) -> Vec<String> {
    let mut out = Vec::new();
    let constant = &found.values.constant_channels;
    if !constant.is_empty() {
        let named: Vec<String> = constant.iter().take(8).map(usize::to_string).collect();
        let dots = if constant.len() > named.len() { ", ..." } else { "" };
        out.push(format!(
            "{} channels are constant and tell nothing: {}{dots}",
            constant.len(),
            named.join(", ")
        ));
    }
    let Some(sound) = &found.sound else { return out };
    let of = |count: usize| format!("{count} of {} recordings", found.samples - found.unused);
    if sound.silent > 0 {
        out.push(format!("{} are silent: {}", of(sound.silent), sound.silent_examples.join(", ")));
    }
    if sound.clipped > 0 {
        let share = number_text(100.0 * sound.clipped_share);
        let examples = sound.clipped_examples.join(", ");
        out.push(format!("{} reach full scale ({share} % of all numbers): {examples}", of(sound.clipped)));
    }
    out
}

/// A number with four digits that count.
pub fn number_text(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{x:.3e}")
    } else if x.fract() == 0.0 {
        format!("{x:.0}")
    } else {
        let whole = [10.0, 100.0, 1000.0].iter().filter(|limit| size >= **limit).count();
        format!("{x:.*}", 3 - whole)
    }
}

/// Seconds in the unit that they are told in.
pub fn duration_text(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_read_like_a_spec() {
        let keys = [
            ("rate", Setting::Number(16_000.0)),
            ("path", Setting::Text("clips".into())),
            ("share", Setting::Number(0.1)),
            ("time", Setting::Number(0.1)),
        ];
        let keys = Settings(keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        assert_eq!(
            call("audio_folder", Some(&keys)),
            "audio_folder(path: \"clips\", rate: 16000 Hz, share: 10 %, time: 100 ms)"
        );
        assert_eq!(call("flip", None), "flip");
    }

    #[test]
    fn numbers_are_short() {
        let found = [0.0, 1.0, -32768.0, 0.123456, 12.3456, 1234.5, 1e7, 1e-5].map(number_text);
        assert_eq!(found, ["0", "1", "-32768", "0.123", "12.35", "1234", "1.000e7", "1.000e-5"]);
    }
}
