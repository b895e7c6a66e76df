use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive of entries with names as they are, also those that a careful packer refuses.
fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for &(name, kind, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

const FILE: tar::EntryType = tar::EntryType::Regular;

fn files(root: &Path, name: &str) -> Result<Vec<(String, String, Vec<u8>)>, Diagnostic> {
    let mut found = Vec::new();
    walk(root, name, &mut |entry| {
        found.push((entry.path.to_owned(), entry.file(), entry.read()?.to_vec()));
        Ok(())
    })?;
    Ok(found)
}

fn paths(root: &Path, name: &str) -> Vec<String> {
    files(root, name).unwrap().into_iter().map(|(path, ..)| path).collect()
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[track_caller]
fn refused(root: &Path, name: &str, code: Code, parts: &[&str]) {
    // Not shown if it succeeds: it may be large.
    let diagnostic = files(root, name).map(|_| ()).unwrap_err();
    assert_eq!(diagnostic.code, code, "{}", diagnostic.message);
    assert!(!diagnostic.help.is_empty(), "no way out of: {}", diagnostic.message);
    for part in parts {
        assert!(diagnostic.message.contains(part), "`{part}` is not in: {}", diagnostic.message);
    }
    assert!(!diagnostic.message.contains(&root.display().to_string()), "{}", diagnostic.message);
}

#[test]
fn a_folder_and_its_archives_have_the_same_files() {
    let folder = folder();
    let root = folder.path();
    let contents: [(&str, &[u8]); 4] =
        [("b/z.wav", b"1"), ("b.wav", b"22"), ("a/deep/er/x.wav", b""), ("b/A.wav", b"4444")];
    for (path, bytes) in contents {
        put(root, &format!("in/set/{path}"), bytes);
    }
    for hidden in [".git/x", "b/.DS_Store", "__MACOSX/b/z.wav", "b/._z.wav"] {
        put(root, &format!("in/set/{hidden}"), b"no");
    }
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", root.join("in/set")).unwrap();
    let packed = builder.into_inner().unwrap();
    put(root, "as_tar/set.tar", &packed);
    put(root, "as_tar_gz/set.tar.gz", &gzip(&packed));
    let (first, second) = packed.split_at(700);
    put(root, "as_tgz/set.tgz", &[gzip(first), gzip(second)].concat());

    let expected = ["a/deep/er/x.wav", "b.wav", "b/A.wav", "b/z.wav"];
    assert_eq!(paths(root, "in/set"), expected, "sorted by the bytes of the path");
    assert_eq!(paths(root, "./in//set/"), expected);
    assert_eq!(files(root, "in/set").unwrap()[1], ("b.wav".into(), "in/set/b.wav".into(), b"22".to_vec()));
    assert_eq!(files(&root.join("in/set"), ".").unwrap()[1].1, "b.wav");
    for parent in ["as_tar", "as_tar_gz", "as_tgz"] {
        let mut found = files(root, &format!("{parent}/set")).unwrap();
        found.sort();
        let plain = files(root, "in/set").unwrap();
        let moved =
            plain.into_iter().map(|(path, file, bytes)| (path, file.replacen("in", parent, 1), bytes));
        assert_eq!(found, moved.collect::<Vec<_>>(), "{parent}");
    }
    assert_eq!(list(root, "in/set").unwrap(), expected.map(|path| format!("in/set/{path}")));
    assert_eq!(list(root, "as_tgz/set").unwrap(), ["as_tgz/set.tgz"]);
    assert_eq!(list(root, "as_tgz/set.tgz").unwrap(), ["as_tgz/set.tgz"]);
    std::fs::create_dir(root.join("in/set/empty")).unwrap();
    let folders = walk(root, "in/set", &mut |_| Ok(())).unwrap();
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), ["a", "b", "empty"]);
    let folders = walk(root, "as_tar/set", &mut |_| Ok(())).unwrap();
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert!(exists(root, "as_tar/set") && !exists(root, "as_tar/se"));
}

