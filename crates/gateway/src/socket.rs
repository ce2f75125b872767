//! A device's socket: reading without holding memory while the device is silent, and the last word before closing.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;

use crate::wire::Wire;

/// How long saying the last word, closing, and outlasting what the device still sends may take each.
const LAST_WORD: Duration = Duration::from_secs(2);

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

/// Writes the last word and closes. [`outlast`] sees to it that the word arrives.
pub(crate) async fn close_with(stream: &mut Wire, last_word: &[u8]) {
    let _peer_gone = timeout(LAST_WORD, async {
        stream.write_all(last_word).await?;
        stream.flush().await
    })
    .await;
    close(stream).await;
}

/// Closes without a word.
pub(crate) async fn close(stream: &mut Wire) {
    let _peer_gone = timeout(LAST_WORD, stream.shutdown()).await;
}

/// Takes what a peer still sends after the last word, and throws it away: closing over unread bytes resets the
/// connection, and the reset overtakes the word on its way to a device that is busy sending.
pub(crate) async fn outlast(stream: &mut Wire) {
    let mut thrown_away = [0; SCRATCH];
    let _peer_stayed = timeout(LAST_WORD, stream.drain(&mut thrown_away)).await;
}
