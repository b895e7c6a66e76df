//! What people who come from Python, Keras or PyTorch write for a value, and how it is said here.

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::scope::unknown;
use crate::elaborate::value::FUNCTIONS;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::print_expr;

/// Calls of other tools that make a range.
const RANGES: [&str; 9] =
    ["range", "arange", "linspace", "xrange", "randint", "uniform", "quniform", "int", "Int"];

/// Calls of other tools that make a set.
const SETS: [&str; 5] = ["choice", "choices", "categorical", "one_of", "oneof"];

/// E0201 or E0301 for what cannot be a value of the model.
pub(super) fn no_value(expr: &Expr) -> Diagnostic {
    let message = format!("`{}` is no value of a model", print_expr(expr));
    let error = Diagnostic::error(Code::TYPE, message);
    let error = error.at(expr.span, "expected a number, a pair, a word, a range or a set");
    match &expr.kind {
        ExprKind::List(values) => {
            let written: Vec<String> = values.iter().map(print_expr).collect();
            let written = written.join(", ");
            error.help(match values.len() {
                1 => format!("one value stands without brackets: `{written}`"),
                2 => format!("a set to choose from is written `{{{written}}}`, a pair `({written})`"),
                _ => format!("a set to choose from is written `{{{written}}}`, a shape `({written})`"),
            })
        }
        ExprKind::Call(call) => {
            let name = call.name.text.as_str();
            let is = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(name));
            if is(&RANGES) {
                return error.help("a range is written `8..32` or `8..32 step 8`, with both ends");
            }
            if is(&SETS) {
                return error.help("a set to choose from is written `{3, 5}`");
            }
            unknown("function", name, call.name.span, FUNCTIONS.iter().map(|known| known.0))
        }
        _ => error.help("comparisons stand in `when` and `forbid`"),
    }
}
