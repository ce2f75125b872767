//! Provisioning: devices that become part of the fleet by themselves, durably, a second; and how long another device
//! waits to be let in while they come at a steady rate, which leaves the machine's cores room for it and for the clients.
//!
//! Just in time, a device's first connection provisions it by the template of its CA: thing, policy, attachments, ACTIVE.
//! In fleet provisioning, a connection with a claim asks for a certificate for a P-256 request, and registers a thing with
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use super::Bench;
use crate::authority::Authority;
use crate::children::Server;
use crate::device::{self, Device};
use crate::figures::{Figure, Figures, Reach, Rounds};
use crate::fleet::{self, Identity};
use crate::operator::{Operator, Pen};
use crate::options::Sessions;
use crate::{Failure, Outcome, process};

/// Devices of a round unless told otherwise.
const DEVICES: u32 = 2_000;
/// Devices that are on their way at the same time.
const CALLERS: usize = 32;
/// Devices a second that come while another looks on: thirty times what AWS allows.
const STEADY: u32 = 300;
/// Between two connections of the device that looks on.
const LOOKS_EVERY: Duration = Duration::from_millis(10);
/// Its connections while nothing else happens.
const QUIET_LOOKS: usize = 300;
/// What a provisioned device may do.
pub(super) const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;
const CLAIM: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;
pub(super) const ROLE: &str = "arn:aws:iam::000000000000:role/provisioning";

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let devices = bench.options.connections(DEVICES);
    for registered in bench.options.registered(&[1_000]) {
        let data = bench.data(registered).await?;
        let authority = Authority::make()?;
        data.register_authorities(std::slice::from_ref(&authority)).await?;
        let (server, fleet, data) = bench.on(data, CALLERS + 1).await?;
        prepare(&server, &data.path, &authority, &fleet).await?;
        let (watcher, claims) = fleet.split_last().ok_or("the fleet is empty")?;
        let quiet = look_quietly(&server, watcher).await?;

        let (mut just_in_time, mut by_claim) = (Way::default(), Way::default());
        for round in 0..bench.options.rounds {
            for pace in [Pace::Full, Pace::Steady] {
                // No key is made while the clock runs.
                let signed = fleet::make_signed(devices, &authority, &data.path, bench.options.key_exchange)?;
                let storm = first_contacts(&server, signed.into(), pace);
                just_in_time.count(&server, watcher, devices, pace, storm).await?;
                let requests = (0..devices).map(|_| fleet::request()).collect::<Outcome<Vec<_>>>()?;
                let storm = by_claims(&server, claims, requests, format!("bench-{round}-{pace:?}"), pace);
                by_claim.count(&server, watcher, devices, pace, storm).await?;
            }
        }
        server.stop().await?;
        just_in_time.tell(figures, "just in time", registered, &quiet);
        by_claim.tell(figures, "by claim and CSR", registered, &quiet);
    }
    Ok(())
}

/// How devices come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As fast as they are served.
    Full,
    /// [`STEADY`] a second.
    Steady,
}

impl Pace {
    /// Waits until it is the turn of device `number` of those that began to come at `began`.
    async fn turn(self, began: Instant, number: usize) {
        if self == Self::Steady {
            let due = Duration::from_secs_f64(number as f64 / f64::from(STEADY));
            tokio::time::sleep_until((began + due).into()).await;
        }
    }
}

/// One way into the fleet, over all rounds.
struct Way {
    rates: Rounds,
    cpu: Rounds,
    looks: Rounds,
}

impl Default for Way {
    fn default() -> Self {
        Self { rates: Rounds::new(), cpu: Rounds::new(), looks: Rounds::new() }
    }
}

impl Way {
    async fn count(
        &mut self,
        server: &Server,
        watcher: &Identity,
        devices: usize,
        pace: Pace,
        storm: impl Future<Output = Outcome<Duration>>,
    ) -> Outcome {
        if pace == Pace::Steady {
            let looking = look(server.mqtt, watcher.clone());
            storm.await?;
            looking.stop().await?.into_iter().for_each(|milliseconds| self.looks.push(milliseconds));
            return Ok(());
        }
        let before = process::cpu(server.pid)?;
        let took = storm.await?;
        let spent = process::cpu(server.pid)?.saturating_sub(before);
        self.rates.push(devices as f64 / took.as_secs_f64());
        self.cpu.push(spent.as_secs_f64() * 1e6 / devices as f64);
        Ok(())
    }

    fn tell(&self, figures: &mut Figures, way: &str, registered: u64, quiet: &Rounds) {
        let figure = |what: String, unit, gatehouse, reach| Figure {
            mode: "provision",
            what: format!("{what}, {registered} registered"),
            unit,
            gatehouse,
            beside: None,
            reach,
        };
        let rate = Some(Reach::AtLeast(300.0));
        figures.add(figure(format!("devices {way}, median"), "/s", self.rates.median(), rate));
        figures.add(figure(format!("CPU per device {way}, median"), "µs", self.cpu.median(), None));
        let (loud, quiet) = (self.looks.percentile(99), quiet.percentile(99));
        figures.add(figure(format!("another's connect at {STEADY} a second {way}, p99"), "ms", loud, None));
        let ratio = Some(Reach::AtMost(2.0));
        figures.add(figure(
            format!("… against {quiet:.1} ms when it is quiet"),
            "×",
            loud / quiet.max(f64::EPSILON),
            ratio,
        ));
    }
}

