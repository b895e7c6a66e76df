//! The speaker in the name of a file.
//!
//! In: a pattern such as `{}_nohash_*` and a name without its ending. Out: the speaker, where the name matches. `{}`
//! is the speaker, at least one character and none of them `_` or `/`; `*` is anything; all else is itself. Before a
//! `{}` that comes first more may stand, up to a `_`: `backward_0a7c2a8d_nohash_3` is of the speaker `0a7c2a8d`. Where
//! several matches are possible, the speaker is as far right and as short as can be.

enum Piece<'a> {
    Text(&'a str),
    Speaker,
    Anything,
}

/// The speaker in `name`; `None` if it does not match.
pub(super) fn speaker<'a>(pattern: &str, name: &'a str) -> Option<&'a str> {
    let pieces = pieces(pattern);
    let begins = matches!(pieces.first(), Some(Piece::Speaker));
    let whole = found(&pieces, name);
    if whole.is_some() || !begins {
        return whole;
    }
    let before = [Piece::Anything, Piece::Text("_")];
    found(&before.into_iter().chain(pieces).collect::<Vec<_>>(), name)
}

fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), pattern);
    while !rest.is_empty() {
        let next = [rest.find("{}"), rest.find('*')].into_iter().flatten().min().unwrap_or(rest.len());
        if next > 0 {
            pieces.push(Piece::Text(&rest[..next]));
        }
        rest = &rest[next..];
        if let Some(after) = rest.strip_prefix("{}") {
            pieces.push(Piece::Speaker);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('*') {
            pieces.push(Piece::Anything);
            rest = after;
        }
    }
    pieces
}

fn found<'a>(pieces: &[Piece<'_>], name: &'a str) -> Option<&'a str> {
    // What did not match once is not tried again, so that no pattern takes long.
    let mut failed = vec![false; (pieces.len() + 1) * (name.len() + 1)];
    let (start, end) = rest_matches(pieces, 0, name, 0, &mut failed)?.filter(|(start, end)| start < end)?;
    name.get(start..end)
}

/// Where the speaker is, if the pieces from `piece` on match the name from `at` on; `Some(None)` where there is none.
#[expect(clippy::option_option, reason = "no match and a match without a speaker are two things")]
fn rest_matches(
    pieces: &[Piece<'_>],
    piece: usize,
    name: &str,
    at: usize,
    failed: &mut [bool],
) -> Option<Option<(usize, usize)>> {
    let place = piece * (name.len() + 1) + at;
    if failed[place] {
        return None;
    }
    let rest = &name[at..];
    let mut then = |next: usize| rest_matches(pieces, piece + 1, name, at + next, failed);
    let ends = || (0..=rest.len()).filter(|&end| rest.is_char_boundary(end));
    let result = match pieces.get(piece) {
        None => rest.is_empty().then_some(None),
        Some(Piece::Text(text)) => rest.starts_with(text).then(|| then(text.len())).flatten(),
        Some(Piece::Anything) => ends().rev().find_map(then),
        Some(Piece::Speaker) => {
            let most = rest.find(['_', '/']).unwrap_or(rest.len());
            ends()
                .skip(1)
                .take_while(|&end| end <= most)
                .find_map(|end| then(end).map(|later| later.or(Some((at, at + end)))))
        }
    };
    failed[place] |= result.is_none();
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::speaker;

    #[test]
    fn speakers_of_usual_names() {
        for (pattern, name, expected) in [
            ("{}_nohash_*", "0a7c2a8d_nohash_3", Some("0a7c2a8d")),
            ("{}_nohash_*", "backward_0a7c2a8d_nohash_3", Some("0a7c2a8d")),
            ("{}_nohash_*", "two_words_0a7c2a8d_nohash_0", Some("0a7c2a8d")),
            ("{}_nohash_*", "1177", None),
            ("{}_nohash_*", "_nohash_3", None),
            ("{}_nohash_*", "x__nohash_3", None),
            ("*_{}_*", "0_george_14", Some("george")),
            ("*_{}_*", "a_b_c_d", Some("c")),
            ("*-{}", "x-anna", Some("anna")),
            ("{}", "anna", Some("anna")),
            ("{}", "a_anna", Some("anna")),
            ("s{}-*", "s07-1", Some("07")),
            ("s{}-*", "as07-1", None),
            ("*{}", "ab", Some("b")),
            ("{}_é*", "zoë_éa", Some("zoë")),
            ("*", "anna", None),
            ("", "", None),
        ] {
            assert_eq!(speaker(pattern, name), expected, "{pattern} {name}");
        }
        let many = "*a".repeat(200) + "{}";
        assert_eq!(speaker(&many, &"a".repeat(1000)).map(str::len), None.or(Some(1)));
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in "[a_é{}*]{0,8}", name in "[a_é{}*/]{0,10}") {
            if let Some(found) = speaker(&pattern, &name) {
                prop_assert!(!found.is_empty() && !found.contains(['_', '/']) && name.contains(found));
            }
        }
    }
}
