//! A network as a C99 library: header, code, tables, self-test, CMake file and a page for people.
//!
//! The code is clean under `-std=c99 -Wall -Wextra -Wconversion -Wpedantic -Werror` and as C++11, allocates
//! nothing, needs `memmove` and nothing else of the standard library, and has no external symbol without the
//! network's prefix.

pub(super) mod audio;
mod expr;
mod front_end;
mod function;
mod header;
mod helper;
mod names;
mod ports;
mod readme;
mod reconstruction;
mod self_test;
mod source;
mod weights;

use crate::emit::{Bundle, Network};

pub(super) use names::is_reserved;

/// What every text of the bundle needs: the network with its prefixes.
struct Context<'a> {
    network: &'a Network<'a>,
    /// Prefix of symbols.
    name: &'a str,
    /// Prefix of macros.
    upper: String,
}

impl Context<'_> {
    /// Replaces `@` by the name and `$` by the name in capitals.
    fn fill(&self, text: &str) -> String {
        text.replace('@', self.name).replace('$', &self.upper)
    }
}

/// The C library of a network.
///
/// # Panics
/// When the network breaks what [`Network`] says of its fields, which is a bug of the pass before.
pub fn emit_c(network: &Network<'_>) -> Bundle {
    network.check();
    let context = Context { network, name: network.name, upper: network.name.to_uppercase() };
    let mut bundle = Bundle::default();
    bundle.add(format!("{}.h", network.name), header::header(&context));
    bundle.add(format!("{}.c", network.name), source::source(&context));
    bundle.add(format!("{}_weights.c", network.name), weights::weights(&context));
    bundle.add(format!("{}_test.c", network.name), self_test::self_test(&context));
    bundle.add("CMakeLists.txt", readme::cmake(&context));
    bundle.add("README.md", readme::readme(&context));
    bundle
}

/// Name of the symbol of a table, none of the front end's.
fn table_symbol(context: &Context<'_>, table: &str) -> String {
    format!("{}_{}", context.name, apart(context, table))
}

/// A name of the network's that none of the front end can be.
fn apart(context: &Context<'_>, name: &str) -> String {
    let taken = [audio::PREFIX, front_end::PREFIX].iter().any(|prefix| name.starts_with(prefix));
    if taken && context.network.raw.is_some() { format!("{name}_") } else { name.to_owned() }
}

/// Numbers in rows of at most 100 columns.
fn rows<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    let mut row = String::from("   ");
    for value in values {
        let piece = format!(" {value},");
        if row.len() + piece.len() > 100 {
            out.push_str(&row);
            out.push('\n');
            row = String::from("   ");
        }
        row.push_str(&piece);
    }
    out.push_str(&row);
    out.push('\n');
    out
}
