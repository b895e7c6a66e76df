//! `with "base.nas"`: a spec as a variant of another.
//!
//! The base's items are taken over. An item of the variant takes the place of its namesake: a `let`, `param`, `block`
//! or `phase` of the same name, the model; sections and targets key by key; a line of `require` or `prefer` with the
//! same metric and targets. Objectives of the variant take the place of all the base's. A base is no variant itself,
//! so that one look at two files says everything.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::Files;
use crate::elaborate::library::{inside, parse, stdlib_names, stdlib_text};
use crate::elaborate::scope::unknown;
use crate::source::SourceMap;
use crate::syntax::ast::{self, ItemKind, UsePath};
use crate::syntax::print_expr;

/// Puts the items of the base below those of `tree`; nothing where it names none.
pub(super) fn take_base(
    tree: &mut ast::File,
    sources: &mut SourceMap,
    files: &dyn Files,
    out: &mut Diagnostics,
) {
    let mut bases = tree.items.iter().filter_map(|item| match &item.kind {
        ItemKind::With(path) => Some((path.clone(), item.span)),
        _ => None,
    });
    let Some((path, first)) = bases.next() else { return };
    if let Some((_, second)) = bases.next() {
        let error = Diagnostic::error(Code::DUPLICATE_NAME, "a spec is a variant of one other");
        out.push(error.at(second, "a second base").at(first, "the first base"));
        return;
    }
    let name = match &path {
        UsePath::Library(name) | UsePath::File(name) => name.clone(),
    };
    let text = match read(&path, files) {
        Ok(text) => text,
        Err(error) => return out.push(error),
    };
    let mut base = parse(&name.text, &text, sources, out);
    if let Some(item) = base.items.iter().find(|item| matches!(item.kind, ItemKind::With(_))) {
        let error = Diagnostic::error(Code::NOT_ALLOWED, "the base of a variant is a variant itself");
        let error = error.at(name.span, "taken as a base here").at(item.span, "and a variant here");
        out.push(error.help("name the first base here, and repeat what the file between them changes"));
        return;
    }
    move_uses(&mut base, &path);
    let own = std::mem::take(&mut tree.items);
    tree.items = merged(base.items, own);
}

fn read(path: &UsePath, files: &dyn Files) -> Result<String, Diagnostic> {
    match path {
        UsePath::Library(name) => stdlib_text(&name.text).map(str::to_owned).ok_or_else(|| {
            let known = stdlib_names("spaces");
            unknown("spec of the standard library", &name.text, name.span, known.iter().map(String::as_str))
        }),
        UsePath::File(name) => {
            inside(name)?;
            files.read(&name.text).map_err(|problem| {
                let message = format!("`{}` cannot be read: {problem}", name.text);
                Diagnostic::error(Code::UNKNOWN_NAME, message).at(name.span, "named here")
            })
        }
    }
}

/// Paths in a base are relative to its folder, paths in the variant to that of the variant.
fn move_uses(base: &mut ast::File, path: &UsePath) {
    let UsePath::File(name) = path else { return };
    let Some((folder, _)) = name.text.rsplit_once('/') else { return };
    for item in &mut base.items {
        if let ItemKind::Use(ast::Use { path: UsePath::File(used), .. }) = &mut item.kind {
            used.text = format!("{folder}/{}", used.text);
        }
    }
}

/// What two items have in common if one takes the other's place; `None` for items that only add.
fn place(item: &ItemKind) -> Option<(&'static str, &str)> {
    match item {
        ItemKind::Let(item) | ItemKind::Param(item) => Some(("value", &item.name.text)),
        ItemKind::Block(block) => Some(("block", &block.name.text)),
        ItemKind::Model(_) => Some(("model", "")),
        ItemKind::Section(section) => Some(("section", &section.name.text)),
        ItemKind::Phase(phase) => Some(("phase", &phase.name.text)),
        ItemKind::Target(target) => Some(("target", &target.name.text)),
        ItemKind::Use(_)
        | ItemKind::With(_)
        | ItemKind::Forbid(_)
        | ItemKind::Require(_)
        | ItemKind::Prefer(_)
        | ItemKind::Objective(_) => None,
    }
}

fn merged(base: Vec<ast::Item>, own: Vec<ast::Item>) -> Vec<ast::Item> {
    let mut items = base;
    if own.iter().any(|item| matches!(item.kind, ItemKind::Objective(_))) {
        items.retain(|item| !matches!(item.kind, ItemKind::Objective(_)));
    }
    let of_base = items.len();
    for mut item in own {
        match &item.kind {
            ItemKind::With(_) => continue,
            ItemKind::Require(clauses) => drop_clauses(&mut items[..of_base], clauses, true),
            ItemKind::Prefer(clauses) => drop_clauses(&mut items[..of_base], clauses, false),
            _ => {}
        }
        let wanted = place(&item.kind);
        let is_namesake = |known: &ast::Item| wanted.is_some() && place(&known.kind) == wanted;
        match items[..of_base].iter().position(is_namesake) {
            Some(at) => {
                merge_fields(&items[at].kind, &mut item.kind);
                items[at] = item;
            }
            None => items.push(item),
        }
    }
    items
}

/// Sections and targets keep the keys of the base that the variant does not give.
fn merge_fields(base: &ItemKind, own: &mut ItemKind) {
    let (before, fields) = match (base, own) {
        (ItemKind::Section(base), ItemKind::Section(own)) | (ItemKind::Phase(base), ItemKind::Phase(own)) => {
            (&base.fields, &mut own.fields)
        }
        (ItemKind::Target(base), ItemKind::Target(own)) => (&base.fields, &mut own.fields),
        _ => return,
    };
    let is_own = |field: &&ast::Field| fields.iter().any(|own| own.key.text == field.key.text);
    let kept: Vec<ast::Field> = before.iter().filter(|field| !is_own(field)).cloned().collect();
    fields.splice(0..0, kept);
}

/// Takes the clauses out of the base that the variant gives anew.
fn drop_clauses(base: &mut [ast::Item], own: &ast::Requirements, is_require: bool) {
    let key = |clause: &ast::Requirement| {
        let mut on: Vec<String> = clause.on.iter().map(print_expr).collect();
        on.sort();
        (print_expr(&clause.metric), on)
    };
    let given: Vec<_> = own.clauses.iter().map(key).collect();
    for item in base {
        if let (ItemKind::Require(clauses), true) | (ItemKind::Prefer(clauses), false) =
            (&mut item.kind, is_require)
        {
            clauses.clauses.retain(|clause| !given.contains(&key(clause)));
        }
    }
}
