//! A stream of packets. The first byte says who reads (bit 0: a client instead of the server) and, for a client, the
//! version (bit 1: MQTT 5); the second, how many bytes arrive at once. Pieces do not matter, what is decoded encodes to
//! something that decodes to itself, and a connection's rules survive whatever comes.

#![no_main]

use std::sync::Arc;

use bytes::BytesMut;
use gatehouse_mqtt::{Connection, DecodeError, Decoder, Packet, Received, Settings, Version, encode};
use libfuzzer_sys::fuzz_target;

const PACKET_BYTES_MAX: u32 = 146 * 1024;

fuzz_target!(|data: &[u8]| {
    let [mode, piece_bytes, stream @ ..] = data else { return };
    let decoder = match mode & 3 {
        0 | 2 => Decoder::server(PACKET_BYTES_MAX),
        1 => Decoder::client(Version::V311, PACKET_BYTES_MAX),
        _ => Decoder::client(Version::V5, PACKET_BYTES_MAX),
    };
    let (packets, error, version) = read(decoder.clone(), stream.chunks(stream.len().max(1)));
    let in_pieces = read(decoder.clone(), stream.chunks(usize::from(*piece_bytes).max(1)));
    assert_eq!((&packets, error, version), (&in_pieces.0, in_pieces.1, in_pieces.2));

    if let Some(version) = version {
        let mut bytes = BytesMut::new();
        for packet in &packets {
            encode(packet, version, &mut bytes).expect("what was decoded can be encoded");
        }
        let again = read(decoder, std::iter::once(&bytes[..]));
        assert_eq!((&packets, None), (&again.0, again.1));
    }
    converse(packets);
});

/// The packets of a stream, and how it ends.
fn read<'a>(
    mut decoder: Decoder,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Packet>, Option<DecodeError>, Option<Version>) {
    let mut buffer = BytesMut::new();
    let mut packets = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error), decoder.version()),
            }
        }
    }
    (packets, None, decoder.version())
}

/// Hands the packets to a connection, which either goes on or is closed for good.
fn converse(packets: Vec<Packet>) {
    let mut packets = packets.into_iter();
    let Some(Packet::Connect(connect)) = packets.next() else { return };
    let Ok((mut connection, properties)) = Connection::open(&connect, &Arc::new(Settings::default())) else { return };
    let mut out = BytesMut::new();
    let connack = connection.connack(false, properties);
    let _ = connection.encode(&connack, &mut out);
    for packet in packets {
        let was_closed = connection.is_closed();
        let received = connection.receive(packet);
        assert!(!was_closed || received.is_err());
        if matches!(received, Err(_) | Ok(Received::Disconnect { .. })) {
            assert!(connection.is_closed());
        }
    }
}
