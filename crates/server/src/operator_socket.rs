//! The way from a command to the running server of the same data folder: a Unix socket that its owner alone may open.
//! A command sends one JSON line and gets lines back: an item each, and at last `done` or an error, so that an answer that
//! was cut off is not taken for a whole one.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::scope::{AccountId, Region, Scope};
use gatehouse_gateway::{Gateway, ScopeFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::failure::Failure;

/// The socket's name in the data folder, and the one it has until its mode is set. Neither is longer than the other may be.
const NAME: &str = "control.sock";
const DRAFT: &str = "control.new";
/// What the path of a Unix socket may have, in bytes (`sun_path` of unix(7), without its end).
const PATH_BYTES_MAX: usize = 107;
/// Commands that are answered at once; further ones wait.
const COMMANDS_AT_ONCE: usize = 8;
/// A request, in bytes.
const REQUEST_BYTES: u64 = 4 * 1024;
/// A line of an answer, in bytes; the longest shows a client's subscriptions.
const LINE_BYTES: u64 = 256 * 1024;
/// How the ids begin of clients that sent none. Operations of the API do not take them; an operator may.
const GENERATED: &str = "$GEN/";
/// How long one step may take: a request to come, a line to be taken, a line to come.
const STEP: Duration = Duration::from_secs(30);

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Request {
    /// Who is connected.
    List(InScope),
    /// Everything about a client.
    Show(Client),
    /// End a client's connection.
    #[serde(rename_all = "camelCase")]
    Close { client: Client, clean_session: bool, prevent_will: bool },
}

/// The scopes that are meant.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InScope {
    pub(crate) account: Option<AccountId>,
    pub(crate) region: Option<Region>,
}

/// A client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) client_id: String,
    pub(crate) scope: InScope,
}

/// A line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// One of what was asked for.
    Item(Value),
    /// There is no more.
    Done,
    /// What is wrong with the request.
    Refused(String),
    /// The server cannot answer.
    Failed(String),
}

impl From<InScope> for ScopeFilter {
    fn from(InScope { account, region }: InScope) -> Self {
        Self { account, region }
    }
}

