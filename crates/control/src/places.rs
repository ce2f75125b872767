//! How much of something may be under way: in total, and for each scope, so that no scope takes all of it. Nobody waits for a
//! place.

use std::collections::HashMap;
use std::sync::Arc;

use gatehouse_domain::scope::Scope;
use parking_lot::Mutex;

/// Places.
pub(crate) struct Places {
    total: usize,
    of_scope: usize,
    taken: Arc<Mutex<Taken>>,
}

/// Those that are taken. A scope without any has no entry.
#[derive(Default)]
struct Taken {
    total: usize,
    of_scope: HashMap<Scope, usize>,
}

/// A place, until it is dropped.
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    scope: Scope,
}

impl Places {
    /// `total` places, of which one scope has `of_scope` at most.
    pub(crate) fn new(total: usize, of_scope: usize) -> Self {
        Self { total, of_scope, taken: Arc::default() }
    }

    /// A place for `scope`, if there is one.
    pub(crate) fn enter(&self, scope: Scope) -> Option<Place> {
        let mut taken = self.taken.lock();
        let of_scope = taken.of_scope.get(&scope).copied().unwrap_or(0);
        if taken.total >= self.total || of_scope >= self.of_scope {
            return None;
        }
        taken.total += 1;
        taken.of_scope.insert(scope, of_scope + 1);
        Some(Place { taken: Arc::clone(&self.taken), scope })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.total = taken.total.saturating_sub(1);
        let left = taken.of_scope.get(&self.scope).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            taken.of_scope.remove(&self.scope);
        } else {
            taken.of_scope.insert(self.scope, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(number: u64) -> Scope {
        Scope::new(gatehouse_domain::scope::AccountId::from_number(number), "us-east-1".parse().unwrap())
    }

    #[test]
    fn a_scope_that_has_all_its_places_takes_nobody_elses() {
        let places = Places::new(3, 2);
        let (first, second) = (places.enter(scope(1)).unwrap(), places.enter(scope(1)).unwrap());
        assert!(places.enter(scope(1)).is_none());
        let third = places.enter(scope(2)).unwrap();
        assert!(places.enter(scope(2)).is_none(), "there are three in total");
        drop(first);
        assert!(places.enter(scope(1)).is_some());
        drop((second, third));
        let taken = places.taken.lock();
        assert_eq!((taken.total, taken.of_scope.len()), (0, 0), "nothing is kept of who has gone");
    }
}
