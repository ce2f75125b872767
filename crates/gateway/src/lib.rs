//! What happens when a device connects.
//!
//! The story is told by [`Gateway::device`], and each step has a file:
//!
//! 1. `listen` – a place, then accept; `arrivals` – one source cannot take all places.
//! 2. `tls` – ClientHello and handshake; `possession` – the peer proves that it holds its certificate's key.
//! 3. `endpoint` – SNI picks the scope; `admission` – the registry decides, and makes a `DeviceIdentity`.
//! 4. `connect` – MQTT CONNECT by a deadline, the client id, `iot:Connect`; refusals are told here; `just_in_time` –
//!    an unknown certificate that a registered CA vouches for is registered.
//!    `https` – the same for HTTPS, and for MQTT over WebSocket, whose principal is an access key (`principal`).
//! 5. `session` – frames and deliveries, each asked of the policies in force (`authorization`); `provisioning` – what
//!    devices without a certificate of their own ask of the service.
//! 6. `watch` – when the registry changes, `connections` are judged again and cut; `registry_events` tells subscribers what
//!    changed, where somebody asked for it.
//!
//! Invariant: every connection, resumed TLS sessions included, passes through `admission`.
//! Invariant: every "no" to a device is a [`gatehouse_domain::refusal::Refusal`] and goes through `report`.

mod admission;
mod arrivals;
mod authorization;
mod connect;
mod connections;
mod credential_desk;
mod device;
mod endpoint;
mod https;
mod in_force;
mod just_in_time;
mod lifecycle;
mod listen;
mod metrics;
mod operator;
mod possession;
mod principal;
mod provisioning;
mod rates;
mod refusal_log;
mod registry;
mod registry_events;
mod report;
mod session;
mod socket;
mod tls;
mod watch;
mod will;
mod wire;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_broker::{Broker, QueueRoom};
use gatehouse_control::body::Bodies;
use gatehouse_control::call::House;
use gatehouse_control::credentials::CredentialProvider;
use gatehouse_control::provisioning::fleet::FleetProvisioning;
use gatehouse_control::random::random;
use gatehouse_control::verifier::{Carriers, Verifier};
use gatehouse_domain::limits;
use gatehouse_domain::quotas::Quotas;
use gatehouse_domain::scope::{Region, Scope};
use gatehouse_store::{ChangeFollower, Store};

pub use crate::connect::RefusalStyle;
pub use crate::endpoint::SniPolicy;
pub use crate::operator::ScopeFilter;
pub use crate::tls::{Port, ServerChains};

use crate::admission::Admission;
use crate::arrivals::Arrivals;
use crate::connections::Connections;
use crate::credential_desk::CredentialDesk;
use crate::endpoint::Endpoints;
use crate::just_in_time::JustInTime;
use crate::listen::Places;
use crate::metrics::{LogLag, Metrics};
use crate::rates::Rates;
use crate::refusal_log::{RefusalLog, Writer};
use crate::registry::Registry;
use crate::registry_events::RegistryEvents;
use crate::report::Reporter;
use crate::session::Shared;
use crate::tls::Tls;
use crate::watch::Watch;

/// How long devices may take to go when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What an operator decides about the gate.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The domain that device endpoints live under.
    pub domain: String,
    /// What a ClientHello must name.
    pub sni: SniPolicy,
    /// How a device learns that it is refused.
    pub refusals: RefusalStyle,
    /// Whether TLS sessions may be resumed.
    pub resumption: bool,
    /// Whose endpoint `localhost` is.
    pub first: Scope,
    /// The Regions served.
    pub regions: Vec<Region>,
    /// What accounts and connections are held to.
    pub quotas: Arc<Quotas>,
}

/// What the gate stands on.
pub struct Surroundings {
    /// The registry, the keys and the clock, which the control API stands on as well.
    pub house: Arc<House>,
    /// What the credential endpoints give out.
    pub credentials: Arc<CredentialProvider>,
}

