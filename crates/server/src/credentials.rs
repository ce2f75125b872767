//! Where devices get credentials: what the configuration says of it, read and checked.

use std::sync::Arc;

use gatehouse_control::credentials::CredentialProvider;
use gatehouse_control::credentials::built_in::BuiltIn;
use gatehouse_control::credentials::roles::{Role, Roles};
use gatehouse_control::credentials::sts::{Sts, StsSettings};
use gatehouse_control::outgoing::{Connect, Plain};
use gatehouse_domain::time::Clock;

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::house::Opened;
use crate::outgoing::{Tls, secret};

/// The provider that `config` describes.
pub(crate) fn provider(config: &Config, opened: &Opened) -> Result<CredentialProvider, Failure> {
    match &config.credentials.sts {
        Some(sts) => Ok(CredentialProvider::Sts(token_service(config, sts, Arc::clone(&opened.clock))?)),
        None => {
            let roles = roles(&config.credentials)?;
            let (store, sealer) = (opened.store.clone(), opened.sealer.clone());
            Ok(CredentialProvider::BuiltIn(BuiltIn::new(store, sealer, Arc::clone(&opened.clock), roles)))
        }
    }
}

/// The roles that the configuration knows.
pub(crate) fn roles(credentials: &config::Credentials) -> Result<Roles, Failure> {
    let mut roles = Roles::new();
    for (arn, role) in &credentials.roles {
        let (path, max_session_secs) = match role {
            config::Role::Policy(path) => (path, None),
            config::Role::Settings(settings) => (&settings.policy, settings.max_session_secs),
        };
        let refused = |why: String| {
            Failure::configuration(format!("credentials.roles: the role {arn} of {}: {why}", path.display()))
        };
        let policy = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        roles.insert(arn.clone(), Role::new(&policy, max_session_secs).map_err(|error| refused(error.to_string()))?);
    }
    Ok(roles)
}

fn token_service(config: &Config, sts: &config::Sts, clock: Arc<dyn Clock>) -> Result<Sts, Failure> {
    let endpoint: http::Uri = sts.endpoint.parse().map_err(|_| not_an_address(&sts.endpoint))?;
    let connect: Arc<dyn Connect> = match (endpoint.scheme_str(), endpoint.host()) {
        (Some("http"), Some(_)) => Arc::new(Plain),
        (Some("https"), Some(_)) => Arc::new(Tls::trusting("credentials.sts.ca_file", sts.ca_file.as_deref())?),
        _ => return Err(not_an_address(&sts.endpoint)),
    };
    let region = config.regions.first().map(ToString::to_string).unwrap_or_default();
    let settings = StsSettings {
        endpoint: sts.endpoint.clone(),
        region: sts.region.clone().unwrap_or(region),
        access_key_id: sts.access_key_id.clone(),
        secret_access_key: secret("credentials.sts.secret_access_key_file", &sts.secret_access_key_file)?,
    };
    Ok(Sts::new(&settings, connect, clock))
}

fn not_an_address(endpoint: &str) -> Failure {
    Failure::configuration(format!(
        "credentials.sts.endpoint {endpoint:?} is not an address such as https://sts.us-east-1.amazonaws.com"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:iam::000000000000:role/reader";

    fn read(policy: &str, settings: &str) -> Result<Roles, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reader.json");
        std::fs::write(&path, policy).unwrap();
        let text = format!("[roles]\n\"{ARN}\" = {}", settings.replace("PATH", &format!("{path:?}")));
        roles(&toml::from_str(&text).unwrap()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn roles_are_read_from_their_files() {
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;
        for settings in ["PATH", "{ policy = PATH }", "{ policy = PATH, max_session_secs = 900 }"] {
            assert!(read(policy, settings).unwrap().contains_key(&ARN.parse().unwrap()), "{settings}");
        }
        for (policy, settings) in
            [("{", "PATH"), (policy, "{ policy = PATH, max_session_secs = 5 }"), (policy, "\"/nowhere/at-all\"")]
        {
            let sentence = read(policy, settings).unwrap_err();
            assert!(sentence.contains(ARN), "{sentence}");
        }
    }
}
