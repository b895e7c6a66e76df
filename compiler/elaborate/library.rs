//! The standard library and what `use` takes from it.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::scope::{twice, unknown};
use crate::elaborate::{Files, layers};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::{self, ast};

include!(concat!(env!("OUT_DIR"), "/stdlib.rs"));

/// Files of one compilation; more is refused.
const MAX_FILES: usize = 256;

/// A block with the module that it is declared in.
pub(super) struct Block {
    /// As written.
    pub definition: ast::Definition,
    /// Whose names its body sees.
    pub module: usize,
}

/// A file: its tree and the blocks that its names stand for.
pub(super) struct Module {
    /// The tree.
    pub tree: ast::File,
    /// Names of blocks, own and used: index into [`Library::blocks`] and where the name is declared.
    pub names: IndexMap<String, (usize, Span)>,
    /// Values that a `use` takes: the name here, the module and the name there.
    pub values: Vec<(ast::Name, usize, String)>,
    /// Names of a `use` that gave nothing, which has been told.
    pub missing: BTreeSet<String>,
}

/// Every file that a spec needs, the spec first.
#[derive(Default)]
pub(super) struct Library {
    /// The files.
    pub modules: Vec<Module>,
    /// The blocks of all of them.
    pub blocks: Vec<Block>,
    /// The modules, each after those whose values it takes.
    pub order: Vec<usize>,
    by_path: IndexMap<String, usize>,
}

/// The files of the standard library below a folder, with their trees: `targets` gives every target.
pub(super) fn stdlib(folder: &str, sources: &mut SourceMap, out: &mut Diagnostics) -> Vec<ast::File> {
    let prefix = format!("{folder}/");
    let files = STDLIB_FILES.iter().filter(|(path, _)| path.starts_with(&prefix));
    files.map(|(path, text)| parse(&format!("std/{path}"), text, sources, out)).collect()
}

/// The names that a file gives values.
fn values_of(tree: &ast::File) -> impl Iterator<Item = &str> {
    tree.items.iter().filter_map(|item| match &item.kind {
        ast::ItemKind::Let(item) | ast::ItemKind::Param(item) => Some(item.name.text.as_str()),
        _ => None,
    })
}

/// The text of a file of the standard library, `std/spaces/mcunet` with or without `.nas`.
pub(super) fn stdlib_text(path: &str) -> Option<&'static str> {
    let path = path.strip_prefix("std/")?;
    let path = path.strip_suffix(".nas").unwrap_or(path);
    STDLIB_FILES.iter().find(|(known, _)| known.strip_suffix(".nas") == Some(path)).map(|(_, text)| *text)
}

/// The files of the standard library below a folder, as `std/spaces/mcunet`.
pub(super) fn stdlib_names(folder: &str) -> Vec<String> {
    let prefix = format!("{folder}/");
    let files = STDLIB_FILES.iter().filter(|(path, _)| path.starts_with(&prefix));
    files.filter_map(|(path, _)| Some(format!("std/{}", path.strip_suffix(".nas")?))).collect()
}

/// The block of `std/blocks` that a name means: in other letters, or in the words of other tools.
pub(super) fn block_meant(name: &str) -> Option<&'static str> {
    let bare = |name: &str| name.to_ascii_lowercase().replace('_', "");
    let wanted = match bare(name).as_str() {
        "separableconv2d" | "separableconv" | "sepconv" | "dsconv2d" => "dsconv".to_owned(),
        "invertedresidual" => "mbconv".to_owned(),
        "se" | "seblock" => "squeezeexcite".to_owned(),
        other => other.to_owned(),
    };
    let files = STDLIB_FILES.iter().filter(|(path, _)| path.starts_with("blocks/"));
    let lines = files.flat_map(|(_, text)| text.lines());
    let mut blocks = lines.filter_map(|line| line.strip_prefix("block ")?.split('(').next()).map(str::trim);
    blocks.find(|block| bare(block) == wanted)
}

pub(super) fn parse(name: &str, text: &str, sources: &mut SourceMap, out: &mut Diagnostics) -> ast::File {
    let file = sources.add(name, text);
    let (tree, diagnostics) = syntax::parse(sources, file);
    out.extend(diagnostics);
    tree
}

