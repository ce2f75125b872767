//! A message for one connection, whose sender waits for what becomes of it.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What became of a direct message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It was written to the client's socket, or, above QoS 0, acknowledged.
    Done,
    /// The client may not receive it.
    NotAuthorized,
    /// The client answered that it does not want it.
    Refused,
    /// The client does not take messages as large.
    TooLarge,
}

/// The sender's side of a direct message. When it is gone without a word, so is the connection.
#[derive(Clone)]
pub struct Direct(Arc<Mutex<Option<oneshot::Sender<Confirmation>>>>);

impl Direct {
    /// A message's sender, and what it waits for.
    #[must_use]
    pub fn new() -> (Self, oneshot::Receiver<Confirmation>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(sender)))), receiver)
    }

    /// Tells the sender, once.
    pub fn tell(&self, confirmation: Confirmation) {
        if let Some(sender) = self.0.lock().take() {
            let _nobody_waits = sender.send(confirmation);
        }
    }
}

impl PartialEq for Direct {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Direct {}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Direct")
    }
}
