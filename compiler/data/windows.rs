//! Recordings cut into windows.
//!
//! In: rows of numbers one by one, each with a mark. Out: every `hop` rows the last `length` of them. Memory holds one
//! window. Deliberately not done here: rows at the end of a recording that fill no window are left out.

use std::collections::{BTreeMap, VecDeque};

use crate::data::limits;
use crate::diagnostic::{Code, Diagnostic};

/// How to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cutter {
    /// Rows of a window.
    pub(super) length: usize,
    /// Rows from one window to the next.
    pub(super) hop: usize,
}

impl Cutter {
    /// Windows of `length` rows every `hop` rows; without it they follow one another.
    ///
    /// # Errors
    /// E0706 for windows without rows, or of more than a sample may have.
    pub(super) fn new(length: usize, hop: Option<usize>) -> Result<Cutter, Diagnostic> {
        let hop = hop.unwrap_or(length);
        if length == 0 || hop == 0 || length > limits::VALUES {
            let message = format!(
                "a window of {length} rows every {hop} rows; 1 to {} are allowed for both",
                limits::VALUES
            );
            return Err(Diagnostic::error(Code::DATA_LIMIT, message).help("change `window` or `hop`"));
        }
        Ok(Cutter { length, hop })
    }
}

/// Rows of a recording on their way into windows; `T` is one number, `M` what is kept of a row beside its numbers.
pub(super) struct Windows<T, M> {
    cutter: Cutter,
    values: VecDeque<T>,
    marks: VecDeque<M>,
    /// Rows to pass over, where windows do not touch.
    skip: usize,
}

impl<T: Copy, M> Windows<T, M> {
    /// Without rows yet.
    pub(super) fn new(cutter: Cutter) -> Windows<T, M> {
        Windows { cutter, values: VecDeque::new(), marks: VecDeque::new(), skip: 0 }
    }

    /// Another recording starts.
    pub(super) fn restart(&mut self) {
        self.values.clear();
        self.marks.clear();
        self.skip = 0;
    }

    /// Takes a row. Where it completes a window, gives its numbers, row by row, and the marks of its rows.
    pub(super) fn push(&mut self, row: &[T], mark: M) -> Option<(&[T], &[M])> {
        let Cutter { length, hop } = self.cutter;
        if self.marks.len() == length {
            let gone = hop.min(length);
            self.marks.drain(..gone);
            self.values.drain(..(gone * row.len()).min(self.values.len()));
            self.skip = hop - gone;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.values.extend(row);
        self.marks.push_back(mark);
        if self.marks.len() < length {
            return None;
        }
        Some((self.values.make_contiguous(), self.marks.make_contiguous()))
    }
}

/// The label that most rows of a window have; of several, the one that comes last in it.
pub(super) fn majority<'a>(labels: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (row, label) in labels.enumerate() {
        let known = counts.entry(label).or_default();
        *known = (known.0 + 1, row);
    }
    counts.into_iter().max_by_key(|&(_, rank)| rank).map(|(label, _)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_touch_or_leave_gaps() {
        let cut = |length, hop, rows: i32| -> Vec<Vec<i32>> {
            let mut windows = Windows::new(Cutter::new(length, hop).expect("a good window"));
            (0..rows)
                .filter_map(|row| {
                    let (values, marks) = windows.push(&[row, -row], row)?;
                    assert_eq!(values.iter().step_by(2).copied().collect::<Vec<_>>(), marks);
                    Some(marks.to_vec())
                })
                .collect()
        };
        assert_eq!(cut(3, Some(1), 5), [[0, 1, 2], [1, 2, 3], [2, 3, 4]]);
        assert_eq!(cut(3, None, 8), [[0, 1, 2], [3, 4, 5]]);
        assert_eq!(cut(2, Some(3), 8), [[0, 1], [3, 4], [6, 7]]);
        assert!(cut(3, None, 2).is_empty());
        assert!(Cutter::new(0, None).is_err() && Cutter::new(3, Some(0)).is_err());
        assert!(Cutter::new(usize::MAX, Some(1)).is_err());
    }

    #[test]
    fn the_majority_wins_and_ties_go_to_the_later_row() {
        assert_eq!(majority(["a", "b", "a"].into_iter()), Some("a"));
        assert_eq!(majority(["b", "a"].into_iter()), Some("a"));
        assert_eq!(majority(["a", "b"].into_iter()), Some("b"));
        assert_eq!(majority(std::iter::empty()), None);
    }
}
