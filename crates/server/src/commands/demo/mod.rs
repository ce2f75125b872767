//! `gatehouse demo`: the main job in one go, with a real device and a real operator, told step by step.

mod device;
mod operator;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use gatehouse_control::sigv4::Signer;
use gatehouse_domain::scope::AccountId;
use http::Method;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use self::device::{Answer, Credentials, Device};
use self::operator::{Operator, segment};
use super::{env, say};
use crate::client_files::ClientFiles;
use crate::clock::SystemClock;
use crate::config::{Address, Config};
use crate::failure::Failure;
use crate::serve::{self, Running};

const CLIENT_ID: &str = "demo-device";
const TOPIC: &str = "demo/demo-device/hello";

/// How to tell the story.
#[derive(Args)]
pub(crate) struct Options {
    /// Stay up afterwards
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(config: Config, options: Options) -> Result<(), Failure> {
    let folder = Folder::make()?;
    let config = demo_config(config, &folder);
    let mut story = Story::begin();
    let running = serve::start(&config).await?;
    let addresses = running.addresses;
    story.tell(&format!("a server on an empty store: API on {}, MQTT on {}", addresses.api, addresses.mqtt));
    let told = tell(&mut story, &config, &running).await;
    match told {
        Ok(()) => {
            epilogue();
            if options.keep {
                keep(&config, &running).await?;
            }
        }
        Err(failure) => {
            running.stop().await;
            return Err(failure);
        }
    }
    running.stop().await;
    Ok(())
}

async fn tell(story: &mut Story, config: &Config, running: &Running) -> Result<(), Failure> {
    let operator = operator(config, running)?;
    let created = operator.call(Method::POST, "/keys-and-certificate?setAsActive=true", Value::Null).await?;
    let field = |pointer: &str| created.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, arn) = (field("/certificateId"), field("/certificateArn"));
    story.tell(&format!(
        "CreateKeysAndCertificate: an RSA-2048 key and certificate {}…",
        id.get(..12).unwrap_or_default()
    ));

    let root_pem =
        std::fs::read_to_string(config.data_dir.join("root-ca.pem")).map_err(|e| Failure::other(e.to_string()))?;
    let (certificate_pem, private_key_pem) = (field("/certificatePem"), field("/keyPair/PrivateKey"));
    let credentials =
        Credentials { certificate_pem: &certificate_pem, private_key_pem: &private_key_pem, root_pem: &root_pem };
    let mqtt = running.addresses.mqtt;
    match connect(mqtt, &credentials).await? {
        Answer::Refused { code, reason } => {
            story.tell(&format!("the device connects too early, and learns why not: CONNACK 0x{code:02x}, {reason}"));
        }
        Answer::Accepted(_) => return Err(Failure::other("a device without a policy was let in")),
    }

    attach_policy(&operator, &arn).await?;
    story.tell("CreatePolicy and AttachPolicy: it may connect under its name and use its own topics");

    let Answer::Accepted(mut device) = connect(mqtt, &credentials).await? else {
        return Err(Failure::other("the device was refused"));
    };
    story.tell("the device connects over mutual TLS: admitted by the registry, CONNACK 0x00");
    device.subscribe(TOPIC).await?;
    device.exchange(TOPIC, "hello, gate").await?;
    story.tell(&format!("it subscribes and publishes to {TOPIC}: the message comes back, QoS 1"));

    let cut = tokio::spawn(async move {
        let said = device.until_cut().await;
        (said, Instant::now())
    });
    operator.call(Method::PUT, &format!("/certificates/{id}?newStatus=REVOKED"), Value::Null).await?;
    let answered = Instant::now();
    story.tell("UpdateCertificate: the operator sets the certificate to REVOKED");
    let (said, cut_at) = cut.await.map_err(|error| Failure::other(error.to_string()))?;
    let took = cut_at.saturating_duration_since(answered);
    story.tell(&format!("the live connection is cut {} after the API's answer: {}", milliseconds(took), said?));

    match connect(mqtt, &credentials).await? {
        Answer::Refused { code, reason } => {
            story.tell(&format!("the device tries again, and learns why not: CONNACK 0x{code:02x}, {reason}"));
            Ok(())
        }
        Answer::Accepted(_) => Err(Failure::other("a revoked device was let in")),
    }
}

