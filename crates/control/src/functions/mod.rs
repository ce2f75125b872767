//! Functions: code of an account's own, called at certain points. The configuration says where each is called
//! ([`function`]); an ARN that it does not know is called nowhere. A call is one HTTP request with an event and one answer,
//! both JSON, within five seconds; a few at once ([`Places`]), so that nobody waits for the functions of others.
//!
//! What a function answers is a stranger's word: whoever calls one checks it.

pub mod function;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Clock;
use http::{Response, StatusCode};
use parking_lot::RwLock;
use serde_json::Value;

use self::function::Function;
use crate::outgoing::ExchangeError;
use crate::places::Places;

/// The header by which Lambda says that a function failed, whatever the status.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// Every function that is known, and room to call them in.
pub struct Functions {
    known: RwLock<BTreeMap<FunctionArn, Arc<Function>>>,
    clock: Arc<dyn Clock>,
    places: Places,
}

/// Why a function gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// Nobody said where it is called.
    #[error("the server's configuration has no entry for it in [functions]")]
    NotConfigured,
    /// It is not the scope's to call. Checked when ARNs are taken in; an administrator may have written others into the
    /// store.
    #[error("it belongs to another account or Region")]
    Elsewhere,
    /// [`limits::FUNCTION_CALLS_PER_SCOPE`] or [`limits::FUNCTION_CALLS`] are under way.
    #[error("too many calls of functions are under way")]
    Busy,
    /// The time was over before the answer's end.
    #[error("it did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// No connection, or one that broke off; the rest is for the log.
    #[error("it cannot be reached, or its answer broke off")]
    Unreachable(String),
    /// More than [`limits::FUNCTION_ANSWER_BYTES`].
    #[error("its answer has more than {} bytes", limits::FUNCTION_ANSWER_BYTES)]
    TooLarge,
    /// It succeeded, and what it answered is not JSON.
    #[error("its answer is not JSON")]
    NotJson,
    /// It failed: a status other than 2xx, or Lambda says so.
    #[error("it failed with HTTP status {status}{}", .error.as_ref().map(|error| format!(", {error}")).unwrap_or_default())]
    Failed {
        /// The HTTP status.
        status: u16,
        /// What `X-Amz-Function-Error` says: `Unhandled`, usually.
        error: Option<String>,
    },
}

impl FunctionError {
    /// Whether the same call may succeed when it is made again.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Busy | Self::Timeout(_) | Self::Unreachable(_) => true,
            Self::NotConfigured | Self::Elsewhere | Self::TooLarge | Self::NotJson | Self::Failed { .. } => false,
        }
    }

    /// What only the log tells.
    fn cause(&self) -> Option<&str> {
        match self {
            Self::Unreachable(cause) => Some(cause),
            _ => None,
        }
    }
}

impl Functions {
    /// None yet. Requests are signed by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let places = Places::new(limits::FUNCTION_CALLS, limits::FUNCTION_CALLS_PER_SCOPE);
        Self { known: RwLock::default(), clock, places }
    }

    /// From now on, `arn` stands for `function`.
    pub fn put(&self, arn: FunctionArn, function: Function) {
        self.known.write().insert(arn, Arc::new(function));
    }

    /// Calls the function `arn` for `scope` with `event`, and answers what it says. A failure is told in the log, without
    /// what was sent and answered.
    ///
    /// # Errors
    /// [`FunctionError`]. What was called may have run all the same.
    pub async fn invoke(&self, scope: Scope, arn: &FunctionArn, event: &Value) -> Result<Value, FunctionError> {
        let answer = self.call(scope, arn, event).await;
        if let Err(error) = &answer {
            tracing::warn!(function = %arn, %scope, reason = %error, cause = error.cause(), "a function was called in vain");
        }
        answer
    }

    async fn call(&self, scope: Scope, arn: &FunctionArn, event: &Value) -> Result<Value, FunctionError> {
        if arn.scope() != scope {
            return Err(FunctionError::Elsewhere);
        }
        let function = self.known.read().get(arn).cloned().ok_or(FunctionError::NotConfigured)?;
        let _place = self.places.enter(scope).ok_or(FunctionError::Busy)?;
        let limit = function.time_limit();
        // Boxed: the future of a request is large, and would be part of everyone's who waits for it.
        let called = Box::pin(function.call(arn, event, self.clock.now()));
        let answer = tokio::time::timeout(limit, called).await.map_err(|_| FunctionError::Timeout(limit))?;
        read(&answer.map_err(|error| match error {
            ExchangeError::TooLong(_) => FunctionError::TooLarge,
            ExchangeError::Request(_) | ExchangeError::Connect(_) | ExchangeError::Http(_) => {
                FunctionError::Unreachable(with_causes(&error))
            }
        })?)
    }
}

/// What an answer means.
fn read(answer: &Response<Bytes>) -> Result<Value, FunctionError> {
    let error = answer.headers().get(FUNCTION_ERROR).map(|value| {
        let shown = |octet: &u8| if octet.is_ascii_graphic() { char::from(*octet) } else { '?' };
        value.as_bytes().iter().map(shown).take(limits::LOGGED_CHARACTERS).collect()
    });
    let status = answer.status();
    if !status.is_success() || error.is_some() {
        return Err(FunctionError::Failed { status: StatusCode::as_u16(&status), error });
    }
    serde_json::from_slice(answer.body()).map_err(|_| FunctionError::NotJson)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(status: u16, error: Option<&str>) -> Result<Value, FunctionError> {
        Err(FunctionError::Failed { status, error: error.map(str::to_owned) })
    }

    #[test]
    fn an_answer_counts_when_status_and_header_say_so() {
        let long = "x".repeat(1_000);
        for (status, header, body, expected) in [
            (200, None, r#"{"a":1}"#, Ok(serde_json::json!({ "a": 1 }))),
            (201, None, "null", Ok(Value::Null)),
            (200, None, "", Err(FunctionError::NotJson)),
            (200, None, "{} {}", Err(FunctionError::NotJson)),
            (204, None, "", Err(FunctionError::NotJson)),
            (200, Some("Unhandled"), "{}", failed(200, Some("Unhandled"))),
            (200, Some("\u{e9}"), "{}", failed(200, Some("??"))),
            (200, Some(long.as_str()), "{}", failed(200, Some(&"x".repeat(limits::LOGGED_CHARACTERS)))),
            (302, None, "{}", failed(302, None)),
            (404, None, "{}", failed(404, None)),
            (500, None, "secret", failed(500, None)),
        ] {
            let mut answer = Response::builder().status(status);
            if let Some(header) = header {
                answer = answer.header(FUNCTION_ERROR, header.as_bytes());
            }
            let answer = answer.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
            assert_eq!(read(&answer), expected, "{status} {header:?} {body}");
        }
    }
}
