//! GetConnection: whether a client is connected, and how.

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::time::Timestamp;
use serde_json::{Map, Value, json};

use super::input::{client_id, truth};
use super::{Call, DATA, Operation, Running, unknown_client};
use crate::https::answer::{Code, Failure, Reply};

/// How long a client that left no session is remembered (documentation of `disconnectedSince`).
const REMEMBERED_MS: i64 = 30 * 60 * 1000;

pub(super) const OPERATION: Operation = Operation {
    name: "GetConnection",
    method: "GET",
    path: "/connections/{clientId}",
    endpoints: DATA,
    body_bytes_max: 0,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(get(call))
}

async fn get(mut call: Call<'_>) -> Result<Reply, Failure> {
    let client_id = client_id(&call)?;
    let with_socket = truth(&mut call, "includeSocketInformation")?;
    call.query.finish()?;
    call.authorization
        .get_connection(&client_id, with_socket, call.now)
        .map_err(|_| Failure::new(Code::Forbidden, "no policy allows iot:GetConnection as it was asked for"))?;
    describe(&call, &client_id, with_socket).map(Reply::Json).ok_or_else(unknown_client)
}

fn describe(call: &Call<'_>, client_id: &ClientId, with_socket: bool) -> Option<Value> {
    let broker = &call.gateway.broker;
    let Some(session) = broker.session(call.scope, client_id) else {
        let departed = broker.departed(call.scope, client_id)?;
        let is_recent = call.now.millis_since(departed.disconnected_at) < REMEMBERED_MS;
        return is_recent.then(|| gone(client_id, departed.disconnected_at, departed.reason.as_str()));
    };
    if let Some((disconnected_at, reason, _)) = session.parked() {
        return Some(gone(client_id, disconnected_at, &reason));
    }
    let info = session.connection()?;
    let mut shown = Map::new();
    shown.insert("clientId".to_owned(), json!(client_id.as_str()));
    shown.insert("connected".to_owned(), json!(true));
    if let Some(thing) = &info.thing_name {
        shown.insert("thingName".to_owned(), json!(thing.as_str()));
    }
    shown.insert("cleanSession".to_owned(), json!(info.clean_start));
    shown.insert("keepAliveDuration".to_owned(), json!(info.keep_alive_secs));
    shown.insert("sessionExpiry".to_owned(), json!(info.session_expiry_secs));
    shown.insert("connectedSince".to_owned(), json!(info.connected_at.as_millis()));
    if with_socket {
        shown.insert("sourceIp".to_owned(), json!(info.source.ip()));
        shown.insert("sourcePort".to_owned(), json!(info.source.port()));
        if let Some(target) = info.target {
            shown.insert("targetIp".to_owned(), json!(target.ip()));
            shown.insert("targetPort".to_owned(), json!(target.port()));
        }
    }
    Some(Value::Object(shown))
}

fn gone(client_id: &ClientId, since: Timestamp, reason: &str) -> Value {
    json!({
        "clientId": client_id.as_str(),
        "connected": false,
        "disconnectedSince": since.as_millis(),
        "disconnectReason": reason,
    })
}
