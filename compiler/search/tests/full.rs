//! A store on a disk without space: one error, and nothing lost once there is space again.

use super::*;
use crate::diagnostic::Diagnostic;

/// Keeps what it is given until it is full.
struct Full<'a> {
    inner: &'a MemoryStore,
    /// Results that it has space for, and claims.
    results: AtomicUsize,
    claims: AtomicUsize,
}

fn take(left: &AtomicUsize) -> Result<(), Diagnostic> {
    let less = |left: usize| left.checked_sub(1);
    let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    taken.map(drop).map_err(|_| Diagnostic::error(Code::STORE, "no space is left"))
}

impl Store for Full<'_> {
    fn claim(&self, key: &TrialKey, lease: Lease) -> Result<Claim, Diagnostic> {
        take(&self.claims)?;
        self.inner.claim(key, lease)
    }

    fn heartbeat(&self, key: &TrialKey, lease: Lease) -> Result<bool, Diagnostic> {
        self.inner.heartbeat(key, lease)
    }

    fn release(&self, key: &TrialKey) -> Result<(), Diagnostic> {
        self.inner.release(key)
    }

    fn finish(&self, key: &TrialKey, record: &Record, weights: &[u8]) -> Result<Record, Diagnostic> {
        take(&self.results)?;
        self.inner.finish(key, record, weights)
    }

    fn keep(&self, _: &TrialKey, _: &[u8]) -> Result<(), Diagnostic> {
        take(&AtomicUsize::new(0))
    }

    fn kept(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic> {
        self.inner.kept(key)
    }

    fn get(&self, key: &TrialKey) -> Result<Option<Record>, Diagnostic> {
        self.inner.get(key)
    }

    fn weights(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic> {
        self.inner.weights(key)
    }

    fn tell(&self, _: &str, _: &str) -> Result<(), Diagnostic> {
        take(&AtomicUsize::new(0))
    }

    fn all(&self) -> Result<Vec<(TrialKey, Record)>, Diagnostic> {
        self.inner.all()
    }
}

#[test]
fn a_full_disk_ends_a_search_and_space_lets_it_go_on() {
    for jobs in [1, 3] {
        for (results, claims) in [(0, usize::MAX), (7, usize::MAX), (usize::MAX, 0), (usize::MAX, 9)] {
            let inner = MemoryStore::default();
            let toy = Toy::new();
            let full =
                Full { inner: &inner, results: AtomicUsize::new(results), claims: AtomicUsize::new(claims) };
            let settings = settings(jobs);
            let mut strategy = Climber { window: settings.window };
            let search = Run {
                settings: &settings,
                problem: &toy,
                store: &full,
                clock: &Still,
                cancel: &toy.cancel,
                observer: &(),
            };
            let error = run(&mut strategy, &search).expect_err("there is no space");
            assert_eq!((error.code, error.message.as_str()), (Code::STORE, "no space is left"));
            let kept = inner.all().unwrap().len();
            assert!(kept <= results && kept <= claims);
            let report = search_with(&toy, &inner, &Still, &settings);
            assert_eq!(
                report.archive.export(),
                reference(),
                "{jobs} jobs, {results} results, {claims} claims"
            );
            assert_eq!(report.n_from_store, kept, "nothing that was kept is lost");
        }
    }
}
