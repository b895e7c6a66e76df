use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::source::SourceMap;
use crate::syntax::format::lex::{Kind, lex};
use crate::syntax::format::marks::{Role, roles};
use crate::syntax::random::{self, Random};
use crate::syntax::{WIDTH, format, parse, print};

fn formatted(text: &str) -> String {
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let result = format(&sources, file);
    result.unwrap_or_else(|error| {
        panic!("{}\n{text}", crate::diagnostic::render(&error, &sources, crate::diagnostic::Style::Plain))
    })
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(formatted(text), expected);
    assert_eq!(formatted(expected), expected, "again");
}

#[test]
fn white_space_is_put_in_order() {
    check(
        "nas   1\r\n\n\n\nlet  a=-1*( 2+ -b)/4KiB\nparam x : count={1 ,2,}\nlet r = log  1e-4 .. 1_0.5 by * 2\n\
         use std / blocks{a as b ,c}\nlet t = ( 1 , )\nlet p = 80%\ntrain   { a:   1,\n b: [ ] , c:f( ) }\n\n\n",
        "nas 1\n\nlet a = -1 * (2 + -b) / 4 KiB\nparam x: count = {1, 2}\nlet r = log 1e-4..1_0.5 by *2\n\
         use std/blocks { a as b, c }\nlet t = (1,)\nlet p = 80 %\ntrain {\n  a: 1\n  b: []\n  c: f()\n}\n",
    );
}

#[test]
fn bodies_keep_their_lines() {
    check(
        "nas 1\nmodel m(a,b:3)\n{\n\n\n  relu\n\n\n  choose x { a : relu , b: { tanh\n } }\n\n}\n\
         block b { when a>1 {relu}\n   else{ tanh } }\nblock c { when a in {1,2} { relu } else { tanh } , flatten }\n\
         block d {\n}\nrequire { ram<=4KiB on [\"x\" , \"y\"] weight .5 }\n".replace(".5", "0.5").as_str(),
        "nas 1\nmodel m(a, b: 3) {\n  relu\n\n  choose x {\n    a: relu\n    b: {\n      tanh\n    }\n  }\n}\n\
         block b {\n  when a > 1 { relu } else { tanh }\n}\n\
         block c { when a in {1, 2} { relu } else { tanh }, flatten }\n\
         block d {}\nrequire { ram <= 4 KiB on [\"x\", \"y\"] weight 0.5 }\n",
    );
}

#[test]
fn comments_stay_where_they_belong() {
    check(
        "// first\nnas 1   // version\n/// Doc.\n   // not doc\nmodel m( // open\n  a, // of a\n\n\n  // alone\n  b // of b\n  , c\n  // end\n) // head\n{ // body\n\
         relu,// of relu\n // end of body\n\n} // behind\nlet a = f(1 + // one\n  2)\n// last",
        "// first\nnas 1  // version\n/// Doc.\n// not doc\nmodel m(  // open\n  a,  // of a\n\n  // alone\n  b,  // of b\n  c,\n  // end\n)  // head\n{  // body\n\
         \x20 relu  // of relu\n  // end of body\n}  // behind\nlet a = f(\n  1 +  // one\n    2,\n)\n// last\n",
    );
    check(
        "nas 1\nblock b {\n  when a { relu } // then\n  else { tanh } // otherwise\n}\n",
        "nas 1\nblock b {\n  when a {\n    relu\n  }  // then\n  else {\n    tanh\n  }  // otherwise\n}\n",
    );
}

#[test]
fn long_lines_are_broken_at_their_brackets() {
    let a = "a".repeat(40);
    check(
        &format!(
            "nas 1\nlet x = f({a}, {a}, g(1,2))\nlet y = ({a} + {a} + {a})\ntrain {{ a: {a}, b: {a}, c: 3 }}\n"
        ),
        &format!(
            "nas 1\nlet x = f(\n  {a},\n  {a},\n  g(1, 2),\n)\nlet y = (\n  {a} + {a} + {a}\n)\n\
             train {{\n  a: {a}\n  b: {a}\n  c: 3\n}}\n"
        ),
    );
    check(
        &format!("nas 1\nblock b(p: {a}, q: {{{a}, {a}, 3}}) {{ relu }}\n"),
        &format!("nas 1\nblock b(\n  p: {a},\n  q: {{{a}, {a}, 3}},\n) {{\n  relu\n}}\n"),
    );
    // One character more does not fit.
    let fits = format!("nas 1\nlet x = f({})\n", "a".repeat(WIDTH - 11));
    check(&fits, &fits);
    check(
        &format!("nas 1\nlet x = f({})\n", "a".repeat(WIDTH - 10)),
        &format!("nas 1\nlet x = f(\n  {},\n)\n", "a".repeat(WIDTH - 10)),
    );
}

