//! Clients that are gone and left no session: remembered for an hour, so that their next connection has the next number
//! and that somebody can be told when and why they went.

use std::collections::{BTreeSet, HashMap};

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::limits;
use gatehouse_domain::time::Timestamp;

/// A client that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departed {
    /// When it connected last.
    pub connected_at: Timestamp,
    /// Since when it is gone.
    pub disconnected_at: Timestamp,
    /// Why.
    pub reason: DisconnectReason,
    /// The number of its last connection.
    pub version: u64,
}

/// The clients of a scope that are gone.
#[derive(Debug, Default)]
pub(crate) struct DepartedClients {
    clients: HashMap<ClientId, Departed>,
    by_time: BTreeSet<(Timestamp, ClientId)>,
}

impl DepartedClients {
    /// Remembers a client; forgets the one that is gone longest when there are [`limits::DEPARTED_CLIENTS`].
    pub(crate) fn remember(&mut self, client_id: ClientId, departed: Departed) {
        self.take(&client_id);
        self.by_time.insert((departed.disconnected_at, client_id.clone()));
        self.clients.insert(client_id, departed);
        if self.clients.len() > limits::DEPARTED_CLIENTS
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.clients.remove(&oldest);
        }
    }

    /// The client is back.
    pub(crate) fn take(&mut self, client_id: &ClientId) -> Option<Departed> {
        let departed = self.clients.remove(client_id)?;
        self.by_time.remove(&(departed.disconnected_at, client_id.clone()));
        Some(departed)
    }

    pub(crate) fn get(&self, client_id: &ClientId) -> Option<Departed> {
        self.clients.get(client_id).copied()
    }

    /// Forgets who has been gone for too long.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while let Some((gone_at, client_id)) = self.by_time.first() {
            if now.millis_since(*gone_at) < limits::DEPARTED_MS {
                break;
            }
            self.clients.remove(client_id);
            self.by_time.pop_first();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_forgotten_after_an_hour_or_when_there_are_too_many() {
        let mut clients = DepartedClients::default();
        let id = |number: usize| ClientId::parse(&number.to_string()).unwrap();
        let gone = |secs: i64| Departed {
            connected_at: Timestamp::from_secs(0),
            disconnected_at: Timestamp::from_secs(secs),
            reason: DisconnectReason::ConnectionLost,
            version: 1,
        };
        clients.remember(id(1), gone(0));
        clients.remember(id(1), gone(10));
        clients.remember(id(2), gone(5));
        clients.forget(Timestamp::from_secs(3_605));
        assert_eq!((clients.get(&id(1)), clients.get(&id(2))), (Some(gone(10)), None));
        assert_eq!(clients.take(&id(1)), Some(gone(10)));
        assert!(clients.is_empty() && clients.by_time.is_empty());
        for number in 0..=limits::DEPARTED_CLIENTS {
            clients.remember(id(number), gone(i64::try_from(number).unwrap()));
        }
        assert_eq!(clients.get(&id(0)), None);
        assert_eq!(
            (clients.clients.len(), clients.by_time.len()),
            (limits::DEPARTED_CLIENTS, limits::DEPARTED_CLIENTS)
        );
    }
}
