//! The folders that makers of data sets part it by.

use crate::data::collect::Part;

/// Names of the part for testing, the first that is there counts.
const TEST: [&str; 2] = ["test", "testing"];
/// Names of the part for validation.
const VAL: [&str; 3] = ["val", "valid", "validation"];

/// Whether a folder may be a part.
pub(super) fn is_name(name: &str) -> bool {
    name == "train" || TEST.contains(&name) || VAL.contains(&name)
}

/// The folders that are parts, of those that `found` knows; none unless there are one to train on and one other. With a
/// part for validation alone it is the one for testing: the part that is scored once.
pub(super) fn parts_of(found: impl Fn(&str) -> bool) -> Vec<(&'static str, Part)> {
    if !found("train") {
        return Vec::new();
    }
    let first = |names: &[&'static str]| names.iter().copied().find(|name| found(name));
    let (val, test) = (first(&VAL), first(&TEST));
    let mut parts = vec![("train", Part::Train)];
    parts.extend(val.map(|name| (name, if test.is_some() { Part::Val } else { Part::Test })));
    parts.extend(test.map(|name| (name, Part::Test)));
    if parts.len() == 1 { Vec::new() } else { parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_their_maker() {
        let of = |there: &[&str]| parts_of(|name| there.contains(&name));
        assert!(of(&["val", "test"]).is_empty() && of(&["train"]).is_empty());
        assert_eq!(of(&["train", "valid"]), [("train", Part::Train), ("valid", Part::Test)]);
        let all = [("train", Part::Train), ("validation", Part::Val), ("testing", Part::Test)];
        assert_eq!(of(&["testing", "validation", "train"]), all);
        assert!(all.iter().all(|(name, _)| is_name(name)) && !is_name("yes"));
    }
}
