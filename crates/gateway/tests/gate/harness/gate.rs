//! A gate that listens on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use gatehouse_control::call::House;
use gatehouse_control::credentials::CredentialProvider;
use gatehouse_control::credentials::built_in::BuiltIn;
use gatehouse_control::credentials::roles::{Role, Roles};
use gatehouse_control::functions::Functions;
use gatehouse_control::key_pairs::KeyPairs;
use gatehouse_control::page::MarkerKey;
use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::domain_configuration::ServerCertificateArn;
use gatehouse_domain::endpoint::{EndpointName, EndpointType};
use gatehouse_domain::quotas::Quotas;
use gatehouse_domain::scope::Scope;
use gatehouse_gateway::{Gateway, GatewaySettings, Port, RefusalStyle, ServerChains, SniPolicy, Surroundings};
use gatehouse_pki::authority::{Authority, AuthoritySettings, ServerChain};
use gatehouse_pki::seal::Sealer;
use gatehouse_pki::server_bundles::{BundleFiles, ServerBundles};
use gatehouse_store::AccountRecord;
use prometheus_client::registry::Registry;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{ALLOW_ALL, Call, Client, Db, Device, Key, NOW, Registrar, TestClock, home, other};

/// Making RSA keys takes long: all tests share an authority, whose keys are on disk only while it opens.
static KEYS: LazyLock<(Authority, Sealer)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path(), &AuthoritySettings::default(), NOW).unwrap();
    (authority, Sealer::open_or_make(dir.path(), None).unwrap())
});

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A role that may publish below the name of the device's thing.
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/publisher";
const ROLE_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish",
    "Resource":"arn:aws:iot:*:*:topic/${credentials-iot:ThingName}/*"}]}"#;

/// What an operator may decide, with the defaults.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) sni: SniPolicy,
    pub(crate) refusals: RefusalStyle,
    pub(crate) resumption: bool,
    /// Whether the background tasks run.
    pub(crate) has_background: bool,
    pub(crate) quotas: Quotas,
    /// Server certificates for customers' domains.
    pub(crate) certificates: BTreeMap<ServerCertificateArn, BundleFiles>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            sni: SniPolicy::Required,
            refusals: RefusalStyle::Explain,
            resumption: false,
            has_background: true,
            quotas: Quotas::UNLIMITED,
            certificates: BTreeMap::new(),
        }
    }
}

/// A gate with what surrounds it. Scopes `home()` and `other()` have endpoints, and a policy `all` that allows all.
pub(crate) struct Gate {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) house: Arc<House>,
    pub(crate) bundles: Arc<ServerBundles>,
    pub(crate) clock: Arc<TestClock>,
    /// Seals the secrets of access keys.
    pub(crate) sealer: Sealer,
    /// The control API of the gate's own process.
    pub(crate) registrar: Registrar,
    pub(crate) mqtt: SocketAddr,
    pub(crate) https: SocketAddr,
    /// The port where ALPN says what is spoken.
    pub(crate) alpn: SocketAddr,
    db: Db,
    metrics: Registry,
    stop: watch::Sender<bool>,
    _tasks: JoinSet<()>,
    _dir: Option<tempfile::TempDir>,
}

