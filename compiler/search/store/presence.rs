//! Which holders of claims still live: each keeps a file beside the database locked for as long as it does.
//!
//! The system drops a lock with its process, however that ends, so a file that another process can lock belongs
//! to a dead holder. Where a file system has no such locks there are no files, and claims end with their leases.
//! Locks that are not seen by other machines on a network file system cost a training done twice, never a
//! result. Callers hold the database's right to write, so that files are made and taken one process at a time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The locked file of a holder; removed with the value.
pub(super) struct Presence {
    file: Option<File>,
    path: PathBuf,
}

impl Presence {
    /// Makes and locks the file of `holder`; `None` where that cannot be done.
    pub(super) fn show(store: &Path, holder: &str) -> Option<Presence> {
        let folder = folder(store);
        std::fs::create_dir_all(&folder).ok()?;
        let path = folder.join(holder);
        let file = File::create_new(&path).ok()?;
        let locked = file.try_lock().is_ok();
        let presence = Presence { file: Some(file), path };
        locked.then_some(presence)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Some systems remove no open file.
        drop(self.file.take());
        // One that is left is taken for a dead holder's, which is what it is by then.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a holder lives; `None` where that cannot be told. Nobody's lock is in the way of this, nor is this in the
/// way of anybody: a holder is asked for only once it has its lock.
pub(super) fn lives(store: &Path, holder: &str) -> Option<bool> {
    if !is_holder(holder) {
        return Some(false);
    }
    let folder = folder(store);
    match File::open(folder.join(holder)) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Some(false),
            Err(TryLockError::WouldBlock) => Some(true),
            Err(TryLockError::Error(_)) => None,
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => Some(false),
        Err(_) => None,
    }
}

/// Removes the files of dead holders and gives their names.
pub(super) fn take_dead(store: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder(store)) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut dead: Vec<String> = names.filter(|name| is_holder(name) && is_dead(store, name)).collect();
    dead.sort();
    dead
}

fn is_dead(store: &Path, holder: &str) -> bool {
    let path = folder(store).join(holder);
    let Ok(file) = File::open(&path) else { return false };
    match file.try_lock() {
        Ok(()) => {
            drop(file);
            std::fs::remove_file(&path).is_ok()
        }
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}

/// Names that this module gives; whatever else lies in the folder is left alone.
fn is_holder(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn folder(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push("-alive");
    store.with_file_name(name)
}
