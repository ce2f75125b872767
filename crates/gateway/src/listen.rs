//! Step 1: a permit, then accept. The loop waits for nothing that a stranger controls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::Gateway;
use crate::tls::Alpn;

/// Between attempts to accept when the system has no file descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(50);

impl Gateway {
    /// Takes in devices on `listener` until `stop` changes. Connections that live on are ended by
    /// [`Gateway::shut_down`].
    pub async fn listen(self: Arc<Self>, listener: TcpListener, alpn: Alpn, mut stop: watch::Receiver<bool>) {
        let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let handshakes = Arc::new(Semaphore::new(limits::HANDSHAKES_AT_ONCE));
        loop {
            let Ok(connection) = Arc::clone(&connections).acquire_owned().await else { return };
            let Ok(handshake) = Arc::clone(&handshakes).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.changed() => return,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    let gateway = Arc::clone(&self);
                    tokio::spawn(async move {
                        gateway.welcome(tcp, peer, alpn, handshake).await;
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

    async fn welcome(
        self: Arc<Self>,
        tcp: TcpStream,
        peer: SocketAddr,
        alpn: Alpn,
        handshake: tokio::sync::OwnedSemaphorePermit,
    ) {
        let _kept_slow = tcp.set_nodelay(true);
        // Boxed, so that the memory of the arrival is given back when the session begins.
        let session = Box::pin(Arc::clone(&self).device(tcp, peer, alpn)).await;
        drop(handshake);
        if let Some(session) = session {
            self.live(session, peer).await;
        }
    }
}
