use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, ffi};

use crate::diagnostic::Code;
use crate::search::store::sqlite::failure;
use crate::search::*;

fn key(number: usize) -> TrialKey {
    TrialKey::parse(&format!("{number:064x}")).unwrap()
}

fn record(accuracy: f64) -> (Record, Vec<u8>) {
    let weights = accuracy.to_le_bytes().to_vec();
    let quality = Metrics::from([("accuracy".into(), accuracy)]);
    let outcome = Outcome { status: Status::Trained, quality, weights: weights.clone() };
    (Record::new(&outcome, Metrics::from([("ram".into(), 5.0)]), "genome".into()), weights)
}

fn lease(now: u64) -> Lease {
    Lease { now, seconds: 60 }
}

/// What every store promises, seen by two holders.
fn check_contract(one: &dyn Store, two: &dyn Store) {
    assert!(matches!(one.claim(&key(1), lease(100)).unwrap(), Claim::Mine));
    assert!(matches!(one.claim(&key(1), lease(110)).unwrap(), Claim::Mine));
    assert!(matches!(two.claim(&key(1), lease(169)).unwrap(), Claim::Busy));
    assert!(one.heartbeat(&key(1), lease(160)).unwrap());
    assert!(!two.heartbeat(&key(1), lease(160)).unwrap());
    assert!(matches!(two.claim(&key(1), lease(219)).unwrap(), Claim::Busy));
    two.release(&key(1)).unwrap();
    assert!(matches!(two.claim(&key(1), lease(219)).unwrap(), Claim::Busy), "only the holder releases");
    assert!(matches!(two.claim(&key(1), lease(220)).unwrap(), Claim::Mine), "a lease ends");
    assert!(!one.heartbeat(&key(1), lease(221)).unwrap(), "and is lost");
    assert!(one.get(&key(1)).unwrap().is_none());
    assert!(one.all().unwrap().is_empty());

    assert_eq!(one.kept(&key(1)).unwrap(), None);
    one.keep(&key(1), b"early").unwrap();
    two.keep(&key(1), b"later").unwrap();
    one.keep(&key(2), b"").unwrap();
    assert_eq!(one.kept(&key(1)).unwrap().as_deref(), Some(b"later".as_slice()));
    two.release(&key(1)).unwrap();
    assert_eq!(two.kept(&key(1)).unwrap().as_deref(), Some(b"later".as_slice()), "whoever comes next");
    assert!(matches!(two.claim(&key(1), lease(221)).unwrap(), Claim::Mine));

    let ((first, first_weights), (second, second_weights)) = (record(0.5), record(f64::NAN));
    assert_eq!(one.finish(&key(1), &first, &first_weights).unwrap().to_json(), first.to_json());
    assert_eq!(two.finish(&key(1), &second, &second_weights).unwrap().to_json(), first.to_json());
    assert_eq!(two.kept(&key(1)).unwrap(), None, "it is finished");
    assert_eq!(two.kept(&key(2)).unwrap().as_deref(), Some(b"".as_slice()));
    let Claim::Done(kept) = two.claim(&key(1), lease(900)).unwrap() else { panic!("it is finished") };
    assert_eq!(kept.to_json(), first.to_json());
    assert!(!two.heartbeat(&key(1), lease(900)).unwrap());
    two.release(&key(1)).unwrap();
    assert_eq!(two.weights(&key(1)).unwrap(), Some(first_weights));
    assert_eq!(two.weights(&key(3)).unwrap(), None);

    assert!(matches!(two.claim(&key(2), lease(5)).unwrap(), Claim::Mine));
    two.release(&key(2)).unwrap();
    assert!(matches!(one.claim(&key(2), lease(5)).unwrap(), Claim::Mine), "released trials are free");
    one.finish(&key(0), &second, &second_weights).unwrap();
    let all: Vec<_> = two.all().unwrap().into_iter().map(|(key, record)| (key, record.to_json())).collect();
    assert_eq!(all, vec![(key(0), second.to_json()), (key(1), first.to_json())]);
}

#[test]
fn both_stores_keep_the_contract() {
    let memory = MemoryStore::default();
    check_contract(&memory, &memory.another_holder());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".nasc/trials.sqlite");
    check_contract(&SqliteStore::open(&path).unwrap(), &SqliteStore::open(&path).unwrap());
    assert_eq!(SqliteStore::open(&path).unwrap().all().unwrap().len(), 2);
}

