//! Wires the house together and serves it: the binary's one list of parts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_control::bulk::worker::Worker;
use gatehouse_control::call::House;
use gatehouse_control::door::Door;
use gatehouse_control::functions::Functions;
use gatehouse_control::key_pairs::KeyPairs;
use gatehouse_control::page::MarkerKey;
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Timestamp;
use gatehouse_gateway::{Gateway, GatewaySettings, Port, ServerChains, Surroundings};
use gatehouse_pki::authority::{Authority, ServerKey};
use gatehouse_pki::server_bundles::ServerBundles;
use gatehouse_store::{DataDirLock, Store, lock_data_dir};
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::{self, Api};
use crate::buckets;
use crate::config::{Address, Config};
use crate::credentials;
use crate::failure::Failure;
use crate::functions;
use crate::house::{self, Opened};
use crate::housekeeping::{self, Chore};
use crate::metrics;
use crate::operator_socket::OperatorSocket;
use crate::server_certificates;

/// RSA key pairs made ahead.
const KEY_PAIRS: usize = 8;
/// How often server certificates are looked at for renewal.
const RENEWAL: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// A server that listens.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) addresses: Addresses,
    gateway: Arc<Gateway>,
    store: Store,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    _lock: DataDirLock,
}

/// The ready line.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Addresses {
    pub(crate) api: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) alpn: Option<SocketAddr>,
}

/// Starts serving what `config` says.
pub(crate) async fn start(config: &Config) -> Result<Running, Failure> {
    let api_tls = config.api.certificate.as_deref().zip(config.api.key.as_deref());
    let api_tls = api_tls.map(|(certificate, key)| load_api_tls(certificate, key)).transpose()?;
    // The ports first: nothing is touched on behalf of a server that cannot listen.
    let api_listener = bind("listen.api", config.listen.api).await?;
    let mqtt_listener = bind("listen.mqtt", config.listen.mqtt).await?;
    let https_listener = bind_optional("listen.https", config.listen.https).await?;
    let alpn_listener = bind_optional("listen.alpn", config.listen.alpn).await?;
    house::make_folder(&config.data_dir)?;
    let lock = lock_data_dir(&config.data_dir)?;
    let opened = house::open(config).await?;
    house::complete_endpoints(&opened, config).await?;

    let addresses = Addresses {
        api: local_address(&api_listener)?,
        mqtt: local_address(&mqtt_listener)?,
        https: https_listener.as_ref().map(local_address).transpose()?,
        alpn: alpn_listener.as_ref().map(local_address).transpose()?,
    };
    opened.client_files.set_endpoint(config, addresses.api)?;
    let certificates = Arc::new(server_certificates::open(config, opened.clock.now())?);
    let functions = Arc::new(functions::open(config, Arc::clone(&opened.clock))?);

    let mut registry = Registry::default();
    metrics::register_store(&mut registry, &opened.store);
    let house = open_house(config, &opened, Arc::clone(&certificates), functions)?;
    let gateway = open_gateway(config, &opened, Arc::clone(&house), &mut registry).await?;
    let worker = Worker::new(Arc::clone(&house));
    let api = open_api(&opened, house, registry, Arc::clone(&gateway));

    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(api::serve(api_listener, api_tls, api, stopped.clone()));
    let device_listeners =
        [(Some(mqtt_listener), Port::Mqtt), (https_listener, Port::Https), (alpn_listener, Port::Shared)];
    for (listener, port) in device_listeners {
        if let Some(listener) = listener {
            tasks.spawn(Arc::clone(&gateway).listen(listener, port, stopped.clone()));
        }
    }
    for task in gateway.background() {
        tasks.spawn(until_stopped(task, stopped.clone()));
    }
    if let Some(socket) = OperatorSocket::bind(&config.data_dir) {
        tasks.spawn(socket.serve(Arc::clone(&gateway), stopped.clone()));
    }
    let renewal =
        renew_server_chains(config.clone(), opened.authority.clone(), Arc::clone(&opened.clock), Arc::clone(&gateway));
    tasks.spawn(until_stopped(Box::pin(renewal), stopped.clone()));
    let following = server_certificates::follow(certificates, Arc::clone(&opened.clock));
    tasks.spawn(until_stopped(Box::pin(following), stopped.clone()));
    tasks.spawn(worker.run(stopped.clone()));
    for chore in housekeeping::chores(&opened.store, &opened.clock) {
        tasks.spawn(until_stopped(chore, stopped.clone()));
    }
    Ok(Running { addresses, gateway, store: opened.store, tasks, stop, _lock: lock })
}

impl Running {
    /// Stops: no new connections, devices are told, open requests end, the store is closed.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        self.gateway.shut_down().await;
        while self.tasks.join_next().await.is_some() {}
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store did not close cleanly");
        }
    }
}