/// Makes what both ways need: a policy for claims, a template for each way.
async fn prepare(server: &Server, data: &std::path::Path, authority: &Authority, fleet: &[Identity]) -> Outcome {
    let api = server.api.ok_or("the ready line lacks api")?;
    let pen = Pen::of(data, api)?;
    let mut operator = Operator::connect(api).await?;
    let mut call = async |method: Method, target: String, body: Value| {
        operator.call(&pen.write(&method, &target, &body.to_string())?).await
    };
    let claim = json!({ "policyDocument": CLAIM });
    call(Method::POST, "/policies/claim".to_owned(), claim).await?;
    for identity in fleet {
        let target = format!("arn:aws:iot:us-east-1:000000000000:cert/{}", identity.id());
        call(Method::PUT, "/target-policies/claim".to_owned(), json!({ "target": target })).await?;
    }
    let by_claim = json!({
        "templateName": "bench",
        "templateBody": template("SerialNumber"),
        "provisioningRoleArn": ROLE,
        "enabled": true,
    });
    call(Method::POST, "/provisioning-templates".to_owned(), by_claim).await?;
    let just_in_time = json!({
        "registrationConfig": { "templateBody": template("AWS::IoT::Certificate::CommonName"), "roleArn": ROLE },
    });
    call(Method::PUT, format!("/cacertificate/{}", authority.certificate.id()), just_in_time).await
}

/// A thing named by `parameter`, with an attribute, and a policy that all share.
fn template(parameter: &str) -> String {
    let parameters = Value::Object([(parameter.to_owned(), json!({ "Type": "String" }))].into_iter().collect());
    json!({
        "Parameters": parameters,
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {
                    "ThingName": { "Ref": parameter },
                    "AttributePayload": { "serial": { "Ref": parameter } },
                },
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": { "CertificateId": { "Ref": "AWS::IoT::Certificate::Id" }, "Status": "ACTIVE" },
            },
            "policy": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": POLICY } },
        },
    })
    .to_string()
}

/// Lets every device of `fleet` come once.
async fn first_contacts(server: &Server, fleet: Arc<[Identity]>, pace: Pace) -> Outcome<Duration> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let (fleet, address) = (Arc::clone(&fleet), server.mqtt);
        tasks.spawn(async move {
            for (number, identity) in fleet.iter().enumerate().skip(caller).step_by(CALLERS) {
                pace.turn(began, number).await;
                device::be_refused(address, identity, "first").await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(began.elapsed())
}

/// Provisions a device for every request, over one connection for each claim.
async fn by_claims(
    server: &Server,
    claims: &[Identity],
    requests: Vec<String>,
    name: String,
    pace: Pace,
) -> Outcome<Duration> {
    let mut connected = Vec::new();
    for (number, claim) in claims.iter().enumerate() {
        connected.push(Device::connect(server.mqtt, claim, &format!("claim-{number}"), Sessions::Clean).await?);
    }
    let requests: Arc<[String]> = requests.into();
    let (began, callers) = (Instant::now(), connected.len());
    let mut tasks = JoinSet::new();
    for (caller, mut device) in connected.into_iter().enumerate() {
        let (requests, name) = (Arc::clone(&requests), name.clone());
        tasks.spawn(async move {
            for (number, csr) in requests.iter().enumerate().skip(caller).step_by(callers) {
                pace.turn(began, number).await;
                let asked = json!({ "certificateSigningRequest": csr });
                let made = device.ask_service("$aws/certificates/create-from-csr/json", &asked).await?;
                let token = made.get("certificateOwnershipToken").ok_or_else(|| format!("no token: {made}"))?;
                let registered = json!({
                    "certificateOwnershipToken": token,
                    "parameters": { "SerialNumber": format!("{name}-{number}") },
                });
                let thing = device.ask_service("$aws/provisioning-templates/bench/provision/json", &registered).await?;
                thing.get("thingName").ok_or_else(|| format!("no thing: {thing}"))?;
            }
            device.leave().await;
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(began.elapsed())
}

pub(super) async fn look_quietly(server: &Server, watcher: &Identity) -> Outcome<Rounds> {
    let mut quiet = Rounds::new();
    for _ in 0..QUIET_LOOKS {
        quiet.push(connect_once(server.mqtt, watcher).await?);
        tokio::time::sleep(LOOKS_EVERY).await;
    }
    Ok(quiet)
}

/// A device that connects again and again while others are provisioned.
pub(super) struct Looking {
    is_over: Arc<AtomicBool>,
    looks: JoinHandle<Outcome<Vec<f64>>>,
}

pub(super) fn look(address: std::net::SocketAddr, watcher: Identity) -> Looking {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let looks = tokio::spawn(async move {
        let mut looks = Vec::new();
        while !over.load(Ordering::Relaxed) {
            looks.push(connect_once(address, &watcher).await?);
            tokio::time::sleep(LOOKS_EVERY).await;
        }
        Ok(looks)
    });
    Looking { is_over, looks }
}

impl Looking {
    pub(super) async fn stop(self) -> Outcome<Vec<f64>> {
        self.is_over.store(true, Ordering::Relaxed);
        self.looks.await?
    }
}

/// From nothing to CONNACK, in milliseconds.
async fn connect_once(address: std::net::SocketAddr, watcher: &Identity) -> Outcome<f64> {
    let began = Instant::now();
    let device = Device::connect(address, watcher, "watcher", Sessions::Clean).await?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    device.leave().await;
    Ok(took)
}
