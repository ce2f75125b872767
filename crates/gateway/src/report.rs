//! A refusal is a first-class outcome: one metric, one log event with stable field names, one record in the store. Strangers cannot make us
//! write without bound: their texts are clipped, and beyond so many lines a second the rest are counted.

use std::net::SocketAddr;
use std::sync::Arc;

use gatehouse_control::credentials::{CredentialError, Credentials};
use gatehouse_control::provisioning::failure::Failure;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::rate_limit::RateLimit;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::RefusalRecord;
use parking_lot::Mutex;

use crate::metrics::Metrics;
use crate::principal::Principal;
use crate::refusal_log::RefusalLog;

/// A device that was turned away, as the log tells it.
pub(crate) struct Report<'a> {
    pub(crate) refusal: Refusal,
    /// What there is to say beyond the refusal.
    pub(crate) details: Option<&'a str>,
    pub(crate) principal: Option<&'a Principal>,
    pub(crate) scope: Option<Scope>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) peer: SocketAddr,
    pub(crate) sni: Option<&'a str>,
    pub(crate) tls_version: &'static str,
}

/// Files reports.
pub(crate) struct Reporter {
    metrics: Arc<Metrics>,
    lines: Mutex<RateLimit>,
    log: RefusalLog,
}

impl Reporter {
    pub(crate) fn new(metrics: Arc<Metrics>, log: RefusalLog) -> Self {
        Self { metrics, log, lines: Mutex::new(RateLimit::new(limits::REFUSAL_LINES_PER_SECOND)) }
    }

    /// Counts the refusal and writes its event.
    pub(crate) fn file(&self, report: &Report<'_>, now: Timestamp) {
        self.metrics.refused(report.refusal);
        let certificate_id = report.principal.and_then(Principal::certificate_id);
        if let Some(certificate_id) = certificate_id {
            self.log.keep(RefusalRecord {
                certificate_id,
                at: now,
                reason: report.refusal.label().to_owned(),
                details: report.details.map(str::to_owned),
                scope: report.scope,
                client_id: report.client_id.map(clipped),
                source_ip: report.peer.ip().to_string(),
                source_port: report.peer.port(),
                sni: report.sni.map(clipped),
            });
        }
        let Some(skipped) = self.lines.lock().ask(now) else { return };
        tracing::info!(
            event_type = report.refusal.aws_event(),
            reason = report.refusal.label(),
            aws_reason = report.refusal.aws_reason(),
            details = %report.refusal,
            cause = report.details.unwrap_or("-"),
            certificate_id = text(certificate_id.map(|id| id.to_string())),
            access_key_id = text(report.principal.and_then(Principal::access_key_id).map(clipped)),
            account = text(report.scope.map(|scope| scope.account.to_string())),
            region = text(report.scope.map(|scope| scope.region.to_string())),
            client_id = text(report.client_id.map(clipped)),
            source_ip = %report.peer.ip(),
            source_port = report.peer.port(),
            sni = text(report.sni.map(clipped)),
            tls_version = report.tls_version,
            skipped,
            "device refused"
        );
    }
}

impl Reporter {
    /// Counts `connections` of a principal that were ended, and writes their event.
    pub(crate) fn cut(&self, scope: Scope, principal: &Principal, refusal: Refusal, connections: usize) {
        self.metrics.cut(refusal, connections);
        let reason = refusal.label();
        match principal {
            Principal::Certificate(certificate_id) => {
                tracing::info!(%scope, %certificate_id, reason, connections, "connections cut");
            }
            Principal::AccessKey(access_key_id) => {
                tracing::info!(%scope, access_key_id = &**access_key_id, reason, connections, "connections cut");
            }
        }
    }
}

/// An operation of a connected device that was refused.
pub(crate) struct Denial<'a> {
    /// `Publish-In` or `Subscribe`, as AWS's log names them.
    pub(crate) event_type: &'static str,
    pub(crate) details: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) principal: &'a Principal,
    pub(crate) scope: Scope,
    /// None over HTTPS.
    pub(crate) client_id: Option<&'a str>,
}

