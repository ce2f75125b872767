//! The rates and numbers that scopes are held to, all connections of a scope together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatehouse_domain::fleet_provisioning::FleetOperation;
use gatehouse_domain::quotas::{Quotas, SharedPace, has_room};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicName;
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;

/// Topics whose last retained message is remembered.
const TOPICS: usize = 10_000;

/// The rates of every scope.
pub(crate) struct Rates {
    quotas: Arc<Quotas>,
    /// Bounded by the accounts and Regions that there are.
    scopes: RwLock<HashMap<Scope, Arc<ScopeRates>>>,
}

/// The rates of one scope.
pub(crate) struct ScopeRates {
    pub(crate) quotas: Arc<Quotas>,
    connects: SharedPace,
    publishes: SharedPace,
    subscribes: SharedPace,
    retains: SharedPace,
    keys_and_certificates: SharedPace,
    certificates: SharedPace,
    things: SharedPace,
    retained_topics: Cache<TopicName, Arc<SharedPace>>,
    /// One at a time, so that two first messages of a topic find one pace.
    retaining: Mutex<()>,
    connections: AtomicUsize,
}

/// A connection's place among those of its scope.
pub(crate) struct Place(Arc<ScopeRates>);

impl Rates {
    pub(crate) fn new(quotas: Arc<Quotas>) -> Self {
        Self { quotas, scopes: RwLock::default() }
    }

    pub(crate) fn of(&self, scope: Scope) -> Arc<ScopeRates> {
        if let Some(rates) = self.scopes.read().get(&scope) {
            return Arc::clone(rates);
        }
        let rates = || {
            Arc::new(ScopeRates {
                quotas: Arc::clone(&self.quotas),
                connects: SharedPace::default(),
                publishes: SharedPace::default(),
                subscribes: SharedPace::default(),
                retains: SharedPace::default(),
                keys_and_certificates: SharedPace::default(),
                certificates: SharedPace::default(),
                things: SharedPace::default(),
                retained_topics: Cache::new(TOPICS),
                retaining: Mutex::new(()),
                connections: AtomicUsize::new(0),
            })
        };
        Arc::clone(self.scopes.write().entry(scope).or_insert_with(rates))
    }
}

impl ScopeRates {
    /// May one more client connect? Gives it a place until it is dropped.
    pub(crate) fn connect(self: &Arc<Self>, now: Timestamp) -> Option<Place> {
        if !self.connects.take(now, self.quotas.connect_rate, 1) {
            return None;
        }
        let limit = self.quotas.connections;
        let count = |present: usize| has_room(limit, present).then_some(present + 1);
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).ok()?;
        Some(Place(Arc::clone(self)))
    }

    pub(crate) fn may_publish(&self, now: Timestamp) -> bool {
        self.publishes.take(now, self.quotas.publish_rate, 1)
    }

    pub(crate) fn may_subscribe(&self, now: Timestamp) -> bool {
        self.subscribes.take(now, self.quotas.subscribe_rate, 1)
    }

    pub(crate) fn may_retain(&self, topic: &TopicName, now: Timestamp) -> bool {
        self.may_retain_topic(topic, now) && self.retains.take(now, self.quotas.retain_rate, 1)
    }

    pub(crate) fn may_provision(&self, operation: FleetOperation<'_>, now: Timestamp) -> bool {
        let (pace, rate) = match operation {
            FleetOperation::CreateKeysAndCertificate => {
                (&self.keys_and_certificates, self.quotas.create_keys_and_certificate_rate)
            }
            FleetOperation::CreateCertificateFromCsr => {
                (&self.certificates, self.quotas.create_certificate_from_csr_rate)
            }
            FleetOperation::RegisterThing { .. } => (&self.things, self.quotas.register_thing_rate),
        };
        pace.take(now, rate, 1)
    }

    fn may_retain_topic(&self, topic: &TopicName, now: Timestamp) -> bool {
        let rate = self.quotas.topic_retain_rate;
        if rate == 0 {
            return true;
        }
        let _one_at_a_time = self.retaining.lock();
        let pace = self.retained_topics.get(topic).unwrap_or_else(|| {
            let pace = Arc::new(SharedPace::default());
            self.retained_topics.insert(topic.clone(), Arc::clone(&pace));
            pace
        });
        pace.take(now, rate, 1)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_domain::scope::AccountId;

    #[test]
    fn scopes_have_rates_of_their_own_and_places_come_back() {
        let quotas = Quotas { connections: 2, connect_rate: 3, topic_retain_rate: 1, ..Quotas::UNLIMITED };
        let rates = Rates::new(Arc::new(quotas));
        let scope = |number| Scope::new(AccountId::from_number(number), "us-east-1".parse().unwrap());
        let now = Timestamp::from_secs(1_000);
        let (one, two) = (rates.of(scope(1)), rates.of(scope(2)));
        let first = one.connect(now);
        let second = one.connect(now);
        assert!(first.is_some() && second.is_some() && one.connect(now).is_none());
        assert!(two.connect(now).is_some());
        drop(first);
        let later = now.plus_millis(1_000);
        assert!(rates.of(scope(1)).connect(later).is_some());
        let (a, b) = (TopicName::parse("a").unwrap(), TopicName::parse("b").unwrap());
        assert_eq!([one.may_retain(&a, now), one.may_retain(&a, now), one.may_retain(&b, now)], [true, false, true]);
        assert!(two.may_retain(&a, now));
    }

    #[test]
    fn each_operation_of_provisioning_has_a_rate_of_its_own() {
        let quotas = Quotas {
            create_keys_and_certificate_rate: 1,
            create_certificate_from_csr_rate: 2,
            register_thing_rate: 3,
            ..Quotas::UNLIMITED
        };
        let rates = Rates::new(Arc::new(quotas));
        let scope = |number| Scope::new(AccountId::from_number(number), "us-east-1".parse().unwrap());
        let now = Timestamp::from_secs(1_000);
        let (one, two) = (rates.of(scope(1)), rates.of(scope(2)));
        let register = FleetOperation::RegisterThing { template_name: "t" };
        for (operation, rate) in [
            (FleetOperation::CreateKeysAndCertificate, 1),
            (FleetOperation::CreateCertificateFromCsr, 2),
            (register, 3),
        ] {
            let let_through = (0..10).filter(|_| one.may_provision(operation, now)).count();
            assert_eq!(let_through, rate, "{operation:?}");
            assert!(two.may_provision(operation, now));
            assert!(one.may_provision(operation, now.plus_millis(1_000)));
        }
    }
}