#[test]
fn files_with_mistakes_are_not_formatted() {
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", "nas 1\nlet a 3\n");
    assert!(format(&sources, file).is_err_and(|error| error.has_errors()));
}

/// The text with other white space and with comments, where both change nothing; and those comments.
fn disturbed(text: &str, seed: u64) -> (String, Vec<String>) {
    let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let tokens = lex(text);
    let roles = roles(&parse(&sources, file).0, text, &tokens);
    let (mut out, mut comments, mut levels) = (String::new(), Vec::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let in_value = levels.last().is_some_and(|&role| !matches!(role, Role::Body | Role::List));
        let next = tokens.get(at + 1).copied();
        let found = token.text(text);
        out.push_str(found);
        let is_doc = matches!(token.kind, Kind::Comment { .. });
        match token.kind {
            Kind::Open => levels.push(roles[at]),
            Kind::Close => {
                levels.pop();
            }
            _ => {}
        }
        let inside = levels.last().is_some_and(|&role| !matches!(role, Role::Body | Role::List));
        // A unit stands on the line of its number, the lower end of a `log` range on that of the word.
        let stays = token.kind == Kind::Number
            || found == "log"
            || found == "-" && tokens[at - 1].text(text) == "log"
            || next.is_some_and(|next| next.text(text) == "%" || is_doc);
        if inside && in_value && !stays && random.below(12) == 0 {
            comments.push(format!("// inside {at}"));
            out.push_str(&format!(" // inside {at}\n"));
        } else if inside && !stays && random.below(12) == 0 {
            out.push_str("\n \n");
        } else if token.kind == Kind::Newline && random.below(6) == 0 {
            if tokens.get(at.wrapping_sub(1)).is_none_or(|token| token.kind == Kind::Newline)
                || random.below(2) == 0
            {
                comments.push(format!("// alone {at}"));
                out.push_str(&format!("{}// alone {at}\n\n", " ".repeat(random.below(3))));
            } else if !tokens[at - 1].text(text).starts_with("///")
                && !out.lines().last().is_some_and(|line| line.contains("// open"))
            {
                out.pop();
                comments.push(format!("// behind {at}"));
                out.push_str(&format!("{}// behind {at}\n", " ".repeat(random.below(3))));
            }
        } else if token.kind == Kind::Open
            && !inside
            && random.below(8) == 0
            && next.is_some_and(|n| n.kind == Kind::Newline)
        {
            comments.push(format!("// open {at}"));
            out.push_str(&format!("// open {at}"));
        }
        let gap = next.is_some_and(|next| text[token.end..next.start].contains(' '));
        let is_sign = found == "-" && tokens[at - 1].text(text) == "log";
        let spaces = if is_sign { 0 } else { random.below(3) };
        out.push_str(&" ".repeat(spaces.max(usize::from(gap && !is_doc))));
    }
    (out, comments)
}

fn shape(text: &str) -> String {
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let (tree, diagnostics) = parse(&sources, file);
    assert!(
        !diagnostics.has_errors(),
        "{}\n{text}",
        crate::diagnostic::render(&diagnostics, &sources, crate::diagnostic::Style::Plain)
    );
    print(&tree)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn formatting_changes_no_meaning_and_loses_no_comment(seed in any::<u64>(), size in 1usize..6) {
        let printed = print(&random::tree(seed, size));
        let (text, comments) = disturbed(&printed, seed);
        prop_assert_eq!(shape(&text), printed.clone());
        let once = formatted(&text);
        prop_assert_eq!(shape(&once), printed, "{}", once);
        prop_assert_eq!(formatted(&once), once.clone(), "{}", text);
        let found: Vec<&str> = lex(&once)
            .into_iter()
            .filter(|token| matches!(token.kind, Kind::Comment { .. }))
            .map(|token| token.text(&once))
            .filter(|text| !text.starts_with("///"))
            .collect();
        prop_assert_eq!(found, comments);
        for line in once.lines() {
            prop_assert_eq!(line.trim_end(), line);
        }
    }
}
