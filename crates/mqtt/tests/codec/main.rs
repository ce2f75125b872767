//! The codec against bytes written by hand, against itself, against another codec and against malice.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

mod differential;
mod golden;
mod malformed;
mod round_trip;
mod strategies;

use bytes::BytesMut;
use gatehouse_mqtt::packet::Connect;
use gatehouse_mqtt::{DecodeError, Decoder, Packet, Utf8Bytes, Version, encode};

pub(crate) const LIMIT: u32 = 268_435_455;

pub(crate) fn text(text: &str) -> Utf8Bytes {
    Utf8Bytes::try_from(text).unwrap()
}

pub(crate) fn bytes_of(packet: &Packet, version: Version) -> BytesMut {
    let mut out = BytesMut::new();
    encode(packet, version, &mut out).unwrap();
    out
}

/// A server's decoder that has seen the CONNECT.
pub(crate) fn server(version: Version) -> Decoder {
    let mut decoder = Decoder::server(LIMIT);
    let connect = Packet::Connect(Box::new(Connect::new(version, text("c"))));
    assert_eq!(decoder.decode(&mut bytes_of(&connect, version)), Ok(Some(connect)));
    decoder
}

/// The decoder that may see this packet.
pub(crate) fn decoder_for(packet: &Packet, version: Version) -> Decoder {
    match packet {
        Packet::Connect(_) => Decoder::server(LIMIT),
        Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
            Decoder::client(version, LIMIT)
        }
        _ => server(version),
    }
}

/// Everything that comes out, and the error that ended it.
pub(crate) fn drain(decoder: &mut Decoder, buffer: &mut BytesMut) -> (Vec<Packet>, Option<DecodeError>) {
    let mut packets = Vec::new();
    loop {
        match decoder.decode(buffer) {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}
