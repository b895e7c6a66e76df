use super::*;
use crate::plan::BufferKind;
use crate::report::{Finalist, FrontPoint, MapBuffer, MapStep, MemoryMap, Rewrite, TrialFigures};

/// A report of everything, every name of which is hostile.
fn hostile() -> Report {
    let bad = || "<img src=x onerror=\"alert(1)\">".to_owned();
    let mut report = crate::report::tests::report();
    report.name = bad();
    let metrics = || [(bad(), 1e308), ("accuracy".to_owned(), 0.5), ("ram@x".to_owned(), 0.0)].into();
    let genome = serde_json::json!({ bad(): bad() });
    report.search.front = vec![FrontPoint { trial: 1, genome: genome.clone(), metrics: metrics() }];
    report.search.history = vec![
        TrialFigures { trial: 0, leg: 0, quality: None, metrics: metrics() },
        TrialFigures { trial: 1, leg: 1, quality: Some(-1e308), metrics: metrics() },
    ];
    report.search.judged = Some(bad());
    report.search.objectives = vec![bad()];
    report.search.pick = Some(1);
    report.search.strategy = bad();
    report.search.finalists = vec![Finalist { trial: 1, retrained: vec![0.5], ..Finalist::default() }];
    report.search.rejected = [(bad(), u64::MAX), ("other".to_owned(), 1)].into();
    let target = &mut report.targets[0];
    target.name = bad();
    target.genome = Some(genome);
    let quality = target.quality.as_mut().expect("a network that nasc trained");
    (quality.metric, quality.split) = (bad(), bad());
    quality.classes = vec![bad()];
    quality.confusion = vec![vec![usize::MAX, 1, 1], vec![]];
    target.memory.family = bad();
    (target.layers[0].name, target.layers[0].op) = (bad(), bad());
    target.layers[0].cycles_estimated = Some(u64::MAX);
    let buffer = |first, last| MapBuffer {
        name: bad(),
        kind: BufferKind::Scratch,
        offset: u64::MAX - 1,
        bytes: 7,
        first,
        last,
    };
    target.map = Some(MemoryMap {
        steps: vec![MapStep { name: bad(), need_bytes: u64::MAX }],
        buffers: vec![buffer(0, usize::MAX), buffer(usize::MAX, 0), buffer(1, 1)],
        front_end_bytes: 3,
    });
    target.rewrites = vec![Rewrite { pass: bad(), layer: bad(), written: bad(), rules: vec![bad()] }];
    report.provenance.nasc = bad();
    report.provenance.files = [(bad(), bad())].into();
    report
}

#[test]
fn no_name_becomes_markup_and_no_number_is_too_large() {
    let page = page(&hostile(), None);
    assert!(!page.contains("<img") && page.contains("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;"));
    let drawn = page.split("<script>").next().expect("the page before its script");
    assert!(!drawn.contains("NaN") && !drawn.contains("=\"inf"), "a drawing has numbers only");
    assert!(!crate::report::full(&hostile(), None).is_empty());
}

/// A browser runs the script, and takes the style, by these hashes alone.
#[test]
fn the_policy_is_of_what_is_in_the_page() {
    let page = page(&crate::report::tests::report(), None);
    for (start, end, directive) in
        [("<style>", "</style>", "style-src"), ("<script>", "</script>", "script-src")]
    {
        let inside =
            page.split_once(start).and_then(|(_, rest)| rest.split_once(end)).expect("it is there").0;
        assert_eq!(page.matches(start).count(), 1);
        assert!(page.contains(&format!("{directive} {}", hash(inside))), "{directive}");
    }
    assert!(!page.contains(" style=\"") && !page.contains(" onclick"));
}

/// The drawing of the script and the one without are of one size.
#[test]
fn the_script_knows_the_size_of_the_drawing() {
    let line = charts::constants();
    assert!(SCRIPT.contains(&line), "{line}");
}
