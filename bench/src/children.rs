//! The servers under measurement: children of this process, ended with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::options::Options;
use crate::{Outcome, process};

/// Limits of the configuration that are taken away.
const RATES: [&str; 13] = [
    "CONNECT_RATE",
    "CLIENT_CONNECT_RATE",
    "PUBLISH_RATE",
    "CONNECTION_PUBLISH_RATE",
    "CONNECTION_DELIVERY_RATE",
    "CONNECTION_BYTE_RATE",
    "SUBSCRIBE_RATE",
    "QUEUE_RATE",
    "RETAIN_RATE",
    "TOPIC_RETAIN_RATE",
    "CREATE_KEYS_AND_CERTIFICATE_RATE",
    "CREATE_CERTIFICATE_FROM_CSR_RATE",
    "REGISTER_THING_RATE",
];

/// A measurement's own configuration, in the data folder.
pub(crate) const CONFIGURATION: &str = "bench.toml";
/// How long a server may take to listen.
const START: Duration = Duration::from_secs(120);
/// How long a server may take to end before it is killed.
const END: Duration = Duration::from_secs(20);
/// Between attempts to reach a server that does not say when it listens.
const LOOK: Duration = Duration::from_millis(50);

/// A server that listens.
pub(crate) struct Server {
    child: Child,
    /// The bare server ends when this is closed, should its parent be killed.
    _stdin: Option<ChildStdin>,
    pub(crate) pid: u32,
    /// Where devices connect.
    pub(crate) mqtt: SocketAddr,
    /// Where operators call; of Gatehouse only.
    pub(crate) api: Option<SocketAddr>,
    /// From exec to the ready line.
    pub(crate) started_in: Duration,
    /// What it reads, removed after its end.
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts `gatehouse serve` on `data`, by the configuration [`CONFIGURATION`] if there is one in it.
    pub(crate) async fn gatehouse(binary: &Path, data: &Path, store: &str) -> Outcome<Self> {
        let mut command = process::command(binary);
        command.args(["serve", "--ready-json", "--store", store, "--data"]).arg(data);
        let configuration = data.join(CONFIGURATION);
        if configuration.is_file() {
            command.arg("--config").arg(configuration);
        }
        let any_port = "127.0.0.1:0";
        command.env("GATEHOUSE_LISTEN_API", any_port).env("GATEHOUSE_LISTEN_MQTT", any_port);
        // What is measured is the server, not the rates that a scope is held to.
        for rate in RATES {
            command.env(format!("GATEHOUSE_LIMITS_{rate}"), "0");
        }
        command.env("GATEHOUSE_LISTEN_HTTPS", "off").env("GATEHOUSE_LOG_LEVEL", "warn");
        Self::start(command).await
    }

    /// Starts the bare server with the server chain of `data`.
    pub(crate) async fn bare(data: &Path) -> Outcome<Self> {
        let mut command = process::command(&std::env::current_exe()?);
        command.arg("--bare-server").arg(data);
        Self::start(command).await
    }

    async fn start(mut command: std::process::Command) -> Outcome<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = Command::from(command).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no standard output")?;
        let mut line = String::new();
        timeout(START, BufReader::new(stdout).read_line(&mut line)).await??;
        let started_in = began.elapsed();
        let ready: Value =
            serde_json::from_str(&line).map_err(|error| format!("the server did not become ready: {error}"))?;
        let address = |name: &str| ready.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
        Ok(Self {
            pid: child.id().ok_or("the server has ended")?,
            mqtt: address("mqtt").ok_or("the ready line lacks mqtt")?,
            api: address("api"),
            started_in,
            _folder: None,
            _stdin: child.stdin.take(),
            child,
        })
    }

    /// Starts a server that says nothing, and waits until it listens on `mqtt`.
    pub(crate) async fn silent(mut command: std::process::Command, mqtt: SocketAddr, folder: TempDir) -> Outcome<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let began = Instant::now();
        let mut child = Command::from(command).kill_on_drop(true).spawn()?;
        while TcpStream::connect(mqtt).await.is_err() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("a server ended before it listened: {status}").into());
            }
            if began.elapsed() > START {
                return Err("a server does not listen".into());
            }
            tokio::time::sleep(LOOK).await;
        }
        let pid = child.id().ok_or("the server has ended")?;
        let started_in = began.elapsed();
        Ok(Self { child, _stdin: None, pid, mqtt, api: None, started_in, _folder: Some(folder) })
    }

    /// Ends the server in good order.
    pub(crate) async fn stop(mut self) -> Outcome {
        Command::new("kill").arg("-TERM").arg(self.pid.to_string()).status().await?;
        match timeout(END, self.child.wait()).await {
            Ok(status) => status.map(drop)?,
            Err(_) => self.child.kill().await?,
        }
        Ok(())
    }
}

/// The binary to measure: the one named, or the one of this very tree, built now.
pub(crate) async fn binary(options: &Options) -> Outcome<PathBuf> {
    if let Some(named) = &options.gatehouse {
        return Ok(named.clone());
    }
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--package", "gatehouse-server"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .kill_on_drop(true)
        .status()
        .await?;
    if !status.success() {
        return Err("the server cannot be built".into());
    }
    let beside = std::env::current_exe()?.with_file_name("gatehouse");
    if beside.is_file() {
        Ok(beside)
    } else {
        Err(format!("there is no {}: name the server with --gatehouse FILE", beside.display()).into())
    }
}

/// Runs a command of the binary that ends by itself, with nothing printed.
pub(crate) async fn run(binary: &Path, data: &Path, store: &str, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(binary);
    command.args(arguments).args(["--store", store, "--data"]).arg(data);
    let status = timeout(START, command.stdout(Stdio::null()).kill_on_drop(true).status()).await??;
    if status.success() { Ok(()) } else { Err(format!("gatehouse {} failed", arguments.join(" ")).into()) }
}
