//! What requests to outside services need of the system: TLS with the roots that an operator names, and secrets out of files.

use std::path::Path;
use std::sync::Arc;

use gatehouse_control::outgoing::{Connect, Connecting, Stream};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The roots that most systems come with.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The first line of `path`, which the configuration names under `key`.
pub(crate) fn secret(key: &str, path: &Path) -> Result<Zeroizing<String>, Failure> {
    let refused = |why: String| Failure::configuration(format!("{key} {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| refused(error.to_string()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(refused("the file is empty".to_owned())),
    }
}

/// Connects through TLS.
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// Trusts the roots in the PEM file that the configuration names under `key`, or else the system's.
    pub(crate) fn trusting(key: &str, roots: Option<&Path>) -> Result<Self, Failure> {
        let roots = roots.unwrap_or(Path::new(SYSTEM_ROOTS));
        let refused = |why: String| {
            Failure::configuration(format!(
                "{key} {}: {why}: name a PEM file with the roots that the endpoint is trusted by",
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
            // An https endpoint was configured; nothing else may see our requests.
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
