//! Each packet type as the standard's figures show it, byte for byte.

use bytes::{Bytes, BytesMut};
use gatehouse_mqtt::packet::{
    Acknowledgement, Auth, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect, Publish,
    ReasonProperties, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, Will,
};
use gatehouse_mqtt::{Delivery, MessageProperties, Packet, PacketId, Qos, ReasonCode, Version};

use crate::{bytes_of, decoder_for, text};

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn user() -> Vec<(gatehouse_mqtt::Utf8Bytes, gatehouse_mqtt::Utf8Bytes)> {
    vec![(text("k"), text("v"))]
}

fn ack(packet_id: u16, reason: ReasonCode, reason_string: Option<&str>) -> Acknowledgement {
    let properties = ReasonProperties { reason_string: reason_string.map(text), user_properties: Vec::new() };
    Acknowledgement { packet_id: id(packet_id), reason, properties }
}

fn plain_publish(delivery: Delivery) -> Publish {
    Publish {
        dup: false,
        delivery,
        retain: false,
        topic: text("a/b"),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::NONE,
        payload: Bytes::from_static(b"hi"),
    }
}

fn message_properties() -> MessageProperties {
    MessageProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: Some(60),
        content_type: Some(text("t")),
        response_topic: Some(text("r")),
        correlation_data: Some(Bytes::from_static(&[0])),
        user_properties: user(),
    }
}

const MESSAGE_PROPERTIES: &[u8] =
    b"\x01\x01\x02\x00\x00\x00\x3c\x03\x00\x01t\x08\x00\x01r\x09\x00\x01\x00\x26\x00\x01k\x00\x01v";

pub(crate) fn table() -> Vec<(Version, Packet, Vec<u8>)> {
    let mut table = connects();
    table.extend(connacks());
    table.extend(publishes());
    table.extend(acknowledgements());
    table.extend(subscriptions());
    table.extend(ends());
    table
}

fn connects() -> Vec<(Version, Packet, Vec<u8>)> {
    let full = |version| {
        let properties = if version == Version::V5 { message_properties() } else { MessageProperties::NONE };
        Connect {
            clean_start: false,
            keep_alive_secs: 1200,
            will: Some(Will {
                topic: text("w"),
                payload: Bytes::from_static(b"bye"),
                qos: Qos::AtLeastOnce,
                retain: true,
                delay_interval: (version == Version::V5).then_some(5),
                properties,
            }),
            username: Some(text("u")),
            password: Some(Bytes::from_static(&[0xff])),
            ..Connect::new(version, text("dev"))
        }
    };
    let mut v5 = full(Version::V5);
    v5.properties = ConnectProperties {
        session_expiry_interval: Some(3600),
        receive_maximum: Some(10),
        maximum_packet_size: Some(1024),
        topic_alias_maximum: Some(3),
        request_response_information: Some(true),
        request_problem_information: Some(false),
        user_properties: user(),
        authentication_method: Some(text("m")),
        authentication_data: Some(Bytes::from_static(b"d")),
    };
    let v5_bytes = [
        b"\x10\x61\x00\x04MQTT\x05\xec\x04\xb0\x23\x11\x00\x00\x0e\x10\x15\x00\x01m\x16\x00\x01d\x17\x00\x19\x01"
            .as_slice(),
        b"\x21\x00\x0a\x22\x00\x03\x27\x00\x00\x04\x00\x26\x00\x01k\x00\x01v\x00\x03dev",
        b"\x1f\x18\x00\x00\x00\x05",
        MESSAGE_PROPERTIES,
        b"\x00\x01w\x00\x03bye\x00\x01u\x00\x01\xff",
    ]
    .concat();
    vec![
        (
            Version::V311,
            Packet::Connect(Box::new(Connect::new(Version::V311, text("")))),
            b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00".to_vec(),
        ),
        (
            Version::V311,
            Packet::Connect(Box::new(full(Version::V311))),
            b"\x10\x1d\x00\x04MQTT\x04\xec\x04\xb0\x00\x03dev\x00\x01w\x00\x03bye\x00\x01u\x00\x01\xff".to_vec(),
        ),
        (
            Version::V5,
            Packet::Connect(Box::new(Connect::new(Version::V5, text("dev")))),
            b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x03dev".to_vec(),
        ),
        (Version::V5, Packet::Connect(Box::new(v5)), v5_bytes),
    ]
}

