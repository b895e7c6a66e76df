//! Pictures in folders that are called like their classes.
//!
//! In: a folder or archive of `CLASS/.../picture.png`, `.jpg` or `.jpeg`, either in one or in parts called `train`,
//! `val` and `test`. Out: samples `[H, W, C]` of [`Element::U8`], `C` 1 or 3, all of one size. Deliberately not done
//! here: turning pictures as a camera's note in them says, keeping proportions, and anything but 8 bits a channel.

mod picture;

use std::collections::BTreeSet;
use std::path::Path;

use crate::data::bytes::join;
use crate::data::collect::{Collector, Part, Sample, Values, Wanted};
use crate::data::parts::parts_of;
use crate::data::table::Element;
use crate::data::{Reader, entries};
use crate::diagnostic::{Code, Diagnostic};

use picture::decode;

/// What pictures are not parted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageGroup {
    /// Nothing: each stands alone.
    #[default]
    None,
    /// The file, which is one picture: for lists of groups that have an entry for each sample.
    File,
}

/// Pictures in class folders. A picture has 4096 x 4096 pixels at most. Colours of 16 bits are rounded to 8, colour
/// tables are looked up, what is transparent is laid on black, and colour becomes grey by
/// `(77 R + 150 G + 29 B + 128) >> 8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFolder {
    /// The folder or archive, below the root. Without `train`, its folders (or archives) `train`, `val` (also `valid`,
    /// `validation`) and `test` (also `testing`) are the parts if there is a `train` and another one; `val` is for
    /// testing where there is no `test`. Otherwise it holds the folders of the classes, and shares decide.
    pub path: String,
    /// Folder or archive to train on, below `path`.
    pub train: Option<String>,
    /// Folder or archive to test on, below `path`; without it shares of `train` are.
    pub test: Option<String>,
    /// Height and width that pictures are brought to: by averages over areas where they shrink, by straight lines
    /// between pixels where they grow; proportions are not kept. Without it all have to be of one size.
    pub size: Option<(usize, usize)>,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Classes in the order of the network's outputs; without it the names of the folders are sorted.
    pub classes: Option<Vec<String>>,
    /// What pictures are not parted from.
    pub group: ImageGroup,
}

/// Where pictures are.
struct Place {
    source: String,
    /// The folder inside the source and the part that it is.
    parts: Vec<(Option<&'static str>, Option<Part>)>,
}

impl Reader for ImageFolder {
    fn element(&self, _root: &Path) -> Result<Element, Diagnostic> {
        Ok(Element::U8)
    }

    fn inputs(&self, root: &Path) -> Result<Vec<String>, Diagnostic> {
        // All that may be inside is then in one file, which need not be unpacked to know so.
        if self.train.is_none() && entries::is_archive(root, &self.path)? {
            return entries::list(root, &self.path);
        }
        let mut files = Vec::new();
        for place in self.places(root)? {
            files.extend(entries::list(root, &place.source)?);
        }
        Ok(files)
    }

    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic> {
        self.check()?;
        if let Some(classes) = &self.classes {
            into.declare(classes)?;
        }
        let mut classes = BTreeSet::new();
        for Place { source, parts } in self.places(root)? {
            let before = into.len();
            let mut here = BTreeSet::new();
            let folders = entries::walk(root, &source, &mut |entry| {
                let Some((inside, part)) = parts.iter().find_map(|&(folder, part)| match folder {
                    None => Some((entry.path, part)),
                    Some(folder) => Some((entry.path.strip_prefix(folder)?.strip_prefix('/')?, part)),
                }) else {
                    return Ok(());
                };
                let class = inside.split_once('/').map(|(class, _)| class.to_owned());
                if !self.is_wanted(class.as_deref()) || !is_picture(entry.path, class.is_some(), &entry)? {
                    return Ok(());
                }
                here.extend(class.clone());
                self.picture(class, part, entry, into)
            })?;
            if into.len() == before {
                let message = format!("`{}` has no pictures", source.escape_debug());
                return Err(Diagnostic::error(Code::DATA_MISSING, message)
                    .help("pictures are `CLASS/name.png`, `.jpg` or `.jpeg`"));
            }
            // Of the folders inside an archive only those of the parts are known.
            let are_classes = self.classes.is_none() && parts.iter().all(|(folder, _)| folder.is_none());
            if let Some(empty) = folders.iter().find(|&folder| are_classes && !here.contains(folder)) {
                return Err(
                    no_pictures(empty).help("remove the folder, or name the classes with `classes: [...]`")
                );
            }
            classes.extend(here);
        }
        match self.classes.iter().flatten().find(|&class| !classes.contains(class)) {
            None => Ok(()),
            Some(class) => {
                let found: Vec<String> =
                    classes.iter().take(20).map(|class| format!("`{}`", class.escape_debug())).collect();
                Err(no_pictures(class).help(match found.is_empty() {
                    true => "the source has no folders with pictures".to_owned(),
                    false => format!("there are pictures in the folders {}", found.join(", ")),
                }))
            }
        }
    }
}

fn no_pictures(class: &str) -> Diagnostic {
    let message = format!("the class `{}` is empty: no PNG or JPEG is in it", class.escape_debug());
    Diagnostic::error(Code::DATA_LABEL, message)
}

/// Pictures that have to be converted first.
const OTHERS: [&str; 9] = ["bmp", "gif", "webp", "tif", "tiff", "heic", "avif", "ppm", "pgm"];

/// Whether a file is a picture; an error for one of a class that is none of the kinds that are read.
fn is_picture(path: &str, is_in_class: bool, entry: &entries::Entry<'_>) -> Result<bool, Diagnostic> {
    let is_of = |known: &[&str]| known.iter().any(|known| ending(path).eq_ignore_ascii_case(known));
    if is_in_class && is_of(&OTHERS) {
        let message = format!("{} is no PNG or JPEG", entry.shown());
        return Err(Diagnostic::error(Code::DATA_FORMAT, message)
            .help("convert it: `convert FILE NEW.png`, or move it out of the class"));
    }
    Ok(is_of(&ENDINGS))
}

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

impl ImageFolder {
    fn check(&self) -> Result<(), Diagnostic> {
        if ![1, 3].contains(&self.channels) {
            let message = format!("pictures of {} channels; 1 or 3 are allowed", self.channels);
            return Err(Diagnostic::error(Code::DATA_SHAPE, message).help("1 is grey, 3 is colour"));
        }
        let allowed = 1..=picture::SIDE as usize;
        if let Some((height, width)) = self.size
            && !(allowed.contains(&height) && allowed.contains(&width))
        {
            let message = format!("a size of {height} x {width}; 1 to {} are allowed", picture::SIDE);
            return Err(Diagnostic::error(Code::DATA_LIMIT, message).help("change `size`"));
        }
        Ok(())
    }

