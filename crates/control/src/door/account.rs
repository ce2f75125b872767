//! The account of a call: one log line and one metric, whatever its outcome. Calls that change something are told at
//! `info`, for they are the audit trail; calls that read, at `debug`. Strangers cannot make us write without bound.

use std::time::Duration;

use gatehouse_domain::limits;
use gatehouse_domain::rate_limit::RateLimit;
use gatehouse_domain::scope::Scope;
use parking_lot::Mutex;
use serde_json::Value;

use super::{Door, Peer, shown};
use crate::error::Error;

/// What is known of a call when it ends.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) operation: Option<&'static str>,
    pub(super) access_key_id: Option<String>,
    pub(super) scope: Option<Scope>,
    pub(super) resource: Option<String>,
    pub(super) reads_only: bool,
}

/// How many lines strangers get.
pub(super) fn line_limit() -> Mutex<RateLimit> {
    Mutex::new(RateLimit::new(limits::REFUSAL_LINES_PER_SECOND))
}

impl Door {
    pub(super) fn account_for(
        &self,
        trace: &Trace,
        outcome: &Result<Value, Error>,
        request_id: &str,
        peer: Peer,
        elapsed: Duration,
    ) {
        let operation = trace.operation.unwrap_or("-");
        let result = shown::result_name(outcome);
        self.metrics.count(operation, result, elapsed);
        let mut skipped = 0;
        if trace.access_key_id.is_none() {
            match self.line_limit.lock().ask(self.house.clock.now()) {
                Some(since) => skipped = since,
                None => return,
            }
        }
        let access_key_id = trace.access_key_id.as_deref().unwrap_or("-");
        let resource = trace.resource.as_deref().unwrap_or("-");
        let scope = trace.scope.map(|scope| scope.to_string()).unwrap_or_default();
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let source_ip = peer.ip;
        match outcome {
            Ok(_) if trace.reads_only => tracing::debug!(
                operation, result, request_id, access_key_id, scope, resource, %source_ip, elapsed_us, "api call"
            ),
            Ok(_) => tracing::info!(
                operation, result, request_id, access_key_id, scope, resource, %source_ip, elapsed_us, "api call"
            ),
            Err(Error::Refused(refused)) => {
                let details: String = refused.message.chars().take(4 * limits::LOGGED_CHARACTERS).collect();
                tracing::info!(
                    operation, result, request_id, access_key_id, scope, resource, %source_ip, elapsed_us, details, skipped,
                    "api call refused"
                );
            }
            Err(error) => tracing::error!(
                operation, result, request_id, access_key_id, scope, resource, %source_ip, elapsed_us, %error,
                "api call failed"
            ),
        }
    }
}
