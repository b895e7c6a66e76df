//! What running searches tell of themselves, read without being in their way.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::diagnostic::Diagnostic;
use crate::search::store::presence;
use crate::search::store::sqlite::{SEARCHES, failure};

/// Bytes that are told of one search; it is a thousand or two.
const TEXT_BYTES: i64 = 1 << 16;
/// How long a writer is waited for where the file system has no write-ahead log.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one process told of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which search, as it called it.
    pub search: String,
    /// Whether the process lives; `None` where the file system cannot tell.
    pub lives: Option<bool>,
    /// What it told last.
    pub text: String,
}

/// What is told of all searches on a store, the latest first; nothing where there is no store. The file is opened for
/// reading alone.
///
/// # Errors
/// E0802 if it cannot be read.
pub fn told(path: &Path) -> Result<Vec<Told>, Diagnostic> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    read(path).map_err(|error| failure(path, &error))
}

fn read(path: &Path) -> rusqlite::Result<Vec<Told>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // The file may come from anyone: a view in the table's place is not asked.
    let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
    let found: Option<String> = connection.query_row(sql, [SEARCHES.0], |row| row.get(0)).optional()?;
    if found.as_deref() != Some(SEARCHES.1) {
        return Ok(Vec::new());
    }
    let sql = "SELECT search, holder, text FROM searches WHERE length(text) <= ?1 ORDER BY rowid DESC";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([TEXT_BYTES], |row| {
        let holder: String = row.get(1)?;
        Ok(Told { search: row.get(0)?, lives: presence::lives(path, &holder), text: row.get(2)? })
    })?;
    rows.collect()
}