/// E0204 for a path that leaves the folder of the spec.
pub(super) fn inside(name: &ast::Name) -> Result<(), Diagnostic> {
    let mut parts = name.text.split(['/', '\\']);
    if name.text.contains(':') || parts.any(|part| matches!(part, "" | "." | "..")) {
        let message = format!("`{}` is not a path below the folder of the spec", name.text);
        let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(name.span, "not allowed");
        return Err(error.help("write the path from the spec's folder down: `\"blocks/mine.nas\"`"));
    }
    Ok(())
}

/// The name that a used block has here.
fn local(name: &ast::UseName) -> &ast::Name {
    name.alias.as_ref().unwrap_or(&name.name)
}

impl Library {
    /// Takes a spec and, one after the other, the files that it uses.
    pub(super) fn load(
        tree: ast::File,
        sources: &mut SourceMap,
        files: &dyn Files,
        out: &mut Diagnostics,
    ) -> Library {
        let mut library = Library::default();
        library.add_module(tree, out);
        let mut next = 0;
        while next < library.modules.len() {
            let uses: Vec<ast::Use> = library.modules[next]
                .tree
                .items
                .iter()
                .filter_map(|item| match &item.kind {
                    ast::ItemKind::Use(item) => Some(item.clone()),
                    _ => None,
                })
                .collect();
            for item in uses {
                library.take(next, &item, sources, files, out);
            }
            next += 1;
        }
        library.sort(out);
        library
    }

    /// Puts the modules in an order in which values are known before they are taken.
    fn sort(&mut self, out: &mut Diagnostics) {
        let mut done = vec![false; self.modules.len()];
        while self.order.len() < self.modules.len() {
            let ready = (0..self.modules.len()).find(|&module| {
                !done[module] && self.modules[module].values.iter().all(|(_, from, _)| done[*from])
            });
            let next = ready.unwrap_or_else(|| self.circle(&done, out));
            done[next] = true;
            self.order.push(next);
        }
    }

    /// A module of a circle of files that are not done, each of which takes values from the next; tells it.
    fn circle(&self, done: &[bool], out: &mut Diagnostics) -> usize {
        let waits_for = |module: usize| self.modules[module].values.iter().find(|(_, from, _)| !done[*from]);
        let mut path: Vec<usize> = Vec::new();
        let mut at = done.iter().position(|done| !done).unwrap_or(0);
        while !path.contains(&at) {
            path.push(at);
            at = waits_for(at).map_or(at, |(_, from, _)| *from);
        }
        let start = path.iter().position(|&module| module == at).unwrap_or(0);
        let mut error =
            Diagnostic::error(Code::NOT_ALLOWED, "files take values from one another in a circle");
        for (name, ..) in path[start..].iter().filter_map(|&module| waits_for(module)) {
            error = error.at(name.span, "on the circle");
        }
        out.push(error.help("put the shared values into a file of their own"));
        at
    }

    fn add_module(&mut self, tree: ast::File, out: &mut Diagnostics) -> usize {
        let module = self.modules.len();
        let mut names: IndexMap<String, (usize, Span)> = IndexMap::new();
        for item in &tree.items {
            let ast::ItemKind::Block(definition) = &item.kind else { continue };
            let name = &definition.name;
            if layers::find(&name.text).is_some() {
                let message = format!("`{}` is a built-in layer", name.text);
                out.push(
                    Diagnostic::error(Code::DUPLICATE_NAME, message).at(name.span, "give it another name"),
                );
            }
            if let Some((_, first)) = names.get(&name.text) {
                out.push(twice(&name.text, name.span, *first));
                continue;
            }
            names.insert(name.text.clone(), (self.blocks.len(), name.span));
            self.blocks.push(Block { definition: definition.clone(), module });
        }
        self.modules.push(Module { tree, names, values: Vec::new(), missing: BTreeSet::new() });
        module
    }

