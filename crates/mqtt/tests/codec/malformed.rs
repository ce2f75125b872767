//! What must be refused, and with which reason.

use bytes::BytesMut;
use gatehouse_mqtt::{DecodeError, Decoder, Packet, ReasonCode, Version};

use crate::golden::table;
use crate::{LIMIT, decoder_for, server};

fn refused(mut decoder: Decoder, bytes: &[u8]) -> Option<ReasonCode> {
    decoder.decode(&mut BytesMut::from(bytes)).err().map(|error| error.reason())
}

#[track_caller]
fn check(decoder: &Decoder, rows: &[(&str, &[u8])], reason: ReasonCode) {
    for (what, bytes) in rows {
        assert_eq!(refused(decoder.clone(), bytes), Some(reason), "{what}");
    }
}

#[test]
fn a_packet_cut_off_anywhere_is_no_packet_and_no_error() {
    for (version, packet, bytes) in table() {
        for end in 0..bytes.len() {
            let mut buffer = BytesMut::from(&bytes[..end]);
            assert_eq!(decoder_for(&packet, version).decode(&mut buffer), Ok(None), "{packet:?} at {end}");
            assert_eq!(buffer.len(), end);
        }
    }
}

#[test]
fn a_packet_that_claims_to_be_shorter_is_never_taken_for_the_whole() {
    for (version, packet, bytes) in table() {
        for remaining in 0..bytes.len() - 2 {
            let mut shorter = bytes.clone();
            shorter[1] = u8::try_from(remaining).unwrap();
            shorter.truncate(2 + remaining);
            let outcome = decoder_for(&packet, version).decode(&mut BytesMut::from(&shorter[..]));
            // A shorter payload, or one filter or reason less, is another packet and complete.
            let has_open_end = matches!(
                packet,
                Packet::Publish(_)
                    | Packet::Subscribe(_)
                    | Packet::SubAck(_)
                    | Packet::Unsubscribe(_)
                    | Packet::UnsubAck(_)
            );
            match outcome {
                Ok(Some(other)) => {
                    let leaves_out_a_tail = version == Version::V5 && other.packet_type() == packet.packet_type();
                    assert!(has_open_end || leaves_out_a_tail, "{packet:?} at {remaining}");
                    assert_ne!(other, packet);
                }
                outcome => assert!(outcome.is_err(), "{packet:?} at {remaining}"),
            }
        }
    }
}

#[test]
fn a_packet_with_a_byte_too_many_is_malformed() {
    for (version, packet, mut bytes) in table() {
        if matches!(packet, Packet::Publish(_)) {
            continue;
        }
        for extra in [0, 1, 0xff] {
            bytes[1] += 1;
            bytes.push(extra);
            assert!(
                refused(decoder_for(&packet, version), &bytes).is_some() || extends(&packet, version),
                "{packet:?}"
            );
            bytes.pop();
            bytes[1] -= 1;
        }
    }
    // Where a reason may follow, what follows must be one.
    for bytes in [&[0x40, 3, 0, 1, 0xff][..], &[0x40, 4, 0, 1, 0, 1], &[0x40, 5, 0, 1, 0, 0, 0], &[0xe0, 3, 0, 0, 0]] {
        assert!(refused(server(Version::V5), bytes).is_some());
    }
}

/// Can this packet go on with one byte more?
fn extends(packet: &Packet, version: Version) -> bool {
    let leaves_out = version == Version::V5
        && matches!(
            packet,
            Packet::PubAck(_)
                | Packet::PubRec(_)
                | Packet::PubRel(_)
                | Packet::PubComp(_)
                | Packet::Disconnect(_)
                | Packet::Auth(_)
        );
    leaves_out || matches!(packet, Packet::SubAck(_) | Packet::UnsubAck(_))
}

