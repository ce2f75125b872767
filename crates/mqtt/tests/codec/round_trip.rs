//! What is written is read again, however the bytes arrive; and no bytes whatever do harm.

use bytes::BytesMut;
use gatehouse_mqtt::packet::{Acknowledgement, ReasonProperties};
use gatehouse_mqtt::{
    Decoder, Delivery, EncodeError, OutboundMessage, Packet, PacketId, Peer, ReasonCode, Version, encode,
    encode_pingresp, encode_puback, encode_publish,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::strategies::{as_v311, from_client, packet, version};
use crate::{LIMIT, bytes_of, decoder_for, drain, server, text};

fn any_packet() -> impl Strategy<Value = (Version, Packet)> {
    version().prop_flat_map(|version| packet(version).prop_map(move |packet| (version, packet)))
}

fn stream() -> impl Strategy<Value = (Version, Vec<Packet>)> {
    version().prop_flat_map(|version| (Just(version), vec(from_client(version), 0..8)))
}

/// The buffer in pieces, as a socket might give it.
fn fed(mut decoder: Decoder, bytes: &[u8], cuts: &[Index]) -> (Vec<Packet>, Option<gatehouse_mqtt::DecodeError>) {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let (mut buffer, mut packets, mut start) = (BytesMut::new(), Vec::new(), 0);
    for end in ends {
        buffer.extend_from_slice(&bytes[start..end]);
        start = end;
        let (more, error) = drain(&mut decoder, &mut buffer);
        packets.extend(more);
        if error.is_some() {
            return (packets, error);
        }
    }
    (packets, None)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn what_is_encoded_is_decoded((version, packet) in any_packet()) {
        let mut buffer = bytes_of(&packet, version);
        let mut decoder = decoder_for(&packet, version);
        let expected = if version == Version::V311 { as_v311(packet) } else { packet };
        prop_assert_eq!(decoder.decode(&mut buffer), Ok(Some(expected)));
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn what_both_sides_send_is_decoded_by_clients_too((version, packet) in any_packet()) {
        let from_both = matches!(packet, Packet::Publish(_) | Packet::PubAck(_) | Packet::Auth(_));
        if !from_both {
            return Ok(());
        }
        let mut buffer = bytes_of(&packet, version);
        let expected = if version == Version::V311 { as_v311(packet) } else { packet };
        prop_assert_eq!(Decoder::client(version, LIMIT).decode(&mut buffer), Ok(Some(expected)));
    }

    #[test]
    fn packets_are_the_same_however_the_bytes_are_cut((version, packets) in stream(), cuts in vec(any::<Index>(), 0..20)) {
        let mut bytes = BytesMut::new();
        for packet in &packets {
            encode(packet, version, &mut bytes).unwrap();
        }
        let (decoded, error) = fed(server(version), &bytes, &cuts);
        let expected: Vec<_> =
            packets.into_iter().map(|packet| if version == Version::V311 { as_v311(packet) } else { packet }).collect();
        prop_assert_eq!(error, None);
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm_however_they_are_cut(
        version in version(),
        bytes in vec(any::<u8>(), 0..300),
        cuts in vec(any::<Index>(), 0..10),
    ) {
        for decoder in [Decoder::server(LIMIT), server(version), Decoder::client(version, LIMIT)] {
            let whole = fed(decoder.clone(), &bytes, &[]);
            prop_assert_eq!(&fed(decoder, &bytes, &cuts), &whole);
        }
    }

    #[test]
    fn a_damaged_packet_is_refused_or_means_something_that_can_be_said_again(
        (version, packet) in any_packet(),
        at in any::<Index>(),
        bit in 0..8u8,
    ) {
        let mut bytes = bytes_of(&packet, version);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut decoder = decoder_for(&packet, version);
        if let Ok(Some(other)) = decoder.decode(&mut bytes) {
            let version = decoder.version().unwrap();
            let mut again = bytes_of(&other, version);
            prop_assert_eq!(decoder_for(&other, version).decode(&mut again), Ok(Some(other)));
        }
    }

    #[test]
    fn the_fast_way_to_publish_writes_the_same_bytes((version, packet) in any_packet()) {
        let Packet::Publish(mut publish) = packet else { return Ok(()) };
        publish.topic_alias = None;
        publish.subscription_identifiers.clear();
        let message = OutboundMessage {
            topic: publish.topic.as_str(),
            payload: &publish.payload,
            retain: publish.retain,
            properties: &publish.properties,
            expiry_secs: publish.properties.message_expiry_interval,
        };
        let mut fast = BytesMut::new();
        encode_publish(&message, publish.delivery, publish.dup, version, &mut fast).unwrap();
        prop_assert_eq!(fast, bytes_of(&Packet::Publish(publish.clone()), version));
    }

    #[test]
    fn a_peer_never_gets_a_packet_larger_than_it_takes((version, packet) in any_packet(), limit in 1..400u32, wants in any::<bool>()) {
        let peer = Peer { version, packet_bytes_max: limit, wants_problem_information: wants };
        let full = bytes_of(&packet, version).len();
        let mut out = BytesMut::new();
        let outcome = peer.encode(&packet, &mut out);
        match outcome {
            Ok(()) => prop_assert!(!out.is_empty() && out.len() <= limit as usize),
            Err(error) => {
                let is_too_large = matches!(error, EncodeError::TooLarge { .. });
                prop_assert!(is_too_large && out.is_empty() && full > limit as usize);
            }
        }
    }
}

#[test]
fn short_answers_have_their_fast_ways() {
    let packet_id = PacketId::new(0x1234).unwrap();
    let properties = ReasonProperties::default();
    for version in [Version::V311, Version::V5] {
        let mut out = BytesMut::new();
        encode_puback(packet_id, &mut out);
        let puback = Acknowledgement { packet_id, reason: ReasonCode::Success, properties: properties.clone() };
        assert_eq!(out, bytes_of(&Packet::PubAck(puback), version));
        out.clear();
        encode_pingresp(&mut out);
        assert_eq!(out, bytes_of(&Packet::PingResp, version));
    }
}

#[test]
fn an_acknowledgement_loses_its_explanation_before_it_is_too_large() {
    let user_properties = vec![(text("name"), text("value"))];
    let properties = ReasonProperties { reason_string: Some(text("why")), user_properties };
    let packet_id = PacketId::MIN;
    let packet =
        |properties| Packet::PubAck(Acknowledgement { packet_id, reason: ReasonCode::QuotaExceeded, properties });
    let reason_only = ReasonProperties { reason_string: Some(text("why")), user_properties: Vec::new() };
    let full = bytes_of(&packet(properties.clone()), Version::V5);
    let shorter = bytes_of(&packet(reason_only), Version::V5);
    let bare = bytes_of(&packet(ReasonProperties::default()), Version::V5);
    let table = [
        (full.len(), true, &full),
        (full.len() - 1, true, &shorter),
        (shorter.len() - 1, true, &bare),
        (full.len(), false, &bare),
    ];
    for (limit, wants_problem_information, expected) in table {
        let packet_bytes_max = u32::try_from(limit).unwrap();
        let peer = Peer { version: Version::V5, packet_bytes_max, wants_problem_information };
        let mut out = BytesMut::new();
        peer.encode(&packet(properties.clone()), &mut out).unwrap();
        assert_eq!(&out, expected);
    }
}

#[test]
fn nothing_of_a_packet_that_cannot_be_said_is_written() {
    let mut out = BytesMut::from(&b"before"[..]);
    let long = "x".repeat(65_536);
    let properties = gatehouse_mqtt::MessageProperties::NONE;
    let message =
        OutboundMessage { topic: &long, payload: b"", retain: false, properties: &properties, expiry_secs: None };
    for version in [Version::V311, Version::V5] {
        let outcome = encode_publish(&message, Delivery::AtMostOnce, false, version, &mut out);
        assert_eq!(outcome, Err(EncodeError::FieldTooLong));
    }
    let refusal = gatehouse_mqtt::refusal(ReasonCode::QosNotSupported, "");
    assert!(matches!(encode(&refusal, Version::V311, &mut out), Err(EncodeError::NotInVersion(_))));
    assert_eq!(&out[..], b"before");
}

#[test]
fn topic_and_payload_are_views_of_the_read_buffer() {
    let mut buffer = BytesMut::from(&b"\x32\x0a\x00\x03a/b\x00\x01\x00hi"[..]);
    let memory = buffer.as_ptr_range();
    let Ok(Some(Packet::Publish(publish))) = server(Version::V5).decode(&mut buffer) else { panic!() };
    assert!(memory.contains(&publish.topic.as_bytes().as_ptr()));
    assert!(memory.contains(&publish.payload.as_ptr()));
    assert!(!memory.contains(&publish.topic.detached().as_bytes().as_ptr()));
}
