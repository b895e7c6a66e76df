use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::check::{Checked, section as check, written};
use super::{Default, Form, Key, Kind, Section, Setting, reference, sections};
use crate::diagnostic::{Diagnostics, Style, render};
use crate::elaborate::fields::Context;
use crate::elaborate::scope::Scope;
use crate::elaborate::{OptimizerSpec, Options, Program, RateSpec, elaborate};
use crate::source::{SourceMap, Span};
use crate::space::{self, Decision, Domain, Output, Space, Value};
use crate::syntax::{self, ast};

/// A space with decisions of the names that the examples use.
fn some_space() -> Space {
    let span = Span { file: crate::source::FileId(0), start: 0, end: 0 };
    let mut space = Space::new([1, 1, 4], Output::Classes(2), span);
    for (name, values) in [
        ("kernel", [3, 5, 7]),
        ("depth", [2, 3, 4]),
        ("expand", [3, 4, 6]),
        ("filters", [8, 16, 24]),
        ("body", [1, 2, 3]),
    ] {
        let domain = Domain::Set(values.map(Value::Int).to_vec());
        let root = space.root();
        space.add_decision(root, Decision { name: name.to_owned(), domain, span });
    }
    space
}

fn table(name: &str) -> &'static Section {
    sections().into_iter().find(|table| table.name == name).expect("a section")
}

/// Reads `text` as the inside of a section.
fn read(table: &'static Section, text: &str) -> Result<Checked, String> {
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", format!("nas 1\nsearch {{ {text} }}\n"));
    let (tree, mut out) = syntax::parse(&sources, file);
    let mut sections = tree.items.iter().filter_map(|item| match &item.kind {
        ast::ItemKind::Section(section) => Some(section),
        _ => None,
    });
    let mut space = some_space();
    let scope = Scope::default();
    let mut context = Context { scope: &scope, out: &mut out, space: Some(&mut space) };
    let found = sections.next_back().and_then(|section| check(table, table.name, section, &mut context));
    let told = render(&out, &sources, Style::Plain);
    if out == Diagnostics::default() { found.ok_or(told) } else { Err(told) }
}

