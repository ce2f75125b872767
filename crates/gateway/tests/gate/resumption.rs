//! Resumed TLS sessions take the same road as all others.

use std::sync::Arc;

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_gateway::SniPolicy;
use gatehouse_mqtt::packet::Connect;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, NamedGroup};

use crate::harness::{Call, Client, Device, Gate, Setup, home, host, other, text};

/// Offers a session at whatever host comes next, as somebody would who wants to carry it elsewhere.
#[derive(Debug)]
struct OneForAll(ClientSessionMemoryCache);

impl OneForAll {
    fn name() -> ServerName<'static> {
        ServerName::try_from("one").unwrap()
    }
}

impl ClientSessionStore for OneForAll {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

fn kind(client: &Client) -> HandshakeKind {
    client.stream.get_ref().1.handshake_kind().unwrap()
}

/// Calls in both versions of TLS that remember sessions.
fn calls(gate: &Gate, device: &Device) -> [Call; 2] {
    [gate.call(device), gate.call(device).tls12()]
        .map(|call| call.remembering(Resumption::store(Arc::new(OneForAll(ClientSessionMemoryCache::new(16))))))
}

async fn resuming() -> Gate {
    Gate::with(Setup { resumption: true, sni: SniPolicy::Optional, ..Setup::default() }).await
}

#[tokio::test]
async fn sessions_are_not_resumed_by_default() {
    let gate = Gate::open().await;
    for call in calls(&gate, &gate.device().await) {
        for _ in 0..2 {
            let mut client = call.connect("dev").await.accepted();
            client.hears_nothing().await;
            assert_ne!(kind(&client), HandshakeKind::Resumed);
        }
    }
}

#[tokio::test]
async fn a_session_is_resumed_when_the_operator_wants_it() {
    let gate = resuming().await;
    for call in calls(&gate, &gate.device().await) {
        call.connect("dev").await.accepted().hears_nothing().await;
        for _ in 0..2 {
            let mut client = call.connect("dev").await.accepted();
            client.hears_nothing().await;
            assert_eq!(kind(&client), HandshakeKind::Resumed, "{:?}", call.tls);
        }
    }
}

#[tokio::test]
async fn a_resumed_session_of_a_certificate_revoked_meanwhile_is_refused() {
    let gate = resuming().await;
    for which in [0, 1] {
        let device = gate.device().await;
        let call = &calls(&gate, &device)[which];
        call.connect("dev").await.accepted().hears_nothing().await;
        gate.registrar.set_status(home(), device.id, CertificateStatus::Revoked).await;
        let client = call.tls().await.unwrap();
        assert_eq!(kind(&client), HandshakeKind::Resumed);
        assert_eq!(client.connect(Connect::new(call.mqtt, text("dev"))).await.explained().0, 0x87);
    }
    assert_eq!(gate.refusals("revoked"), 2);
}

#[tokio::test]
async fn a_session_is_worth_nothing_at_another_endpoint() {
    let gate = resuming().await;
    // Registered at home: an unknown name and no name stand for that registration, the other account's endpoint does not.
    let table = [(Some(host(other())), false), (Some("gate.example.com".to_owned()), true), (None, true)];
    for (elsewhere, is_let_in) in table {
        for call in calls(&gate, &gate.device().await) {
            call.connect("dev").await.accepted().hears_nothing().await;
            let mut config = ClientConfig::clone(call.config.as_ref().unwrap());
            config.enable_sni = elsewhere.is_some();
            let away = Call { host: elsewhere.clone(), config: Some(Arc::new(config)), ..call };
            let client = away.tls().await.unwrap();
            assert_ne!(kind(&client), HandshakeKind::Resumed, "{elsewhere:?}");
            let answer = client.connect(Connect::new(away.mqtt, text("dev"))).await;
            match is_let_in {
                true => answer.accepted().hears_nothing().await,
                false => assert_eq!(answer.explained().0, 0x87),
            }
        }
    }
    assert_eq!(gate.refusals("not-registered"), 2);
}
