//! Step 1: a place, then accept. The loop waits for nothing but a free place, and places are held for a bounded time:
//! arrivals have deadlines, and one source cannot take them all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::Gateway;
use crate::arrivals::Arrival;
use crate::device::Arrived;
use crate::tls::Port;

/// Between attempts to accept when the system has no file descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// Places for connections, shared by all listeners of the gate.
pub(crate) struct Places {
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits::CONNECTIONS)),
            handshakes: Arc::new(Semaphore::new(limits::HANDSHAKES_AT_ONCE)),
        }
    }
}

impl Gateway {
    /// Takes in devices on `listener` until `stop` changes. Connections that live on are ended by
    /// [`Gateway::shut_down`].
    pub async fn listen(self: Arc<Self>, listener: TcpListener, port: Port, mut stop: watch::Receiver<bool>) {
        loop {
            let next = async {
                let connection = Arc::clone(&self.places.connections).acquire_owned().await.ok()?;
                let handshake = Arc::clone(&self.places.handshakes).acquire_owned().await.ok()?;
                Some((connection, handshake, listener.accept().await))
            };
            let next = tokio::select! {
                next = next => next,
                _ = stop.changed() => return,
            };
            let Some((connection, handshake, accepted)) = next else { return };
            match accepted {
                Ok((tcp, peer)) => {
                    // On a listener for both families, an IPv4 peer has its own address: in logs, limits and policies.
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    let Some(arrival) = self.arrivals.enter(peer.ip(), handshake) else {
                        self.metrics.handshake_failed("too-many-from-source");
                        continue;
                    };
                    let gateway = Arc::clone(&self);
                    tokio::spawn(async move {
                        gateway.welcome(tcp, peer, port, arrival).await;
                        drop(connection);
                    });
                }
                Err(error) => {
                    // What is connected goes on; newcomers wait in the backlog.
                    tracing::warn!(%error, "cannot accept devices");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }

    async fn welcome(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr, port: Port, arrival: Arrival) {
        let _kept_slow = tcp.set_nodelay(true);
        // Boxed, so that the memory of the arrival is given back when the session begins.
        match Box::pin(Arc::clone(&self).device(tcp, peer, port)).await {
            Some(Arrived::Mqtt(session)) => {
                drop(arrival);
                self.live(session, peer).await;
            }
            // Boxed: sessions of MQTT are many, and must not pay for the size of this.
            Some(Arrived::Https(handshake)) => Box::pin(self.https(handshake, peer, arrival)).await,
            None => {}
        }
    }
}
