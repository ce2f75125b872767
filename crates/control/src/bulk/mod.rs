//! Bulk registration: tasks that carry a template out for each line of an input file, behind everybody's back.
//!
//! A task lies in the store ([`gatehouse_store::RegistrationTaskRecord`]). The [`worker`] takes tasks that wait, each for a
//! *turn*: it opens the input file ([`bucket`]), reads it line by line ([`reader`]), and has several lines carried out at
//! once ([`turn`], [`line`]). What a line makes and its outcome are one commit, so whoever goes on after a crash does
//! nothing twice and leaves nothing out, and neither do two who work on one task. What became of the lines is told in two
//! reports, to whoever has a link ([`report`]).
//!
//! A task is nobody's hurry: the lines under way at once are bounded for each task and for all ([`Bulk`]), so that neither
//! devices nor the tasks of others wait long behind them.

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

use gatehouse_domain::limits;
use gatehouse_domain::registration_task::input::{BucketName, ObjectKey};
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Timestamp;
use parking_lot::RwLock;
use tokio::sync::{Notify, Semaphore};

use self::bucket::Bucket;
use crate::call::House;
use crate::provisioning::Permit;

/// What bulk registration works with: the buckets that are known, and room to work in.
pub struct Bulk {
    buckets: RwLock<BTreeMap<BucketName, Arc<Bucket>>>,
    /// What links to reports begin with; the address that the caller used when absent.
    address: Option<String>,
    /// Somebody started a task, or wants one to stop.
    wake: Notify,
    /// A place for each line that is in memory. Given in the order of asking, so that no task takes all of them.
    lines: Arc<Semaphore>,
    /// A place for each check of a signing request: half of the processors, so that the other half stays with the devices.
    checks: Semaphore,
    /// A place for each report that is being sent.
    reports: Arc<Semaphore>,
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
            lines: Arc::new(Semaphore::new(limits::REGISTRATION_LINES_AT_ONCE)),
            checks: Semaphore::new((processors / 2).max(1)),
            reports: Arc::new(Semaphore::new(limits::REPORTS_AT_ONCE)),
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
