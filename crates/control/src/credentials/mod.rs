//! Credentials for devices that showed a certificate and named a role alias. Who may have them has been decided by then
//! ([`gatehouse_domain::credentials`]); here they are made: by this house, as access keys of its own API
//! ([`built_in`]), or by a security token service ([`sts`]).

pub mod built_in;
pub mod roles;
pub mod sts;
mod sts_client;

use std::fmt;

use gatehouse_domain::credentials::CredentialRefusal;
use gatehouse_domain::policy::CredentialDevice;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::RoleAliasRecord;
use serde::Serialize;
use zeroize::Zeroizing;

use self::built_in::BuiltIn;
use self::sts::Sts;

/// Where credentials come from.
pub enum CredentialProvider {
    /// Access keys of this house's own API.
    BuiltIn(BuiltIn),
    /// A security token service.
    Sts(Sts),
}

/// Temporary credentials. The only moment their secrets are seen in the clear.
pub struct Credentials {
    /// Begins with `ASIA`.
    pub access_key_id: String,
    /// What signs.
    pub secret_access_key: Zeroizing<String>,
    /// Goes with every request.
    pub session_token: Zeroizing<String>,
    /// When they end.
    pub expiration: Timestamp,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The device is told so.
    #[error("{0}")]
    Refused(CredentialRefusal),
    /// The device is told [`CredentialRefusal::Unavailable`]; the rest is for the log.
    #[error("{0}")]
    Failed(String),
}

impl CredentialError {
    /// What the device is told.
    #[must_use]
    pub const fn refusal(&self) -> CredentialRefusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Failed(_) => CredentialRefusal::Unavailable,
        }
    }
}

impl From<crate::error::Error> for CredentialError {
    fn from(error: crate::error::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl CredentialProvider {
    /// Gives `device` credentials by `alias`, from `now` on.
    ///
    /// # Errors
    /// [`CredentialRefusal::Role`], [`CredentialRefusal::Duration`], or that they cannot be made now.
    pub async fn issue(
        &self,
        alias: &RoleAliasRecord,
        device: &CredentialDevice,
        now: Timestamp,
    ) -> Result<Credentials, CredentialError> {
        match self {
            Self::BuiltIn(house) => house.issue(alias, device, now).await,
            Self::Sts(service) => service.issue(alias, device).await,
        }
    }
}

impl Credentials {
    /// The body of the answer: `{"credentials":{…}}`.
    ///
    /// # Errors
    /// Never in fact: text and a date always become JSON.
    pub fn body(&self) -> Result<Zeroizing<String>, serde_json::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            credentials: Members<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Members<'a> {
            access_key_id: &'a str,
            secret_access_key: &'a str,
            session_token: &'a str,
            expiration: String,
        }
        let credentials = Members {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: &self.session_token,
            expiration: self.expiration.to_string(),
        };
        serde_json::to_string(&Body { credentials }).map(Zeroizing::new)
    }
}

/// Without the secrets.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_members_that_devices_read() {
        let credentials = Credentials {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: Zeroizing::new("hush".to_owned()),
            session_token: Zeroizing::new("token".to_owned()),
            expiration: Timestamp::from_millis(1_516_266_546_789),
        };
        assert_eq!(
            credentials.body().unwrap().as_str(),
            r#"{"credentials":{"accessKeyId":"ASIA","secretAccessKey":"hush","sessionToken":"token","expiration":"2018-01-18T09:09:06Z"}}"#
        );
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("hush") && !shown.contains("token"), "{shown}");
    }
}