#[test]
fn every_other_flag_of_the_fixed_header_is_refused() {
    for (version, packet, mut bytes) in table() {
        let right = bytes[0] & 0x0f;
        for flags in 0..16u8 {
            let is_right = match packet {
                Packet::Publish(_) => flags & 6 != 6 && flags & 0x0e != 8,
                _ => flags == right,
            };
            bytes[0] = (bytes[0] & 0xf0) | flags;
            if !is_right {
                // The first byte is enough to say so.
                assert_eq!(refused(decoder_for(&packet, version), &bytes[..1]), Some(ReasonCode::MalformedPacket));
            }
        }
    }
}

#[test]
fn packet_types_are_those_of_the_version_and_of_the_other_side() {
    for version in [Version::V311, Version::V5] {
        assert_eq!(refused(server(version), &[0x00]), Some(ReasonCode::MalformedPacket));
        for first in [0x10, 0x20, 0x90, 0xb0, 0xd0] {
            assert_eq!(refused(server(version), &[first]), Some(ReasonCode::ProtocolError), "{first:x}");
        }
        for first in [0x10, 0x82, 0xa2, 0xc0] {
            let client = Decoder::client(version, LIMIT);
            assert_eq!(refused(client, &[first]), Some(ReasonCode::ProtocolError), "{first:x}");
        }
    }
    assert_eq!(refused(server(Version::V311), &[0xf0]), Some(ReasonCode::MalformedPacket));
    assert_eq!(refused(Decoder::client(Version::V311, LIMIT), &[0xe0]), Some(ReasonCode::ProtocolError));
}

#[test]
fn nothing_but_connect_may_come_first() {
    for first in (0..=u8::MAX).filter(|first| first >> 4 != 1) {
        assert!(refused(Decoder::server(LIMIT), &[first]).is_some(), "{first:x}");
    }
}

#[test]
fn lengths_are_judged_before_the_packet_is_there() {
    for version in [Version::V311, Version::V5] {
        check(&server(version), &[("fifth byte", b"\x30\x80\x80\x80\x80")], ReasonCode::MalformedPacket);
    }
    let mut decoder = Decoder::server(1000);
    let mut buffer = BytesMut::from(&b"\x10\xe9\x07"[..]);
    let error = DecodeError::PacketTooLarge { bytes: 1001, limit: 1000 };
    assert_eq!(decoder.decode(&mut buffer), Err(error));
    assert_eq!(error.reason(), ReasonCode::PacketTooLarge);
    assert_eq!(Decoder::server(1000).decode(&mut BytesMut::from(&b"\x10\xe8\x07"[..])), Ok(None));
    // MQTT 3.1.1 does not forbid a length with leading zeros, and small clients write it so.
    let padded: &[u8] = b"\xc0\x80\x00";
    assert_eq!(server(Version::V311).decode(&mut BytesMut::from(padded)), Ok(Some(Packet::PingReq)));
    assert_eq!(refused(server(Version::V5), padded), Some(ReasonCode::MalformedPacket));
}

#[test]
fn an_error_is_the_end() {
    let mut decoder = server(Version::V5);
    let mut buffer = BytesMut::from(&b"\xc1\x00\xc0\x00"[..]);
    let error = decoder.decode(&mut buffer).unwrap_err();
    assert_eq!(decoder.decode(&mut buffer), Err(error));
    assert_eq!(decoder.decode(&mut BytesMut::from(&b"\xc0\x00"[..])), Err(error));
}

