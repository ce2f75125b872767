//! The story of a device, from accept to the end. Read this file first.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use gatehouse_broker::{CloseReason, Connected, ConnectionInfo, Mailbox, Unavailable};
use gatehouse_control::random::uuid;
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::refusal::Refusal;
use gatehouse_mqtt::packet::Connect;
use gatehouse_mqtt::{Connection, ReasonCode};
use tokio::net::TcpStream;

use crate::Gateway;
use crate::admission::{Admitted, TurnedAway};
use crate::authorization::{Authorization, Connecting};
use crate::connect::{Arriving, NamedClient, NoConnect, client_id, with_assigned_id};
use crate::just_in_time::Attempt;
use crate::lifecycle::{ConnectFailed, Lifecycle};
use crate::report::Report;
use crate::session::{Session, SessionPace};
use crate::tls::{Handshake, Port, Protocol};
use crate::will::Will;
use crate::wire::Wire;

/// What is known about a peer for reports.
pub(crate) struct Known {
    pub(crate) peer: SocketAddr,
    pub(crate) sni: Option<Arc<str>>,
    pub(crate) tls_version: &'static str,
}

/// How a connection goes on behind the handshake.
pub(crate) enum Arrived {
    /// An MQTT session.
    Mqtt(Box<Session>),
    /// HTTPS, which admits by itself.
    Https(Box<Handshake>),
}

impl Gateway {
    /// Brings a device from accept to a session: handshake, admission, CONNECT, permission. `None` when it does not get
    /// there; it has been told then, and the refusal has been filed.
    pub(crate) async fn device(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr, port: Port) -> Option<Arrived> {
        let began = Instant::now();
        let handshake = match self.tls.accept(tcp, port, &self.admission.endpoints).await {
            Ok(handshake) => handshake,
            Err(failure) => {
                self.metrics.handshake_failed(failure.label());
                tracing::debug!(%peer, reason = failure.label(), error = %failure, "no handshake");
                return None;
            }
        };
        self.metrics.handshake_took(began.elapsed());
        if handshake.protocol != Protocol::Mqtt {
            return Some(Arrived::Https(Box::new(handshake)));
        }

        let mailbox = Arc::new(Mailbox::within(Arc::clone(&self.queue_room)));
        let asked = Instant::now();
        let admission = self.admission.admit(&handshake, &mailbox).await;
        self.metrics.admission.observe(asked.elapsed().as_secs_f64());

        let Handshake { stream, sni, version, presented, .. } = handshake;
        let known = Known { peer, sni: sni.map(Arc::from), tls_version: version };
        let mut arriving = Arriving::new(Wire::Tls(stream));
        let connect = match arriving.read_connect().await {
            Ok(connect) => connect,
            Err(reason) => {
                self.without_connect(arriving, reason, admission, &known).await;
                return None;
            }
        };
        match admission {
            Err(mut turned_away) => {
                if let (Some(scope), true) = (turned_away.scope, turned_away.is_named) {
                    let attempt =
                        Attempt { scope, client_id: connect.client_id.as_str(), refusal: turned_away.refusal };
                    (turned_away.refusal, turned_away.details) =
                        self.just_in_time.connect_attempted(attempt, presented).await;
                }
                self.turn_away(arriving, &connect, &turned_away, &known).await;
                None
            }
            Ok(admitted) => self.let_in(arriving, &connect, admitted, mailbox, known).await.map(Arrived::Mqtt),
        }
    }

