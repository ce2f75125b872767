//! Packets of every type, as far as both sides of a connection may send them.

use bytes::Bytes;
use gatehouse_mqtt::packet::{
    Acknowledgement, Auth, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect, PacketType, Publish,
    ReasonProperties, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, UserProperties, Will,
};
use gatehouse_mqtt::{Delivery, MessageProperties, Packet, PacketId, Qos, ReasonCode, Utf8Bytes, Version};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

pub(crate) fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V311), Just(Version::V5)]
}

fn text() -> impl Strategy<Value = Utf8Bytes> {
    "[\u{1}-\u{d7ff}\u{e000}-\u{10ffff}]{0,9}".prop_map(|text| Utf8Bytes::try_from(text).unwrap())
}

fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn user_properties() -> impl Strategy<Value = UserProperties> {
    vec((text(), text()), 0..3)
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|id| PacketId::new(id).unwrap())
}

fn any_qos() -> impl Strategy<Value = Qos> {
    prop_oneof![Just(Qos::AtMostOnce), Just(Qos::AtLeastOnce), Just(Qos::ExactlyOnce)]
}

fn reason(packet_type: PacketType) -> impl Strategy<Value = ReasonCode> {
    let allowed: Vec<_> = ReasonCode::ALL.iter().copied().filter(|code| code.is_allowed_in(packet_type)).collect();
    proptest::sample::select(allowed)
}

fn identifier() -> impl Strategy<Value = u32> {
    prop_oneof![1..200u32, 1..=268_435_455u32]
}

fn message_properties() -> impl Strategy<Value = MessageProperties> {
    (of(any::<bool>()), of(1..=u32::MAX), of(text()), of(text()), of(binary()), user_properties()).prop_map(
        |(payload_format_indicator, message_expiry_interval, content_type, response_topic, correlation_data, user)| {
            MessageProperties {
                payload_format_indicator,
                message_expiry_interval,
                content_type,
                response_topic,
                correlation_data,
                user_properties: user,
            }
        },
    )
}

fn will() -> impl Strategy<Value = Will> {
    (text(), binary(), any_qos(), any::<bool>(), of(any::<u32>()), message_properties()).prop_map(
        |(topic, payload, qos, retain, delay_interval, properties)| Will {
            topic,
            payload,
            qos,
            retain,
            delay_interval,
            properties,
        },
    )
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    (
        (of(any::<u32>()), of(1..=u16::MAX), of(1..=u32::MAX), of(any::<u16>())),
        (of(any::<bool>()), of(any::<bool>()), user_properties(), of((text(), of(binary())))),
    )
        .prop_map(|((expiry, receive, size, alias), (response, problem, user_properties, authentication))| {
            let (authentication_method, authentication_data) =
                authentication.map_or((None, None), |(method, data)| (Some(method), data));
            ConnectProperties {
                session_expiry_interval: expiry,
                receive_maximum: receive,
                maximum_packet_size: size,
                topic_alias_maximum: alias,
                request_response_information: response,
                request_problem_information: problem,
                user_properties,
                authentication_method,
                authentication_data,
            }
        })
}

fn connect(version: Version) -> impl Strategy<Value = Packet> {
    ((any::<bool>(), any::<u16>(), text(), of(will())), (of(text()), of(binary()), connect_properties())).prop_map(
        move |((clean_start, keep_alive_secs, client_id, will), (username, password, properties))| {
            let password = if version == Version::V311 && username.is_none() { None } else { password };
            Packet::Connect(Box::new(Connect {
                version,
                clean_start,
                keep_alive_secs,
                client_id,
                will,
                username,
                password,
                properties,
            }))
        },
    )
}