    /// The modules that a path stands for: a file, or all files of a folder of the standard library.
    fn resolve(
        &mut self,
        path: &ast::UsePath,
        sources: &mut SourceMap,
        files: &dyn Files,
        out: &mut Diagnostics,
    ) -> Result<Vec<usize>, Diagnostic> {
        let mut found: Vec<(String, String)> = Vec::new();
        let name = match path {
            ast::UsePath::Library(name) => {
                let folder = name.text.strip_prefix("std/").unwrap_or("");
                let below =
                    |path: &str| path == format!("{folder}.nas") || path.starts_with(&format!("{folder}/"));
                let inside = STDLIB_FILES.iter().filter(|(path, _)| below(path));
                found.extend(inside.map(|(path, text)| (format!("std/{path}"), (*text).to_owned())));
                name
            }
            ast::UsePath::File(name) => {
                inside(name)?;
                let text = files.read(&name.text).map_err(|problem| {
                    let message = format!("`{}` cannot be read: {problem}", name.text);
                    Diagnostic::error(Code::UNKNOWN_NAME, message).at(name.span, "used here")
                })?;
                found.push((name.text.clone(), text));
                name
            }
        };
        if found.is_empty() {
            let folders = STDLIB_FILES.iter().filter_map(|(path, _)| path.rsplit_once('/'));
            let mut known: Vec<String> = folders.map(|(folder, _)| format!("std/{folder}")).collect();
            known.dedup();
            // `blocks` alone is meant as `std/blocks`.
            let whole = format!("std/{}", name.text);
            let error = unknown("library", &name.text, name.span, known.iter().map(String::as_str));
            return Err(match known.contains(&whole) {
                true => Diagnostic { help: vec![format!("did you mean `{whole}`?")], ..error },
                false => error,
            });
        }
        if self.modules.len() + found.len() > MAX_FILES {
            let message = format!("a spec uses more than {MAX_FILES} files");
            return Err(Diagnostic::error(Code::TOO_LARGE, message).at(name.span, ""));
        }
        Ok(found.into_iter().map(|(path, text)| self.module(&path, &text, sources, out)).collect())
    }

    fn module(&mut self, path: &str, text: &str, sources: &mut SourceMap, out: &mut Diagnostics) -> usize {
        if let Some(&module) = self.by_path.get(path) {
            return module;
        }
        let tree = parse(path, text, sources, out);
        let module = self.add_module(tree, out);
        self.by_path.insert(path.to_owned(), module);
        module
    }

    fn take(
        &mut self,
        into: usize,
        item: &ast::Use,
        sources: &mut SourceMap,
        files: &dyn Files,
        out: &mut Diagnostics,
    ) {
        let modules = match self.resolve(&item.path, sources, files, out) {
            Ok(modules) => modules,
            Err(error) => {
                out.push(error);
                return self.modules[into]
                    .missing
                    .extend(item.names.iter().map(|name| local(name).text.clone()));
            }
        };
        for wanted in &item.names {
            let block = modules.iter().find_map(|&module| {
                let &(block, _) = self.modules[module].names.get(&wanted.name.text)?;
                Some(block)
            });
            let value = modules
                .iter()
                .find(|&&module| values_of(&self.modules[module].tree).any(|name| name == wanted.name.text));
            if let (None, Some(&module)) = (block, value) {
                self.modules[into].values.push((local(wanted).clone(), module, wanted.name.text.clone()));
                continue;
            }
            let Some(block) = block else {
                let blocks = modules.iter().flat_map(|&module| self.modules[module].names.keys());
                let values = modules.iter().flat_map(|&module| values_of(&self.modules[module].tree));
                let known: Vec<&str> = blocks.map(String::as_str).chain(values).collect();
                out.push(unknown("block or value", &wanted.name.text, wanted.name.span, known));
                self.modules[into].missing.insert(local(wanted).text.clone());
                continue;
            };
            let name = local(wanted);
            match self.modules[into].names.get(&name.text) {
                Some(&(_, first)) => out.push(twice(&name.text, name.span, first)),
                None => {
                    self.modules[into].names.insert(name.text.clone(), (block, name.span));
                }
            }
        }
    }

    /// The file of the spec itself.
    pub(super) fn spec(&self) -> &ast::File {
        &self.modules[0].tree
    }

    /// Which file that is.
    pub(super) fn spec_file(&self) -> FileId {
        self.modules[0].tree.file
    }
}