fn connacks() -> Vec<(Version, Packet, Vec<u8>)> {
    let connack = |session_present, reason, properties| {
        Packet::ConnAck(Box::new(ConnAck { session_present, reason, properties }))
    };
    let properties = ConnAckProperties {
        session_expiry_interval: Some(0),
        receive_maximum: Some(100),
        maximum_qos: Some(Qos::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: Some(149_504),
        assigned_client_identifier: Some(text("x")),
        topic_alias_maximum: Some(8),
        reason_string: Some(text("s")),
        user_properties: user(),
        wildcard_subscription_available: Some(true),
        subscription_identifiers_available: Some(false),
        shared_subscription_available: Some(false),
        server_keep_alive: Some(30),
        response_information: Some(text("i")),
        server_reference: Some(text("o")),
        authentication_method: Some(text("m")),
        authentication_data: Some(Bytes::from_static(b"d")),
    };
    let full = [
        b"\x20\x3f\x00\x00\x3c\x11\x00\x00\x00\x00\x12\x00\x01x\x13\x00\x1e\x15\x00\x01m\x16\x00\x01d\x1a\x00\x01i"
            .as_slice(),
        b"\x1c\x00\x01o\x21\x00\x64\x22\x00\x08\x24\x01\x25\x00\x27\x00\x02\x48\x00\x28\x01\x29\x00\x2a\x00",
        b"\x1f\x00\x01s\x26\x00\x01k\x00\x01v",
    ]
    .concat();
    vec![
        (Version::V311, connack(true, ReasonCode::Success, ConnAckProperties::default()), vec![0x20, 2, 1, 0]),
        (Version::V311, connack(false, ReasonCode::NotAuthorized, ConnAckProperties::default()), vec![0x20, 2, 0, 5]),
        (
            Version::V311,
            connack(false, ReasonCode::UnsupportedProtocolVersion, ConnAckProperties::default()),
            vec![0x20, 2, 0, 1],
        ),
        (
            Version::V5,
            connack(false, ReasonCode::NotAuthorized, ConnAckProperties::default()),
            vec![0x20, 3, 0, 0x87, 0],
        ),
        (Version::V5, connack(false, ReasonCode::Success, properties), full),
    ]
}

fn publishes() -> Vec<(Version, Packet, Vec<u8>)> {
    let rich = Publish {
        dup: true,
        retain: true,
        topic: text(""),
        topic_alias: Some(8),
        subscription_identifiers: vec![127, 128],
        properties: message_properties(),
        ..plain_publish(Delivery::ExactlyOnce(id(0xabcd)))
    };
    let rich_bytes =
        [b"\x3d\x29\x00\x00\xab\xcd\x22\x23\x00\x08\x0b\x7f\x0b\x80\x01".as_slice(), MESSAGE_PROPERTIES, b"hi"]
            .concat();
    vec![
        (Version::V311, Packet::Publish(plain_publish(Delivery::AtMostOnce)), b"\x30\x07\x00\x03a/bhi".to_vec()),
        (
            Version::V311,
            Packet::Publish(plain_publish(Delivery::AtLeastOnce(id(1)))),
            b"\x32\x09\x00\x03a/b\x00\x01hi".to_vec(),
        ),
        (Version::V5, Packet::Publish(plain_publish(Delivery::AtMostOnce)), b"\x30\x08\x00\x03a/b\x00hi".to_vec()),
        (
            Version::V5,
            Packet::Publish(plain_publish(Delivery::AtLeastOnce(id(1)))),
            b"\x32\x0a\x00\x03a/b\x00\x01\x00hi".to_vec(),
        ),
        (Version::V5, Packet::Publish(rich), rich_bytes),
    ]
}

fn acknowledgements() -> Vec<(Version, Packet, Vec<u8>)> {
    let success = ack(0x1234, ReasonCode::Success, None);
    let mut table = Vec::new();
    for version in [Version::V311, Version::V5] {
        table.push((version, Packet::PubAck(success.clone()), vec![0x40, 2, 0x12, 0x34]));
        table.push((version, Packet::PubRec(success.clone()), vec![0x50, 2, 0x12, 0x34]));
        table.push((version, Packet::PubRel(success.clone()), vec![0x62, 2, 0x12, 0x34]));
        table.push((version, Packet::PubComp(success.clone()), vec![0x70, 2, 0x12, 0x34]));
    }
    table.push((Version::V5, Packet::PubAck(ack(1, ReasonCode::QuotaExceeded, None)), vec![0x40, 3, 0, 1, 0x97]));
    table.push((
        Version::V5,
        Packet::PubAck(ack(1, ReasonCode::NotAuthorized, Some("no"))),
        b"\x40\x09\x00\x01\x87\x05\x1f\x00\x02no".to_vec(),
    ));
    table
}

fn subscriptions() -> Vec<(Version, Packet, Vec<u8>)> {
    let options = Subscription {
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
        ..Subscription::new(text("a/#"), Qos::AtLeastOnce)
    };
    let subscribe = |subscription_identifier, user_properties, filters| {
        Packet::Subscribe(Subscribe { packet_id: id(7), subscription_identifier, user_properties, filters })
    };
    let unsubscribe = |user_properties| {
        Packet::Unsubscribe(Unsubscribe { packet_id: id(7), user_properties, filters: vec![text("a"), text("b")] })
    };
    let properties = ReasonProperties::default;
    let suback = |reasons| Packet::SubAck(SubAck { packet_id: id(7), properties: properties(), reasons });
    let unsuback = |reasons| Packet::UnsubAck(UnsubAck { packet_id: id(7), properties: properties(), reasons });
    let plain = vec![Subscription::new(text("a"), Qos::AtMostOnce), Subscription::new(text("+"), Qos::AtLeastOnce)];
    vec![
        (Version::V311, subscribe(None, vec![], plain), b"\x82\x0a\x00\x07\x00\x01a\x00\x00\x01+\x01".to_vec()),
        (
            Version::V5,
            subscribe(Some(300), user(), vec![options]),
            b"\x82\x13\x00\x07\x0a\x0b\xac\x02\x26\x00\x01k\x00\x01v\x00\x03a/#\x2d".to_vec(),
        ),
        (
            Version::V311,
            suback(vec![ReasonCode::GrantedQos1, ReasonCode::UnspecifiedError]),
            vec![0x90, 4, 0, 7, 1, 0x80],
        ),
        (
            Version::V5,
            suback(vec![ReasonCode::GrantedQos1, ReasonCode::NotAuthorized]),
            vec![0x90, 5, 0, 7, 0, 1, 0x87],
        ),
        (Version::V311, unsubscribe(vec![]), b"\xa2\x08\x00\x07\x00\x01a\x00\x01b".to_vec()),
        (Version::V5, unsubscribe(user()), b"\xa2\x10\x00\x07\x07\x26\x00\x01k\x00\x01v\x00\x01a\x00\x01b".to_vec()),
        (Version::V311, unsuback(vec![]), vec![0xb0, 2, 0, 7]),
        (
            Version::V5,
            unsuback(vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted]),
            vec![0xb0, 5, 0, 7, 0, 0, 0x11],
        ),
    ]
}

