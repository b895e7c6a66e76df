//! States of unfinished trainings: a file for each beside the database, by the trial's key.
//!
//! A file appears whole or not at all, since it is written under another name first, and starts with the digest of
//! the rest. One that is damaged or missing costs the time of a training, never a result; so nothing here fails a
//! search. Two holders of one trial write the same states, since a state follows from the key alone.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::search::key::{TrialKey, sha256_hex};

/// Bytes of a state: weights of the largest network, and as much again for each of an optimiser's memories.
const STATE_BYTES: u64 = 3 * (256 << 20);
/// Hexadecimal digits of a digest.
const DIGEST: usize = 64;

/// Keeps a state in place of an earlier one; `holder` is part of the name that it is written under.
pub(super) fn keep(store: &Path, key: &TrialKey, holder: &str, state: &[u8]) -> std::io::Result<()> {
    let folder = folder(store);
    fs::create_dir_all(&folder)?;
    let unfinished = folder.join(format!("{key}.{holder}"));
    let written =
        write(&unfinished, state).and_then(|()| fs::rename(&unfinished, folder.join(key.to_string())));
    if written.is_err() {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write(path: &Path, state: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(sha256_hex(state).as_bytes())?;
    file.write_all(state)?;
    file.sync_all()
}

/// The state that was kept last, if it is whole.
pub(super) fn kept(store: &Path, key: &TrialKey) -> Option<Vec<u8>> {
    let path = folder(store).join(key.to_string());
    if fs::metadata(&path).ok()?.len() > STATE_BYTES {
        return None;
    }
    let mut bytes = fs::read(path).ok()?;
    let state = bytes.get(DIGEST..)?;
    if sha256_hex(state).as_bytes() != &bytes[..DIGEST] {
        return None;
    }
    bytes.drain(..DIGEST);
    Some(bytes)
}

/// Removes the state of a trial that is finished, and what killed processes left while they wrote it.
pub(super) fn forget(store: &Path, key: &TrialKey) {
    let Ok(entries) = fs::read_dir(folder(store)) else { return };
    let key = key.to_string();
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&key)) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_file(entry.path());
    }
}

fn folder(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push("-states");
    store.with_file_name(name)
}
