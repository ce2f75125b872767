//! Who has a session, who subscribed to what, and the way of a message from publisher to subscribers.
//!
//! A gateway task owns one connection: it holds the [`SessionGuard`] that [`Broker::connect`] gave it and waits on its
//! [`Mailbox`], which is the only way that anybody else reaches the connection: messages to deliver, the wish that it
//! end, the news that its permissions changed.
//!
//! A session that outlives its connection lives in the store: its subscriptions, and the QoS 1 messages that wait for it.
//! Memory holds what routing needs; a `journal` for each scope brings the changes to the disk, in their order. Messages
//! for such a session are written down first and read from there by its connection; all others go from publisher to
//! subscriber through memory.
//!
//! Invariant: nothing crosses from one scope to another; a publish looks at one scope's tree and no other.
//! Invariant: authorisation is not here. Who may connect, publish, subscribe and receive is decided before and after.
//! Invariant: when a publish is settled, every session that outlives its connection and must get the message has it on
//! the disk.

mod broker;
mod departed;
mod direct;
#[cfg(test)]
mod fake;
mod guard;
mod journal;
mod mailbox;
mod message;
mod persistence;
mod realm;
mod session;
mod shared;
#[cfg(test)]
mod tests;
mod tree;

pub use broker::{Broker, Connected, Connecting, Fanout, Published, Random};
pub use departed::Departed;
pub use direct::{Confirmation, Direct};
pub use guard::SessionGuard;
pub use journal::Done;
pub use mailbox::{CloseReason, Interest, Mailbox, Pushed, QueueRoom, Receipt};
pub use message::{Delivery, Lifetime, Message};
pub use persistence::{Kept, KeptGroup, Loaded, Pending, Persistence, Unavailable, Write};
pub use session::{ConnectionInfo, Session, SubscribeOutcome, SubscriptionOptions};
