//! A throwaway PostgreSQL for one run: own folder, free loopback port, random password, gone at the end.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::command::{Failure, Outcome, fail, program, root, run_quietly};
use crate::packages::{is_root, postgres_program};

/// Where tests find the server's address.
pub(crate) const ADDRESS_VARIABLE: &str = "GATEHOUSE_TEST_POSTGRES";

/// The account that the server runs under when we are root: PostgreSQL refuses to be root itself.
const SERVER_ACCOUNT: &str = "postgres";

/// How often a port that somebody else took in between is replaced by another.
const PORT_TRIES: u32 = 3;

/// Whether a commit reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It does: for measurements.
    Flushed,
    /// It does not: for tests.
    Forgetful,
}

/// A running server; dropping it stops it and removes its folder.
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    url: String,
}

impl Postgres {
    /// Makes and starts a server.
    pub(crate) fn start(durability: Durability) -> Outcome<Self> {
        let initdb = postgres_program("initdb").ok_or_else(not_installed)?;
        let postgres = postgres_program("postgres").ok_or_else(not_installed)?;
        let account = if is_root()? { Some(SERVER_ACCOUNT) } else { None };
        let folder = make_folder(account)?;
        let password = random_password()?;
        let started = initialise(&initdb, &folder, account, &password)
            .and_then(|()| try_ports(&postgres, &folder, account, durability));
        match started {
            Ok((server, port)) => {
                let url = format!("postgres://gatehouse:{password}@127.0.0.1:{port}/postgres");
                Ok(Self { server, folder, url })
            }
            Err(failure) => {
                drop(std::fs::remove_dir_all(&folder));
                Err(failure)
            }
        }
    }

    /// The server's address, with a user who may create databases.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it drops the clients and ends cleanly.
        let asked = Command::new("kill").arg("-INT").arg(self.server.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            drop(self.server.kill());
        }
        drop(self.server.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn not_installed() -> Failure {
    Failure("PostgreSQL's server is not installed: run `cargo xtask test --only packages`".into())
}

/// A fresh folder that the server's account owns: in `target` where that account can reach it, else among temporary files.
fn make_folder(account: Option<&str>) -> Outcome<PathBuf> {
    let target = root().join("target");
    remove_leftovers(&target);
    let reachable = as_account(account, Path::new("test")).args(["-x"]).arg(&target).status()?.success();
    let parent = if reachable { target } else { std::env::temp_dir() };
    let folder = parent.join(format!("postgres-{}", std::process::id()));
    std::fs::create_dir(&folder).map_err(|error| Failure(format!("cannot make {}: {error}", folder.display())))?;
    if let Some(account) = account {
        run_quietly(program("chown").arg(format!("{account}:")).arg(&folder))?;
    }
    Ok(folder)
}

/// Removes folders of earlier runs that were killed. Their servers went with them (`--pdeathsig`).
fn remove_leftovers(target: &Path) {
    for entry in std::fs::read_dir(target).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.strip_prefix("postgres-")).and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

fn initialise(initdb: &Path, folder: &Path, account: Option<&str>, password: &str) -> Outcome {
    let password_file = folder.join("password");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&password_file)?;
    writeln!(file, "{password}")?;
    if let Some(account) = account {
        run_quietly(program("chown").arg(format!("{account}:")).arg(&password_file))?;
    }
    let mut command = as_account(account, initdb);
    command.arg("--pgdata").arg(folder.join("data")).arg("--pwfile").arg(&password_file);
    command.args(["--username=gatehouse", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    run_quietly(&mut command)?;
    std::fs::remove_file(&password_file)?;
    Ok(())
}

fn try_ports(postgres: &Path, folder: &Path, account: Option<&str>, durability: Durability) -> Outcome<(Child, u16)> {
    let mut last = Failure("PostgreSQL was not started".into());
    for _ in 0..PORT_TRIES {
        let port = free_port()?;
        match start_on(port, postgres, folder, account, durability) {
            Ok(server) => return Ok((server, port)),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

fn start_on(
    port: u16,
    postgres: &Path,
    folder: &Path,
    account: Option<&str>,
    durability: Durability,
) -> Outcome<Child> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".into(),
        "unix_socket_directories=".into(),
        "max_connections=300".into(),
        "shared_buffers=128MB".into(),
        "lc_messages=C".into(),
        "logging_collector=off".into(),
    ];
    if durability == Durability::Forgetful {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(String::from));
    }
    let mut command = as_account(account, postgres);
    command.arg("-D").arg(folder.join("data"));
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let Some(stderr) = server.stderr.take() else { return fail("PostgreSQL has no output") };
    let mut log = BufReader::new(stderr);
    let mut said = String::new();
    loop {
        let before = said.len();
        if log.read_line(&mut said)? == 0 {
            let status = server.wait()?;
            return fail(format!("PostgreSQL ended with {status}:\n{said}"));
        }
        if said.get(before..).is_some_and(|line| line.contains("ready to accept connections")) {
            break;
        }
    }
    // Read on until the server ends, or it would stand still once the pipe is full.
    let file = std::fs::File::create(folder.join("log"))?;
    std::thread::spawn(move || std::io::copy(&mut log, &mut &file));
    Ok(server)
}

/// A program under the server's account that ends when we do, however we end.
fn as_account(account: Option<&str>, name: &Path) -> Command {
    let mut command = program("setpriv");
    command.current_dir("/").args(["--pdeathsig", "INT"]);
    if let Some(account) = account {
        command.args(["--reuid", account, "--regid", account, "--clear-groups"]);
    }
    command.arg("--").arg(name);
    command
}

/// A port that is free now; somebody may take it before the server does.
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn random_password() -> Outcome<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