#[test]
fn an_archive_of_one_folder_of_its_name_is_that_folder() {
    let folder = folder();
    let root = folder.path();
    put(root, "in/set/b/z.wav", b"1");
    put(root, &format!("in/set/a/{}.wav", "long".repeat(40)), b"22");
    let pack = |name: &str, inside: &[&str]| {
        let mut builder = tar::Builder::new(Vec::new());
        for own in inside {
            builder.append_dir_all(own, root.join("in/set")).unwrap();
        }
        put(root, name, &gzip(&builder.into_inner().unwrap()));
    };
    pack("set.tar.gz", &["set"]);
    pack("other.tgz", &["set"]);
    pack("more.tgz", &["more", "set"]);
    let plain: Vec<String> = files(&root.join("in"), "set").unwrap().into_iter().map(|(_, f, _)| f).collect();
    let mut packed: Vec<String> = files(root, "set").unwrap().into_iter().map(|(_, f, _)| f).collect();
    packed.sort();
    assert_eq!(packed, plain);
    let tops = |name: &str| walk(root, name, &mut |_| Ok(())).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(tops("set"), ["a", "b"]);
    assert_eq!(tops("other"), ["set"], "the folder has another name");
    assert_eq!(tops("more"), ["more", "set"], "there is more than that folder");
}

