//! Reads from a device's socket without holding memory while it is silent.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes read at once.
const SCRATCH: usize = 4096;

/// Appends what has arrived to `buffer` and answers how much it was; 0 when the peer has closed. Nothing is reserved
/// before something arrives: thousands of silent devices must not hold thousands of buffers.
pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> std::io::Result<usize> {
    poll_fn(|context| {
        let mut scratch = [0; SCRATCH];
        let mut read = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut *io).poll_read(context, &mut read))?;
        buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
    .await
}