async fn connect(mqtt: SocketAddr, credentials: &Credentials<'_>) -> Result<Answer, Failure> {
    Device::connect(mqtt, "localhost", CLIENT_ID, credentials).await
}

async fn attach_policy(operator: &Operator, certificate_arn: &str) -> Result<(), Failure> {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:*:client/demo-device" },
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive"],
                "Resource": "arn:aws:iot:*:*:topic/demo/${iot:ClientId}/*"
            },
            {
                "Effect": "Allow",
                "Action": "iot:Subscribe",
                "Resource": "arn:aws:iot:*:*:topicfilter/demo/${iot:ClientId}/*"
            }
        ]
    });
    let body = json!({ "policyDocument": document.to_string() });
    operator.call(Method::POST, "/policies/demo-policy", body).await?;
    let target = format!("/target-policies/{}", segment("demo-policy"));
    operator.call(Method::PUT, &target, json!({ "target": certificate_arn })).await?;
    Ok(())
}

fn operator(config: &Config, running: &Running) -> Result<Operator, Failure> {
    let files = ClientFiles::new(&config.data_dir);
    let credentials = std::fs::read_to_string(files.credentials_path()).map_err(|e| Failure::other(e.to_string()))?;
    let value = |key: &str| {
        let found = credentials.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
        found.map(|value| value.trim().to_owned()).ok_or_else(|| Failure::other(format!("the credentials lack {key}")))
    };
    let region = config.regions.first().copied().ok_or_else(|| Failure::configuration("regions is empty"))?;
    let now = gatehouse_domain::time::Clock::now(&SystemClock);
    let signer = Signer::new(&value("aws_access_key_id")?, &value("aws_secret_access_key")?, region, now);
    Ok(Operator { api: running.addresses.api, signer })
}

/// The three commands to go on with.
fn epilogue() {
    say("\nThat was the whole story. To go on with a server of your own:\n");
    say("    gatehouse serve                                      # everything in one process, in ./gatehouse-data");
    say("    eval \"$(gatehouse env)\"                             # from now on AWS's tools talk to it");
    say("    aws iot create-keys-and-certificate --set-as-active  # the ordinary AWS CLI\n");
}

async fn keep(config: &Config, running: &Running) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::other(error.to_string()))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| Failure::other(error.to_string()))?;
    say("This server stays up until Ctrl-C. In another shell:\n");
    for line in env::lines(&ClientFiles::new(&config.data_dir), AccountId::FIRST)? {
        say(format!("    {line}"));
    }
    say(format!("\nIts devices connect to localhost:{}.", running.addresses.mqtt.port()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Everything on free ports of this machine, in a folder that goes away.
fn demo_config(config: Config, folder: &Folder) -> Config {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut demo = Config { data_dir: folder.path.clone(), ..Config::default() };
    demo.listen.api = any_port;
    demo.listen.mqtt = any_port;
    demo.listen.https = Address(None);
    demo.log = config.log;
    demo
}

/// A temporary folder, removed with everything in it.
struct Folder {
    path: std::path::PathBuf,
}

impl Folder {
    fn make() -> Result<Self, Failure> {
        let name = format!("gatehouse-demo-{}", gatehouse_control::random::uuid()?);
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)
            .map_err(|e| Failure::configuration(format!("{} cannot be made: {e}", path.display())))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_to_the_system = std::fs::remove_dir_all(&self.path);
    }
}

/// The story, with the time since its beginning and since the step before.
struct Story {
    step: u32,
    began: Instant,
    last: Instant,
}

impl Story {
    fn begin() -> Self {
        let now = Instant::now();
        say("Gatehouse demo: a device gets a certificate, connects, and is cut off when it is revoked.\n");
        Self { step: 0, began: now, last: now }
    }

    fn tell(&mut self, text: &str) {
        self.step += 1;
        let now = Instant::now();
        let (step, took, total) = (self.step, now - self.last, now - self.began);
        say(format!("{step:>2}. [{:>8} | {:>9}] {text}", milliseconds(total), format!("+{}", milliseconds(took))));
        self.last = now;
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
