//! The outside world: files, time, the terminal, Ctrl-C.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nasc::pipeline::Files;
use nasc::search::Clock;

/// Files on disk.
pub(crate) struct Disk;

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        remove_leftovers(folder, path);
        let mut written = replace(path, content);
        for _ in 0..10 {
            match &written {
                // Another process took the new file for a leftover before it was locked.
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder.exists() => {
                    written = replace(path, content);
                }
                _ => break,
            }
        }
        written
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// Writes a temporary file, waits until it is on the disk, and renames it, so that nobody ever sees half of it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let mut file = std::fs::File::create(&temporary)?;
    // Where there are no locks, leftovers stay.
    let _ = file.try_lock();
    let written = io::Write::write_all(&mut file, content)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Removes the temporary files for `path` that killed processes left in its folder: those that nobody has locked.
fn remove_leftovers(folder: &Path, path: &Path) {
    let (Some(stem), Ok(entries)) = (path.file_name(), std::fs::read_dir(folder)) else { return };
    let stem = format!("{}.", stem.to_string_lossy());
    for entry in entries.flatten() {
        let name = entry.file_name();
        let middle = name.to_str().and_then(|name| name.strip_prefix(&stem)?.strip_suffix(".tmp"));
        let ours = middle.and_then(|middle| middle.split_once('-')).is_some_and(|(process, number)| {
            [process, number].iter().all(|part| part.parse::<u32>().is_ok())
        });
        let left = ours && std::fs::File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if left {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Time of day, for leases and budgets.
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }

    fn millis(&self) -> u64 {
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    fn pause(&self) {
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Number of cores that this process may use.
pub(crate) fn n_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes that this process may take: what is free of the machine's memory, or of its control group's if that is less.
/// `None` where the system does not say.
pub(crate) fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok();
    let free = text.as_deref().and_then(available);
    free.into_iter().chain(group_memory()).min()
}

/// What `/proc/meminfo` says is available.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the control group of this process has left; version 2 of them alone.
fn group_memory() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    let root = Path::new("/sys/fs/cgroup");
    // Every group above has a say too.
    let groups = root.join(own);
    let groups = groups.ancestors().take_while(|group| group.starts_with(root));
    groups.filter_map(left_in).min()
}

fn left_in(group: &Path) -> Option<u64> {
    let number = |name: &str| std::fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number("memory.max").into_iter().chain(number("memory.high")).min()?;
    // What files keep in memory is given back when it is wanted.
    let kept = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let kept = kept.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
    let taken = number("memory.current").unwrap_or(0).saturating_sub(kept.unwrap_or(0));
    Some(limit.saturating_sub(taken))
}

static CANCEL: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub(crate) fn is_cancelled() -> bool {
    CANCEL.load(Ordering::SeqCst)
}

/// What is said once the end is wanted.
pub(crate) const STOPPING: &str = "stopping after the current step; press Ctrl-C again to stop at once";

/// Exit code of a process that a second Ctrl-C ended: what shells give one that the signal ended.
const INTERRUPTED: i32 = 130;

/// A flag that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process at once. Both leave a resumable state.
pub(crate) fn cancelled() -> &'static AtomicBool {
    let handler = || {
        if CANCEL.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
        // In a terminal it is part of the block that is drawn there.
        if !io::IsTerminal::is_terminal(&io::stderr()) {
            let _ = io::Write::write_all(&mut io::stderr(), format!("{STOPPING}\n").as_bytes());
        }
    };
    // Where no handler can be set Ctrl-C ends the process at once, which is safe too.
    let _ = ctrlc::set_handler(handler);
    &CANCEL
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn free_memory_is_read() {
        let text = "MemTotal:       16 kB\nMemFree:  2 kB\nMemAvailable:    12 kB\nBuffers: 1 kB\n";
        assert_eq!(available(text), Some(12 * 1024));
        assert_eq!(available("MemTotal: 16 kB\n"), None);
        assert_eq!(available("MemAvailable: 99999999999999999999 kB"), None);
    }
}