#[test]
fn damaged_states_are_as_good_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trials.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    store.keep(&key(1), b"a state of some length").unwrap();
    let file = folder.path().join("trials.sqlite-states").join(key(1).to_string());
    let whole = std::fs::read(&file).unwrap();
    for end in 0..whole.len() {
        std::fs::write(&file, &whole[..end]).unwrap();
        assert_eq!(store.kept(&key(1)).unwrap(), None, "{end} bytes");
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        std::fs::write(&file, &changed).unwrap();
        assert_eq!(store.kept(&key(1)).unwrap(), None, "byte {place}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(store.kept(&key(1)).unwrap().as_deref(), Some(b"a state of some length".as_slice()));
    std::fs::write(file.with_extension("killed"), "half").unwrap();
    let n_files = || std::fs::read_dir(file.parent().unwrap()).unwrap().count();
    assert_eq!(n_files(), 2);
    let (record, weights) = record(0.5);
    store.finish(&key(2), &record, &weights).unwrap();
    assert_eq!(n_files(), 2, "of another trial");
    store.finish(&key(1), &record, &weights).unwrap();
    assert_eq!(n_files(), 0);
}

#[test]
fn a_lease_from_a_clock_set_back_is_void() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trials.sqlite");
    let (one, two) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    one.claim(&key(1), lease(u64::MAX)).unwrap();
    assert!(matches!(two.claim(&key(1), lease(1000)).unwrap(), Claim::Mine));
}

/// Set in the copy of this test that claims a trial in another process and waits to be killed.
const HOLDER: &str = "NASC_TEST_HOLDER";

#[test]
fn the_claim_of_a_killed_process_is_free_at_once() {
    if let Some(path) = std::env::var_os(HOLDER) {
        let store = SqliteStore::open(Path::new(&path)).unwrap();
        store.claim(&key(1), lease(100)).unwrap();
        std::fs::write(Path::new(&path).with_extension("ready"), "").unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trials.sqlite");
    let before = SqliteStore::open(&path).unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["the_claim_of_a_killed_process_is_free_at_once", "--test-threads", "1"])
        .env(HOLDER, &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !path.with_extension("ready").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the holder ended early");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let other = SqliteStore::open(&path).unwrap();
    for store in [&before, &other] {
        assert!(matches!(store.claim(&key(1), lease(101)).unwrap(), Claim::Busy), "its holder lives");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(before.claim(&key(1), lease(102)).unwrap(), Claim::Mine));
    assert!(matches!(other.claim(&key(1), lease(102)).unwrap(), Claim::Busy), "it has a living holder again");
    drop(before);
    assert!(
        matches!(other.claim(&key(1), lease(102)).unwrap(), Claim::Mine),
        "so are those of a closed store"
    );
    let alive = std::fs::read_dir(folder.path().join("trials.sqlite-alive")).unwrap().count();
    assert_eq!(alive, 1, "files go with their holders");
}

#[test]
fn files_of_others_and_missing_locks_are_left_to_the_leases() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trials.sqlite");
    let alive = folder.path().join("trials.sqlite-alive");
    std::fs::create_dir(&alive).unwrap();
    std::fs::write(alive.join("notes.txt"), "mine").unwrap();
    std::fs::write(alive.join("0".repeat(32)), "").unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert!(alive.join("notes.txt").exists() && !alive.join("0".repeat(32)).exists());
    store.claim(&key(1), lease(100)).unwrap();
    std::fs::remove_dir_all(&alive).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    assert!(matches!(other.claim(&key(1), lease(159)).unwrap(), Claim::Busy));
    assert!(matches!(other.claim(&key(1), lease(160)).unwrap(), Claim::Mine));

    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("trials.sqlite-alive"), "a file in the folder's place").unwrap();
    let store = SqliteStore::open(&place.path().join("trials.sqlite")).unwrap();
    assert!(matches!(store.claim(&key(1), lease(100)).unwrap(), Claim::Mine));
}