fn ends() -> Vec<(Version, Packet, Vec<u8>)> {
    let disconnect = |reason| Packet::Disconnect(Disconnect::new(reason));
    let told = Disconnect {
        reason_string: Some(text("by")),
        session_expiry_interval: Some(1),
        server_reference: Some(text("o")),
        user_properties: user(),
        ..Disconnect::new(ReasonCode::SessionTakenOver)
    };
    let auth = Auth {
        authentication_method: Some(text("m")),
        authentication_data: Some(Bytes::from_static(b"d")),
        ..Auth::new(ReasonCode::ContinueAuthentication)
    };
    let mut table = vec![
        (Version::V5, disconnect(ReasonCode::DisconnectWithWill), vec![0xe0, 1, 4]),
        (
            Version::V5,
            Packet::Disconnect(told),
            b"\xe0\x17\x8e\x15\x11\x00\x00\x00\x01\x1c\x00\x01o\x1f\x00\x02by\x26\x00\x01k\x00\x01v".to_vec(),
        ),
        (Version::V5, Packet::Auth(Auth::new(ReasonCode::Success)), vec![0xf0, 0]),
        (Version::V5, Packet::Auth(auth), b"\xf0\x0a\x18\x08\x15\x00\x01m\x16\x00\x01d".to_vec()),
    ];
    for version in [Version::V311, Version::V5] {
        table.push((version, Packet::PingReq, vec![0xc0, 0]));
        table.push((version, Packet::PingResp, vec![0xd0, 0]));
        table.push((version, disconnect(ReasonCode::Success), vec![0xe0, 0]));
    }
    table
}

#[test]
fn packets_have_the_bytes_of_the_standard() {
    for (version, packet, bytes) in table() {
        assert_eq!(bytes_of(&packet, version), bytes, "{version:?} {packet:?}");
        let mut buffer = BytesMut::from(&bytes[..]);
        assert_eq!(decoder_for(&packet, version).decode(&mut buffer), Ok(Some(packet)));
        assert!(buffer.is_empty());
    }
}

#[test]
fn a_larger_packet_has_its_length_in_two_three_and_four_bytes() {
    for (payload, header) in [
        (123, vec![0x30, 0x80, 0x01]),
        (16_378, vec![0x30, 0xff, 0x7f]),
        (16_379, vec![0x30, 0x80, 0x80, 0x01]),
        (2_097_147, vec![0x30, 0x80, 0x80, 0x80, 0x01]),
    ] {
        let packet =
            Packet::Publish(Publish { payload: Bytes::from(vec![0; payload]), ..plain_publish(Delivery::AtMostOnce) });
        let mut bytes = bytes_of(&packet, Version::V311);
        assert_eq!(&bytes[..header.len()], &header[..]);
        assert_eq!(decoder_for(&packet, Version::V311).decode(&mut bytes), Ok(Some(packet)));
    }
}

#[test]
fn an_acknowledgement_may_spell_out_success_and_empty_properties() {
    for bytes in [[0x40, 3, 0, 9, 0, 0].get(..5).unwrap(), &[0x40, 4, 0, 9, 0, 0]] {
        let packet = Packet::PubAck(ack(9, ReasonCode::Success, None));
        assert_eq!(decoder_for(&packet, Version::V5).decode(&mut BytesMut::from(bytes)), Ok(Some(packet)));
    }
}
