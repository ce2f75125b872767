//! Who is on the way in: bounded for each source, so that one host cannot keep a fleet out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use gatehouse_domain::limits;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

/// Arrivals by source.
#[derive(Clone, Default)]
pub(crate) struct Arrivals(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A peer on its way in; dropping it frees its place.
pub(crate) struct Arrival {
    arrivals: Arrivals,
    source: IpAddr,
    _handshake: OwnedSemaphorePermit,
}

impl Arrivals {
    /// Lets a peer begin, unless [`limits::ARRIVALS_PER_SOURCE`] of its source are on their way already.
    pub(crate) fn enter(&self, peer: IpAddr, handshake: OwnedSemaphorePermit) -> Option<Arrival> {
        let source = source(peer);
        let mut counts = self.0.lock();
        let count = counts.entry(source).or_insert(0);
        if *count >= limits::ARRIVALS_PER_SOURCE {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Arrival { arrivals: self.clone(), source, _handshake: handshake })
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.arrivals.0.lock().entry(self.source) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// An IPv4 address, or the /64 network that an IPv6 host commands.
fn source(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    #[test]
    fn one_source_cannot_take_every_place() {
        let places = Arc::new(Semaphore::new(10_000));
        let arrivals = Arrivals::default();
        let enter = |ip: &str| arrivals.enter(ip.parse().unwrap(), Arc::clone(&places).try_acquire_owned().unwrap());
        let mut held: Vec<_> = (0..limits::ARRIVALS_PER_SOURCE).map(|_| enter("2001:db8::1").unwrap()).collect();
        assert!(enter("2001:db8::2").is_none(), "the same /64");
        assert!(enter("2001:db8:0:1::1").is_some());
        assert!(enter("192.0.2.1").is_some());
        held.pop();
        assert!(enter("2001:db8::2").is_some());
        drop(held);
        assert!(arrivals.0.lock().is_empty());
    }
}
