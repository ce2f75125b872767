//! HTTPS for devices, and the way to MQTT over WebSocket.
//!
//! A connection takes the same road as one of MQTT: a place, handshake, admission, an entry in the index of live
//! connections; then [`connection`] serves its requests, one at a time. With a certificate, admission says who it is, and
//! a revocation cuts it in the middle of whatever it does. Without one (port 443), each request says so itself by its
//! signature, and `GET /mqtt` may turn the connection into a WebSocket ([`websocket`]), which is in the index under its
//! access key.
//!
//! A request goes through [`connection`] (who asks, is it still allowed to), [`route`] (which operation, by the raw path),
//! one file in [`operations`] (input, permission, deed), and [`answer`].

mod answer;
mod connection;
mod operations;
mod route;
mod signed;
mod upgrade;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;

use gatehouse_broker::Mailbox;
use parking_lot::Mutex;

use self::connection::{Connection, Device, Visitor};
pub(crate) use self::signed::SERVICES;
pub(crate) use self::websocket::WebSocket;
use crate::Gateway;
use crate::admission::{Admitted, TurnedAway};
use crate::arrivals::Arrival;
use crate::authorization::{Authorization, Connecting};
use crate::device::Known;
use crate::tls::{Handshake, Protocol};

impl Gateway {
    /// Serves a connection behind its handshake, to its end.
    pub(crate) async fn https(self: Arc<Self>, handshake: Box<Handshake>, peer: SocketAddr, arrival: Arrival) {
        // Each step is boxed, so that its memory is given back before the next.
        let upgraded = Box::pin(Arc::clone(&self).serve_https(handshake, peer, arrival)).await;
        let Some((upgrade, known)) = upgraded else { return };
        if let Some(session) = Box::pin(self.websocket(upgrade, known)).await {
            self.live(session, peer).await;
        }
    }

    async fn serve_https(
        self: Arc<Self>,
        handshake: Box<Handshake>,
        peer: SocketAddr,
        arrival: Arrival,
    ) -> Option<(upgrade::Upgrade, Known)> {
        let mailbox = Arc::new(Mailbox::within(Arc::clone(&self.queue_room)));
        let sni: Option<Arc<str>> = handshake.sni.as_deref().map(Arc::from);
        let known = Known { peer, sni, tls_version: handshake.version };
        let visitor = match (handshake.protocol, handshake.unresolved) {
            (Protocol::Signed, Some(refusal)) => Visitor::TurnedAway(TurnedAway::stranger(refusal)),
            (Protocol::Signed, None) => Visitor::Signed { _presence: self.connections.visit(&mailbox) },
            (Protocol::Https | Protocol::Mqtt, _) => match self.admit_https(&handshake, &mailbox, &known).await {
                Ok(device) => Visitor::Device(Box::new(device)),
                Err(turned_away) => Visitor::TurnedAway(turned_away),
            },
        };
        let connection = Arc::new(Connection::new(self, visitor, mailbox, known, arrival));
        connection::serve(&connection, handshake.stream).await;
        let upgrade = connection.take_upgrade();
        // Whoever is a guest by its own name now is no visitor any more.
        let known = Arc::into_inner(connection).map(Connection::into_known)?;
        upgrade.map(|upgrade| (upgrade, known))
    }

    async fn admit_https(
        &self,
        handshake: &Handshake,
        mailbox: &Arc<Mailbox>,
        known: &Known,
    ) -> Result<Device, TurnedAway> {
        let Admitted { identity, rights, endpoint_type } = self.admission.admit(handshake, mailbox).await?;
        let connecting = Connecting {
            client_id: None,
            source_ip: known.peer.ip(),
            domain_name: identity.is_named().then(|| known.sni.clone()).flatten(),
        };
        match Authorization::load(&self.shared.registry, rights, connecting).await {
            Ok(authorization) => {
                self.metrics.admissions.inc();
                Ok(Device { identity, endpoint_type, authorization: Mutex::new(Some(Box::new(authorization))) })
            }
            Err(refusal) => Err(identity.turned_away(refusal)),
        }
    }
}
