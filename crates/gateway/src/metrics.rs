//! Counts and times of the gate.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::refusal::Refusal;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::watch::Watch;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    direction: &'static str,
    qos: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    operation: &'static str,
    result: &'static str,
}

/// The gate's metrics, their handles resolved at start.
pub(crate) struct Metrics {
    /// Devices connected.
    pub(crate) connections: Gauge,
    /// Devices admitted.
    pub(crate) admissions: Counter,
    /// From accept to the end of the handshake.
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
    denials: Family<Operation, Counter>,
    requests: Family<Request, Counter>,
    failures: Family<Reason, Counter>,
    throttles: Family<Operation, Counter>,
    provisioning: Family<Request, Counter>,
}

/// The age of the last complete look at the change log, taken when the page is asked for: a gauge that somebody sets
/// would stand still just when it matters.
pub(crate) struct LogLag(pub(crate) Arc<Watch>);

impl std::fmt::Debug for LogLag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogLag")
    }
}

impl Collector for LogLag {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(self.0.log_lag().as_secs_f64());
        let help = "Age of the last complete look at the change log";
        let metric =
            encoder.encode_descriptor("gatehouse_change_log_lag", help, Some(&Unit::Seconds), gauge.metric_type())?;
        gauge.encode(metric)
    }
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
            denials: Family::default(),
            requests: Family::default(),
            failures: Family::default(),
            throttles: Family::default(),
            provisioning: Family::default(),
        };
        registry.register("gatehouse_connections", "Devices connected", metrics.connections.clone());
        registry.register("gatehouse_admissions", "Devices admitted", metrics.admissions.clone());
        registry.register("gatehouse_refusals", "Devices refused, by reason", metrics.refusals.clone());
        registry.register("gatehouse_cuts", "Live connections cut, by reason", metrics.cuts.clone());
        registry.register(
            "gatehouse_denials",
            "Operations of connected devices that were refused",
            metrics.denials.clone(),
        );
        registry.register(
            "gatehouse_https_requests",
            "HTTPS requests of devices by operation and result",
            metrics.requests.clone(),
        );
        registry.register("gatehouse_handshake_failures", "Handshakes that did not complete", metrics.failures.clone());
        registry.register(
            "gatehouse_throttled",
            "Operations of connected devices beyond their rates",
            metrics.throttles.clone(),
        );
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
        registry.register(
            "gatehouse_provisioning",
            "Requests to provision devices by operation and result",
            metrics.provisioning.clone(),
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

    pub(crate) fn denied(&self, operation: &'static str) {
        self.denials.get_or_create(&Operation { operation }).inc();
    }

    /// An HTTPS request was answered; `operation` and `result` are of our own words.
    pub(crate) fn answered(&self, operation: &'static str, result: &'static str) {
        self.requests.get_or_create(&Request { operation, result }).inc();
    }

    pub(crate) fn throttled(&self, operation: &'static str) {
        self.throttles.get_or_create(&Operation { operation }).inc();
    }

    /// A device was provisioned, or not; `result` is `Accepted` or the name of a refusal.
    pub(crate) fn provisioned(&self, operation: &'static str, result: &'static str) {
        self.provisioning.get_or_create(&Request { operation, result }).inc();
    }

    pub(crate) fn handshake_failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn handshake_took(&self, elapsed: Duration) {
        self.handshake.observe(elapsed.as_secs_f64());
    }
}