/// Every key at every depth with every form that it takes, as `(path, text of all keys)`.
fn spellings(keys: &'static [Key]) -> Vec<(String, String)> {
    let with = |changed: Option<(&str, &str)>| {
        let each = keys.iter().map(|key| match changed {
            Some((name, value)) if name == key.name => format!("{name}: {value}"),
            _ => format!("{}: {}", key.name, key.example),
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let mut found: Vec<(String, String)> = keys.iter().map(|key| (key.name.to_owned(), with(None))).collect();
    for key in keys {
        let (forms, is_list) = match key.kind {
            Kind::Forms(forms) => (forms, false),
            Kind::List(&Kind::Forms(forms)) => (forms, true),
            _ => continue,
        };
        let listed = |text: String| if is_list { format!("[{text}]") } else { text };
        for form in forms {
            let path = format!("{}.{}", key.name, form.name);
            if form.is_word() {
                found.push((path.clone(), with(Some((key.name, &listed(form.name.to_owned()))))));
            }
            for (inner, text) in spellings(form.keys) {
                let value = listed(format!("{}({text})", form.name));
                found.push((format!("{path}.{inner}"), with(Some((key.name, &value)))));
            }
        }
    }
    found
}

#[test]
fn every_key_is_documented_and_its_example_is_good() {
    fn documented(keys: &[Key], place: &str) {
        let mut names = BTreeSet::new();
        for key in keys {
            let place = format!("{place}.{}", key.name);
            assert!(names.insert(key.name), "{place} twice");
            assert!(key.doc.ends_with('.') && key.doc.len() > 4, "{place} has no line of documentation");
            assert!(
                key.later.is_none_or(|instead| instead.len() > 10),
                "{place} does not say what to do instead"
            );
            if let Kind::Forms(forms) | Kind::List(&Kind::Forms(forms)) = key.kind {
                for form in forms {
                    assert!(form.doc.ends_with('.'), "{place}.{} has no line of documentation", form.name);
                    documented(form.keys, &format!("{place}.{}", form.name));
                }
            }
            if let Default::Word(word) = key.default {
                let Kind::Forms(forms) = key.kind else { panic!("{place} has a word for a default") };
                let default = forms.iter().find(|form| form.name == word).expect("the default is a form");
                assert!(default.is_word() && default.later.is_none(), "{place}: the default works");
            }
        }
    }
    let (mut count, mut wrong) = (0, Vec::new());
    for table in sections() {
        documented(table.keys, table.name);
        for (path, text) in spellings(table.keys) {
            let checked = match read(table, &text) {
                Ok(checked) => checked,
                Err(told) => {
                    wrong.push(format!("{}.{path}:\n{told}", table.name));
                    continue;
                }
            };
            let key = path.split('.').next().expect("a path has a part");
            let of_space =
                table.keys.iter().any(|known| known.name == key && matches!(known.kind, Kind::OfSpace));
            assert_eq!(checked.settings.0.contains_key(key), !of_space, "{}.{path}", table.name);
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 200, "only {count} spellings");
}

#[test]
fn what_is_only_checked_is_told_and_nothing_else() {
    fn form<'a>(keys: &'a [Key], path: &str) -> Option<(&'a Key, Option<&'a Form>)> {
        let mut parts = path.split('.');
        let key = parts.next()?;
        let key = keys.iter().find(|known| known.name == key)?;
        let (Kind::Forms(forms) | Kind::List(&Kind::Forms(forms))) = key.kind else {
            return Some((key, None));
        };
        Some((key, parts.next().and_then(|name| forms.iter().find(|form| form.name == name))))
    }
    let (mut now, mut later) = (0, 0);
    for table in sections().into_iter().filter(|table| table.later.is_none()) {
        for key in table.keys.iter().filter(|key| !matches!(key.kind, Kind::OfSpace)) {
            for (path, _) in spellings(std::slice::from_ref(key)) {
                let (key, form) = form(table.keys, &path).expect("a path of the table");
                let Some(form) = form else { continue };
                let mut text: Vec<String> = table
                    .keys
                    .iter()
                    .filter(|other| other.name != key.name && matches!(other.default, Default::Required))
                    .map(|other| format!("{}: {}", other.name, other.example))
                    .collect();
                let value = written(form);
                let listed = matches!(key.kind, Kind::List(_));
                text.push(format!("{}: {}", key.name, if listed { format!("[{value}]") } else { value }));
                let checked = read(table, &text.join(", ")).unwrap_or_else(|told| panic!("{path}: {told}"));
                let told: Vec<&str> = checked.later.iter().map(|later| later.what.as_str()).collect();
                let wanted = match (key.later, form.later) {
                    (Some(_), _) => vec![format!("`{}` of `{}`", key.name, table.name)],
                    (_, Some(_)) => vec![format!("`{}: {}` of `{}`", key.name, form.name, table.name)],
                    _ => Vec::new(),
                };
                assert_eq!(told, wanted, "{path}");
                if wanted.is_empty() { now += 1 } else { later += 1 }
            }
        }
    }
    assert!(now > 8 && later > 40, "{now} {later}");
    let told = read(table("supernet"), "elastic: [kernel], distill: largest").expect("good");
    assert_eq!(told.later.len(), 1, "a section that is only checked is told once");
    let told = read(
        &super::train::TRAIN,
        "optimizer: adamw(lr: 1), epochs: 1, batch: 1, inherit: false, schedule: cosine",
    );
    assert!(told.expect("good").later.is_empty(), "defaults are what is done anyway");
}

#[test]
fn values_may_stand_without_names_where_the_table_says_so() {
    let both = |first: &str, second: &str| {
        let [first, second] = [first, second].map(|text| {
            read(&super::search::SEARCH, &format!("strategy: random, trials: 3, {text}"))
                .expect("good")
                .settings
        });
        assert_eq!(first, second);
    };
    both("fidelity: halving([3, 9])", "fidelity: halving(epochs: [3, 9])");
    both("proxy: zero_cost(naswot)", "proxy: zero_cost(top: 20 %, score: naswot)");
    both("morphs: [step(kernel, by: [2])]", "morphs: [step(by: [2], decision: kernel)]");
    for (text, told) in [
        ("proxy: zero_cost(naswot, synflow)", "the arguments of `zero_cost` have names"),
        ("proxy: zero_cost(20 %)", "`score` is `naswot`, `synflow` or `macs`, found `20 %`"),
        ("morphs: [step(kernle)]", "did you mean `kernel`?"),
        ("reference: [ram(3)]", "write `3 B`, `3 KB` (3,000 bytes)"),
    ] {
        let found = read(&super::search::SEARCH, &format!("strategy: random, trials: 3, {text}"));
        let error = found.err().unwrap_or_default();
        assert!(error.contains(told), "{text}: {error}");
    }
    for (text, told) in [
        ("open: [kernel({5, 9})]", "`kernel` never has the value 9"),
        ("open: [kernel(5)]", "`open` is a decision with some of its values"),
        ("open: [kernal({5})]", "did you mean `kernel`?"),
    ] {
        let error = read(table("phase"), text).err().unwrap_or_default();
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn the_reference_has_every_key_form_and_figure() {
    let text = reference();
    for table in sections() {
        assert!(text.contains(&format!("### `{}`", table.name)));
        for (path, _) in spellings(table.keys) {
            let key = path.rsplit('.').next().expect("a path has a part");
            assert!(text.contains(&format!("`{key}`")) || text.contains(&format!(": {key}`")), "{path}");
        }
    }
    assert!(text.contains("| `seed` | Everything random follows from it. | an integer from 0 to"));
}

const SPEC: &str = "nas 1
let decay = {0.01, 0.02, 0.04}
let width = 8..32 step 8
model m(input: (25, 12), classes: 9) { conv1d(filters: width, kernel: 3) global_avg_pool dense(units: classes) }
data { source: ts(train: \"a.ts\", test: \"b.ts\"), split: holdout(val: 20 %) }
train {
  optimizer: adamw(lr: log 1e-4..1e-2, decay: decay)
  epochs: 3..18, batch: width / 2, warmup: 0 %..10 % step 2 %, mixup: 0.1..0.5, smoothing: {0.0, 0.1}
}
quantize { calibrate: {100 samples, 200 samples} }
search { strategy: random, trials: 8, seed: 7 }
maximize accuracy
";

fn program(text: &str) -> Program {
    let mut sources = SourceMap::new();
    let text = text.replace(") global_avg_pool dense(", ")\nglobal_avg_pool\ndense(");
    let file = sources.add("test.nas", text);
    let (program, diagnostics) = elaborate(&mut sources, file, &Options::default());
    program.unwrap_or_else(|| panic!("{}", render(&diagnostics, &sources, Style::Plain)))
}

#[test]
fn recipes_come_from_genomes_within_their_domains_and_reach_both_ends() {
    let program = program(SPEC);
    let names: BTreeSet<&str> =
        program.space.recipe_uses.iter().map(|&used| program.space.decision(used).name.as_str()).collect();
    let wanted = ["batch", "calibrate", "decay", "epochs", "lr", "mixup", "smoothing", "warmup", "width"];
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        wanted.iter().filter(|name| **name != "batch").copied().collect::<Vec<_>>()
    );
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut seen: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let micro = |value: f64| (value * 1e6).round() as u64;
    for _ in 0..8000 {
        let genome = space::sample(&program.space, &mut rng);
        let train = program.train_for(&genome).expect("all values come out");
        let quantize = program.quantize_for(&genome).expect("all values come out");
        assert!(quantize.other.is_empty());
        assert!(train.other.is_empty());
        let mixup = train.mixup.expect("given");
        for (name, value) in [
            ("lr", (train.learning_rate * 1e9).round() as u64),
            ("decay", micro(train.weight_decay)),
            ("epochs", train.epochs as u64),
            ("batch", train.batch as u64),
            ("warmup", micro(train.warmup)),
            ("smoothing", micro(train.label_smoothing)),
            ("mixup", micro(mixup)),
            ("calibrate", quantize.calibration_samples as u64),
        ] {
            seen.entry(name).or_default().insert(value);
        }
    }
    let of = |values: &[u64]| values.iter().copied().collect::<BTreeSet<u64>>();
    // A thousand equal parts; all points are met but a few, and with this seed both ends.
    for (name, low, high) in [("lr", 100_000, 10_000_000), ("mixup", 100_000, 500_000)] {
        let values = &seen[name];
        assert_eq!((values.first(), values.last()), (Some(&low), Some(&high)), "{name}");
        assert!(values.len() > 950 && values.len() <= 1001, "{name} has {} values", values.len());
    }
    let below_1e_3 = seen["lr"].iter().filter(|lr| **lr < 1_000_000).count();
    assert!((450..550).contains(&below_1e_3), "half of the logarithm: {below_1e_3}");
    assert_eq!(seen["decay"], of(&[10_000, 20_000, 40_000]));
    assert_eq!(seen["epochs"], (3..=18).collect());
    assert_eq!(seen["batch"], of(&[4, 8, 12, 16]));
    assert_eq!(seen["warmup"], of(&[0, 20_000, 40_000, 60_000, 80_000, 100_000]));
    assert_eq!(seen["smoothing"], of(&[0, 100_000]));
    assert_eq!(seen["calibrate"], of(&[100, 200]));
}

#[test]
fn optimizers_and_schedules_reach_the_recipe() {
    let with = |optimizer: &str, rest: &str| {
        let program = program(
            &SPEC
                .replace("adamw(lr: log 1e-4..1e-2, decay: decay)", optimizer)
                .replace("mixup: 0.1..0.5, ", rest),
        );
        assert!(program.later.is_empty(), "{optimizer} {rest}");
        let genome = space::sample(&program.space, &mut ChaCha8Rng::seed_from_u64(2));
        program.train_for(&genome).expect("all values come out")
    };
    let plain = with("sgd(lr: 0.05)", "");
    assert_eq!(plain.optimizer, OptimizerSpec::Sgd { momentum: 0.9, nesterov: false });
    assert_eq!((plain.learning_rate, plain.weight_decay, plain.schedule), (0.05, 0.0, RateSpec::Cosine));
    assert_eq!((plain.clip, plain.mixup), (None, None));
    let full = with(
        "sgd(lr: 0.1, momentum: 0, nesterov: true, decay: 5e-5)",
        "clip: 2, mixup: 0.3, schedule: step(every: 30 epochs, factor: 0.2), ",
    );
    assert_eq!(full.optimizer, OptimizerSpec::Sgd { momentum: 0.0, nesterov: true });
    assert_eq!(full.schedule, RateSpec::Step { every: 30, factor: 0.2 });
    assert_eq!((full.weight_decay, full.clip, full.mixup), (5e-5, Some(2.0), Some(0.3)));
    let decided = with("adamw(lr: 1e-3)", "clip: 0.5..2.0, schedule: {constant, cosine}, ");
    assert_eq!(decided.optimizer, OptimizerSpec::Adamw);
    assert!(matches!(decided.schedule, RateSpec::Constant | RateSpec::Cosine));
    assert!(decided.clip.is_some_and(|clip| (0.5..=2.0).contains(&clip)));
}

#[test]
fn one_point_has_one_recipe_and_a_fixed_spec_has_one_for_all() {
    let decided = program(SPEC);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let genome = space::sample(&decided.space, &mut rng);
    let json = space::to_json(&decided.space, &genome);
    let again = space::from_json(&decided.space, &json).expect("what was written");
    assert_eq!(decided.train_for(&genome), decided.train_for(&again));
    let fixed = program(
        &SPEC
            .replace("log 1e-4..1e-2", "1e-3")
            .replace("decay: decay", "decay: 0.02")
            .replace(
                "3..18, batch: width / 2, warmup: 0 %..10 % step 2 %, mixup: 0.1..0.5, smoothing: {0.0, 0.1}",
                "5, batch: 4",
            )
            .replace("{100 samples, 200 samples}", "100 samples"),
    );
    assert!(fixed.space.recipe_uses.is_empty());
    let recipes: BTreeSet<String> = (0..20)
        .map(|_| fixed.train_for(&space::sample(&fixed.space, &mut rng)).expect("fixed"))
        .map(|spec| serde_json::to_string(&spec).expect("numbers are finite"))
        .collect();
    assert_eq!(recipes.len(), 1);
    assert!(fixed.sections["train"].contains("optimizer: adamw(decay: 0.02, lr: 0.001)\n"));
}

#[test]
fn the_order_of_keys_does_not_show_even_with_decisions() {
    let moved = SPEC
        .replace("lr: log 1e-4..1e-2, decay: decay", "decay: decay, lr: log 1e-4..1e-2")
        .replace("epochs: 3..18, batch: width / 2, ", "")
        .replace("smoothing: {0.0, 0.1}", "smoothing: {0.0, 0.1}, batch: width / 2\n epochs: 3..18");
    let mut lines: Vec<&str> = moved.lines().collect();
    let search = lines.remove(lines.len() - 2);
    lines.insert(1, search);
    assert_eq!(program(&lines.join("\n")).sections, program(SPEC).sections);
    for (from, to, section) in [
        ("3..18", "3..19", "space"),
        ("{0.0, 0.1}", "{0.0, 0.2}", "space"),
        ("decay: decay", "decay: 0.01", "train"),
        ("width / 2", "width / 4", "train"),
    ] {
        let (before, after) = (program(SPEC).sections, program(&SPEC.replace(from, to)).sections);
        let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
        assert_eq!(changed, [section], "{from} -> {to}");
    }
}

#[test]
fn what_commands_refuse_names_key_place_and_way_out() {
    let text = SPEC
        .replace("strategy: random", "strategy: evolution(population: 32)")
        .replace("quantize { ", "quantize { weights: {i8, i4}, aware: last(5 epochs), per: channel, ")
        .replace("mixup: 0.1..0.5", "distill: largest, mixup: 0.1..0.5")
        .replace("maximize accuracy", "maximize f1\nrequire { ram(munas) <= 4 KiB, auc >= 90 % }");
    let program = program(&text);
    let told: Vec<String> = program
        .refusals()
        .0
        .iter()
        .map(|error| format!("{} {} | {}", error.code, error.message, error.help.join(" ")))
        .collect();
    let start = "E0806 this version of nasc does not carry out";
    assert_eq!(
        told,
        [
            format!("{start} `distill` of `train` | leave `distill` out"),
            format!(
                "{start} `weights: i4` of `quantize` | this version has weights of 8 bits: `weights: i8`"
            ),
            format!(
                "{start} `aware: last` of `quantize` | this version quantizes after training: leave `aware` out"
            ),
            format!(
                "{start} `strategy: evolution` of `search` | this version searches by `random`, `aging_evolution` and \
                 `nsga2`"
            ),
            format!("{start} `ram(munas)` | `ram` alone counts what the bundle really takes"),
            format!("{start} `auc` | `f1` and `accuracy` measure more than two classes"),
        ]
    );
    assert!(matches!(program.settings["quantize"].0["weights"], Setting::Decision(_)));
    assert_eq!(program.later[0].refusal().labels.len(), 1);
}
