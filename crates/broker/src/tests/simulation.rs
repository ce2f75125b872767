//! Random histories of publishers and persistent subscribers, with lost connections, a disk that fails, processes that die
//! and time that passes. What was promised is kept: a settled QoS 1 message reaches every session that was subscribed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// How long sessions outlive their connections, in seconds.
const EXPIRY_SECS: u32 = 100;
const CLIENTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    /// A client comes, with a clean start or not.
    Connect(usize, bool),
    /// It goes without a word.
    Lose(usize),
    Subscribe(usize),
    Unsubscribe(usize),
    /// Somebody publishes so many messages at once.
    Publish(usize),
    /// A client reads what waits and acknowledges so many of it.
    Read(usize, usize),
    /// The disk works, or does not.
    Disk(bool),
    /// The process dies: only what is on the disk is left.
    Kill,
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = || 0..CLIENTS.len();
    let step = prop_oneof![
        4 => (client(), prop::bool::weighted(0.15)).prop_map(|(client, clean)| Step::Connect(client, clean)),
        2 => client().prop_map(Step::Lose),
        4 => client().prop_map(Step::Subscribe),
        1 => client().prop_map(Step::Unsubscribe),
        8 => (1..6_usize).prop_map(Step::Publish),
        4 => (client(), 0..40_usize).prop_map(|(client, count)| Step::Read(client, count)),
        1 => any::<bool>().prop_map(Step::Disk),
        1 => Just(Step::Kill),
        1 => (1..150_i64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..60)
}

/// What a client's session is owed, and what it may get beyond that.
#[derive(Debug, Default)]
struct Account {
    subscribed: bool,
    /// Settled, and not acknowledged.
    owed: BTreeSet<u64>,
    /// Published while it was or may have been subscribed.
    possible: BTreeSet<u64>,
    /// Acknowledged; after a death it may come again.
    acknowledged: BTreeSet<u64>,
    may_repeat: bool,
}

struct World {
    house: House,
    guards: BTreeMap<usize, SessionGuard>,
    accounts: BTreeMap<usize, Account>,
    away_secs: BTreeMap<usize, i64>,
    next_message: u64,
    is_broken: bool,
}

impl World {
    fn mend(&mut self, is_broken: bool) {
        self.is_broken = is_broken;
        self.house.disk.break_down(is_broken);
    }

    /// The session ends, unless the process dies before that is on the disk.
    fn owe_nothing(&mut self, client: usize) {
        let possible = self.accounts.remove(&client).unwrap_or_default().possible;
        self.accounts.insert(client, Account { possible, may_repeat: true, ..Account::default() });
    }

    async fn connect(&mut self, client: usize, clean: bool) -> Result<(), TestCaseError> {
        let connected = self.house.broker.connect(scope(1), connecting(CLIENTS[client], clean, EXPIRY_SECS)).await;
        let Ok(Connected { guard, session_present, .. }) = connected else {
            prop_assert!(self.is_broken);
            // Whether the session is there is known when the disk works again; nothing is owed by one that is not.
            self.guards.remove(&client);
            if clean {
                self.owe_nothing(client);
            }
            self.away_secs.entry(client).or_insert(0);
            return Ok(());
        };
        let has_expired = self.away_secs.remove(&client).is_some_and(|secs| secs >= i64::from(EXPIRY_SECS));
        if !session_present {
            prop_assert!(
                clean || has_expired || self.accounts.get(&client).is_none_or(|account| account.owed.is_empty()),
                "a session that is owed something is gone"
            );
            self.accounts.remove(&client);
        }
        prop_assert!(!(clean && session_present));
        self.accounts.entry(client).or_default();
        self.guards.insert(client, guard);
        Ok(())
    }

    async fn subscribe(&mut self, client: usize, wants: bool) {
        let Some(guard) = self.guards.get(&client) else { return };
        let outcome = if wants {
            guard.subscribe(vec![(filter("t/#"), QOS1)]).await.is_ok()
        } else {
            guard.unsubscribe(&[filter("t/#")]).await.is_ok()
        };
        let account = self.accounts.entry(client).or_default();
        if wants {
            account.subscribed |= outcome;
        } else {
            // Unsubscribed in memory at once; after a death, perhaps subscribed again.
            account.subscribed = false;
            account.may_repeat |= !outcome;
        }
    }

