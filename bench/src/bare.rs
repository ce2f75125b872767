//! The bare server: the same TLS library, chain and proof of possession as Gatehouse's, and nothing behind it. It
//! takes one packet, answers CONNACK whatever it was, and waits for the end. What Gatehouse costs beyond it is what
//! registry, policy and MQTT cost.

use std::path::Path;
use std::sync::Arc;

use gatehouse_domain::time::Timestamp;
use gatehouse_pki::authority::{Authority, AuthoritySettings, IssuingKey, ServerKey};
use gatehouse_pki::certificate::Certificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{Outcome, fleet};

/// CONNACK of MQTT 3.1.1: accepted, no session.
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
/// As Gatehouse has it.
const BACKLOG: u32 = 4096;

/// Serves until standard input ends.
pub(crate) async fn serve(data: &Path) -> Outcome {
    let acceptor = TlsAcceptor::from(Arc::new(configuration(data, fleet::now())?));
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    println!("{}", serde_json::json!({ "mqtt": listener.local_addr()?.to_string() }));
    let accepting = async {
        loop {
            let Ok((tcp, _)) = listener.accept().await else { continue };
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that goes away early concerns nobody here.
                let _ended = connection(acceptor, tcp).await;
            });
        }
    };
    let mut ignored = Vec::new();
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        () = accepting => Ok(()),
        _ = stdin.read_to_end(&mut ignored) => Ok(()),
    }
}

async fn connection(acceptor: TlsAcceptor, tcp: TcpStream) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut stream = Box::pin(acceptor.accept(tcp)).await?;
    let mut buffer = [0; 256];
    if stream.read(&mut buffer).await? == 0 {
        return Ok(());
    }
    stream.write_all(&CONNACK).await?;
    stream.flush().await?;
    while stream.read(&mut buffer).await? > 0 {}
    stream.shutdown().await
}

fn configuration(data: &Path, now: Timestamp) -> Outcome<ServerConfig> {
    let settings = AuthoritySettings { issuing_key: IssuingKey::P256, passphrase: None };
    let authority = Authority::open(&data.join("keys"), &settings, now)?;
    let names = ["localhost", "*.iot.us-east-1.localhost", "*.jobs.iot.us-east-1.localhost"].map(str::to_owned);
    let chain = authority.server_chain(ServerKey::P256, &names, &[[127, 0, 0, 1].into()], now)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(ProofOfPossession { algorithms: provider.signature_verification_algorithms });
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(chain.key.to_vec()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.chain.into_iter().map(CertificateDer::from).collect(), key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The same check as at Gatehouse's gate, for TLS 1.3.
#[derive(Debug)]
struct ProofOfPossession {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ProofOfPossession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is measured".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let read = Certificate::from_der(certificate).map_err(|_| rustls::CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(read.spki_der());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
