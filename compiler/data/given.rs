//! Data for a network that exists: what a path outside any spec holds follows from the path and from what the network
//! takes.
//!
//! In: a path and a front end. Out: a source and the root that it is read below. Only what needs no further word is
//! taken: class folders, and formats that carry their labels. Deliberately not done here: tables, arrays and records,
//! whose columns, labels and extents only a spec tells.

use std::path::{Path, PathBuf};

use crate::data::place::unreadable;
use crate::data::{
    AudioFolder, AudioGroup, Cifar, CifarLabel, Element, FrontEnd, Idx, ImageFolder, ImageGroup, Reader as _,
    Source,
};
use crate::diagnostic::{Code, Diagnostic};

/// Extents of a picture of CIFAR.
const CIFAR: [usize; 3] = [32, 32, 3];

/// The source that `path` is for a network behind `front_end`, and the folder that the source is relative to.
///
/// # Errors
/// E0701 for a path that is not there, or that only a spec can tell how to read.
pub fn given(path: &Path, front_end: &FrontEnd) -> Result<(Source, PathBuf), Diagnostic> {
    let shown = path.display().to_string();
    // Links that are named on the command line are followed: the user has put them there.
    let real = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Diagnostic::error(Code::DATA_MISSING, format!("there is no `{}`", shown.escape_debug()))
                .help("give a folder of class folders, an archive of one, a `.ts` file or a spec")
        }
        _ => unreadable(&shown, &error),
    })?;
    if real.is_dir() {
        return match folder(".", front_end, &real) {
            Some(source) => Ok((source, real)),
            None => Err(untold(&shown, front_end)),
        };
    }
    let name = real.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let root = real.parent().unwrap_or(Path::new("")).to_owned();
    let source = match [".tar", ".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending)) {
        true => folder(name, front_end, &root),
        false => file(name, front_end),
    };
    source.map(|source| (source, root)).ok_or_else(|| untold(&shown, front_end))
}

/// Class folders, in a folder or an archive.
fn folder(name: &str, front_end: &FrontEnd, root: &Path) -> Option<Source> {
    let path = name.to_owned();
    if let FrontEnd::Audio(audio) = front_end {
        let spec = audio.spec();
        return Some(Source::AudioFolder(AudioFolder {
            path,
            train: None,
            test: None,
            rate: spec.rate,
            // The chip hears at one rate, whatever the recordings have.
            resample: true,
            length: Some(spec.length),
            hop: None,
            quiet: None,
            classes: None,
            group: AudioGroup::None,
        }));
    }
    let [height, width, channels] = pictures(front_end)?;
    let cifar = Cifar { path: path.clone(), train: None, test: None, label: CifarLabel::Only };
    if front_end.raw_extents() == CIFAR && name == "." && cifar.inputs(root).is_ok() {
        return Some(Source::Cifar(cifar));
    }
    Some(Source::ImageFolder(ImageFolder {
        path,
        train: None,
        test: None,
        size: Some((height, width)),
        channels,
        classes: None,
        group: ImageGroup::None,
    }))
}

/// One file that carries its labels, or has them beside it under the name that its publisher gave.
fn file(name: &str, front_end: &FrontEnd) -> Option<Source> {
    let extents = pictures(front_end)?;
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    if name.contains("idx3") && labels != name {
        return Some(Source::Idx(Idx {
            train: name.to_owned(),
            train_labels: Some(labels),
            test: None,
            test_labels: None,
            classes: None,
        }));
    }
    let is_records = name.ends_with(".bin") || name.ends_with(".bin.gz");
    (extents == CIFAR && is_records).then(|| {
        let train = Some(vec![name.to_owned()]);
        Source::Cifar(Cifar { path: ".".to_owned(), train, test: None, label: CifarLabel::Only })
    })
}

/// The extents of what the network takes, if it takes pictures.
fn pictures(front_end: &FrontEnd) -> Option<[usize; 3]> {
    let extents = front_end.raw_extents();
    (front_end.element() == Element::U8 && [1, 3].contains(&extents[2])).then_some(extents)
}

fn untold(shown: &str, front_end: &FrontEnd) -> Diagnostic {
    let read = match front_end {
        FrontEnd::Audio(_) => "a folder or archive of class folders with WAV files",
        _ if pictures(front_end).is_some() => {
            "a folder or archive of class folders with PNG or JPEG files, and files of MNIST and CIFAR-10"
        }
        _ => "`.ts` files",
    };
    let message = format!("a bundle does not tell how `{}` is to be read", shown.escape_debug());
    Diagnostic::error(Code::DATA_MISSING, message)
        .note(format!("for this network it reads {read}"))
        .help("name a spec whose section `data` reads it: `nasc eval BUNDLE --data SPEC.nas`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Audio, AudioSpec, Stream};

    fn listening() -> FrontEnd {
        let stream = Stream { every: 10, smooth: 1 };
        let spec = AudioSpec {
            rate: 16_000,
            length: 16_000,
            frame: 640,
            hop: 320,
            filters: 40,
            low: 20.0,
            high: 8_000.0,
            coefficients: Some(10),
            stream,
        };
        FrontEnd::Audio(Audio::new(spec).expect("a sound front end"))
    }

    fn seeing(extents: [usize; 3]) -> FrontEnd {
        FrontEnd::Values { element: Element::U8, extents }
    }

    #[test]
    fn the_front_end_tells_what_a_path_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let put = |name: &str| std::fs::write(dir.path().join(name), b"\x01").expect("a file");
        ["t.tar.gz", "x.csv", "t10k-images-idx3-ubyte.gz", "test_batch.bin"].into_iter().for_each(put);
        let of = |name: &str, front_end: &FrontEnd| given(&dir.path().join(name), front_end);
        let (source, root) = of("", &listening()).expect("a folder");
        assert!(
            matches!(&source, Source::AudioFolder(AudioFolder { path, resample: true, .. }) if path == ".")
        );
        assert_eq!(root, dir.path().canonicalize().expect("a folder"));
        let (source, _) = of("t.tar.gz", &seeing([9, 8, 3])).expect("an archive");
        let Source::ImageFolder(folder) = source else { panic!("{source:?}") };
        assert_eq!((folder.path.as_str(), folder.size, folder.channels), ("t.tar.gz", Some((9, 8)), 3));
        let (source, _) = of("t10k-images-idx3-ubyte.gz", &seeing([28, 28, 1])).expect("pictures");
        let Source::Idx(idx) = source else { panic!("{source:?}") };
        assert_eq!(idx.train_labels.as_deref(), Some("t10k-labels-idx1-ubyte.gz"));
        assert!(matches!(of("test_batch.bin", &seeing(CIFAR)).expect("records").0, Source::Cifar(_)));
        let floats = FrontEnd::Values { element: Element::F32, extents: [1, 1, 3] };
        for (name, front_end) in [("x.csv", &floats), ("", &floats), ("x.csv", &listening())] {
            let error = of(name, front_end).expect_err("only a spec can tell");
            assert!(error.help[0].contains("--data SPEC.nas"), "{error:?}");
        }
        assert!(of("gone", &floats).expect_err("nothing").message.contains("gone"));
    }
}