#[track_caller]
fn assert_unusable(path: &Path, part: &str, help: &str) {
    let diagnostic = SqliteStore::open(path).err().expect("a store that cannot be opened");
    assert_eq!(diagnostic.code, Code::STORE);
    assert!(diagnostic.message.contains(part), "{}", diagnostic.message);
    assert!(diagnostic.message.contains(&path.display().to_string()), "{}", diagnostic.message);
    assert!(diagnostic.help.iter().any(|text| text.contains(help)), "{:?}", diagnostic.help);
}

/// A store with trial 1 in it, changed by `sql`.
fn changed_by(folder: &Path, name: &str, sql: &str) -> PathBuf {
    let path = folder.join(name);
    let (record, weights) = record(0.5);
    SqliteStore::open(&path).unwrap().finish(&key(1), &record, &weights).unwrap();
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    path
}

#[test]
fn files_that_are_no_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), "this is no database ".repeat(100)).unwrap();
    assert_unusable(&at("text"), "damaged", "move the file away");
    assert_eq!(std::fs::read(at("text")).unwrap().len(), 2000, "what is not ours is left alone");
    std::fs::create_dir(at("folder")).unwrap();
    assert_unusable(&at("folder"), "cannot be used", "permissions");
    assert_unusable(&at("text/trials.sqlite"), "cannot be used", "permissions");
    Connection::open(at("foreign")).unwrap().execute_batch("CREATE TABLE birds (name TEXT)").unwrap();
    assert_unusable(&at("foreign"), "not one of nasc's", "move the file away");

    let newer =
        changed_by(folder.path(), "newer", "UPDATE store SET version = 3; ALTER TABLE trials ADD x INT");
    assert_unusable(&newer, "later version", "later nasc");
    let trigger = "CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM trials; END";
    assert_unusable(&changed_by(folder.path(), "trigger", trigger), "not one of nasc's", "move");
    assert_unusable(&changed_by(folder.path(), "empty", "DELETE FROM store"), "not one of nasc's", "move");

    let torn = changed_by(folder.path(), "torn", "PRAGMA wal_checkpoint(TRUNCATE)");
    let mut bytes = std::fs::read(&torn).unwrap();
    bytes[100..1000].fill(0xa5);
    std::fs::write(&torn, bytes).unwrap();
    assert_unusable(&torn, "damaged", "move the file away");
}

/// A store as version 1 made it, with trial 1 in it.
fn old(folder: &Path) -> PathBuf {
    changed_by(folder, "old", "DROP TABLE searches; UPDATE store SET version = 1")
}

#[test]
fn old_stores_are_taken_over_beside_a_process_that_uses_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = old(folder.path());
    assert_eq!(told(&path).unwrap(), [], "nothing was told of before");
    let other = Connection::open(&path).unwrap();
    let count = |what: &str| -> i64 {
        other.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count("trials"), 1);
    let stores: Vec<SqliteStore> = std::thread::scope(|scope| {
        let open: Vec<_> = (0..4).map(|_| scope.spawn(|| SqliteStore::open(&path).unwrap())).collect();
        open.into_iter().map(|store| store.join().unwrap()).collect()
    });
    for store in &stores {
        assert_eq!(store.all().unwrap().len(), 1);
        store.tell("search", "text").unwrap();
    }
    assert_eq!((count("trials"), count("searches"), count("store")), (1, 4, 1));
    let strange = changed_by(
        folder.path(),
        "strange",
        "DROP TABLE searches; UPDATE store SET version = 1; \
                              CREATE VIEW searches AS SELECT 1",
    );
    assert_unusable(&strange, "not one of nasc's", "move");
}

#[test]
fn what_is_told_of_searches_is_read_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trials.sqlite");
    assert_eq!(told(&path).unwrap(), []);
    assert!(!path.exists(), "reading makes no store");
    let (one, two) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    let row = |search: &str, lives, text: &str| Told {
        search: search.into(),
        lives: Some(lives),
        text: text.into(),
    };
    one.tell("a", "early").unwrap();
    two.tell("a", "two").unwrap();
    one.tell("a", "later").unwrap();
    one.tell("b", &"x".repeat(1 << 17)).unwrap();
    assert_eq!(told(&path).unwrap(), [row("a", true, "later"), row("a", true, "two")], "the latest first");
    // A reader is in nobody's way, not even in the middle of reading.
    let reader = Connection::open(&path).unwrap();
    let mut statement = reader.prepare("SELECT * FROM searches").unwrap();
    let mut rows = statement.query([]).unwrap();
    assert!(rows.next().unwrap().is_some());
    let (record, weights) = record(0.5);
    two.finish(&key(1), &record, &weights).unwrap();
    drop(rows);
    for number in 0..100 {
        two.tell(&format!("search {number}"), "").unwrap();
    }
    assert_eq!(told(&path).unwrap().len(), 32, "old ones go");
    drop((one, two));
    assert!(told(&path).unwrap().iter().all(|told| told.lives == Some(false)));
}

