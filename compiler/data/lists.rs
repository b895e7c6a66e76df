//! Lists of the samples of each part, one name a line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::data::collect::{Collection, Part};
use crate::data::place::{confine, open};
use crate::diagnostic::{Code, Diagnostic};

/// Words that a first line has where it names columns.
const HEADINGS: [&str; 4] = ["path", "file", "filename", "name"];

/// The part of each sample by the lists for training, validation and test, which lie below `root`. Without one for
/// training, all that no other lists are training samples; with one, what no list names is left out.
///
/// # Errors
/// E0701 for a missing list, E0704 for a name that is listed twice or is not among the data's files.
pub(super) fn parts(
    data: &Collection,
    lists: [Option<&str>; 3],
    root: &Path,
) -> Result<Vec<Option<Part>>, Diagnostic> {
    let known: BTreeMap<&str, u32> = data.files.iter().map(String::as_str).zip(0..).collect();
    // Lists that come with a set name what is in its folder, wherever that lies.
    let folder = common_folder(&data.files);
    let find =
        |name: &str| known.get(name).or_else(|| known.get(format!("{folder}{name}").as_str())).copied();
    let mut of_file: BTreeMap<u32, Part> = BTreeMap::new();
    for (part, list) in Part::ALL.into_iter().zip(lists) {
        let Some(list) = list else { continue };
        for (line, name) in names(list, root)? {
            let Some(file) = find(&name) else {
                return Err(not_there(list, line, &name, data));
            };
            if let Some(earlier) = of_file.insert(file, part) {
                let message = format!(
                    "`{list}`, line {line}: `{}` is in the list for {} already",
                    name.escape_debug(),
                    earlier.name()
                );
                return Err(Diagnostic::error(Code::DATA_SPLIT, message).help("name each file once"));
            }
        }
    }
    let rest = lists[0].is_none().then_some(Part::Train);
    Ok(data.origins.iter().map(|origin| of_file.get(&origin.file).copied().or(rest)).collect())
}

/// The folder that all files are in, with a `/` at its end; empty where there is none.
fn common_folder(files: &[String]) -> &str {
    let Some(first) = files.first() else { return "" };
    let shared = |length: usize| files.iter().all(|file| file.starts_with(&first[..length]));
    let ends = first.match_indices('/').map(|(at, _)| at + 1);
    ends.take_while(|&end| shared(end)).last().map_or("", |end| &first[..end])
}

/// The names of a list with their lines: the first column, where there are several.
fn names(list: &str, root: &Path) -> Result<Vec<(usize, String)>, Diagnostic> {
    let mut lines = open(&confine(root, list)?)?;
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    while let Some(line) = lines.next_line()? {
        let name = line.split([',', ';', '\t']).next().unwrap_or_default().trim().trim_matches('"');
        let name = name.strip_prefix("./").unwrap_or(name).to_owned();
        let is_heading = found.is_empty() && HEADINGS.contains(&name.to_ascii_lowercase().as_str());
        if name.is_empty() || name.starts_with('#') || is_heading || !seen.insert(name.clone()) {
            continue;
        }
        found.push((lines.number(), name));
    }
    Ok(found)
}

fn not_there(list: &str, line: usize, name: &str, data: &Collection) -> Diagnostic {
    let message = format!("`{list}`, line {line}: there is no file `{}` in the data", name.escape_debug());
    let near = crate::diagnostic::nearest(name, data.files.iter().take(10_000).map(String::as_str));
    let help = match (near, data.files.first()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(first)) => {
            format!("names are those below the folder of `source`, such as `{}`", first.escape_debug())
        }
        (None, None) => "the data has no files".to_owned(),
    };
    Diagnostic::error(Code::DATA_SPLIT, message).help(help)
}
