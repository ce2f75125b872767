//! Where devices get credentials: what the configuration says of it, read and checked; and the end of those that have run
//! out.

use std::path::Path;
use std::sync::Arc;

use gatehouse_control::credentials::CredentialProvider;
use gatehouse_control::credentials::built_in::BuiltIn;
use gatehouse_control::credentials::roles::{Role, Roles};
use gatehouse_control::credentials::sts::{Sts, StsSettings};
use gatehouse_control::credentials::sts_client::{Connect, Connecting, Plain, Stream};
use gatehouse_domain::time::Clock;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::house::Opened;

/// The roots that most systems come with.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

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

fn roles(credentials: &config::Credentials) -> Result<Roles, Failure> {
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
        (Some("https"), Some(_)) => Arc::new(Tls::trusting(sts.ca_file.as_deref().unwrap_or(Path::new(SYSTEM_ROOTS)))?),
        _ => return Err(not_an_address(&sts.endpoint)),
    };
    let region = config.regions.first().map(ToString::to_string).unwrap_or_default();
    let settings = StsSettings {
        endpoint: sts.endpoint.clone(),
        region: sts.region.clone().unwrap_or(region),
        access_key_id: sts.access_key_id.clone(),
        secret_access_key: first_line(&sts.secret_access_key_file)?,
    };
    Ok(Sts::new(&settings, connect, clock))
}

fn not_an_address(endpoint: &str) -> Failure {
    Failure::configuration(format!(
        "credentials.sts.endpoint {endpoint:?} is not an address such as https://sts.us-east-1.amazonaws.com"
    ))
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let refused = |why: String| {
        Failure::configuration(format!("credentials.sts.secret_access_key_file {}: {why}", path.display()))
    };
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| refused(error.to_string()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(refused("the file is empty".to_owned())),
    }
}

/// Connects through TLS.
struct Tls(TlsConnector);

impl Tls {
    fn trusting(roots: &Path) -> Result<Self, Failure> {
        let refused = |why: String| {
            Failure::configuration(format!(
                "credentials.sts.ca_file {}: {why}: name a PEM file with the roots that the endpoint is trusted by",
                roots.display()
            ))
        };
        let certificates =
            CertificateDer::pem_file_iter(roots).map_err(|error| refused(error.to_string()))?.filter_map(Result::ok);
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates);
        if store.is_empty() {
            return Err(refused("it holds no certificate".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::other(error.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

impl Connect for Tls {
    fn connect(&self, host: &str, port: u16, is_secure: bool) -> Connecting {
        if !is_secure {
            // The SDK was told an https endpoint; nothing else may see our requests.
            return Box::pin(async { Err(std::io::Error::other("the endpoint is reached through TLS only")) });
        }
        let (connector, host) = (self.0.clone(), host.to_owned());
        Box::pin(async move {
            let name = ServerName::try_from(host.clone()).map_err(std::io::Error::other)?;
            let stream = TcpStream::connect((host, port)).await?;
            let stream = connector.connect(name, stream).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
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
