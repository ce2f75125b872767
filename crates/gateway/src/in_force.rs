//! What is in force: parsed once, shared by every connection that stands on it, and marked when it is no more.
//!
//! Invariant: nothing that was read before a change is taken for current after it. Comparing the change count and
//! keeping what was read happen under one lock, and so do counting a change and dropping what was kept.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use quick_cache::sync::Cache;

/// A value that was in force when it was read.
#[derive(Debug)]
pub(crate) struct Current<V> {
    value: V,
    is_superseded: AtomicBool,
}

impl<V> Current<V> {
    /// Whether another value is in force by now: look it up again.
    pub(crate) fn is_superseded(&self) -> bool {
        self.is_superseded.load(Ordering::Acquire)
    }
}

impl<V> Deref for Current<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

/// The values in force, by key.
pub(crate) struct InForce<K, V> {
    state: Mutex<State<K, V>>,
    /// Keeps what nobody stands on for the moment, so that the next connection finds it parsed.
    recent: Cache<K, Arc<Current<V>>>,
}

struct State<K, V> {
    changes: u64,
    used: HashMap<K, Weak<Current<V>>>,
    /// Size of `used` at which it is swept.
    sweep_at: usize,
}

/// The change count before a read.
#[derive(Clone, Copy)]
pub(crate) struct Before(u64);

impl<K: Clone + Eq + Hash, V> InForce<K, V> {
    /// Keeps `recent` values beyond those in use.
    pub(crate) fn new(recent: usize) -> Self {
        let state = State { changes: 0, used: HashMap::new(), sweep_at: 1024 };
        Self { state: Mutex::new(state), recent: Cache::new(recent) }
    }

    /// The value of `key`, if it is known.
    pub(crate) fn get(&self, key: &K) -> Option<Arc<Current<V>>> {
        self.state.lock().used.get(key).and_then(Weak::upgrade)
    }

    /// To be called before a value is read.
    pub(crate) fn before_reading(&self) -> Before {
        Before(self.state.lock().changes)
    }

    /// Takes in what was read. If anything changed during the read, the value is not kept and counts as superseded: its
    /// reader looks again at its next operation.
    pub(crate) fn put(&self, key: K, value: V, before: Before) -> Arc<Current<V>> {
        let mut state = self.state.lock();
        let is_current = state.changes == before.0;
        let current = Arc::new(Current { value, is_superseded: AtomicBool::new(!is_current) });
        if is_current {
            if state.used.len() >= state.sweep_at {
                state.used.retain(|_, used| used.strong_count() > 0);
                state.sweep_at = 2 * state.used.len().max(512);
            }
            state.used.insert(key.clone(), Arc::downgrade(&current));
            self.recent.insert(key, Arc::clone(&current));
        }
        current
    }

    /// The value of `key` has changed.
    pub(crate) fn supersede(&self, key: &K) {
        let mut state = self.state.lock();
        state.changes += 1;
        if let Some(current) = state.used.remove(key).and_then(|used| used.upgrade()) {
            current.is_superseded.store(true, Ordering::Release);
        }
        self.recent.remove(key);
    }

    /// The values that `is_old` says are old have changed.
    pub(crate) fn supersede_if(&self, is_old: impl Fn(&K, &V) -> bool) {
        let mut state = self.state.lock();
        state.changes += 1;
        state.used.retain(|key, used| match used.upgrade() {
            Some(current) if is_old(key, &current) => {
                current.is_superseded.store(true, Ordering::Release);
                false
            }
            current => current.is_some(),
        });
        self.recent.retain(|key, current| !is_old(key, current));
    }

    /// Anything may have changed.
    pub(crate) fn supersede_all(&self) {
        let mut state = self.state.lock();
        state.changes += 1;
        for current in state.used.drain().filter_map(|(_, used)| used.upgrade()) {
            current.is_superseded.store(true, Ordering::Release);
        }
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_on_a_changed_value_learns_it() {
        let in_force = InForce::new(10);
        let first = in_force.put("k", 1, in_force.before_reading());
        let other = in_force.put("o", 1, in_force.before_reading());
        assert!(Arc::ptr_eq(&first, &in_force.get(&"k").unwrap()));
        in_force.supersede(&"k");
        assert!(first.is_superseded());
        assert!(!other.is_superseded());
        assert!(in_force.get(&"k").is_none());
    }

    #[test]
    fn a_value_read_before_a_change_is_not_kept() {
        let in_force = InForce::new(10);
        let before = in_force.before_reading();
        in_force.supersede(&"k");
        let old = in_force.put("k", 1, before);
        assert!(old.is_superseded());
        assert!(in_force.get(&"k").is_none());
    }

    #[test]
    fn values_are_superseded_by_what_they_are() {
        let in_force = InForce::new(10);
        let (old, other) =
            (in_force.put("k", 1, in_force.before_reading()), in_force.put("o", 2, in_force.before_reading()));
        let before = in_force.before_reading();
        in_force.supersede_if(|_, value| *value == 1);
        assert!(old.is_superseded() && !other.is_superseded());
        assert!(in_force.get(&"k").is_none() && in_force.get(&"o").is_some());
        // What was being read meanwhile may be as old.
        assert!(in_force.put("n", 3, before).is_superseded());
    }

    #[test]
    fn everything_can_be_superseded_and_the_unused_is_swept() {
        let in_force = InForce::new(10);
        for key in 0..5_000 {
            let _unused = in_force.put(key, (), in_force.before_reading());
        }
        assert!(in_force.state.lock().used.len() <= 1_100);
        let held = in_force.put(7, (), in_force.before_reading());
        in_force.supersede_all();
        assert!(held.is_superseded());
        assert!(in_force.get(&7).is_none());
    }
}