    /// CONNECT of an admitted device: MQTT's rules, the client id, the policies; then the session begins.
    pub(crate) async fn let_in(
        &self,
        arriving: Arriving,
        connect: &Connect,
        admitted: Admitted,
        mailbox: Arc<Mailbox>,
        known: Known,
    ) -> Option<Box<Session>> {
        let Admitted { identity, rights, .. } = admitted;
        let turned_away = |refusal| identity.turned_away(refusal);
        let (connection, offers) = match Connection::open(connect, &self.mqtt) {
            Ok(opened) => opened,
            Err(refusal) => {
                self.file(&turned_away(Refusal::ConnectRules), Some(connect.client_id.as_str()), &known);
                arriving.refuse_request(connect, refusal.reason, refusal.text).await;
                return None;
            }
        };
        let will = match connect.will.as_ref().map(Will::read).transpose() {
            Ok(will) => will,
            Err(text) => {
                self.file(&turned_away(Refusal::ConnectRules), Some(connect.client_id.as_str()), &known);
                arriving.refuse_request(connect, ReasonCode::TopicNameInvalid, &text).await;
                return None;
            }
        };
        let permitted = async {
            let client = client_id(connect, || uuid().ok())?;
            let connecting = Connecting {
                client_id: Some(client.client_id.clone()),
                source_ip: known.peer.ip(),
                // Only an endpoint's name is one that the device cannot choose freely.
                domain_name: identity.is_named().then(|| known.sni.clone()).flatten(),
            };
            let mut authorization = Authorization::load(&self.shared.registry, rights, connecting).await?;
            // The record was read before CONNECT came, which may be a while ago.
            authorization.refresh(&self.shared.registry, &mailbox, self.shared.clock.now()).await?;
            self.permit(&mut authorization, connect, will.as_ref())?;
            Ok::<(NamedClient, Authorization), Refusal>((client, authorization))
        };
        let (client, authorization) = match permitted.await {
            Ok(permitted) => permitted,
            Err(refusal) => {
                let turned_away = turned_away(refusal);
                self.tell_failed(connect, &turned_away, &known);
                self.turn_away(arriving, connect, &turned_away, &known).await;
                return None;
            }
        };

        // Cut on the way in: nobody else's session may be taken over any more.
        if let Some(CloseReason::Refused(refusal)) = mailbox.close_reason() {
            let turned_away = turned_away(refusal);
            self.turn_away(arriving, connect, &turned_away, &known).await;
            return None;
        }
        let scope = identity.scope();
        let rates = self.rates.of(scope);
        let Some(place) = rates.connect(self.shared.clock.now()) else {
            let turned_away = turned_away(Refusal::Throttled);
            self.turn_away(arriving, connect, &turned_away, &known).await;
            return None;
        };
        let connecting = gatehouse_broker::Connecting {
            client_id: client.client_id.clone(),
            protocol_level: connect.version.level(),
            clean_start: connect.clean_start,
            // A client cannot come back under an id that was made up for it.
            expiry_secs: if client.is_assigned { 0 } else { connection.session_expiry_secs() },
            mailbox: Arc::clone(&mailbox),
            info: Arc::new(ConnectionInfo {
                connected_at: self.shared.clock.now(),
                session_identifier: uuid().unwrap_or_default().into(),
                principal: identity.principal().to_string().into(),
                thing_name: authorization.exclusive_thing(),
                keep_alive_secs: connection.keep_alive_secs(),
                clean_start: connect.clean_start,
                session_expiry_secs: connection.session_expiry_secs(),
                source: known.peer,
                target: arriving.stream.local_addr(),
            }),
        };
        let info = Arc::clone(&connecting.info);
        let Connected { guard, session_present, version } = match self.broker.connect(scope, connecting).await {
            Ok(connected) => connected,
            Err(unavailable) => {
                let refusal = match unavailable {
                    Unavailable::Throttled => Refusal::Throttled,
                    Unavailable::Store | Unavailable::RetainedLimit => Refusal::RegistryUnavailable,
                };
                let turned_away = turned_away(refusal);
                self.turn_away(arriving, connect, &turned_away, &known).await;
                return None;
            }
        };
        let lifecycle = Lifecycle::new(self.broker.clone(), scope, client.client_id.clone(), info, version);
        lifecycle.connected(self.shared.clock.now());
        let mut outbound = BytesMut::new();
        let connack = connection.connack(session_present, with_assigned_id(offers, &client));
        if connection.encode(&connack, &mut outbound).is_err() {
            return None;
        }
        self.metrics.admissions.inc();
        tracing::debug!(
            event_type = "Connect",
            principal = %identity.principal(),
            scope = %identity.scope(),
            client_id = %client.client_id,
            source_ip = %known.peer.ip(),
            tls_version = known.tls_version,
            "device connected"
        );
        Some(Box::new(Session {
            shared: Arc::clone(&self.shared),
            stream: arriving.stream,
            inbound: arriving.buffer,
            decoder: arriving.decoder,
            connection,
            identity,
            authorization,
            mailbox,
            guard,
            lifecycle,
            will: will.map(Box::new),
            outbound,
            pending: std::collections::VecDeque::new(),
            is_window_full: false,
            followed: Vec::new(),
            receipts_awaited: 0,
            refusals_in_line: Vec::new(),
            rates,
            pace: SessionPace::default(),
            provisioning: None,
            _place: place,
            is_committed: true,
        }))
    }