fn connack_properties() -> impl Strategy<Value = ConnAckProperties> {
    let numbers = (of(any::<u32>()), of(1..=u16::MAX), of(1..=u32::MAX), of(any::<u16>()), of(any::<u16>()));
    let flags = (
        of(prop_oneof![Just(Qos::AtMostOnce), Just(Qos::AtLeastOnce)]),
        of(any::<bool>()),
        of(any::<bool>()),
        of(any::<bool>()),
        of(any::<bool>()),
    );
    let texts = (of(text()), of(text()), of(text()), of(text()), of(text()), of(binary()), user_properties());
    (numbers, flags, texts).prop_map(|(numbers, flags, texts)| ConnAckProperties {
        session_expiry_interval: numbers.0,
        receive_maximum: numbers.1,
        maximum_packet_size: numbers.2,
        topic_alias_maximum: numbers.3,
        server_keep_alive: numbers.4,
        maximum_qos: flags.0,
        retain_available: flags.1,
        wildcard_subscription_available: flags.2,
        subscription_identifiers_available: flags.3,
        shared_subscription_available: flags.4,
        assigned_client_identifier: texts.0,
        reason_string: texts.1,
        response_information: texts.2,
        server_reference: texts.3,
        authentication_method: texts.4,
        authentication_data: texts.5,
        user_properties: texts.6,
    })
}

fn connack(version: Version) -> impl Strategy<Value = Packet> {
    (any::<bool>(), reason(PacketType::ConnAck), 0..=5u8, connack_properties()).prop_map(
        move |(session_present, reason, code, properties)| {
            let reason = match version {
                Version::V311 => ReasonCode::from_connack_return_code(code).unwrap(),
                Version::V5 => reason,
            };
            let session_present = session_present && !reason.is_refusal();
            Packet::ConnAck(Box::new(ConnAck { session_present, reason, properties }))
        },
    )
}

fn publish() -> impl Strategy<Value = Packet> {
    let delivery = (any_qos(), packet_id()).prop_map(|(qos, id)| match qos {
        Qos::AtMostOnce => Delivery::AtMostOnce,
        Qos::AtLeastOnce => Delivery::AtLeastOnce(id),
        Qos::ExactlyOnce => Delivery::ExactlyOnce(id),
    });
    (
        (any::<bool>(), delivery, any::<bool>(), text()),
        (of(1..=u16::MAX), vec(identifier(), 0..3), message_properties(), binary()),
    )
        .prop_map(
            |((dup, delivery, retain, topic), (topic_alias, subscription_identifiers, properties, payload))| {
                Packet::Publish(Publish {
                    dup: dup && delivery != Delivery::AtMostOnce,
                    delivery,
                    retain,
                    topic,
                    topic_alias,
                    subscription_identifiers,
                    properties,
                    payload,
                })
            },
        )
}

fn reason_properties() -> impl Strategy<Value = ReasonProperties> {
    (of(text()), user_properties())
        .prop_map(|(reason_string, user_properties)| ReasonProperties { reason_string, user_properties })
}

fn acknowledgement(version: Version, packet_type: PacketType) -> impl Strategy<Value = Acknowledgement> {
    (packet_id(), reason(packet_type), reason_properties()).prop_map(move |(packet_id, reason, properties)| {
        let reason = if version == Version::V311 { ReasonCode::Success } else { reason };
        Acknowledgement { packet_id, reason, properties }
    })
}

fn subscription() -> impl Strategy<Value = Subscription> {
    let handling =
        prop_oneof![Just(RetainHandling::SendAlways), Just(RetainHandling::SendIfNew), Just(RetainHandling::DoNotSend)];
    (text(), any_qos(), any::<bool>(), any::<bool>(), handling).prop_map(
        |(filter, qos, no_local, retain_as_published, retain_handling)| Subscription {
            filter,
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        },
    )
}

fn subscribe() -> impl Strategy<Value = Packet> {
    (packet_id(), of(identifier()), user_properties(), vec(subscription(), 1..5)).prop_map(
        |(packet_id, subscription_identifier, user_properties, filters)| {
            Packet::Subscribe(Subscribe { packet_id, subscription_identifier, user_properties, filters })
        },
    )
}

fn unsubscribe() -> impl Strategy<Value = Packet> {
    (packet_id(), user_properties(), vec(text(), 1..5)).prop_map(|(packet_id, user_properties, filters)| {
        Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters })
    })
}

fn suback() -> impl Strategy<Value = Packet> {
    (packet_id(), reason_properties(), vec(reason(PacketType::SubAck), 1..5))
        .prop_map(|(packet_id, properties, reasons)| Packet::SubAck(SubAck { packet_id, properties, reasons }))
}