async fn open_gateway(
    config: &Config,
    opened: &Opened,
    house: Arc<House>,
    registry: &mut Registry,
) -> Result<Arc<Gateway>, Failure> {
    let region = config.regions.first().copied().ok_or_else(|| Failure::configuration("regions is empty"))?;
    let settings = GatewaySettings {
        domain: config.domain.clone(),
        sni: config.sni.into(),
        refusals: config.refusals.into(),
        resumption: config.tls.resumption,
        first: Scope::new(AccountId::FIRST, region),
        regions: config.regions.clone(),
        quotas: Arc::new(config.limits),
    };
    let chains = server_chains(config, &opened.authority, opened.clock.now())?;
    let surroundings = Surroundings { house, credentials: Arc::new(credentials::provider(config, opened)?) };
    Gateway::open(settings, surroundings, &chains, registry).await.map_err(|error| Failure::other(error.to_string()))
}

fn open_house(
    config: &Config,
    opened: &Opened,
    server_certificates: Arc<ServerBundles>,
    functions: Arc<Functions>,
) -> Result<Arc<House>, Failure> {
    let markers = opened.sealer.derive("list markers").map_err(|error| Failure::other(error.to_string()))?;
    Ok(Arc::new(House {
        store: opened.store.clone(),
        authority: opened.authority.clone(),
        key_pairs: KeyPairs::new(KEY_PAIRS),
        sealer: opened.sealer.clone(),
        markers: MarkerKey::new(&markers),
        clock: Arc::clone(&opened.clock),
        server_certificates,
        functions,
        roles: credentials::roles(&config.credentials)?,
        domain: config.domain.clone(),
        regions: config.regions.clone(),
        bulk: buckets::open(config)?,
    }))
}

fn open_api(opened: &Opened, house: Arc<House>, mut registry: Registry, gateway: Arc<Gateway>) -> Arc<Api> {
    Arc::new(Api {
        door: Arc::new(Door::new(Arc::clone(&house), &mut registry)),
        house,
        root_pem: Bytes::from(opened.authority.root_pem().to_owned()),
        registry,
        is_healthy: Box::new(move || gateway.is_current()),
    })
}

/// Certificates for every name that devices may use: `localhost`, and a wildcard for each kind of endpoint in each Region.
fn server_chains(config: &Config, authority: &Authority, now: Timestamp) -> Result<ServerChains, Failure> {
    let mut names = BTreeSet::from(["localhost".to_owned()]);
    for region in &config.regions {
        names.extend(EndpointType::ALL.map(|endpoint_type| endpoint_type.wildcard(*region, &config.domain)));
    }
    let names = Vec::from_iter(names);
    let ips = [std::net::IpAddr::from([127, 0, 0, 1]), std::net::IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let chain = |kind: ServerKey| {
        authority.server_chain(kind, &names, &ips, now).map_err(|error| Failure::other(error.to_string()))
    };
    Ok(ServerChains { ecdsa: chain(ServerKey::P256)?, rsa: chain(ServerKey::Rsa2048)? })
}

/// Server certificates are made anew long before they end, under running connections.
async fn renew_server_chains(
    config: Config,
    authority: Authority,
    clock: Arc<dyn gatehouse_domain::time::Clock>,
    gateway: Arc<Gateway>,
) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let renewed = server_chains(&config, &authority, clock.now())
            .map_err(|failure| failure.to_string())
            .and_then(|chains| gateway.renew(&chains).map_err(|error| error.to_string()));
        if let Err(error) = renewed {
            tracing::error!(error, "the server certificates cannot be renewed; the former ones stay");
        }
    }
}

async fn until_stopped(task: Chore, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = task => {}
        _ = stopped.changed() => {}
    }
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let refused = |error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!("another process uses that port: stop it, or set {key}"),
            std::io::ErrorKind::PermissionDenied => {
                "the system does not allow it: use a port above 1023, or give the binary CAP_NET_BIND_SERVICE"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        Failure::configuration(format!("cannot listen on {address} ({key}): {why}"))
    };
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() };
    let socket = socket.map_err(refused)?;
    socket.set_reuseaddr(true).map_err(refused)?;
    socket.bind(address).map_err(refused)?;
    // A fleet that reconnects at once must find room to wait.
    socket.listen(4096).map_err(refused)
}

async fn bind_optional(key: &str, address: Address) -> Result<Option<TcpListener>, Failure> {
    match address.0 {
        Some(address) => bind(key, address).await.map(Some),
        None => Ok(None),
    }
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| Failure::other(error.to_string()))
}

fn load_api_tls(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Failure> {
    let refused =
        |path: &Path, why: String| Failure::configuration(format!("{} cannot be used: {why}", path.display()));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| refused(certificate, error.to_string()))?;
    let private_key = PrivateKeyDer::from_pem_file(key).map_err(|error| refused(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::other(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .map_err(|error| refused(certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
