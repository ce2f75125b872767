//! The bodies of requests: bounded in size, in time, and in sum over all callers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// From the head of a request to the end of its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body waits for memory.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that one permit stands for.
const PERMIT_BYTES: usize = 1024;

/// The memory for the bodies of one door.
pub struct Bodies {
    room: Arc<Semaphore>,
}

/// A body that is complete.
pub struct ArrivedBody {
    /// The body.
    pub bytes: Bytes,
    /// Its share of the memory for all bodies.
    _room: OwnedSemaphorePermit,
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefusal {
    /// It is larger than is taken.
    #[error("the body has more than {limit_bytes} bytes")]
    TooLong {
        /// What is taken.
        limit_bytes: usize,
    },
    /// It ended early or is malformed.
    #[error("the body could not be read to its end")]
    Broken,
    /// It came too slowly.
    #[error("the body did not arrive in time")]
    Late,
    /// There was no memory for it.
    #[error("too many requests are arriving at the moment: try again")]
    NoRoom,
}

impl Bodies {
    /// Room for `total_bytes` at once.
    #[must_use]
    pub fn new(total_bytes: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(total_bytes / PERMIT_BYTES)) }
    }

    /// Reads a body of at most `limit_bytes`.
    ///
    /// # Errors
    /// [`BodyRefusal`].
    pub async fn read<B>(&self, body: B, limit_bytes: usize) -> Result<ArrivedBody, BodyRefusal>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let expected_bytes = expected_bytes(&body, limit_bytes)?;
        let permits = u32::try_from(expected_bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let room = tokio::time::timeout(ROOM_TIMEOUT, Arc::clone(&self.room).acquire_many_owned(permits))
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(BodyRefusal::NoRoom)?;
        let reading = async {
            let body = Limited::new(body, limit_bytes).collect().await.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    BodyRefusal::TooLong { limit_bytes }
                } else {
                    BodyRefusal::Broken
                }
            })?;
            Ok(body.to_bytes())
        };
        let bytes = tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| BodyRefusal::Late)??;
        Ok(ArrivedBody { bytes, _room: room })
    }
}

/// How long the body will be, which is known unless it comes in chunks; then, the longest. One that says it is too long
/// is refused before a byte of it is read.
fn expected_bytes(body: &impl http_body::Body, limit_bytes: usize) -> Result<usize, BodyRefusal> {
    match body.size_hint().upper().map(usize::try_from) {
        None => Ok(limit_bytes),
        Some(Ok(bytes)) if bytes <= limit_bytes => Ok(bytes),
        Some(_) => Err(BodyRefusal::TooLong { limit_bytes }),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    #[tokio::test]
    async fn a_request_without_a_body_waits_for_no_room() {
        let arrived = Bodies::new(0).read(Empty::new(), 10).await.unwrap();
        assert!(arrived.bytes.is_empty());
    }

    #[tokio::test]
    async fn a_body_takes_the_room_it_needs() {
        let bodies = Bodies::new(3 * PERMIT_BYTES);
        let body = || Full::new(Bytes::from(vec![b'x'; PERMIT_BYTES + 1]));
        let arrived = bodies.read(body(), 1 << 20).await.unwrap();
        assert_eq!(bodies.room.available_permits(), 1);
        drop(arrived);
        assert_eq!(bodies.room.available_permits(), 3);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let bodies = Bodies::new(1 << 20);
        let body = |bytes: usize| Full::new(Bytes::from(vec![b'x'; bytes]));
        assert_eq!(bodies.read(body(10), 10).await.unwrap().bytes.len(), 10);
        let refusal = bodies.read(body(11), 10).await.err();
        assert_eq!(refusal, Some(BodyRefusal::TooLong { limit_bytes: 10 }));
    }
}