#[test]
fn other_versions_are_named_and_other_protocols_are_malformed() {
    for (bytes, level) in [
        (&b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00"[..], 3),
        (b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x00\x00\x00", 3),
        (b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x00\x00\x00", 6),
        (b"\x10\x0c\x00\x04MQTT\x84\x02\x00\x00\x00\x00", 0x84),
        (b"\x10\x07\x00\x04MQTT\x07", 7),
    ] {
        let mut decoder = Decoder::server(LIMIT);
        let outcome = decoder.decode(&mut BytesMut::from(bytes));
        assert_eq!(outcome, Err(DecodeError::UnsupportedVersion { level }));
        assert_eq!(decoder.version(), None);
    }
    check(
        &Decoder::server(LIMIT),
        &[
            ("lower case", b"\x10\x0c\x00\x04mqtt\x04\x02\x00\x00\x00\x00"),
            ("other protocol", b"\x10\x0c\x00\x04HTTP\x04\x02\x00\x00\x00\x00"),
            ("empty", b"\x10\x00"),
        ],
        ReasonCode::MalformedPacket,
    );
}

#[test]
fn the_version_of_a_refused_connect_is_known() {
    let mut decoder = Decoder::server(LIMIT);
    assert!(decoder.decode(&mut BytesMut::from(&b"\x10\x0d\x00\x04MQTT\x05\x03\x00\x00\x00\x00\x00"[..])).is_err());
    assert_eq!(decoder.version(), Some(Version::V5));
}

#[test]
fn malformed_connects_are_refused() {
    check(
        &Decoder::server(LIMIT),
        &[
            ("reserved flag", b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x00\x00\x00"),
            ("will QoS without will", b"\x10\x0c\x00\x04MQTT\x04\x0a\x00\x00\x00\x00"),
            ("will retain without will", b"\x10\x0c\x00\x04MQTT\x04\x22\x00\x00\x00\x00"),
            ("will QoS 3", b"\x10\x10\x00\x04MQTT\x04\x1e\x00\x00\x00\x00\x00\x00\x00\x00"),
            ("password without user name", b"\x10\x0e\x00\x04MQTT\x04\x42\x00\x00\x00\x00\x00\x00"),
            ("trailing byte", b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x00\x00"),
            ("client id with NUL", b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01\x00"),
            ("client id not UTF-8", b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01\xff"),
            ("client id with a surrogate", b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03\xed\xa0\x80"),
            ("client id longer than the packet", b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\xff\xff"),
            ("properties longer than the packet", b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x7f\x00\x00"),
            ("property of PUBLISH", b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x03\x23\x00\x01\x00\x00"),
            ("unknown property", b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x00\x02\x7f\x00\x00\x00"),
            ("property number in two bytes", b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x03\x99\x00\x00\x00\x00"),
            ("property cut off", b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x00\x02\x11\x00\x00\x00"),
        ],
        ReasonCode::MalformedPacket,
    );
    check(
        &Decoder::server(LIMIT),
        &[
            ("receive maximum 0", b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x03\x21\x00\x00\x00\x00"),
            ("maximum packet size 0", b"\x10\x12\x00\x04MQTT\x05\x02\x00\x00\x05\x27\x00\x00\x00\x00\x00\x00"),
            ("property twice", b"\x10\x13\x00\x04MQTT\x05\x02\x00\x00\x06\x21\x00\x01\x21\x00\x01\x00\x00"),
            ("flag of 2", b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x00\x02\x17\x02\x00\x00"),
            ("authentication data alone", b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x03\x16\x00\x00\x00\x00"),
        ],
        ReasonCode::ProtocolError,
    );
}

#[test]
fn malformed_packets_of_mqtt_311_are_refused() {
    check(
        &server(Version::V311),
        &[
            ("topic with NUL", b"\x30\x05\x00\x03a\x00b"),
            ("topic not UTF-8", b"\x30\x03\x00\x01\xc3"),
            ("QoS 1 without identifier", b"\x32\x03\x00\x01a"),
            ("PUBACK with a reason", b"\x40\x03\x00\x01\x00"),
            ("SUBSCRIBE with options of MQTT 5", b"\x82\x06\x00\x01\x00\x01a\x04"),
            ("SUBSCRIBE with QoS 3", b"\x82\x06\x00\x01\x00\x01a\x03"),
            ("SUBSCRIBE without QoS", b"\x82\x05\x00\x01\x00\x01a"),
            ("UNSUBSCRIBE with NUL", b"\xa2\x05\x00\x01\x00\x01\x00"),
            ("PINGREQ with payload", b"\xc0\x01\x00"),
            ("DISCONNECT with a reason", b"\xe0\x01\x00"),
        ],
        ReasonCode::MalformedPacket,
    );
    check(
        &server(Version::V311),
        &[
            ("PUBLISH with identifier 0", b"\x32\x05\x00\x01a\x00\x00"),
            ("PUBACK with identifier 0", b"\x40\x02\x00\x00"),
            ("SUBSCRIBE with identifier 0", b"\x82\x06\x00\x00\x00\x01a\x00"),
            ("SUBSCRIBE without filter", b"\x82\x02\x00\x01"),
            ("UNSUBSCRIBE without filter", b"\xa2\x02\x00\x01"),
        ],
        ReasonCode::ProtocolError,
    );
}

#[test]
fn malformed_packets_of_mqtt_5_are_refused() {
    check(
        &server(Version::V5),
        &[
            ("property of CONNECT", b"\x30\x09\x00\x01a\x05\x11\x00\x00\x00\x00"),
            ("response topic with NUL", b"\x30\x08\x00\x01a\x04\x08\x00\x01\x00"),
            ("user property with a surrogate", b"\x30\x0c\x00\x01a\x08\x26\x00\x00\x00\x03\xed\xa0\x80"),
            ("property length in too many bytes", b"\x30\x05\x00\x01a\x80\x00"),
            ("property length in five bytes", b"\x30\x08\x00\x01a\x80\x80\x80\x80\x01"),
            ("reserved option bits", b"\x82\x07\x00\x01\x00\x00\x01a\x40"),
            ("subscription QoS 3", b"\x82\x07\x00\x01\x00\x00\x01a\x03"),
            ("subscription identifier in UNSUBSCRIBE", b"\xa2\x08\x00\x01\x02\x0b\x01\x00\x01a"),
        ],
        ReasonCode::MalformedPacket,
    );
    check(
        &server(Version::V5),
        &[
            ("topic alias twice", b"\x30\x0a\x00\x01a\x06\x23\x00\x01\x23\x00\x01"),
            ("payload format 2", b"\x30\x06\x00\x01a\x02\x01\x02"),
            ("subscription identifier 0", b"\x30\x06\x00\x01a\x02\x0b\x00"),
            ("retain handling 3", b"\x82\x07\x00\x01\x00\x00\x01a\x30"),
            ("subscription identifier twice", b"\x82\x0b\x00\x01\x04\x0b\x01\x0b\x01\x00\x01a\x00"),
            ("PUBACK with a reason of SUBACK", b"\x40\x03\x00\x01\x8f"),
            ("PUBREL with a reason of PUBACK", b"\x62\x03\x00\x01\x87"),
            ("DISCONNECT with an unknown reason", b"\xe0\x01\x7f"),
            ("AUTH with a reason of CONNACK", b"\xf0\x01\x87"),
        ],
        ReasonCode::ProtocolError,
    );
}

#[test]
fn malformed_packets_of_servers_are_refused() {
    let client = |version| Decoder::client(version, LIMIT);
    check(
        &client(Version::V311),
        &[
            ("reserved flag of CONNACK", b"\x20\x02\x02\x00"),
            ("return code 6", b"\x20\x02\x00\x06"),
            ("SUBACK code 3", b"\x90\x03\x00\x01\x03"),
        ],
        ReasonCode::MalformedPacket,
    );
    check(
        &client(Version::V5),
        &[
            ("session present in a refusal", b"\x20\x03\x01\x87\x00"),
            ("maximum QoS 2", b"\x20\x05\x00\x00\x02\x24\x02"),
            ("SUBACK without reasons", b"\x90\x03\x00\x01\x00"),
            ("UNSUBACK without reasons", b"\xb0\x03\x00\x01\x00"),
        ],
        ReasonCode::ProtocolError,
    );
}

#[test]
fn whether_a_topic_name_has_wildcards_is_left_to_the_router() {
    let outcome = server(Version::V311).decode(&mut BytesMut::from(&b"\x30\x05\x00\x03a/#"[..]));
    assert!(matches!(outcome, Ok(Some(Packet::Publish(publish))) if publish.topic == "a/#"));
}