    async fn publish(&mut self, count: usize) {
        let mut waiting = Vec::new();
        for _ in 0..count {
            let number = self.next_message;
            self.next_message += 1;
            for account in self.accounts.values_mut().filter(|account| account.subscribed || account.may_repeat) {
                account.possible.insert(number);
            }
            let message = with_payload("t/x", &number.to_string());
            let broker = self.house.broker.clone();
            waiting.push(tokio::spawn(async move { (number, broker.publish_durably(scope(1), &message).await) }));
        }
        for publish in waiting {
            let (number, outcome) = publish.await.unwrap();
            if outcome.is_ok() {
                for account in self.accounts.values_mut().filter(|account| account.subscribed) {
                    account.owed.insert(number);
                }
            }
        }
    }

    async fn read(&mut self, client: usize, count: usize) -> Result<(), TestCaseError> {
        let Some(guard) = self.guards.get_mut(&client) else { return Ok(()) };
        let account = self.accounts.entry(client).or_default();
        for _ in 0..count {
            let Ok(fetched) = guard.fetch().await else { return Ok(()) };
            for delivery in &fetched {
                let number: u64 = String::from_utf8_lossy(&delivery.message.payload).parse().unwrap();
                prop_assert!(account.possible.contains(&number), "{number} was not for it");
                prop_assert!(account.may_repeat || !account.acknowledged.contains(&number), "{number} came again");
                account.owed.remove(&number);
                account.acknowledged.insert(number);
                guard.acknowledge(delivery.key.unwrap());
            }
            if fetched.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn kill(self) -> Self {
        let mut world = self;
        // The old process writes to a disk that nobody sees any more.
        let disk = Arc::new(Disk::default());
        *disk.contents.lock() = world.house.disk.contents.lock().clone();
        let house = House::on(disk, Arc::clone(&world.house.clock)).await;
        world.guards.clear();
        for (client, account) in &mut world.accounts {
            account.may_repeat = true;
            // The time away begins with the new process.
            world.away_secs.entry(*client).or_insert(0);
        }
        World { house, is_broken: false, ..world }
    }

    fn lose(&mut self, client: usize) {
        if self.guards.remove(&client).is_some() {
            self.away_secs.insert(client, 0);
        }
    }

    async fn pass(&mut self, secs: i64) {
        self.house.clock.pass_secs(secs);
        for away in self.away_secs.values_mut() {
            *away += secs;
        }
        self.house.broker.sweep().await;
        let expired: Vec<usize> = self
            .away_secs
            .iter()
            .filter(|(_, secs)| **secs >= i64::from(EXPIRY_SECS))
            .map(|(client, _)| *client)
            .collect();
        for client in expired {
            self.owe_nothing(client);
        }
    }
}

async fn follow(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut world = World {
        house: House::open().await,
        guards: BTreeMap::new(),
        accounts: BTreeMap::new(),
        away_secs: BTreeMap::new(),
        next_message: 0,
        is_broken: false,
    };
    for step in steps {
        match step {
            Step::Connect(client, clean) => world.connect(client, clean).await?,
            Step::Lose(client) => world.lose(client),
            Step::Subscribe(client) => world.subscribe(client, true).await,
            Step::Unsubscribe(client) => world.subscribe(client, false).await,
            Step::Publish(count) => world.publish(count).await,
            Step::Read(client, count) => world.read(client, count).await?,
            Step::Disk(works) => world.mend(!works),
            Step::Kill => world = world.kill().await,
            Step::Pass(secs) => world.pass(secs).await,
        }
    }
    // In the end everybody comes back and reads to the end.
    world.mend(false);
    world.house.broker.settle().await;
    for (client, name) in CLIENTS.into_iter().enumerate() {
        world.connect(client, false).await?;
        world.read(client, usize::MAX).await?;
        let owed = &world.accounts[&client].owed;
        prop_assert!(owed.is_empty(), "{name} never got {owed:?}");
    }
    world.house.broker.settle().await;
    prop_assert_eq!(world.house.disk.queued_count(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn what_was_settled_arrives(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(follow(steps))?;
    }
}
