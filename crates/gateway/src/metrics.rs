//! Counts and times of the gate.

use std::time::Duration;

use gatehouse_domain::refusal::Refusal;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    direction: &'static str,
    qos: u8,
}

/// The gate's metrics, their handles resolved at start.
pub(crate) struct Metrics {
    /// Connections with a complete handshake.
    pub(crate) connections: Gauge,
    /// Devices admitted.
    pub(crate) admissions: Counter,
    /// From ClientHello to the end of the handshake.
    pub(crate) handshake: Histogram,
    /// From the end of the handshake to the registry's decision.
    pub(crate) admission: Histogram,
    /// Messages taken from publishers, by QoS.
    pub(crate) received: [Counter; 2],
    /// Messages handed to subscribers, by QoS.
    pub(crate) sent: [Counter; 2],
    /// Messages a subscriber's policy kept from it.
    pub(crate) withheld: Counter,
    refusals: Family<Reason, Counter>,
    cuts: Family<Reason, Counter>,
    failures: Family<Reason, Counter>,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let messages: Family<Flow, Counter> = Family::default();
        let flow = |direction| [0, 1].map(|qos| messages.get_or_create(&Flow { direction, qos }).clone());
        let buckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];
        let metrics = Self {
            connections: Gauge::default(),
            admissions: Counter::default(),
            handshake: Histogram::new(buckets),
            admission: Histogram::new(buckets),
            received: flow("received"),
            sent: flow("sent"),
            withheld: Counter::default(),
            refusals: Family::default(),
            cuts: Family::default(),
            failures: Family::default(),
        };
        registry.register(
            "gatehouse_connections",
            "Device connections with a complete handshake",
            metrics.connections.clone(),
        );
        registry.register("gatehouse_admissions", "Devices admitted", metrics.admissions.clone());
        registry.register("gatehouse_refusals", "Devices refused, by reason", metrics.refusals.clone());
        registry.register("gatehouse_cuts", "Live connections cut, by reason", metrics.cuts.clone());
        registry.register("gatehouse_handshake_failures", "Handshakes that did not complete", metrics.failures.clone());
        registry.register_with_unit(
            "gatehouse_handshake_duration",
            "From accept to the end of the TLS handshake",
            Unit::Seconds,
            metrics.handshake.clone(),
        );
        registry.register_with_unit(
            "gatehouse_admission_duration",
            "From the end of the handshake to the registry's decision",
            Unit::Seconds,
            metrics.admission.clone(),
        );
        registry.register("gatehouse_messages", "MQTT messages by direction and QoS", messages);
        registry.register(
            "gatehouse_messages_withheld",
            "Messages that a subscriber's policy (iot:Receive) kept from it",
            metrics.withheld.clone(),
        );
        metrics
    }

    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refusals.get_or_create(&Reason { reason: refusal.label() }).inc();
    }

    pub(crate) fn cut(&self, refusal: Refusal, connections: usize) {
        self.cuts
            .get_or_create(&Reason { reason: refusal.label() })
            .inc_by(u64::try_from(connections).unwrap_or(u64::MAX));
    }

    pub(crate) fn handshake_failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn handshake_took(&self, elapsed: Duration) {
        self.handshake.observe(elapsed.as_secs_f64());
    }
}
