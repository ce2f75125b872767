//! DeleteConnection: ends a client's connection, and its session where that is asked for.

use super::input::{client_id, truth};
use super::{Call, DATA, Operation, Running, unknown_client};
use crate::https::answer::{Code, Failure, Reply};

pub(super) const OPERATION: Operation = Operation {
    name: "DeleteConnection",
    method: "DELETE",
    path: "/connections/{clientId}",
    endpoints: DATA,
    body_bytes_max: 0,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(delete(call))
}

async fn delete(mut call: Call<'_>) -> Result<Reply, Failure> {
    let client_id = client_id(&call)?;
    let clean_session = truth(&mut call, "cleanSession")?;
    let prevent_will = truth(&mut call, "preventWillMessage")?;
    call.query.finish()?;
    call.authorization
        .on_client("iot:DeleteConnection", &client_id, call.now)
        .map_err(|_| Failure::new(Code::Forbidden, "no policy allows iot:DeleteConnection on this client"))?;
    if !call.gateway.broker.delete_connection(call.scope, &client_id, clean_session, prevent_will) {
        return Err(unknown_client());
    }
    if clean_session {
        let settled = call.gateway.broker.settle_scope(call.scope).await;
        settled.map_err(|unavailable| {
            Failure::new(Code::ServiceUnavailable, format!("{unavailable}: the session is ended as soon as it can be"))
        })?;
    }
    Ok(Reply::Empty)
}
