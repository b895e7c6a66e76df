//! The store on disk: one SQLite file that any number of processes on one machine may use at once.
//!
//! Write-ahead log with full synchronisation: each claim and each result is one transaction, so a process
//! killed at any instant leaves the file as it was after its last one. A claim ends with its lease, or at once
//! when its process is seen to be dead ([`presence`](crate::search::store)). The file may come from anyone: its
//! schema must be ours to the letter (no triggers, no views), every record carries a digest and the weights a
//! hash, and both are checked when read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};

use crate::diagnostic::{Code, Diagnostic};
use crate::search::key::{TrialKey, sha256_hex};
use crate::search::outcome::Record;
use crate::search::store::presence::{Presence, take_dead};
use crate::search::store::{Claim, Lease, Store, states};

/// Version of the schema; grows with every change to [`SCHEMA`].
const VERSION: i64 = 2;
/// Name and text of everything in the file.
const SCHEMA: [(&str, &str); 3] = [
    SEARCHES,
    ("store", "CREATE TABLE store (version INTEGER NOT NULL) STRICT"),
    (
        "trials",
        "CREATE TABLE trials (key TEXT PRIMARY KEY NOT NULL, holder TEXT, expires INTEGER, \
         record TEXT, digest TEXT, weights BLOB) STRICT",
    ),
];
/// What version 1 did not have: what is told of searches.
pub(super) const SEARCHES: (&str, &str) = (
    "searches",
    "CREATE TABLE searches (search TEXT NOT NULL, holder TEXT NOT NULL, text TEXT NOT NULL, \
     PRIMARY KEY (search, holder)) STRICT",
);
/// Searches that are told of at most: the newest.
const TOLD: i64 = 32;
/// Bytes of a record; one has a few hundred.
const RECORD_BYTES: i64 = 1 << 20;
/// Bytes of the weights of one network.
const WEIGHTS_BYTES: i64 = 256 << 20;
/// Seconds that a lease can have left. One with more was made with a clock that is now set back, and is void.
const LEASE_SECONDS: u64 = 86_400;
/// How long a transaction of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Trials in a SQLite file.
pub struct SqliteStore {
    connection: Mutex<Connection>,
    path: PathBuf,
    /// Random, so that no two holders are ever taken for one.
    holder: String,
    /// Shows other processes that this holder lives; `None` where the file system has no locks.
    _presence: Option<Presence>,
}

impl SqliteStore {
    /// Opens the store at `path`, and makes it and its folder if they are not there.
    ///
    /// # Errors
    /// E0802 if it cannot be opened or written, is damaged, is no store of nasc or one of a later version.
    pub fn open(path: &Path) -> Result<SqliteStore, Diagnostic> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| unusable(path, &error.to_string()))?;
        }
        let fail = |error| failure(path, &error);
        let mut connection = connect(path).map_err(fail)?;
        prepare(&mut connection, path)?;
        write_ahead(&connection).map_err(fail)?;
        let holder: String =
            connection.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0)).map_err(fail)?;
        // One transaction, so that no other process takes the new lock file for one that a dead process left.
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        free_claims_of_dead(&transaction, path).map_err(fail)?;
        let presence = Presence::show(path, &holder);
        transaction.commit().map_err(fail)?;
        let connection = Mutex::new(connection);
        Ok(SqliteStore { connection, path: path.to_owned(), holder, _presence: presence })
    }

    /// Opens the store at `path` if there is one.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn existing(path: &Path) -> Result<Option<SqliteStore>, Diagnostic> {
        path.exists().then(|| SqliteStore::open(path)).transpose()
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `body` as one transaction that has the right to write from the start.
    fn write<T>(
        &self,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Diagnostic>,
    ) -> Result<T, Diagnostic> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failure(&self.path, &error))?;
        let result = body(&transaction)?;
        transaction.commit().map_err(|error| failure(&self.path, &error))?;
        Ok(result)
    }

    fn execute(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<usize, Diagnostic> {
        self.write(|transaction| {
            transaction.execute(sql, values).map_err(|error| failure(&self.path, &error))
        })
    }

    fn record(&self, connection: &Connection, key: &TrialKey) -> Result<Option<Record>, Diagnostic> {
        let sql = "SELECT key, iif(length(record) > ?2, '', record), digest FROM trials \
                   WHERE key = ?1 AND record IS NOT NULL";
        let row = connection
            .query_row(sql, params![key.to_string(), RECORD_BYTES], raw_record)
            .optional()
            .map_err(|error| failure(&self.path, &error))?;
        row.map(|row| self.checked(&row).map(|(_, record)| record)).transpose()
    }

    fn checked(&self, (key, record, digest): &RawRecord) -> Result<(TrialKey, Record), Diagnostic> {
        let parsed_key = TrialKey::parse(key).ok_or_else(|| damaged(&self.path, "a trial has no key"))?;
        if *digest != record_digest(&parsed_key, record) {
            return Err(damaged(&self.path, &format!("the record of trial {key} does not match its digest")));
        }
        let parsed = Record::from_json(record).map_err(|error| {
            damaged(&self.path, &format!("the record of trial {key} is not readable: {error}"))
        })?;
        Ok((parsed_key, parsed))
    }
}