/// The socket of a server.
pub(crate) struct OperatorSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl OperatorSocket {
    /// Listens in `data_dir`, whose lock the caller holds: a socket that is there belongs to a server that was killed. A
    /// server without one serves devices all the same, so that what is wrong is a warning.
    pub(crate) fn bind(data_dir: &Path) -> Option<Self> {
        let path = data_dir.join(NAME);
        let bound =
            check_length(&path).and_then(|()| bind(&data_dir.join(DRAFT), &path).map_err(|why| why.to_string()));
        match bound {
            Ok(listener) => Some(Self { listener, path }),
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "no socket for `gatehouse connections`");
                None
            }
        }
    }

    /// Answers commands until the server stops.
    pub(crate) async fn serve(self, gateway: Arc<Gateway>, mut stopped: watch::Receiver<bool>) {
        let mut commands = JoinSet::new();
        loop {
            tokio::select! {
                _ = stopped.changed() => break,
                Some(_) = commands.join_next() => {}
                accepted = self.listener.accept(), if commands.len() < COMMANDS_AT_ONCE => match accepted {
                    Ok((stream, _)) => drop(commands.spawn(answer(stream, Arc::clone(&gateway)))),
                    Err(error) => {
                        tracing::warn!(%error, "a command cannot be answered");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        let _gone_already = std::fs::remove_file(&self.path);
    }
}

/// In its place only once nobody else may open it.
fn bind(draft: &Path, path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(draft)?;
    std::fs::set_permissions(draft, Permissions::from_mode(0o600))?;
    std::fs::rename(draft, path)?;
    Ok(listener)
}

fn check_length(path: &Path) -> Result<(), String> {
    let bytes = path.as_os_str().len();
    if bytes <= PATH_BYTES_MAX {
        return Ok(());
    }
    Err(format!(
        "the path {} has {bytes} bytes, and that of a socket at most {PATH_BYTES_MAX}: use a data_dir with a shorter path",
        path.display()
    ))
}

async fn answer(stream: UnixStream, gateway: Arc<Gateway>) {
    let (read, write) = stream.into_split();
    let mut write = BufWriter::new(write);
    let answered = async {
        let last = match timeout(STEP, read_line(&mut BufReader::new(read), REQUEST_BYTES)).await {
            Ok(Ok(line)) => match serde_json::from_str(&line) {
                Ok(request) => fulfil(request, &gateway, &mut write).await?,
                Err(error) => Line::Refused(format!("not a request: {error}")),
            },
            Ok(Err(error)) => Line::Refused(error.to_string()),
            Err(_late) => Line::Refused("no request came in time".to_owned()),
        };
        send(&mut write, &last).await?;
        timeout(STEP, write.shutdown()).await?
    };
    if let Err(error) = answered.await {
        tracing::debug!(%error, "a command went before its answer was complete");
    }
}

type Writer = BufWriter<tokio::net::unix::OwnedWriteHalf>;

/// Sends the items of the answer; the last line is left to the caller.
async fn fulfil(request: Request, gateway: &Gateway, write: &mut Writer) -> std::io::Result<Line> {
    match request {
        Request::List(scope) => {
            for item in gateway.connected_clients(scope.into()) {
                send(write, &Line::Item(item)).await?;
            }
            Ok(Line::Done)
        }
        Request::Show(client) => match find(&client, gateway).await {
            Ok(found) => {
                for (_, item) in found.clients {
                    send(write, &Line::Item(item)).await?;
                }
                Ok(Line::Done)
            }
            Err(line) => Ok(line),
        },
        Request::Close { client, clean_session, prevent_will } => Ok(match find(&client, gateway).await {
            Ok(found) => close(found, gateway, clean_session, prevent_will).await,
            Err(line) => line,
        }),
    }
}

/// The clients that a command means: at least one.
struct Found {
    client_id: ClientId,
    clients: Vec<(Scope, Value)>,
}

async fn find(client: &Client, gateway: &Gateway) -> Result<Found, Line> {
    let client_id = match client.client_id.strip_prefix(GENERATED) {
        Some(uuid) => ClientId::generated(uuid),
        None => ClientId::parse(&client.client_id).map_err(|invalid| Line::Refused(invalid.to_string()))?,
    };
    let clients = gateway.clients_by_id(client.scope.into(), &client_id).await;
    let clients = clients.map_err(|error| Line::Failed(error.to_string()))?;
    if clients.is_empty() {
        return Err(unknown(&client_id));
    }
    Ok(Found { client_id, clients })
}

fn unknown(client_id: &ClientId) -> Line {
    Line::Refused(format!(
        "no client {client_id} is connected or has a session: `gatehouse connections list` shows who is connected"
    ))
}

async fn close(found: Found, gateway: &Gateway, clean_session: bool, prevent_will: bool) -> Line {
    let Found { client_id, clients } = found;
    match clients.as_slice() {
        [(scope, _)] => match gateway.close_client(*scope, &client_id, clean_session, prevent_will).await {
            Ok(true) => Line::Done,
            Ok(false) => unknown(&client_id),
            Err(unavailable) => Line::Refused(format!("{unavailable}: the session is ended as soon as it can be")),
        },
        _ => Line::Refused(format!(
            "{} accounts and Regions have a client {client_id}: say --account and --region",
            clients.len()
        )),
    }
}

async fn send(write: &mut Writer, line: &Line) -> std::io::Result<()> {
    let mut text = serde_json::to_string(line).map_err(std::io::Error::other)?;
    text.push('\n');
    timeout(STEP, write.write_all(text.as_bytes())).await?
}

/// The next line, without its end, of at most `bytes_max` bytes.
async fn read_line(read: &mut (impl AsyncBufRead + Unpin), bytes_max: u64) -> std::io::Result<String> {
    let mut line = String::new();
    read.take(bytes_max).read_line(&mut line).await?;
    if line.pop() == Some('\n') {
        return Ok(line);
    }
    Err(std::io::Error::new(
        ErrorKind::UnexpectedEof,
        format!("a line ended early, or has more than {bytes_max} bytes"),
    ))
}

/// Asks the server that runs on `data_dir`, and hands each item of its answer to `take`.
pub(crate) async fn ask(data_dir: &Path, request: &Request, mut take: impl FnMut(Value)) -> Result<(), Failure> {
    let path = data_dir.join(NAME);
    check_length(&path).map_err(Failure::configuration)?;
    let stream = UnixStream::connect(&path).await.map_err(|error| unreachable(data_dir, &error))?;
    let broken = |error: std::io::Error| Failure::other(format!("the server's answer broke off: {error}"));
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_string(request).map_err(|error| Failure::other(error.to_string()))?;
    text.push('\n');
    timeout(STEP, write.write_all(text.as_bytes())).await.map_err(|late| broken(late.into()))?.map_err(broken)?;
    let mut read = BufReader::new(read);
    loop {
        let line = timeout(STEP, read_line(&mut read, LINE_BYTES)).await.map_err(|late| broken(late.into()))?;
        match serde_json::from_str(&line.map_err(broken)?).map_err(|error| broken(error.into()))? {
            Line::Item(item) => take(item),
            Line::Done => return Ok(()),
            Line::Refused(why) => return Err(Failure::configuration(why)),
            Line::Failed(why) => return Err(Failure::other(why)),
        }
    }
}

fn unreachable(data_dir: &Path, error: &std::io::Error) -> Failure {
    let folder = data_dir.display();
    Failure::configuration(match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("no server runs on the data folder {folder}: start `gatehouse serve`, or name another with --data")
        }
        ErrorKind::PermissionDenied => {
            format!("the server of the data folder {folder} belongs to another user: run the command as that user")
        }
        _ => format!("the server of the data folder {folder} cannot be reached: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_a_killed_server_left_is_replaced_and_its_owner_alone_may_open_it() {
        let dir = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(dir.path().join(NAME)).unwrap());
        drop(UnixListener::bind(dir.path().join(DRAFT)).unwrap());
        let socket = OperatorSocket::bind(dir.path()).unwrap();
        let mode = std::fs::metadata(&socket.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(UnixStream::connect(&socket.path).await.is_ok());
        assert!(!dir.path().join(DRAFT).exists());
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(PATH_BYTES_MAX));
        std::fs::create_dir(&long).unwrap();
        assert!(OperatorSocket::bind(&long).is_none());
        let scope = InScope { account: None, region: None };
        let failure = ask(&long, &Request::List(scope), |_| {}).await.unwrap_err();
        assert!(failure.to_string().contains("shorter path"), "{failure}");
    }

    #[tokio::test]
    async fn a_line_has_an_end_and_a_bound() {
        for (given, expected) in [("abc\n", Some("abc")), ("abc", None), ("abcdefgh\n", None), ("", None)] {
            assert_eq!(read_line(&mut given.as_bytes(), 8).await.ok().as_deref(), expected, "{given:?}");
        }
    }
}
