//! Whoever works on registration tasks: takes those that wait, in the order of their waiting, a bounded number at once.
//! Several may do so on one store; a task is in the hands of one of them.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::limits;
use gatehouse_store::{Batch, Error, RegistrationTaskRecord};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::turn::{TURN_MS, Turn};
use crate::call::House;
use crate::random::uuid;

/// How often is looked for tasks that wait, of which this process was not told.
pub const POLL: Duration = Duration::from_secs(1);

/// How long lines under way may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Works on the registration tasks of all scopes.
pub struct Worker {
    house: Arc<House>,
}

impl Worker {
    /// In the service of `house`.
    #[must_use]
    pub const fn new(house: Arc<House>) -> Self {
        Self { house }
    }

    /// Works until `stopped` says so. Then lines under way come to their end, and what is left waits for the next worker.
    /// Dropped instead, it leaves lines behind that the next worker looks at again, once the turns are over.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut turns = JoinSet::new();
        loop {
            if *stopped.borrow() {
                break;
            }
            self.take_up(&mut turns, &stopped).await;
            tokio::select! {
                Some(_ended) = turns.join_next() => {}
                () = self.house.bulk.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
                changed = stopped.changed() => if changed.is_err() { break },
            }
        }
        let ended = async { while turns.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!("lines of registration tasks are left to the next start");
        }
    }

    /// Works off all tasks that wait now, and ends with them.
    pub async fn work_off(&self) {
        // Held until the end: who waits for a word from it would wait no more.
        let (_stop, stopped) = watch::channel(false);
        let mut turns = JoinSet::new();
        loop {
            self.take_up(&mut turns, &stopped).await;
            if turns.join_next().await.is_none() {
                return;
            }
        }
    }

    async fn take_up(&self, turns: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
        let room = limits::REGISTRATION_TASKS_AT_ONCE.saturating_sub(turns.len());
        let taken = match self.take(u32::try_from(room).unwrap_or(u32::MAX)).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, "registration tasks cannot be taken up");
                return;
            }
        };
        for task in taken {
            let (house, mut stopped) = (Arc::clone(&self.house), stopped.clone());
            turns.spawn(async move {
                let task_id = task.task_id.clone();
                let over = async {
                    tokio::select! {
                        () = tokio::time::sleep(limits::REGISTRATION_TURN) => {}
                        _ = stopped.wait_for(|stopped| *stopped) => {}
                    }
                };
                if let Err(error) = Turn::new(house, task).run(over).await {
                    tracing::warn!(%task_id, %error, "a registration task is interrupted");
                }
            });
        }
    }

    /// Takes a turn on each of the tasks that have waited longest.
    async fn take(&self, room: u32) -> Result<Vec<RegistrationTaskRecord>, Error> {
        let Self { house } = self;
        if room == 0 {
            return Ok(Vec::new());
        }
        let now = house.clock.now();
        let mut taken = Vec::new();
        for mut task in house.store.waiting_registration_tasks(now, room).await? {
            let turn = uuid().map_err(|error| Error::Unavailable(error.to_string()))?;
            let until = now.plus_millis(TURN_MS);
            let mut batch = Batch::new();
            batch.take_registration_task(&task, &turn, until);
            match house.store.commit(batch, now).await {
                Ok(()) => {
                    (task.turn, task.turn_until) = (turn, until);
                    taken.push(task);
                }
                // Another was faster.
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }
}
