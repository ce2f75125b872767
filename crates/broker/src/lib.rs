//! Who is connected, who subscribed to what, and the way of a message from publisher to subscribers.
//!
//! A gateway task owns one connection: it holds the [`SessionGuard`] that [`Broker::connect`] gave it and waits on its
//! [`Mailbox`], which is the only way that anybody else reaches the connection: messages to deliver, the wish that it
//! end, the news that its permissions changed. Nothing here awaits, and no lock is held while messages are handed out.
//!
//! Invariant: nothing crosses from one scope to another; a publish looks at one scope's tree and no other.
//! Invariant: authorisation is not here. Who may connect, publish, subscribe and receive is decided before and after.

mod broker;
mod mailbox;
mod message;
mod session;
mod tree;

pub use broker::{Broker, Fanout};
pub use mailbox::{CloseReason, Mailbox, Pushed, QueueRoom};
pub use message::{Delivery, Lifetime, Message};
pub use session::{Session, SessionGuard, SubscribeOutcome, SubscriptionOptions};
