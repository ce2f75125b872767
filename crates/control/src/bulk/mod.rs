//! Bulk registration: tasks that carry a template out for each line of an input file, behind everybody's back.
//!
//! A task lies in the store ([`gatehouse_store::RegistrationTaskRecord`]). The [`worker`] takes tasks that wait, each for a
//! *turn*: it opens the input file ([`bucket`]), reads it line by line ([`reader`]), and has several lines carried out at
//! once ([`turn`], [`line`]). What a line makes and its outcome are one commit, so whoever goes on after a crash does
//! nothing twice and leaves nothing out, and neither do two who work on one task. What became of the lines is told in two
//! reports, to whoever has a link ([`report`]).
//!
//! A task is nobody's hurry: the lines under way at once are bounded for each task and for all, so that neither devices nor
//! the tasks of others wait long behind them.

pub mod bucket;
mod folder;
mod line;
mod reader;
pub mod report;
pub mod s3;
mod turn;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatehouse_domain::limits;
use gatehouse_domain::registration_task::input::{BucketName, ObjectKey};
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Timestamp;
use parking_lot::RwLock;
use tokio::sync::{Notify, Semaphore};

use self::bucket::Bucket;
use crate::call::House;
use crate::places::Places;
use crate::provisioning::Permit;

/// What bulk registration works with: the buckets that are known, and room to work in.
pub struct Bulk {
    buckets: RwLock<BTreeMap<BucketName, Arc<Bucket>>>,
    /// What links to reports begin with; the address that the caller used when absent.
    address: Option<String>,
    /// Somebody started a task, or wants one to stop.
    wake: Notify,
    /// Tasks that are worked on.
    at_work: AtomicUsize,
    /// A place for each check of a signing request: half of the processors, so that the other half stays with the devices.
    checks: Semaphore,
    /// Room for the reports that are being sent.
    reports: Places,
}

impl Default for Bulk {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Bulk {
    /// Without buckets. Links to reports begin with `address`, such as `https://iot.example.com`, or else as the caller
    /// named the API.
    #[must_use]
    pub fn new(address: Option<String>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            buckets: RwLock::default(),
            address,
            wake: Notify::new(),
            at_work: AtomicUsize::new(0),
            checks: Semaphore::new((processors / 2).max(1)),
            reports: Places::new(limits::REPORTS_AT_ONCE, limits::REPORTS_PER_SCOPE),
        }
    }

    /// From now on, `name` stands for `bucket`.
    pub fn put(&self, name: BucketName, bucket: Bucket) {
        self.buckets.write().insert(name, Arc::new(bucket));
    }

    /// The bucket, if it is `account`'s. Another account's is not told apart from one that is unknown.
    pub(crate) fn bucket(&self, account: AccountId, name: &BucketName) -> Option<Arc<Bucket>> {
        self.buckets.read().get(name).filter(|bucket| bucket.account() == account).cloned()
    }

    /// What links to reports begin with, if the operator has said it.
    pub(crate) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// There is something to do for whoever works on tasks. Nobody who misses it waits longer than [`worker::POLL`].
    pub(crate) fn wake(&self) {
        self.wake.notify_waiters();
    }
}

/// Stands for a task that is worked on, until it is dropped.
pub(crate) struct AtWork(Arc<House>);

impl AtWork {
    pub(crate) fn new(house: Arc<House>) -> Self {
        house.bulk.at_work.fetch_add(1, Ordering::Relaxed);
        Self(house)
    }

    /// How many lines of the task may be under way now: its part of those of all tasks. Whoever has slow lines takes
    /// nobody else's part.
    pub(crate) fn lines(&self) -> usize {
        part(self.0.bulk.at_work.load(Ordering::Relaxed))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.bulk.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of so many tasks' part of the lines under way.
fn part(tasks: usize) -> usize {
    (limits::REGISTRATION_LINES_AT_ONCE / tasks.max(1)).clamp(1, limits::REGISTRATION_LINES)
}

/// Whether the role that a task registers with may read its input file, as AWS's does: `s3:GetObject`.
///
/// # Errors
/// A sentence for whoever starts the task.
pub(crate) fn may_read(
    house: &House,
    scope: Scope,
    role_arn: &RoleArn,
    bucket: &BucketName,
    key: &ObjectKey,
    now: Timestamp,
) -> Result<(), String> {
    let object = format!("arn:{}:s3:::{bucket}/{key}", scope.region.partition());
    Permit::of_role(house, role_arn, scope, now).check("s3:GetObject", &object).map_err(|failure| failure.message)
}

/// Why there is no such bucket for an account.
pub(crate) fn unknown_bucket(name: &BucketName) -> String {
    format!("the server's configuration has no bucket {name} of this account in [buckets]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_under_way_are_shared_out_among_the_tasks() {
        for tasks in 0..=limits::REGISTRATION_TASKS_AT_ONCE {
            assert!((1..=limits::REGISTRATION_LINES).contains(&part(tasks)));
            assert!(part(tasks) * tasks <= limits::REGISTRATION_LINES_AT_ONCE);
        }
        assert_eq!([1, 2, 3, limits::REGISTRATION_TASKS_AT_ONCE].map(part), [32, 32, 21, 2]);
    }
}