impl Gate {
    /// A gate with default settings on a database of its own.
    pub(crate) async fn open() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut gate = Self::on(Db::sqlite(dir.path()), setup).await;
        gate._dir = Some(dir);
        gate
    }

    pub(crate) async fn on(db: Db, setup: Setup) -> Self {
        let store = db.open().await;
        let clock = Arc::new(TestClock::at(NOW));
        let registrar = Registrar { store: store.clone(), clock: Arc::clone(&clock) };
        for scope in [home(), other()] {
            // There already when another gate stood here before.
            if store.account(scope.account).await.unwrap().is_some() {
                continue;
            }
            let account = AccountRecord { account: scope.account, created_at: NOW };
            registrar
                .write(|batch| {
                    batch.insert_account(&account);
                    batch.insert_endpoint_prefix(scope, &endpoint(scope, EndpointType::DataAts).prefix);
                })
                .await;
            registrar.make_policy(scope, "all", ALLOW_ALL).await;
        }
        let settings = GatewaySettings {
            domain: "localhost".to_owned(),
            sni: setup.sni,
            refusals: setup.refusals,
            resumption: setup.resumption,
            first: home(),
            quotas: Arc::new(setup.quotas),
            regions: vec![home().region],
        };
        let (authority, sealer) = tokio::task::spawn_blocking(|| LazyLock::force(&KEYS).clone()).await.unwrap();
        let mut metrics = Registry::default();
        let now: Arc<TestClock> = Arc::clone(&clock);
        let bundles = Arc::new(ServerBundles::open(setup.certificates).unwrap());
        let roles = Roles::from([(ROLE.parse().unwrap(), Role::new(ROLE_POLICY, Some(3_600)).unwrap())]);
        let built_in = BuiltIn::new(store.clone(), sealer.clone(), Arc::<TestClock>::clone(&clock), roles.clone());
        let house = Arc::new(House {
            store,
            authority,
            key_pairs: KeyPairs::new(0),
            sealer: sealer.clone(),
            markers: MarkerKey::new(&[7; 32]),
            clock: now,
            server_certificates: Arc::clone(&bundles),
            functions: Arc::new(Functions::new(Arc::<TestClock>::clone(&clock))),
            roles,
            domain: "localhost".to_owned(),
            regions: vec![home().region],
            bulk: gatehouse_control::bulk::Bulk::default(),
        });
        let credentials = Arc::new(CredentialProvider::BuiltIn(built_in));
        let surroundings = Surroundings { house: Arc::clone(&house), credentials };
        let gateway = Gateway::open(settings, surroundings, &server_chains(), &mut metrics).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut addresses = Vec::new();
        for port in [Port::Mqtt, Port::Https, Port::Shared] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            tasks.spawn(Arc::clone(&gateway).listen(listener, port, stopped.clone()));
        }
        if setup.has_background {
            for task in gateway.background() {
                tasks.spawn(task);
            }
        }
        let (mqtt, https, alpn) = (addresses[0], addresses[1], addresses[2]);
        Self {
            gateway,
            house,
            bundles,
            clock,
            sealer,
            registrar,
            mqtt,
            https,
            alpn,
            db,
            metrics,
            stop,
            _tasks: tasks,
            _dir: None,
        }
    }

    /// The control API of another process.
    pub(crate) async fn another_process(&self) -> Registrar {
        Registrar { store: self.db.open().await, clock: Arc::clone(&self.clock) }
    }

    /// A new device, registered at home, ACTIVE, with the policy `all`.
    pub(crate) async fn device(&self) -> Device {
        let device = Device::with_key(Key::P256);
        self.enrol(&device, home()).await;
        device
    }

    /// Registers the device in `scope` as ACTIVE, with the policy `all`.
    pub(crate) async fn enrol(&self, device: &Device, scope: Scope) {
        self.registrar.register(&Registrar::record(scope, device.id)).await;
        self.registrar.attach(scope, "all", device.id).await;
    }

    /// A new device at home in `status`, with the policy `all`.
    pub(crate) async fn device_in(&self, status: CertificateStatus) -> Device {
        let device = self.device().await;
        self.registrar.set_status(home(), device.id, status).await;
        device
    }

    /// A call of `device` in MQTT 5 and TLS 1.3 to the endpoint at home.
    pub(crate) fn call(&self, device: &Device) -> Call {
        Call::new(self.mqtt, device)
    }

    /// Connects a device that must be let in.
    pub(crate) async fn connect(&self, device: &Device, client_id: &str) -> Client {
        self.call(device).connect(client_id).await.accepted()
    }

    /// A new device's connection.
    pub(crate) async fn client(&self, client_id: &str) -> Client {
        self.connect(&self.device().await, client_id).await
    }

    /// The value of one line of the metrics page; 0 when it is not there.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.metrics).unwrap();
        let value = page.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Devices refused for this reason.
    pub(crate) fn refusals(&self, reason: &str) -> u64 {
        self.metric(&format!("gatehouse_refusals_total{{reason=\"{reason}\"}}"))
    }

    /// Connections cut for this reason.
    pub(crate) fn cuts(&self, reason: &str) -> u64 {
        self.metric(&format!("gatehouse_cuts_total{{reason=\"{reason}\"}}"))
    }

    /// Devices connected.
    pub(crate) fn connections(&self) -> u64 {
        self.metric("gatehouse_connections")
    }

    /// Waits until something has happened at the gate that no client can see.
    pub(crate) async fn until(&self, has_happened: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !has_happened(self) {
            assert!(began.elapsed() < PATIENCE, "it does not happen");
            tokio::task::yield_now().await;
        }
    }

    /// Stops as the server does.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        self.gateway.shut_down().await;
    }
}

/// The host name of the scope's Data-ATS endpoint.
pub(crate) fn host(scope: Scope) -> String {
    endpoint(scope, EndpointType::DataAts).host("localhost")
}

/// The host name of another endpoint of the scope.
pub(crate) fn host_of_type(scope: Scope, endpoint_type: EndpointType) -> String {
    endpoint(scope, endpoint_type).host("localhost")
}

fn endpoint(scope: Scope, endpoint_type: EndpointType) -> EndpointName {
    let prefix = format!("a{}", scope.account).parse().unwrap();
    EndpointName { endpoint_type, prefix, region: scope.region }
}

/// Self-signed chains, made once: an RSA key takes a while.
fn server_chains() -> ServerChains {
    static CHAINS: OnceLock<[(Vec<u8>, Vec<u8>); 2]> = OnceLock::new();
    let [ecdsa, rsa] = CHAINS.get_or_init(|| {
        [&PKCS_ECDSA_P256_SHA256, &PKCS_RSA_SHA256].map(|algorithm| {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
            (certificate.der().to_vec(), key.serialize_der())
        })
    });
    let chain = |(certificate, key): &(Vec<u8>, Vec<u8>)| ServerChain {
        chain: vec![certificate.clone()],
        key: key.clone().into(),
    };
    ServerChains { ecdsa: chain(ecdsa), rsa: chain(rsa) }
}