#[test]
fn archives_keep_their_order_and_long_names() {
    let folder = folder();
    let root = folder.path();
    let long = format!("c/{}.wav", "long".repeat(60));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    for (path, bytes) in [("./z.wav", b"12"), (long.as_str(), b"34"), ("a.wav", b"56")] {
        header.set_size(2);
        builder.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    let pax = format!("c/{}.wav", "pax".repeat(60));
    builder.append_pax_extensions([("mtime", b"1.5".as_slice()), ("path", pax.as_bytes())]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_size(2);
    header.set_cksum();
    builder.append(&header, &b"78"[..]).unwrap();
    put(root, "set.tar", &builder.into_inner().unwrap());
    assert_eq!(paths(root, "set"), ["z.wav", &long, "a.wav", &pax]);
    // What is not read is skipped.
    let mut found = Vec::new();
    walk(root, "set", &mut |entry| {
        if entry.path == "a.wav" {
            found = entry.read()?.to_vec();
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(found, b"56");
}

#[test]
fn names_of_sources_are_confined_and_missing_ones_say_so() {
    let folder = folder();
    let root = &folder.path().join("root");
    put(root, "file.txt", b"");
    put(root, "notes/x.wav", b"");
    refused(root, "nothing", Code::DATA_MISSING, &["`nothing`", "`nothing.tar.gz`", "`nothing.tgz`"]);
    refused(root, "file.txt", Code::DATA_MISSING, &["`file.txt`", "neither a folder nor an archive"]);
    for outside in ["..", "../root", "notes/../../x", "/etc", "", "a\0b"] {
        refused(root, outside, Code::DATA_MISSING, &[]);
        assert!(list(root, outside).is_err() && !exists(root, outside));
        assert!(open_maybe_gz(root, outside).is_err());
    }
}

#[test]
fn entries_outside_of_an_archive_and_what_is_no_file_are_refused() {
    let folder = folder();
    let root = folder.path();
    let link = tar::EntryType::Symlink;
    for (name, kind, said) in [
        ("../x.wav", FILE, "path outside the folder"),
        ("a/../../x.wav", FILE, "path outside the folder"),
        ("/etc/passwd", FILE, "path outside the folder"),
        ("..", tar::EntryType::Directory, "path outside the folder"),
        ("a/link.wav", link, "is a link"),
        ("a/hard.wav", tar::EntryType::Link, "is a link"),
        ("a/device", tar::EntryType::Char, "neither a file nor a folder"),
        ("a/pipe", tar::EntryType::Fifo, "neither a file nor a folder"),
        ("a/sparse", tar::EntryType::GNUSparse, "neither a file nor a folder"),
    ] {
        put(root, "bad.tar", &tar_of(&[("ok.wav", FILE, b"ok"), (name, kind, b"")]));
        refused(root, "bad", Code::DATA_MISSING, &[&format!("`{name}` in `bad.tar`"), said]);
    }
    put(root, "bad.tar", &tar_of(&[(".hidden", link, b""), ("a/__MACOSX/x", link, b""), ("y", FILE, b"y")]));
    assert_eq!(paths(root, "bad"), ["y"]);
    // A name from a long header is checked like any other.
    put(root, "bad.tar", &tar_of(&[("long", tar::EntryType::GNULongName, b"../x\0"), ("y", FILE, b"y")]));
    refused(root, "bad", Code::DATA_MISSING, &["`../x` in `bad.tar`"]);
    let endless = vec![b'x'; limits::ENTRY_HEADER_BYTES as usize + 1];
    put(root, "bad.tar", &tar_of(&[("long", tar::EntryType::GNULongName, &endless), ("y", FILE, b"y")]));
    refused(root, "bad", Code::DATA_LIMIT, &["`bad.tar`"]);
}

#[test]
fn archives_that_are_cut_short_or_damaged_are_named() {
    let folder = folder();
    let root = folder.path();
    let noise: Vec<u8> = (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let whole = tar_of(&[("a.wav", FILE, &noise), ("b.wav", FILE, &noise)]);
    for cut in [100, 511, 512, 700, 15_000, 512 + 20_480, whole.len() - 1024] {
        put(root, "cut.tar", &whole[..cut]);
        refused(root, "cut", Code::DATA_FORMAT, &["`cut.tar` is cut short"]);
        let mut ignored = 0;
        let unread = walk(root, "cut", &mut |_| {
            ignored += 1;
            Ok(())
        });
        assert_eq!(unread.unwrap_err().code, Code::DATA_FORMAT);
    }
    put(root, "cut.tar", b"");
    refused(root, "cut", Code::DATA_FORMAT, &["`cut.tar`"]);
    let packed = gzip(&whole);
    for cut in [0, 5, 300, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
        put(root, "zip/cut.tar.gz", &packed[..cut]);
        refused(root, "zip/cut", Code::DATA_FORMAT, &["`zip/cut.tar.gz`"]);
    }
    let mut wrong = packed.clone();
    let check_sum = packed.len() - 7;
    wrong[check_sum] ^= 1;
    put(root, "zip/cut.tar.gz", &wrong);
    refused(root, "zip/cut", Code::DATA_FORMAT, &["`zip/cut.tar.gz`", "damaged"]);
    put(root, "zip/cut.tar.gz", &whole);
    refused(root, "zip/cut", Code::DATA_FORMAT, &["`zip/cut.tar.gz`", "damaged"]);
    put(root, "text.tar", &b"this is no archive ".repeat(100));
    refused(root, "text", Code::DATA_FORMAT, &["`text.tar`", "damaged"]);
}

#[test]
fn bombs_are_refused_while_they_unpack() {
    let folder = folder();
    let root = folder.path();
    // Zeros pack about a thousandfold.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros.wav").unwrap();
    header.set_size(100 << 20);
    header.set_cksum();
    encoder.write_all(header.as_bytes()).unwrap();
    for _ in 0..=100 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    put(root, "bomb.tar.gz", &encoder.finish().unwrap());
    refused(root, "bomb", Code::DATA_LIMIT, &["`bomb.tar.gz`", "200 times"]);
    let unread = walk(root, "bomb", &mut |_| Ok(()));
    assert_eq!(unread.unwrap_err().code, Code::DATA_LIMIT, "also what nobody reads");

    let mut stream = open_maybe_gz(root, "bomb.tar.gz").unwrap();
    let error = std::io::copy(&mut stream, &mut std::io::sink()).unwrap_err();
    assert_eq!(unreadable(&stream.get_ref().name, &error).code, Code::DATA_LIMIT);
    put(root, "huge.tar", {
        header.set_size(limits::ENTRY_BYTES + 1);
        header.set_cksum();
        header.as_bytes()
    });
    refused(root, "huge", Code::DATA_LIMIT, &["`zeros.wav` in `huge.tar`", "256 MiB"]);
}

#[test]
fn one_file_is_read_plain_or_packed() {
    let folder = folder();
    let root = folder.path();
    put(root, "x/a.npy", b"plain");
    put(root, "x/b.npy.gz", &gzip(b"packed"));
    let read = |name: &str| {
        let mut text = String::new();
        let mut stream = open_maybe_gz(root, name)?;
        stream.read_to_string(&mut text).map_err(|error| unreadable(&stream.get_ref().name, &error))?;
        Ok::<_, Diagnostic>(text)
    };
    assert_eq!(read("x/a.npy").unwrap(), "plain");
    assert_eq!(read("./x/b.npy.gz").unwrap(), "packed");
    assert_eq!(read("x").unwrap_err().code, Code::DATA_MISSING);
    assert!(read("x/c.npy").unwrap_err().message.contains("`x/c.npy`"));
    put(root, "x/b.npy.gz", &gzip(b"packed")[..12]);
    assert_eq!(read("x/b.npy.gz").unwrap_err().code, Code::DATA_FORMAT);
    // The reader of lines says the same.
    let stream = open_maybe_gz(root, "x/b.npy.gz").unwrap();
    let mut lines = crate::data::place::Lines::new(stream, "x/b.npy.gz".to_owned());
    assert_eq!(lines.next_line().unwrap_err().code, Code::DATA_FORMAT);
}

#[cfg(unix)]
#[test]
fn links_stay_inside_and_circles_end() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let root = &folder.path().join("root");
    put(folder.path(), "secret/x.wav", b"secret");
    put(root, "set/a/x.wav", b"1");
    put(root, "elsewhere/y.wav", b"2");
    symlink("x.wav", root.join("set/a/same.wav")).unwrap();
    symlink("../elsewhere", root.join("set/b")).unwrap();
    assert_eq!(paths(root, "set"), ["a/same.wav", "a/x.wav", "b/y.wav"]);

    symlink("../../../secret/x.wav", root.join("set/a/out.wav")).unwrap();
    refused(root, "set", Code::DATA_MISSING, &["`set/a/out.wav` leads out of the data folder"]);
    std::fs::remove_file(root.join("set/a/out.wav")).unwrap();
    symlink(folder.path().join("secret"), root.join("set/c")).unwrap();
    refused(root, "set", Code::DATA_MISSING, &["`set/c` leads out of the data folder"]);
    refused(root, "set/c", Code::DATA_MISSING, &["`set/c` leads out of the data folder"]);
    std::fs::remove_file(root.join("set/c")).unwrap();
    symlink("..", root.join("set/a/up")).unwrap();
    refused(root, "set", Code::DATA_MISSING, &["`set/a/up` leads to a folder it lies in"]);
    std::fs::remove_file(root.join("set/a/up")).unwrap();
    symlink("nowhere", root.join("set/a/dangling.wav")).unwrap();
    refused(root, "set", Code::DATA_MISSING, &["the link `set/a/dangling.wav` leads nowhere"]);
    std::fs::remove_file(root.join("set/a/dangling.wav")).unwrap();
    symlink("self.wav", root.join("set/a/self.wav")).unwrap();
    refused(root, "set", Code::DATA_MISSING, &["the link `set/a/self.wav` leads nowhere"]);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let root = folder.path();
    std::fs::create_dir(root.join("set")).unwrap();
    std::fs::write(root.join("set").join(std::ffi::OsStr::from_bytes(b"a\xff.wav")), b"").unwrap();
    let diagnostic = files(root, "set").unwrap_err();
    assert!(diagnostic.message.contains("not UTF-8"), "{}", diagnostic.message);
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..2].copy_from_slice(b"a\xff");
    header.set_size(0);
    header.set_cksum();
    put(root, "bad.tar", header.as_bytes());
    refused(root, "bad", Code::DATA_MISSING, &["`bad.tar`", "not UTF-8"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    use std::fs::Permissions;
    #[cfg(unix)]
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let root = folder.path();
    put(root, "set/a.wav", b"1");
    #[cfg(unix)]
    {
        std::fs::set_permissions(root.join("set/a.wav"), Permissions::from_mode(0o000)).unwrap();
        // Who may do everything reads it all the same.
        if File::open(root.join("set/a.wav")).is_err() {
            refused(root, "set", Code::DATA_MISSING, &["`set/a.wav`", "cannot be read"]);
        }
    }
}

proptest! {
    #[test]
    fn no_archive_makes_the_walk_panic(
        changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..8),
        cut in 0usize..4096,
    ) {
        let folder = folder();
        let mut bytes = tar_of(&[
            ("a.wav", FILE, b"some bytes"),
            ("long", tar::EntryType::GNULongName, b"b/c.wav\0"),
            ("b", FILE, b"others"),
        ]);
        for &(at, value) in &changes {
            let length = bytes.len();
            bytes[at % length] = value;
        }
        for start in [0, 1024, 2048] {
            // With a right check sum, so that other fields are reached.
            let mut header = tar::Header::from_byte_slice(&bytes[start..start + 512]).clone();
            header.set_cksum();
            bytes[start..start + 512].copy_from_slice(header.as_bytes());
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 2048));
        put(folder.path(), "x.tar", &bytes);
        let _ = files(folder.path(), "x");
    }
}