#[test]
fn changed_records_and_weights_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, sql) in [
        ("record", "UPDATE trials SET record = replace(record, '0.5', '0.9')"),
        ("digest", "UPDATE trials SET digest = ''"),
        ("no digest", "UPDATE trials SET digest = NULL"),
        ("huge", "UPDATE trials SET record = hex(zeroblob(2000000))"),
    ] {
        let store = SqliteStore::open(&changed_by(folder.path(), name, sql)).unwrap();
        assert_eq!(store.get(&key(1)).unwrap_err().code, Code::STORE, "{name}");
        assert_eq!(store.all().unwrap_err().code, Code::STORE, "{name}");
        assert_eq!(store.claim(&key(1), lease(0)).unwrap_err().code, Code::STORE, "{name}");
        assert!(matches!(store.claim(&key(2), lease(0)).unwrap(), Claim::Mine), "{name}");
    }
    for sql in ["UPDATE trials SET weights = x'00'", "UPDATE trials SET weights = NULL"] {
        let store = SqliteStore::open(&changed_by(folder.path(), &sql[25..], sql)).unwrap();
        assert_eq!(store.weights(&key(1)).unwrap_err().code, Code::STORE);
        assert!(store.get(&key(1)).unwrap().is_some());
    }
}

#[test]
fn failures_say_the_way_out() {
    let failed = |code| {
        let error = rusqlite::Error::SqliteFailure(ffi::Error { code, extended_code: 0 }, None);
        failure(Path::new("s/trials.sqlite"), &error)
    };
    for (code, part) in [
        (ErrorCode::ReadOnly, "read-only"),
        (ErrorCode::DatabaseBusy, "another process"),
        (ErrorCode::DatabaseCorrupt, "damaged"),
        (ErrorCode::DiskFull, "no space is left"),
        (ErrorCode::SystemIoFailure, "cannot be used"),
    ] {
        let diagnostic = failed(code);
        assert_eq!(diagnostic.code, Code::STORE);
        assert!(diagnostic.message.contains(part) && diagnostic.message.contains("s/trials.sqlite"));
        assert!(!diagnostic.help.is_empty());
    }
}

/// The log cut at any byte, as a crash in the middle of a write leaves it: a prefix of the trials is there,
/// each whole, and the store works.
#[test]
fn a_log_cut_anywhere_keeps_whole_trials() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trials.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    for number in 0..6 {
        store.claim(&key(number), lease(0)).unwrap();
        let (record, weights) = record(number as f64);
        store.finish(&key(number), &record, &weights).unwrap();
    }
    let main = std::fs::read(&path).unwrap();
    let log = std::fs::read(folder.path().join("trials.sqlite-wal")).unwrap();
    let mut counts = Vec::new();
    for cut in (0..=log.len()).step_by(997).chain([log.len()]) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("trials.sqlite");
        std::fs::write(&path, &main).unwrap();
        std::fs::write(place.path().join("trials.sqlite-wal"), &log[..cut]).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let trials = store.all().unwrap();
        assert!(trials.iter().enumerate().all(|(number, (found, _))| *found == key(number)));
        for (key, record) in &trials {
            assert_eq!(store.weights(key).unwrap().unwrap(), record.quality["accuracy"].to_le_bytes());
        }
        let (record, weights) = record(9.0);
        store.finish(&key(9), &record, &weights).unwrap();
        assert_eq!(store.all().unwrap().len(), trials.len() + 1);
        counts.push(trials.len());
    }
    assert!(counts.is_sorted() && counts[0] == 0 && counts.last() == Some(&6), "{counts:?}");
}
