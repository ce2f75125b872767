//! Room to provision in: so many devices of a scope at once, the others wait in line, and more than that are told to come
//! back. A storm in one scope takes neither the turns nor the memory of another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;

/// Room for every scope.
#[derive(Default)]
pub(super) struct Room {
    /// Bounded by the accounts and Regions that there are.
    scopes: Mutex<HashMap<Scope, Arc<ScopeRoom>>>,
}

struct ScopeRoom {
    turns: Arc<Semaphore>,
    present: AtomicUsize,
}

/// A device's turn, until it is dropped.
pub(super) struct Turn {
    room: Arc<ScopeRoom>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Waits for a turn in `scope`.
    ///
    /// # Errors
    /// `Throttling` when [`limits::PROVISIONING_PER_SCOPE`] are present already.
    pub(super) async fn turn(&self, scope: Scope) -> Result<Turn, Failure> {
        let room = Arc::clone(self.scopes.lock().entry(scope).or_insert_with(|| {
            let turns = Arc::new(Semaphore::new(limits::PROVISIONING_AT_ONCE));
            Arc::new(ScopeRoom { turns, present: AtomicUsize::new(0) })
        }));
        let enter = |present: usize| (present < limits::PROVISIONING_PER_SCOPE).then_some(present + 1);
        if room.present.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter).is_err() {
            return Err(Failure::new(
                FleetError::Throttling,
                "too many devices are being provisioned: try again later",
            ));
        }
        let turns = Arc::clone(&room.turns);
        // Present from here on, and no more when dropped, even while it waits.
        let mut turn = Turn { room, permit: None };
        turn.permit = turns.acquire_owned().await.ok();
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit.take();
        self.room.present.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn scope(account: u64) -> Scope {
        use gatehouse_domain::scope::AccountId;
        Scope::new(AccountId::from_number(account), "us-east-1".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_scope_makes_its_own_devices_wait_and_nobody_elses() {
        let room = Room::default();
        let mut turns = Vec::new();
        for _ in 0..limits::PROVISIONING_AT_ONCE {
            turns.push(room.turn(scope(1)).await.unwrap());
        }
        let waits = tokio::time::timeout(Duration::from_secs(60), room.turn(scope(1))).await;
        assert!(waits.is_err());
        assert!(room.turn(scope(2)).await.is_ok());
        turns.pop();
        assert!(room.turn(scope(1)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_has_an_end_and_who_leaves_it_makes_room() {
        let room = Arc::new(Room::default());
        let mut waiting = Vec::new();
        for _ in 0..limits::PROVISIONING_PER_SCOPE {
            let room = Arc::clone(&room);
            waiting.push(tokio::spawn(async move {
                let turn = room.turn(scope(1)).await;
                std::future::pending::<()>().await;
                drop(turn);
            }));
        }
        let present = || room.scopes.lock().get(&scope(1)).map_or(0, |room| room.present.load(Ordering::Relaxed));
        while present() < limits::PROVISIONING_PER_SCOPE {
            tokio::task::yield_now().await;
        }
        let refused = room.turn(scope(1)).await.err().map(|failure| failure.kind);
        assert_eq!(refused, Some(FleetError::Throttling));
        for task in waiting {
            task.abort();
            let _aborted = task.await;
        }
        assert!(room.turn(scope(1)).await.is_ok());
    }
}
