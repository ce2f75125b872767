//! Mosquitto, to be held against: the Debian package, with a configuration and a port of this run.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::authority::Authority;
use crate::children::Server;
use crate::{Outcome, process};

/// Where programs lie; servers are not on everybody's `PATH`.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];

/// Starts it: every client has a certificate of `authority`, and so has it. It asks no policy and keeps what it has in
/// memory. Windows, queues and Nagle's algorithm are set as at Gatehouse, so that both do the same.
pub(crate) async fn start(authority: &Authority) -> Outcome<Server> {
    let program = installed().await?;
    let folder = tempfile::Builder::new().prefix("gatehouse-bench-mosquitto-").tempdir()?;
    let (certificate, key) = authority.sign_server()?;
    let address = free_address()?;
    let texts = [
        ("ca.pem", authority.pem()),
        ("server.pem", certificate),
        ("server.key", key),
        ("mosquitto.conf", configuration(folder.path(), address.port())),
    ];
    for (name, text) in texts {
        std::fs::write(folder.path().join(name), text)?;
    }
    let mut command = process::command(&program);
    command.arg("-c").arg(folder.path().join("mosquitto.conf"));
    Server::silent(command, address, folder).await
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    // As root it would become a user who may not read the folder.
    format!(
        "user root
persistence false
log_dest none
allow_anonymous true
max_inflight_messages 100
max_queued_messages 100000
set_tcp_nodelay true
listener {port} 127.0.0.1
require_certificate true
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
"
    )
}

/// An address that nobody listens on at the moment: Mosquitto does not tell which port it was given.
fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// The program, installed now where it is missing and we may.
async fn installed() -> Outcome<PathBuf> {
    if let Some(program) = find() {
        return Ok(program);
    }
    let id = Command::new("id").arg("-u").output().await?;
    if id.stdout.trim_ascii() != b"0" {
        return Err("mosquitto is missing: install it (apt-get install mosquitto), or say --without-mosquitto".into());
    }
    eprintln!("installing mosquitto …");
    apt_get(&["update", "--quiet"]).await?;
    apt_get(&["install", "--yes", "--quiet", "--no-install-recommends", "mosquitto"]).await?;
    find().ok_or_else(|| "mosquitto is still missing after apt-get".into())
}

fn find() -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join("mosquitto")).find(|file| file.is_file())
}

async fn apt_get(arguments: &[&str]) -> Outcome {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.kill_on_drop(true).status().await?;
    if status.success() { Ok(()) } else { Err(format!("apt-get {} failed", arguments.join(" ")).into()) }
}
