//! QoS 1 messages under way, by packet identifier. At most some hundred, so that a list is searched faster than a map.

use crate::packet::PacketId;

/// Publishes of the client that we have not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Received {
    ids: Vec<PacketId>,
}

impl Received {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// `false` if it is there already.
    pub(super) fn insert(&mut self, id: PacketId) -> bool {
        let is_new = !self.ids.contains(&id);
        if is_new {
            self.ids.push(id);
        }
        is_new
    }

    pub(super) fn remove(&mut self, id: PacketId) -> bool {
        remove(&mut self.ids, id)
    }
}

/// Messages of ours that the client has not acknowledged, at most `window`.
#[derive(Debug)]
pub(super) struct Sent {
    ids: Vec<PacketId>,
    /// Where the search for a free identifier begins, so that one is not used again soon after its acknowledgement.
    next: PacketId,
    window: u16,
}

impl Sent {
    pub(super) const fn new(window: u16) -> Self {
        Self { ids: Vec::new(), next: PacketId::MIN, window }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// An identifier that is not in flight, if the window has room.
    pub(super) fn next_free(&self) -> Option<PacketId> {
        if self.ids.len() >= usize::from(self.window) {
            return None;
        }
        let mut candidate = self.next;
        // Ends: fewer than 65,535 are in flight, by the window.
        while self.ids.contains(&candidate) {
            candidate = following(candidate);
        }
        Some(candidate)
    }

    pub(super) fn insert(&mut self, id: PacketId) {
        self.ids.push(id);
        self.next = following(id);
    }

    pub(super) fn remove(&mut self, id: PacketId) -> bool {
        remove(&mut self.ids, id)
    }
}

fn following(id: PacketId) -> PacketId {
    id.checked_add(1).unwrap_or(PacketId::MIN)
}

fn remove(ids: &mut Vec<PacketId>, id: PacketId) -> bool {
    match ids.iter().position(|&other| other == id) {
        Some(at) => {
            ids.swap_remove(at);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_in_flight_are_passed_over_when_the_count_comes_round() {
        let mut sent = Sent::new(2);
        let slow = sent.next_free().unwrap();
        sent.insert(slow);
        for _ in 0..70_000 {
            let id = sent.next_free().unwrap();
            assert_ne!(id, slow);
            sent.insert(id);
            assert_eq!(sent.next_free(), None);
            assert!(sent.remove(id));
        }
        assert!(sent.remove(slow));
        assert!(!sent.remove(slow));
    }
}