    fn places(&self, root: &Path) -> Result<Vec<Place>, Diagnostic> {
        let whole = |source: String, part| Place { source, parts: vec![(None, part)] };
        let named = |name: &str| join(&self.path, name);
        if let Some(train) = &self.train {
            let Some(test) = &self.test else { return Ok(vec![whole(named(train), None)]) };
            return Ok(vec![whole(named(train), Some(Part::Train)), whole(named(test), Some(Part::Test))]);
        }
        // Folders or archives beside one another.
        let beside = parts_of(|name| entries::exists(root, &named(name)));
        if !beside.is_empty() {
            return Ok(beside.into_iter().map(|(name, part)| whole(named(name), Some(part))).collect());
        }
        // Folders inside an archive.
        let mut folders = BTreeSet::new();
        entries::walk(root, &self.path, &mut |entry| {
            if ENDINGS.iter().any(|known| ending(entry.path).eq_ignore_ascii_case(known))
                && let Some((folder, rest)) = entry.path.split_once('/')
                && rest.contains('/')
                && !folders.contains(folder)
            {
                folders.insert(folder.to_owned());
            }
            Ok(())
        })?;
        let inside = parts_of(|name| folders.contains(name));
        let parts = match inside.is_empty() {
            true => vec![(None, None)],
            false => inside.into_iter().map(|(name, part)| (Some(name), Some(part))).collect(),
        };
        Ok(vec![Place { source: self.path.clone(), parts }])
    }

    /// Whether pictures of this folder are asked for.
    fn is_wanted(&self, class: Option<&str>) -> bool {
        self.classes.as_ref().is_none_or(|known| known.iter().any(|known| Some(known.as_str()) == class))
    }

    fn picture(
        &self,
        class: Option<String>,
        part: Option<Part>,
        entry: entries::Entry<'_>,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let (file, shown) = (entry.file(), entry.shown());
        let Some(class) = &class else {
            let message = format!("{shown}: sample without label: the picture is in no class folder");
            return Err(Diagnostic::error(Code::DATA_LABEL, message)
                .help("move it into the folder of its class, or away"));
        };
        let mut picture = decode(entry.read()?, &shown)?.with_channels(self.channels);
        if let Some((height, width)) = self.size {
            picture = picture.resized(height, width);
        }
        let group = match self.group {
            ImageGroup::None => None,
            ImageGroup::File => Some(file.as_str()),
        };
        into.push(Sample {
            values: Values::U8(&picture.pixels),
            extents: [picture.height, picture.width, self.channels],
            wanted: Wanted::Class(class),
            file: &file,
            position: 0,
            group,
            part,
        })
    }
}

#[cfg(test)]
mod tests;
