//! Credentials from a security token service: `AssumeRole` at an endpoint that the configuration names. The SDK words,
//! signs and reads; the bytes travel as [`outgoing`](crate::outgoing) carries them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Config, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_async::time::TimeSource;
use gatehouse_domain::credentials::{CredentialRefusal, session_name};
use gatehouse_domain::limits;
use gatehouse_domain::policy::CredentialDevice;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_store::RoleAliasRecord;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::sts_client::HttpClient;
use super::{CredentialError, Credentials};
use crate::outgoing::Connect;

/// From the request to the answer, with all that lies between.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests under way at once; further devices are told to come again.
const REQUESTS_AT_ONCE: usize = 256;

/// Where the service is, and how it knows us.
pub struct StsSettings {
    /// `http://host:port` or `https://host`.
    pub endpoint: String,
    /// The Region that requests are signed for.
    pub region: String,
    /// Our access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Zeroizing<String>,
}

/// A security token service.
pub struct Sts {
    client: Client,
    room: Semaphore,
}

/// The house's clock, as the SDK asks for it.
struct SdkClock(Arc<dyn Clock>);

impl std::fmt::Debug for SdkClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SdkClock")
    }
}

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        let since = u64::try_from(self.0.now().as_millis()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_millis(since)
    }
}

impl Sts {
    /// The service at `settings`, reached through `connect`.
    #[must_use]
    pub fn new(settings: &StsSettings, connect: Arc<dyn Connect>, clock: Arc<dyn Clock>) -> Self {
        let credentials = aws_sdk_sts::config::Credentials::new(
            settings.access_key_id.as_str(),
            settings.secret_access_key.as_str(),
            None,
            None,
            "configuration",
        );
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT).build();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .endpoint_url(settings.endpoint.as_str())
            .credentials_provider(credentials)
            .http_client(HttpClient::new(connect))
            .time_source(SdkClock(clock))
            .timeout_config(timeouts)
            // The device tries again; two who do so multiply.
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), room: Semaphore::new(REQUESTS_AT_ONCE) }
    }

    pub(super) async fn issue(
        &self,
        alias: &RoleAliasRecord,
        device: &CredentialDevice,
    ) -> Result<Credentials, CredentialError> {
        let _place = self
            .room
            .try_acquire()
            .map_err(|_| CredentialError::Failed("too many requests to the token service are under way".to_owned()))?;
        let asked = self
            .client
            .assume_role()
            .role_arn(alias.role_arn.as_str())
            .role_session_name(session_name(device.certificate_id))
            .duration_seconds(i32::try_from(alias.duration_secs).unwrap_or(i32::MAX))
            .send();
        // Boxed: the SDK's future is large, and would be part of everyone's who waits for it.
        let answer = Box::pin(asked).await.map_err(|error| refusal(&error))?;
        let credentials = answer
            .credentials
            .ok_or_else(|| CredentialError::Failed("the token service answered without credentials".to_owned()))?;
        let expiration = Timestamp::from_secs(credentials.expiration.secs());
        Ok(Credentials {
            access_key_id: credentials.access_key_id,
            secret_access_key: Zeroizing::new(credentials.secret_access_key),
            session_token: Zeroizing::new(credentials.session_token),
            expiration,
        })
    }
}

/// What the service's "no" means for the device. That our own credentials are wrong is not its concern.
fn refusal(error: &SdkError<AssumeRoleError>) -> CredentialError {
    let refused = error.as_service_error().map(|refused| (refused.code(), refused.message()));
    match refused {
        // STS does not tell a role that does not exist from one that may not be assumed.
        Some((Some("AccessDenied" | "AccessDeniedException" | "NoSuchEntity"), _)) => {
            CredentialError::Refused(CredentialRefusal::Role)
        }
        Some((Some("ValidationError"), Some(message))) if message.contains("MaxSessionDuration") => {
            CredentialError::Refused(CredentialRefusal::Duration)
        }
        _ => CredentialError::Failed(told(error)),
    }
}

/// What went wrong, without the service's answer: that may hold the very credentials, or whatever a proxy makes up.
fn told(error: &SdkError<AssumeRoleError>) -> String {
    let mut text = format!("the token service: {error}");
    if let Some(status) = error.raw_response().map(|response| response.status()) {
        text.push_str(&format!(", HTTP {status}"));
    }
    if let Some(refused) = error.as_service_error() {
        for part in [refused.code(), refused.message()].into_iter().flatten() {
            text.push_str(", ");
            text.extend(part.chars().take(limits::LOGGED_CHARACTERS));
        }
    }
    // The cause of a failed call, not of an answer that could not be read.
    if let SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) = error {
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
    }
    text
}
