//! What is done now and then behind everybody's back: removing what nobody needs any more. Each chore runs until the
//! server stops; a failure is told and tried again the next time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_control::provisioning::fleet::give_up_unclaimed;
use gatehouse_domain::limits;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_store::{Error, LOG_RETENTION_MS, REGISTRY_MESSAGE_RETENTION_MS, Store};

/// A chore: it ends when it is dropped.
pub(crate) type Chore = Pin<Box<dyn Future<Output = ()> + Send>>;

/// From the start to the first look.
const FIRST: Duration = Duration::from_secs(30);
/// Between looks for access keys that have ended.
const KEYS: Duration = Duration::from_secs(60);
/// Between looks for old entries of the change log.
const LOG: Duration = Duration::from_secs(60 * 60);
/// Between looks for what deleted thing groups have left behind.
const GROUPS: Duration = Duration::from_secs(30);

/// Between looks for certificates of fleet provisioning that nobody claimed.
const UNCLAIMED: Duration = Duration::from_secs(60);
/// Between looks for provisioning claims that have ended.
const CLAIMS: Duration = Duration::from_secs(60 * 60);
/// How long a claim is remembered behind its end, in milliseconds: who comes with it late hears that it has expired.
const KEPT_CLAIMS_MS: i64 = 24 * 60 * 60 * 1000;
/// Between looks at registry events that nobody publishes.
const REGISTRY_EVENTS: Duration = Duration::from_secs(10 * 60);
/// How long a registry event may wait before that is told, in milliseconds.
const REGISTRY_EVENTS_LATE_MS: i64 = 10 * 60 * 1000;

/// Between looks for registration tasks that ended long ago.
const TASKS: Duration = Duration::from_secs(60 * 60);

/// Everything that is to be done.
pub(crate) fn chores(store: &Store, clock: &Arc<dyn Clock>) -> Vec<Chore> {
    let with = || (store.clone(), Arc::clone(clock));
    vec![
        Box::pin(every(KEYS, "access keys that have ended cannot be removed", with(), |store, now| async move {
            store.prune_access_keys(now).await
        })),
        Box::pin(every(LOG, "the change log cannot be pruned", with(), |store, now| async move {
            store.prune_log(now.plus_millis(-LOG_RETENTION_MS)).await
        })),
        Box::pin(every(GROUPS, "what thing groups left behind cannot be removed", with(), |store, now| async move {
            while store.sweep_thing_groups(now).await? {}
            Ok(())
        })),
        Box::pin(every(
            UNCLAIMED,
            "certificates that nobody claimed cannot be removed",
            with(),
            |store, now| async move { give_up_unclaimed(&store, now).await },
        )),
        Box::pin(every(TASKS, "old registration tasks cannot be removed", with(), |store, now| async move {
            store.prune_registration_tasks(now.plus_millis(-limits::REGISTRATION_TASK_MS)).await
        })),
        Box::pin(every(
            CLAIMS,
            "provisioning claims that have ended cannot be removed",
            with(),
            |store, now| async move { store.prune_provisioning_claims(now.plus_millis(-KEPT_CLAIMS_MS)).await },
        )),
        Box::pin(every(
            REGISTRY_EVENTS,
            "registry events that wait cannot be looked at",
            with(),
            look_at_registry_events,
        )),
    ]
}

/// Drops what nobody has published for a day, and tells what waits for long.
async fn look_at_registry_events(store: Store, now: Timestamp) -> Result<(), Error> {
    let dropped = store.drop_registry_messages(now.plus_millis(-REGISTRY_MESSAGE_RETENTION_MS), now).await?;
    if dropped > 0 {
        tracing::warn!(dropped, "registry events were not published for a day, and are dropped");
    }
    let oldest = store.oldest_registry_message().await?;
    if let Some(since) = oldest.filter(|told_at| now.millis_since(*told_at) > REGISTRY_EVENTS_LATE_MS) {
        tracing::warn!(%since, "registry events wait to be published: is a gateway running?");
    }
    Ok(())
}

async fn every<F: Future<Output = Result<(), Error>>>(
    pause: Duration,
    failure: &'static str,
    (store, clock): (Store, Arc<dyn Clock>),
    chore: impl Fn(Store, Timestamp) -> F,
) {
    // Soon at first: a server that is restarted more often than a chore's pause does it all the same.
    tokio::time::sleep(pause.min(FIRST)).await;
    loop {
        if let Err(error) = chore(store.clone(), clock.now()).await {
            tracing::warn!(%error, "{failure}");
        }
        tokio::time::sleep(pause).await;
    }
}