fn unsuback() -> impl Strategy<Value = Packet> {
    (packet_id(), reason_properties(), vec(reason(PacketType::UnsubAck), 1..5))
        .prop_map(|(packet_id, properties, reasons)| Packet::UnsubAck(UnsubAck { packet_id, properties, reasons }))
}

fn disconnect() -> impl Strategy<Value = Packet> {
    (reason(PacketType::Disconnect), of(any::<u32>()), of(text()), user_properties(), of(text())).prop_map(
        |(reason, session_expiry_interval, reason_string, user_properties, server_reference)| {
            Packet::Disconnect(Disconnect {
                reason,
                session_expiry_interval,
                reason_string,
                user_properties,
                server_reference,
            })
        },
    )
}

fn auth() -> impl Strategy<Value = Packet> {
    (reason(PacketType::Auth), of(text()), of(binary()), of(text()), user_properties()).prop_map(
        |(reason, authentication_method, authentication_data, reason_string, user_properties)| {
            Packet::Auth(Auth { reason, authentication_method, authentication_data, reason_string, user_properties })
        },
    )
}

/// What a client sends after its CONNECT.
pub(crate) fn from_client(version: Version) -> BoxedStrategy<Packet> {
    let both = prop_oneof![
        3 => publish(),
        1 => acknowledgement(version, PacketType::PubAck).prop_map(Packet::PubAck),
        1 => acknowledgement(version, PacketType::PubRec).prop_map(Packet::PubRec),
        1 => acknowledgement(version, PacketType::PubRel).prop_map(Packet::PubRel),
        1 => acknowledgement(version, PacketType::PubComp).prop_map(Packet::PubComp),
        1 => subscribe(),
        1 => unsubscribe(),
        1 => Just(Packet::PingReq),
        1 => disconnect(),
    ];
    match version {
        Version::V311 => both.boxed(),
        Version::V5 => prop_oneof![9 => both, 1 => auth()].boxed(),
    }
}

/// A packet of any type.
pub(crate) fn packet(version: Version) -> BoxedStrategy<Packet> {
    prop_oneof![
        2 => connect(version),
        2 => connack(version),
        9 => from_client(version),
        1 => suback(),
        1 => unsuback(),
        1 => Just(Packet::PingResp),
    ]
    .boxed()
}

/// What is left of a packet that went through MQTT 3.1.1.
pub(crate) fn as_v311(mut packet: Packet) -> Packet {
    match &mut packet {
        Packet::Connect(connect) => {
            connect.properties = ConnectProperties::default();
            if let Some(will) = &mut connect.will {
                will.delay_interval = None;
                will.properties = MessageProperties::NONE;
            }
        }
        Packet::ConnAck(connack) => {
            connack.properties = ConnAckProperties::default();
            connack.session_present &= connack.reason == ReasonCode::Success;
        }
        Packet::Publish(publish) => {
            publish.topic_alias = None;
            publish.subscription_identifiers.clear();
            publish.properties = MessageProperties::NONE;
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.properties = ReasonProperties::default();
        }
        Packet::Subscribe(subscribe) => {
            subscribe.subscription_identifier = None;
            subscribe.user_properties.clear();
            for filter in &mut subscribe.filters {
                *filter = Subscription::new(filter.filter.clone(), filter.qos);
            }
        }
        Packet::SubAck(suback) => {
            suback.properties = ReasonProperties::default();
            for reason in &mut suback.reasons {
                if reason.is_refusal() {
                    *reason = ReasonCode::UnspecifiedError;
                }
            }
        }
        Packet::Unsubscribe(unsubscribe) => unsubscribe.user_properties.clear(),
        Packet::UnsubAck(unsuback) => {
            unsuback.properties = ReasonProperties::default();
            unsuback.reasons.clear();
        }
        Packet::Disconnect(disconnect) => *disconnect = Disconnect::new(ReasonCode::Success),
        Packet::PingReq | Packet::PingResp | Packet::Auth(_) => {}
    }
    packet
}
