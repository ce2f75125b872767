//! The body of a request: bounded in size, in time, and in sum over all callers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::limits;
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Peer;
use crate::error::{Code, Error};

/// From the head of a request to the end of its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body waits for memory.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that one permit stands for.
const PERMIT_BYTES: usize = 1024;

/// A request whose body is complete.
pub(super) struct Arrived {
    pub(super) parts: http::request::Parts,
    pub(super) body: Bytes,
    pub(super) peer: Peer,
    /// The body's share of the memory for all bodies.
    _room: OwnedSemaphorePermit,
}

/// The memory for bodies.
pub(super) fn room_for_bodies() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limits::API_BODIES_BYTES / PERMIT_BYTES))
}

/// Reads the body of a request.
pub(super) async fn read<B>(
    parts: http::request::Parts,
    body: B,
    peer: Peer,
    room: &Arc<Semaphore>,
) -> Result<Arrived, Error>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let permits = u32::try_from(expected_bytes(&body)?.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
    let room = tokio::time::timeout(ROOM_TIMEOUT, Arc::clone(room).acquire_many_owned(permits))
        .await
        .map_err(|_| {
            Error::refused(Code::ServiceUnavailableException, "too many requests are arriving at the moment: try again")
        })?
        .map_err(|error| Error::Internal(error.to_string()))?;
    let reading = async {
        let body = Limited::new(body, limits::API_BODY_BYTES).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                too_long()
            } else {
                Error::invalid("the body could not be read to its end")
            }
        })?;
        Ok::<_, Error>(body.to_bytes())
    };
    let body = tokio::time::timeout(BODY_TIMEOUT, reading)
        .await
        .map_err(|_| Error::invalid("the body did not arrive in time"))??;
    Ok(Arrived { parts, body, peer, _room: room })
}

/// How long the body will be, which is known unless it comes in chunks; then, the longest. One that says it is too long
/// is refused before a byte of it is read.
fn expected_bytes(body: &impl http_body::Body) -> Result<usize, Error> {
    match body.size_hint().upper().map(usize::try_from) {
        None => Ok(limits::API_BODY_BYTES),
        Some(Ok(bytes)) if bytes <= limits::API_BODY_BYTES => Ok(bytes),
        Some(_) => Err(too_long()),
    }
}

fn too_long() -> Error {
    Error::refused(
        Code::RequestEntityTooLargeException,
        format!("the body has more than {} bytes", limits::API_BODY_BYTES),
    )
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http::Request;
    use http_body_util::{Empty, Full};

    use super::*;

    #[tokio::test]
    async fn a_request_without_a_body_waits_for_no_room() {
        let peer = Peer { ip: Ipv4Addr::LOCALHOST.into(), is_secure: false };
        let room = Arc::new(Semaphore::new(0));
        let (parts, body) = Request::new(Empty::new()).into_parts();
        let arrived = read(parts, body, peer, &room).await.unwrap();
        assert!(arrived.body.is_empty());
    }

    #[tokio::test]
    async fn a_body_takes_the_room_it_needs() {
        let peer = Peer { ip: Ipv4Addr::LOCALHOST.into(), is_secure: false };
        let room = Arc::new(Semaphore::new(3));
        let (parts, body) = Request::new(Full::new(Bytes::from(vec![b'x'; PERMIT_BYTES + 1]))).into_parts();
        let arrived = read(parts, body, peer, &room).await.unwrap();
        assert_eq!(room.available_permits(), 1);
        drop(arrived);
        assert_eq!(room.available_permits(), 3);
    }
}