    /// `iot:Connect`; `iot:Publish`, and `iot:RetainPublish` where it is to be retained, for the will.
    fn permit(&self, authorization: &mut Authorization, connect: &Connect, will: Option<&Will>) -> Result<(), Refusal> {
        let now = self.shared.clock.now();
        let is_persistent = match connect.version {
            gatehouse_mqtt::Version::V311 => !connect.clean_start,
            gatehouse_mqtt::Version::V5 => connect.properties.session_expiry_interval.is_some_and(|secs| secs > 0),
        };
        authorization.connect(now, is_persistent, will.map(|will| &will.topic)).map_err(|_| Refusal::PolicyDenied)?;
        match will {
            Some(will) => {
                authorization.publish(now, &will.topic).map_err(|_| Refusal::PolicyDenied)?;
                if will.retain {
                    authorization.retain_publish(now, &will.topic).map_err(|_| Refusal::PolicyDenied)?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The event of a CONNECT that the policies refused.
    fn tell_failed(&self, connect: &Connect, turned_away: &TurnedAway, known: &Known) {
        if turned_away.refusal != Refusal::PolicyDenied {
            return;
        }
        if let (Some(scope), Some(principal), Ok(client_id)) =
            (turned_away.scope, &turned_away.principal, ClientId::parse(connect.client_id.as_str()))
        {
            let failed = ConnectFailed {
                scope,
                client_id: &client_id,
                principal: principal.to_string(),
                session_identifier: uuid().unwrap_or_default(),
                source_ip: known.peer.ip(),
            };
            failed.publish(&self.broker, self.shared.clock.now());
        }
    }

    /// Runs a session to its end.
    pub(crate) async fn live(&self, session: Box<Session>, peer: SocketAddr) {
        let principal = session.identity.principal();
        let scope = session.identity.scope();
        self.metrics.connections.inc();
        let end = session.run().await;
        self.metrics.connections.dec();
        tracing::debug!(event_type = "Disconnect", %principal, %scope, source_ip = %peer.ip(), ?end, "device gone");
    }

    async fn turn_away(&self, arriving: Arriving, connect: &Connect, turned_away: &TurnedAway, known: &Known) {
        self.file(turned_away, Some(connect.client_id.as_str()), known);
        arriving.refuse(connect, turned_away.refusal, self.refusals).await;
    }

    /// No CONNECT came. A device that would have been turned away is still reported, as it may be a client that never
    /// gets as far; so is one that sent something else.
    pub(crate) async fn without_connect(
        &self,
        arriving: Arriving,
        reason: NoConnect,
        admission: Result<Admitted, TurnedAway>,
        known: &Known,
    ) {
        tracing::debug!(peer = %known.peer, ?reason, "no CONNECT came");
        match (admission, reason) {
            (Err(turned_away), _) => self.file(&turned_away, None, known),
            (Ok(_), NoConnect::Gone) => {}
            (Ok(admitted), NoConnect::Malformed(error)) => {
                self.file(&admitted.identity.turned_away(Refusal::ConnectRules), None, known);
                arriving.answer_malformed(error).await;
            }
        }
    }

    pub(crate) fn file(&self, turned_away: &TurnedAway, client_id: Option<&str>, known: &Known) {
        let report = Report {
            refusal: turned_away.refusal,
            details: turned_away.details.as_deref(),
            principal: turned_away.principal.as_ref(),
            scope: turned_away.scope,
            client_id,
            peer: known.peer,
            sni: known.sni.as_deref(),
            tls_version: known.tls_version,
        };
        self.reporter.file(&report, self.shared.clock.now());
    }
}
