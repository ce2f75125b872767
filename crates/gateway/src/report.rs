//! A refusal is a first-class outcome: one log event with stable field names, one metric.

use std::net::SocketAddr;

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;

use crate::metrics::Metrics;

/// A device that was turned away, as the log tells it.
pub(crate) struct Report<'a> {
    pub(crate) refusal: Refusal,
    pub(crate) certificate_id: Option<CertificateId>,
    pub(crate) scope: Option<Scope>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) peer: SocketAddr,
    pub(crate) sni: Option<&'a str>,
    pub(crate) tls_version: &'static str,
}

impl Report<'_> {
    /// Writes the event and counts it.
    pub(crate) fn file(&self, metrics: &Metrics) {
        metrics.refused(self.refusal);
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        tracing::info!(
            event_type = "Connection.AuthNError",
            reason = self.refusal.label(),
            aws_reason = self.refusal.aws_reason(),
            details = %self.refusal,
            certificate_id = text(self.certificate_id.map(|id| id.to_string())),
            account = text(self.scope.map(|scope| scope.account.to_string())),
            region = text(self.scope.map(|scope| scope.region.to_string())),
            client_id = self.client_id.unwrap_or("-"),
            source_ip = %self.peer.ip(),
            source_port = self.peer.port(),
            sni = self.sni.unwrap_or("-"),
            tls_version = self.tls_version,
            "device refused"
        );
    }
}