impl Drop for SqliteStore {
    /// Nobody trains for a store that is gone, so what it had claimed is free.
    fn drop(&mut self) {
        // A claim that stays ends with its lease.
        let _ = self.execute("DELETE FROM trials WHERE holder = ?1 AND record IS NULL", &[&self.holder]);
    }
}

type RawRecord = (String, String, String);

fn raw_record(row: &Row<'_>) -> rusqlite::Result<RawRecord> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn record_digest(key: &TrialKey, record: &str) -> String {
    sha256_hex(format!("{key}\n{record}").as_bytes())
}

fn seconds(x: u64) -> i64 {
    i64::try_from(x).unwrap_or(i64::MAX)
}

impl Store for SqliteStore {
    fn claim(&self, key: &TrialKey, lease: Lease) -> Result<Claim, Diagnostic> {
        self.write(|transaction| {
            if let Some(record) = self.record(transaction, key)? {
                return Ok(Claim::Done(Box::new(record)));
            }
            let sql = "INSERT INTO trials (key, holder, expires) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (key) DO UPDATE SET holder = ?2, expires = ?3 \
                       WHERE holder IS NULL OR holder = ?2 OR expires <= ?4 OR expires > ?5";
            let horizon = seconds(lease.now.saturating_add(LEASE_SECONDS));
            let values =
                params![key.to_string(), self.holder, seconds(lease.expires()), seconds(lease.now), horizon];
            let fail = |error| failure(&self.path, &error);
            let mut n_changed = transaction.execute(sql, values).map_err(fail)?;
            if n_changed == 0 && free_claims_of_dead(transaction, &self.path).map_err(fail)? {
                n_changed = transaction.execute(sql, values).map_err(fail)?;
            }
            Ok(if n_changed == 0 { Claim::Busy } else { Claim::Mine })
        })
    }

    fn heartbeat(&self, key: &TrialKey, lease: Lease) -> Result<bool, Diagnostic> {
        let sql = "UPDATE trials SET expires = ?3 WHERE key = ?1 AND holder = ?2 AND record IS NULL";
        let n_changed = self.execute(sql, params![key.to_string(), self.holder, seconds(lease.expires())])?;
        Ok(n_changed == 1)
    }

    fn release(&self, key: &TrialKey) -> Result<(), Diagnostic> {
        let sql = "DELETE FROM trials WHERE key = ?1 AND holder = ?2 AND record IS NULL";
        self.execute(sql, params![key.to_string(), self.holder]).map(drop)
    }

