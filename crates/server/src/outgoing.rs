//! What requests to outside services need of the system: TLS with the roots that an operator names, and secrets out of files.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use gatehouse_control::outgoing::{AccessKey, Address, Connect, Connecting, Plain, Stream};
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

/// A service as the configuration describes it.
pub(crate) struct Service<'a> {
    /// The name of a member in the configuration.
    pub(crate) key: &'a dyn Fn(&str) -> String,
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) allow_plain: bool,
    pub(crate) access_key_id: Option<&'a str>,
    pub(crate) secret_access_key_file: Option<&'a Path>,
}

impl Service<'_> {
    /// One sentence that names the member.
    pub(crate) fn refused(&self, member: &str, why: impl Display) -> Failure {
        Failure::configuration(format!("{}: {why}", (self.key)(member)))
    }

    /// The address `text` of `member`, and how it is reached. `exposed` would travel unprotected without TLS.
    pub(crate) fn reached(
        &self,
        member: &str,
        text: &str,
        exposed: &str,
    ) -> Result<(Address, Arc<dyn Connect>), Failure> {
        let address: Address = text.parse().map_err(|error| self.refused(member, error))?;
        if address.is_secure() {
            let tls = Tls::trusting(&(self.key)("ca_file"), self.ca_file)?;
            return Ok((address, Arc::new(tls)));
        }
        if !address.is_loopback() && !self.allow_plain {
            let way_out = "use https, or set allow_plain = true if the way is safe";
            return Err(self.refused(member, format!("{exposed} would travel unprotected: {way_out}")));
        }
        if self.ca_file.is_some() {
            return Err(self.refused("ca_file", "it counts for https only: leave it out, or use https"));
        }
        Ok((address, Arc::new(Plain)))
    }

    /// What requests are signed with, if anything.
    pub(crate) fn access_key(&self) -> Result<Option<AccessKey>, Failure> {
        match (self.access_key_id, self.secret_access_key_file) {
            (None, None) => Ok(None),
            // As it stands in the scope of a signature, between slashes.
            (Some(id), Some(_))
                if id.is_empty() || !id.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'/') =>
            {
                let why = "an access key id has letters, digits and other visible ASCII characters, but no slashes";
                Err(self.refused("access_key_id", why))
            }
            (Some(id), Some(path)) => Ok(Some(AccessKey {
                access_key_id: id.to_owned(),
                secret_access_key: secret(&(self.key)("secret_access_key_file"), path)?,
            })),
            _ => {
                let why = "access_key_id and secret_access_key_file belong together: give both or neither";
                Err(self.refused("access_key_id", why))
            }
        }
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
