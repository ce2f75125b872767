//! MQTT 3.1.1 and 5: packets and the connection's state machine, sans I/O.
//!
//! [`Decoder`] turns bytes into [`packet`]s, [`encode`] turns packets into bytes, both in either direction.
//! [`Connection`] is the server's side of one connection after its CONNECT: it holds the client to the rules and says
//! what the answers are. Nothing here reads a socket, a clock or a policy. Whether a topic name or filter is well formed
//! (wildcards, levels, `$`) is not judged here either: that is the rule of whoever routes.

mod connection;
mod decode;
mod encode;
pub mod packet;
mod reason;
mod settings;
mod text;

pub use connection::{
    ConnectRefusal, Connection, InboundPublish, Outbound, OutboundMessage, ProtocolError, Received, refusal,
};
pub use decode::{DecodeError, Decoder};
pub use encode::{EncodeError, Peer, encode, encode_pingresp, encode_puback, encode_publish};
pub use packet::{Delivery, MessageProperties, Packet, PacketId, Qos, Version};
pub use reason::ReasonCode;
pub use settings::{Settings, Wills};
pub use text::{InvalidText, Utf8Bytes};
