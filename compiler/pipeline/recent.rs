//! What was made last, as long as memory holds it.

use std::sync::Arc;

/// Things by name that together take no more than so many bytes, but one at least. The one that was not used for longest
/// goes first; whoever still uses it goes on with it.
#[derive(Debug)]
pub(super) struct Recent<T> {
    limit: usize,
    /// Name, bytes and thing, in the order of their last use.
    items: Vec<(String, usize, Arc<T>)>,
}

impl<T> Recent<T> {
    /// Of nothing yet.
    pub(super) fn new(limit: usize) -> Recent<T> {
        Recent { limit, items: Vec::new() }
    }

    /// The thing of that name, if it is still there.
    pub(super) fn get(&mut self, name: &str) -> Option<Arc<T>> {
        let at = self.items.iter().position(|(known, ..)| known == name)?;
        self.items[at..].rotate_left(1);
        self.items.last().map(|(.., item)| item.clone())
    }

    /// Keeps a thing that takes so many bytes, under a name that is not there.
    pub(super) fn put(&mut self, name: String, bytes: usize, item: Arc<T>) {
        self.items.push((name, bytes, item));
        let mut total: usize = self.items.iter().map(|(_, bytes, _)| bytes).sum();
        while total > self.limit && self.items.len() > 1 {
            total -= self.items.remove(0).1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut recent = Recent::new(10);
        let put =
            |recent: &mut Recent<usize>, name: &str, bytes| recent.put(name.into(), bytes, Arc::new(bytes));
        let known = |recent: &mut Recent<usize>| -> String {
            ["a", "b", "c", "d"]
                .into_iter()
                .filter(|name| recent.items.iter().any(|item| item.0 == *name))
                .collect()
        };
        put(&mut recent, "a", 4);
        put(&mut recent, "b", 5);
        assert_eq!(recent.get("a").as_deref(), Some(&4));
        assert!(recent.get("x").is_none());
        put(&mut recent, "c", 6);
        assert_eq!(known(&mut recent), "ac", "b was used before a");
        let old = recent.get("a").expect("there");
        put(&mut recent, "d", 99);
        assert_eq!((known(&mut recent).as_str(), *old), ("d", 4), "one stays, however large");
    }
}
