//! Tables of text for a terminal.

use std::fmt::Write as _;

/// Lines of cells, two spaces apart, all two spaces in: words to the left, columns of numbers to the right.
pub(super) fn columns(head: &[&str], rows: &[Vec<String>]) -> String {
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let is_number = |text: &String| {
        let text = text.trim_end_matches([' ', '%', 'B']);
        text.is_empty() || text == "-" || text.parse::<f64>().is_ok()
    };
    let right: Vec<bool> = (0..head.len())
        .map(|column| !rows.is_empty() && rows.iter().all(|row| is_number(&cell(row, column))))
        .collect();
    let width = |column: usize| {
        let widest = rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        widest.max(head[column].chars().count())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = String::new();
    let mut line = |cells: Vec<String>| {
        let cells = cells.iter().zip(&widths).zip(&right).map(|((cell, &width), &right)| {
            if right { format!("  {cell:>width$}") } else { format!("  {cell:<width$}") }
        });
        let line: String = cells.collect();
        let _ = writeln!(out, "{}", line.trim_end());
    };
    line(head.iter().map(|&title| title.to_owned()).collect());
    for row in rows {
        line((0..head.len()).map(|column| cell(row, column)).collect());
    }
    out
}