    fn finish(&self, key: &TrialKey, record: &Record, weights: &[u8]) -> Result<Record, Diagnostic> {
        let json = record.to_json();
        if json.len() as i64 > RECORD_BYTES || weights.len() as i64 > WEIGHTS_BYTES {
            return Err(unusable(&self.path, &format!("trial {key} is larger than the store takes")));
        }
        let kept = self.write(|transaction| {
            if let Some(kept) = self.record(transaction, key)? {
                return Ok(kept);
            }
            let sql = "INSERT INTO trials (key, record, digest, weights) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (key) DO UPDATE \
                       SET holder = NULL, expires = NULL, record = ?2, digest = ?3, weights = ?4";
            transaction
                .execute(sql, params![key.to_string(), json, record_digest(key, &json), weights])
                .map_err(|error| failure(&self.path, &error))?;
            Ok(record.clone())
        })?;
        states::forget(&self.path, key);
        Ok(kept)
    }

    fn keep(&self, key: &TrialKey, state: &[u8]) -> Result<(), Diagnostic> {
        states::keep(&self.path, key, &self.holder, state)
            .map_err(|error| unusable(&self.path, &format!("the state of trial {key}: {error}")))
    }

    fn kept(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic> {
        Ok(states::kept(&self.path, key))
    }

    fn get(&self, key: &TrialKey) -> Result<Option<Record>, Diagnostic> {
        self.record(&self.connection(), key)
    }

    fn weights(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic> {
        let connection = self.connection();
        let Some(record) = self.record(&connection, key)? else { return Ok(None) };
        let sql = "SELECT weights FROM trials WHERE key = ?1 AND length(weights) <= ?2";
        let weights: Option<Vec<u8>> = connection
            .query_row(sql, params![key.to_string(), WEIGHTS_BYTES], |row| row.get(0))
            .optional()
            .map_err(|error| failure(&self.path, &error))?;
        match weights {
            Some(weights) if sha256_hex(&weights) == record.weights_hash => Ok(Some(weights)),
            _ => Err(damaged(&self.path, &format!("the weights of trial {key} do not match their hash"))),
        }
    }

    /// Not waited for until it is on the disk: a machine that loses power loses what runs as well.
    fn tell(&self, search: &str, text: &str) -> Result<(), Diagnostic> {
        let fail = |error| failure(&self.path, &error);
        let mut connection = self.connection();
        connection.pragma_update(None, "synchronous", "normal").map_err(fail)?;
        let told = tell(&mut connection, &self.holder, search, text);
        connection.pragma_update(None, "synchronous", "full").map_err(fail)?;
        told.map_err(fail)
    }

    fn all(&self) -> Result<Vec<(TrialKey, Record)>, Diagnostic> {
        let connection = self.connection();
        let fail = |error| failure(&self.path, &error);
        let sql = "SELECT key, iif(length(record) > ?1, '', record), digest FROM trials \
                   WHERE record IS NOT NULL ORDER BY key";
        let mut statement = connection.prepare(sql).map_err(fail)?;
        let rows = statement.query_map([RECORD_BYTES], raw_record).map_err(fail)?;
        rows.map(|row| self.checked(&row.map_err(fail)?)).collect()
    }
}

fn tell(connection: &mut Connection, holder: &str, search: &str, text: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // The row of a holder moves to the end, so that those in front are the oldest.
    let is_new = transaction
        .execute("DELETE FROM searches WHERE search = ?1 AND holder = ?2", params![search, holder])?
        == 0;
    transaction.execute(
        "INSERT INTO searches (search, holder, text) VALUES (?1, ?2, ?3)",
        params![search, holder, text],
    )?;
    if is_new {
        let sql = "DELETE FROM searches WHERE rowid NOT IN (SELECT rowid FROM searches ORDER BY rowid DESC LIMIT ?1)";
        transaction.execute(sql, [TOLD])?;
    }
    transaction.commit()
}

/// Frees the trials of processes that died; true if there was one.
fn free_claims_of_dead(transaction: &Transaction<'_>, path: &Path) -> rusqlite::Result<bool> {
    let dead = take_dead(path);
    for holder in &dead {
        transaction.execute("DELETE FROM trials WHERE holder = ?1 AND record IS NULL", [holder])?;
    }
    Ok(!dead.is_empty())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Makes the tables in an empty file; checks them in any other.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Diagnostic> {
    let fail = |error| failure(path, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    let found = schema(&transaction).map_err(fail)?;
    if found.is_empty() {
        for (_, sql) in SCHEMA {
            transaction.execute(sql, []).map_err(fail)?;
        }
        transaction.execute("INSERT INTO store (version) VALUES (?1)", [VERSION]).map_err(fail)?;
        return transaction.commit().map_err(fail);
    }
    let foreign = || damaged(path, "it is a database, but not one of nasc's");
    if !found.iter().any(|(name, sql)| name == "store" && sql.starts_with("CREATE TABLE")) {
        return Err(foreign());
    }
    let version: i64 = transaction
        .query_row("SELECT max(version) FROM store", [], |row| row.get(0))
        .map_err(|_| foreign())?;
    if version > VERSION {
        let message = format!("the store `{}` was written by a later version of nasc", path.display());
        return Err(Diagnostic::error(Code::STORE, message)
            .note(format!("it has version {version}, this nasc reads version {VERSION}"))
            .help("use the later nasc, or move the file away to start afresh"));
    }
    let expected = SCHEMA.into_iter().map(owned);
    let is_whole = |found: &[(String, String)]| found.iter().cloned().eq(expected.clone());
    if version == 1 && is_whole(&[&[owned(SEARCHES)], found.as_slice()].concat()) {
        transaction.execute(SEARCHES.1, []).map_err(fail)?;
        transaction.execute("UPDATE store SET version = ?1", [VERSION]).map_err(fail)?;
        return transaction.commit().map_err(fail);
    }
    if version < VERSION || !is_whole(&found) {
        return Err(foreign());
    }
    Ok(())
}

fn owned((name, sql): (&str, &str)) -> (String, String) {
    (name.to_owned(), sql.to_owned())
}

/// Name and text of all that the file declares; automatic indices have no text.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Turns the write-ahead log on. Where a file system has none, the journal that SQLite keeps instead is as
/// safe.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    const ATTEMPTS: u32 = 200;
    for attempt in 1.. {
        let changed = connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()));
        match changed {
            // SQLite does not wait by itself here while another process does the same.
            Err(error) if is_busy(&error) && attempt < ATTEMPTS => {
                std::thread::sleep(Duration::from_millis(25));
            }
            other => {
                other?;
                break;
            }
        }
    }
    connection.pragma_update(None, "synchronous", "full")
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn unusable(path: &Path, what: &str) -> Diagnostic {
    Diagnostic::error(Code::STORE, format!("the store `{}` cannot be used: {what}", path.display()))
        .help("check the folder's permissions and the free space")
}

/// E0802 for a disk without space: what is in the store stays, and a training goes on from the state that was kept last.
fn full(path: &Path) -> Diagnostic {
    let message = format!("the store `{}` cannot be written: no space is left on its disk", path.display());
    Diagnostic::error(Code::STORE, message)
        .note("what is in it is whole: all trials that were finished before")
        .help("make room, then repeat the command: it goes on from there")
}

fn damaged(path: &Path, what: &str) -> Diagnostic {
    Diagnostic::error(Code::STORE, format!("the store `{}` is damaged: {what}", path.display()))
        .help("move the file away to start afresh")
}

/// A failure of SQLite in the user's terms.
pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> Diagnostic {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            unusable(path, &format!("another process has held it for {} s", PATIENCE.as_secs()))
                .help("end the other process, then repeat the command: it goes on from there")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            unusable(path, "it is read-only, and finished trials must be written to it")
        }
        Some(ErrorCode::DiskFull) => full(path),
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
            unusable(path, &error.to_string())
        }
        _ => damaged(path, &error.to_string()),
    }
}