impl Reporter {
    /// Counts a refused operation and writes its event.
    pub(crate) fn deny(&self, denial: &Denial<'_>, now: Timestamp) {
        self.metrics.denied(denial.event_type);
        let Some(skipped) = self.lines.lock().ask(now) else { return };
        tracing::info!(
            event_type = denial.event_type,
            details = denial.details,
            topic_name = clipped(denial.topic),
            certificate_id = text(denial.principal.certificate_id().map(|id| id.to_string())),
            access_key_id = text(denial.principal.access_key_id().map(clipped)),
            account = %denial.scope.account,
            region = %denial.scope.region,
            client_id = denial.client_id.unwrap_or("-"),
            skipped,
            "operation refused"
        );
    }
}

/// A device that asked to be provisioned, and was not.
pub(crate) struct Unprovisioned<'a> {
    /// `RegisterThing` and so on, as AWS's log names them.
    pub(crate) event_type: &'static str,
    pub(crate) failure: &'a Failure,
    /// None of a device that is provisioned just in time.
    pub(crate) topic: Option<&'a str>,
    pub(crate) principal: &'a str,
    pub(crate) scope: Scope,
    pub(crate) client_id: &'a str,
}

impl Reporter {
    /// Writes the event of a device that was not provisioned.
    pub(crate) fn not_provisioned(&self, report: &Unprovisioned<'_>, now: Timestamp) {
        let Some(skipped) = self.lines.lock().ask(now) else { return };
        tracing::warn!(
            event_type = report.event_type,
            status = "Failure",
            reason = report.failure.kind.as_str(),
            details = details(&report.failure.message),
            topic_name = report.topic.map_or_else(|| "-".to_owned(), clipped),
            principal = clipped(report.principal),
            account = %report.scope.account,
            region = %report.scope.region,
            client_id = clipped(report.client_id),
            skipped,
            "device not provisioned"
        );
    }

    /// Writes the event of a certificate that no CA would register.
    pub(crate) fn not_registered(&self, scope: Scope, certificate_id: CertificateId, why: &str, now: Timestamp) {
        let Some(skipped) = self.lines.lock().ask(now) else { return };
        tracing::info!(%scope, %certificate_id, details = details(why), skipped, "not registered just in time");
    }
}

/// A request for credentials and what came of it.
pub(crate) struct CredentialReport<'a> {
    pub(crate) outcome: Result<&'a Credentials, &'a CredentialError>,
    pub(crate) certificate_id: CertificateId,
    pub(crate) scope: Scope,
    pub(crate) role_alias: &'a str,
    pub(crate) peer: SocketAddr,
}

impl Reporter {
    /// Writes the event of credentials that were given, whose id is shown nowhere else, or why there are none.
    pub(crate) fn credentials(&self, report: &CredentialReport<'_>, now: Timestamp) {
        let CredentialReport { outcome, certificate_id, scope, role_alias, peer } = report;
        let role_alias = clipped(role_alias);
        let (scope, source_ip) = (*scope, peer.ip());
        let error = match outcome {
            Ok(credentials) => {
                let (access_key_id, expiration) = (&credentials.access_key_id, credentials.expiration);
                tracing::info!(
                    access_key_id, %expiration, role_alias, %certificate_id, %scope, %source_ip, "credentials given"
                );
                return;
            }
            Err(error) => error,
        };
        let Some(skipped) = self.lines.lock().ask(now) else { return };
        let reason = error.refusal().label();
        match error {
            CredentialError::Refused(_) => {
                tracing::info!(
                    reason, role_alias, %certificate_id, %scope, %source_ip, skipped, "credentials refused"
                );
            }
            CredentialError::Failed(why) => {
                tracing::error!(
                    reason, why, role_alias, %certificate_id, %scope, %source_ip, skipped, "credentials refused"
                );
            }
        }
    }
}

fn text(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

/// Our own words, which may repeat some of a stranger's.
fn details(text: &str) -> String {
    text.chars().take(limits::LOGGED_DETAILS).collect()
}

fn clipped(text: &str) -> String {
    text.chars().take(limits::LOGGED_CHARACTERS).collect()
}