/// Why the gate does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The registry cannot be read.
    #[error(transparent)]
    Store(#[from] gatehouse_store::Error),
    /// The sessions that were kept cannot be read.
    #[error(transparent)]
    Sessions(#[from] gatehouse_broker::Unavailable),
    /// The server's chains cannot be used.
    #[error("the server certificates cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// The device-facing side.
pub struct Gateway {
    tls: Tls,
    admission: Admission,
    shared: Arc<Shared>,
    broker: Broker,
    store: Store,
    regions: Vec<Region>,
    queue_room: Arc<QueueRoom>,
    refusals: RefusalStyle,
    mqtt: Arc<gatehouse_mqtt::Settings>,
    watch: Arc<Watch>,
    connections: Arc<Connections>,
    metrics: Arc<Metrics>,
    reporter: Arc<Reporter>,
    rates: Rates,
    places: Places,
    arrivals: Arrivals,
    just_in_time: JustInTime,
    verifier: Verifier,
    bodies: Bodies,
    credentials: CredentialDesk,
    refusal_writer: Writer,
    /// What the background tasks begin with; taken once.
    unstarted: parking_lot::Mutex<Option<Unstarted>>,
}

struct Unstarted {
    follower: ChangeFollower,
    registry_events: RegistryEvents,
}

/// A task that runs as long as the server.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Gateway {
    /// Opens the gate on what stands around it; changes are noticed from here on. `chains` are shown under the deployment's
    /// own names.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        settings: GatewaySettings,
        surroundings: Surroundings,
        chains: &ServerChains,
        registry: &mut prometheus_client::registry::Registry,
    ) -> Result<Arc<Self>, OpenError> {
        let Surroundings { house, credentials } = surroundings;
        let (store, clock) = (house.store.clone(), Arc::clone(&house.clock));
        let metrics = Arc::new(Metrics::new(registry));
        let metrics_page = registry;
        let registry = Arc::new(Registry::new(store.clone()));
        let connections = Connections::new();
        let (refusal_log, refusal_writer) = RefusalLog::new(store.clone());
        let reporter = Arc::new(Reporter::new(Arc::clone(&metrics), refusal_log));
        let watch =
            Watch::new(Arc::clone(&registry), Arc::clone(&connections), Arc::clone(&clock), Arc::clone(&reporter));
        metrics_page.register_collector(Box::new(LogLag(Arc::clone(&watch))));
        // Followed before anything is read, so that no change falls between.
        let follower = ChangeFollower::start(store.clone(), clock.now()).await?;
        let noticing = Arc::clone(&watch);
        store.on_commit(Arc::new(move |events| {
            for logged in events {
                noticing.notice(&logged.event);
            }
        }));
        let tls =
            Tls::new(chains, Arc::clone(&house.server_certificates), settings.resumption, settings.domain.clone())?;
        let endpoints = Endpoints::new(Arc::clone(&registry), settings.sni, settings.domain, settings.first);
        let admission = Admission {
            endpoints,
            registry: Arc::clone(&registry),
            connections: Arc::clone(&connections),
            watch: Arc::clone(&watch),
            clock: Arc::clone(&clock),
        };
        let ids: gatehouse_broker::Random = Box::new(|| random().ok());
        let broker =
            Broker::open(Arc::new(store.clone()), Arc::clone(&clock), ids, Arc::clone(&settings.quotas)).await?;
        let just_in_time = JustInTime::new(&house, broker.clone(), Arc::clone(&metrics), Arc::clone(&reporter));
        let registry_events =
            RegistryEvents::new(store.clone(), broker.clone(), Arc::clone(&clock), watch.messages_written());
        let verifier = Verifier::new(
            store.clone(),
            house.sealer.clone(),
            Arc::clone(&clock),
            settings.regions.clone(),
            &https::SERVICES,
            Carriers::HeaderOrQuery,
        );
        let shared = Arc::new(Shared {
            registry,
            clock,
            metrics: Arc::clone(&metrics),
            reporter: Arc::clone(&reporter),
            provisioning: Arc::new(FleetProvisioning::new(house)),
        });
        Ok(Arc::new(Self {
            tls,
            admission,
            shared,
            broker,
            store,
            regions: settings.regions,
            queue_room: Arc::default(),
            refusals: settings.refusals,
            mqtt: connect::settings(&settings.quotas),
            rates: Rates::new(settings.quotas),
            watch,
            connections,
            reporter,
            metrics,
            places: Places::new(),
            arrivals: Arrivals::default(),
            just_in_time,
            verifier,
            bodies: Bodies::new(limits::HTTPS_BODIES_BYTES),
            credentials: CredentialDesk::new(credentials),
            refusal_writer,
            unstarted: parking_lot::Mutex::new(Some(Unstarted { follower, registry_events })),
        }))
    }

    /// The tasks that must run beside the listeners: judging connections again, following the change log, publishing
    /// registry events, keeping refusals, ending what has expired.
    #[must_use]
    pub fn background(&self) -> Vec<Task> {
        let mut tasks: Vec<Task> =
            vec![Box::pin(Arc::clone(&self.watch).judge()), Box::pin(self.broker.clone().keep_swept())];
        if let Some(Unstarted { follower, registry_events }) = self.unstarted.lock().take() {
            tasks.push(Box::pin(Arc::clone(&self.watch).follow(follower)));
            tasks.push(Box::pin(registry_events.run()));
            tasks.push(Box::pin(self.refusal_writer.clone().run()));
        }
        tasks
    }

    /// Whether the registry is followed; a gate that does not know of changes admits nobody new.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.watch.is_current()
    }

    /// Serves other chains from the next connection on.
    ///
    /// # Errors
    /// A chain or key that cannot be used; the former ones stay.
    pub fn renew(&self, chains: &ServerChains) -> Result<(), rustls::Error> {
        self.tls.renew(chains)
    }

    /// Tells every device that the server stops, and waits until they are gone, for a few seconds at most.
    pub async fn shut_down(&self) {
        self.connections.close_all();
        let _in_time = tokio::time::timeout(DRAIN, async {
            while self.connections.count() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        self.broker.settle().await;
        // The last refusals are told by `gatehouse explain` as well.
        self.refusal_writer.flush().await;
    }
}
