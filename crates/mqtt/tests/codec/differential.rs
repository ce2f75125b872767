//! Another codec reads what we write as what we meant, and we read what it writes.
//!
//! It fills in defaults where a property is absent, so that both sides are compared with defaults left out.

use bytes::BytesMut;
use gatehouse_mqtt::packet::{
    Acknowledgement, Auth, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect, Publish,
    ReasonProperties, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, UserProperties, Will,
};
use gatehouse_mqtt::{Delivery, MessageProperties, Packet, PacketId, Qos, ReasonCode, Utf8Bytes, Version};
use proptest::prelude::*;
use rmqtt_codec::{types, v3, v5};
use tokio_util::codec::{Decoder as _, Encoder as _};

use crate::strategies::{as_v311, packet};
use crate::{bytes_of, decoder_for};

fn text(text: impl AsRef<str>) -> Utf8Bytes {
    Utf8Bytes::try_from(text.as_ref()).unwrap()
}

fn user<T: AsRef<str>>(properties: Vec<(T, T)>) -> UserProperties {
    properties.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn qos(qos: types::QoS) -> Qos {
    Qos::from_value(qos.value()).unwrap()
}

fn delivery(qos: types::QoS, packet_id: Option<PacketId>) -> Delivery {
    match qos {
        types::QoS::AtMostOnce => Delivery::AtMostOnce,
        types::QoS::AtLeastOnce => Delivery::AtLeastOnce(packet_id.unwrap()),
        types::QoS::ExactlyOnce => Delivery::ExactlyOnce(packet_id.unwrap()),
    }
}

fn reason(code: u8) -> ReasonCode {
    ReasonCode::from_value(code).unwrap()
}

fn ack(
    packet_id: PacketId,
    code: u8,
    reason_string: Option<impl AsRef<str>>,
    user_properties: UserProperties,
) -> Acknowledgement {
    let properties = ReasonProperties { reason_string: reason_string.map(text), user_properties };
    Acknowledgement { packet_id, reason: reason(code), properties }
}

/// Leaves out what says no more than its absence.
fn without_defaults(mut packet: Packet) -> Packet {
    fn drop_default<T: PartialEq>(slot: &mut Option<T>, default: T) {
        if slot.as_ref() == Some(&default) {
            *slot = None;
        }
    }
    match &mut packet {
        Packet::Connect(connect) => {
            let properties = &mut connect.properties;
            drop_default(&mut properties.session_expiry_interval, 0);
            drop_default(&mut properties.topic_alias_maximum, 0);
            drop_default(&mut properties.request_problem_information, true);
            drop_default(&mut properties.request_response_information, false);
        }
        Packet::ConnAck(connack) => {
            let properties = &mut connack.properties;
            drop_default(&mut properties.receive_maximum, u16::MAX);
            drop_default(&mut properties.topic_alias_maximum, 0);
            for flag in [
                &mut properties.retain_available,
                &mut properties.wildcard_subscription_available,
                &mut properties.subscription_identifiers_available,
                &mut properties.shared_subscription_available,
            ] {
                drop_default(flag, true);
            }
        }
        Packet::Publish(publish) => drop_default(&mut publish.properties.payload_format_indicator, false),
        _ => {}
    }
    packet
}

fn ours_v3(packet: v3::Packet) -> Packet {
    use v3::Packet as P;
    let success = |packet_id| ack(packet_id, 0, None::<&str>, Vec::new());
    match packet {
        P::Connect(c) => {
            let will = c.last_will.map(|will| Will {
                topic: text(will.topic),
                payload: will.message,
                qos: qos(will.qos),
                retain: will.retain,
                delay_interval: None,
                properties: MessageProperties::NONE,
            });
            Packet::Connect(Box::new(Connect {
                version: Version::V311,
                clean_start: c.clean_session,
                keep_alive_secs: c.keep_alive,
                client_id: text(c.client_id),
                will,
                username: c.username.map(text),
                password: c.password,
                properties: ConnectProperties::default(),
            }))
        }
        P::ConnectAck(c) => Packet::ConnAck(Box::new(ConnAck {
            session_present: c.session_present,
            reason: ReasonCode::from_connack_return_code(c.return_code.into()).unwrap(),
            properties: ConnAckProperties::default(),
        })),
        P::Publish(p) => publish(*p),
        P::PublishAck { packet_id } => Packet::PubAck(success(packet_id)),
        P::PublishReceived { packet_id } => Packet::PubRec(success(packet_id)),
        P::PublishRelease { packet_id } => Packet::PubRel(success(packet_id)),
        P::PublishComplete { packet_id } => Packet::PubComp(success(packet_id)),
        P::Subscribe { packet_id, topic_filters } => Packet::Subscribe(Subscribe {
            packet_id,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: topic_filters.into_iter().map(|(filter, q)| Subscription::new(text(filter), qos(q))).collect(),
        }),
        P::SubscribeAck { packet_id, status } => Packet::SubAck(SubAck {
            packet_id,
            properties: ReasonProperties::default(),
            reasons: status
                .into_iter()
                .map(|status| match status {
                    v3::SubscribeReturnCode::Success(qos) => reason(qos.value()),
                    v3::SubscribeReturnCode::Failure => ReasonCode::UnspecifiedError,
                })
                .collect(),
        }),
        P::Unsubscribe { packet_id, topic_filters } => Packet::Unsubscribe(Unsubscribe {
            packet_id,
            user_properties: Vec::new(),
            filters: topic_filters.into_iter().map(text).collect(),
        }),
        P::UnsubscribeAck { packet_id } => {
            Packet::UnsubAck(UnsubAck { packet_id, properties: ReasonProperties::default(), reasons: Vec::new() })
        }
        P::PingRequest => Packet::PingReq,
        P::PingResponse => Packet::PingResp,
        P::Disconnect => Packet::Disconnect(Disconnect::new(ReasonCode::Success)),
    }
}

fn publish(p: types::Publish) -> Packet {
    let found = p.properties.unwrap_or_default();
    Packet::Publish(Publish {
        dup: p.dup,
        delivery: delivery(p.qos, p.packet_id),
        retain: p.retain,
        topic: text(p.topic),
        topic_alias: found.topic_alias.map(Into::into),
        subscription_identifiers: found.subscription_ids.into_iter().map(Into::into).collect(),
        properties: MessageProperties {
            payload_format_indicator: Some(found.is_utf8_payload),
            message_expiry_interval: found.message_expiry_interval.map(Into::into),
            content_type: found.content_type.map(text),
            response_topic: found.response_topic.map(text),
            correlation_data: found.correlation_data,
            user_properties: user(found.user_properties),
        },
        payload: p.payload,
    })
}

fn connect(c: v5::Connect) -> Packet {
    let will = c.last_will.map(|will| Will {
        topic: text(will.topic),
        payload: will.message,
        qos: qos(will.qos),
        retain: will.retain,
        delay_interval: will.will_delay_interval_sec,
        properties: MessageProperties {
            payload_format_indicator: will.is_utf8_payload,
            message_expiry_interval: will.message_expiry_interval.map(Into::into),
            content_type: will.content_type.map(text),
            response_topic: will.response_topic.map(text),
            correlation_data: will.correlation_data,
            user_properties: user(will.user_properties),
        },
    });
    Packet::Connect(Box::new(Connect {
        version: Version::V5,
        clean_start: c.clean_start,
        keep_alive_secs: c.keep_alive,
        client_id: text(c.client_id),
        will,
        username: c.username.map(text),
        password: c.password,
        properties: ConnectProperties {
            session_expiry_interval: Some(c.session_expiry_interval_secs),
            receive_maximum: c.receive_max.map(Into::into),
            maximum_packet_size: c.max_packet_size.map(Into::into),
            topic_alias_maximum: Some(c.topic_alias_max),
            request_response_information: Some(c.request_response_info),
            request_problem_information: Some(c.request_problem_info),
            user_properties: user(c.user_properties),
            authentication_method: c.auth_method.map(text),
            authentication_data: c.auth_data,
        },
    }))
}

fn connack(c: v5::ConnectAck) -> Packet {
    Packet::ConnAck(Box::new(ConnAck {
        session_present: c.session_present,
        reason: reason(c.reason_code.into()),
        properties: ConnAckProperties {
            session_expiry_interval: c.session_expiry_interval_secs,
            receive_maximum: Some(c.receive_max.get()),
            maximum_qos: Some(qos(c.max_qos)).filter(|&qos| qos != Qos::ExactlyOnce),
            retain_available: Some(c.retain_available),
            maximum_packet_size: c.max_packet_size,
            assigned_client_identifier: c.assigned_client_id.map(text),
            topic_alias_maximum: Some(c.topic_alias_max),
            reason_string: c.reason_string.map(text),
            user_properties: user(c.user_properties),
            wildcard_subscription_available: Some(c.wildcard_subscription_available),
            subscription_identifiers_available: Some(c.subscription_identifiers_available),
            shared_subscription_available: Some(c.shared_subscription_available),
            server_keep_alive: c.server_keepalive_sec,
            response_information: c.response_info.map(text),
            server_reference: c.server_reference.map(text),
            authentication_method: c.auth_method.map(text),
            authentication_data: c.auth_data,
        },
    }))
}

fn ours_v5(packet: v5::Packet) -> Packet {
    use v5::Packet as P;
    match packet {
        P::Connect(c) => connect(*c),
        P::ConnectAck(c) => connack(*c),
        P::Publish(p) => publish(*p),
        P::PublishAck(a) => Packet::PubAck(ack(a.packet_id, a.reason_code as u8, a.reason_string, user(a.properties))),
        P::PublishReceived(a) => {
            Packet::PubRec(ack(a.packet_id, a.reason_code as u8, a.reason_string, user(a.properties)))
        }
        P::PublishRelease(a) => {
            Packet::PubRel(ack(a.packet_id, a.reason_code as u8, a.reason_string, user(a.properties)))
        }
        P::PublishComplete(a) => {
            Packet::PubComp(ack(a.packet_id, a.reason_code as u8, a.reason_string, user(a.properties)))
        }
        P::Subscribe(s) => Packet::Subscribe(Subscribe {
            packet_id: s.packet_id,
            subscription_identifier: s.id.map(Into::into),
            user_properties: user(s.user_properties),
            filters: s
                .topic_filters
                .into_iter()
                .map(|(filter, options)| Subscription {
                    filter: text(filter),
                    qos: qos(options.qos),
                    no_local: options.no_local,
                    retain_as_published: options.retain_as_published,
                    retain_handling: match options.retain_handling {
                        v5::RetainHandling::AtSubscribe => RetainHandling::SendAlways,
                        v5::RetainHandling::AtSubscribeNew => RetainHandling::SendIfNew,
                        v5::RetainHandling::NoAtSubscribe => RetainHandling::DoNotSend,
                    },
                })
                .collect(),
        }),
        P::SubscribeAck(s) => Packet::SubAck(SubAck {
            packet_id: s.packet_id,
            properties: ReasonProperties {
                reason_string: s.reason_string.map(text),
                user_properties: user(s.properties),
            },
            reasons: s.status.into_iter().map(|status| reason(status as u8)).collect(),
        }),
        P::Unsubscribe(u) => Packet::Unsubscribe(Unsubscribe {
            packet_id: u.packet_id,
            user_properties: user(u.user_properties),
            filters: u.topic_filters.into_iter().map(text).collect(),
        }),
        P::UnsubscribeAck(u) => Packet::UnsubAck(UnsubAck {
            packet_id: u.packet_id,
            properties: ReasonProperties {
                reason_string: u.reason_string.map(text),
                user_properties: user(u.properties),
            },
            reasons: u.status.into_iter().map(|status| reason(status as u8)).collect(),
        }),
        P::PingRequest => Packet::PingReq,
        P::PingResponse => Packet::PingResp,
        P::Disconnect(d) => Packet::Disconnect(Disconnect {
            reason: reason(d.reason_code as u8),
            session_expiry_interval: d.session_expiry_interval_secs,
            reason_string: d.reason_string.map(text),
            user_properties: user(d.user_properties),
            server_reference: d.server_reference.map(text),
        }),
        P::Auth(a) => Packet::Auth(Auth {
            reason: reason(a.reason_code as u8),
            authentication_method: a.auth_method.map(text),
            authentication_data: a.auth_data,
            reason_string: a.reason_string.map(text),
            user_properties: user(a.user_properties),
        }),
    }
}

/// The oracle takes an empty client identifier with a clean start only, no empty filter, and no empty topic name in
/// MQTT 3.1.1.
fn is_known_to_the_oracle(packet: &Packet, version: Version) -> bool {
    match packet {
        Packet::Connect(connect) => connect.clean_start || !connect.client_id.is_empty(),
        Packet::Publish(publish) => version == Version::V5 || !publish.topic.is_empty(),
        Packet::Subscribe(subscribe) => subscribe.filters.iter().all(|filter| !filter.filter.is_empty()),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.filters.iter().all(|filter| !filter.is_empty()),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn both_codecs_agree_on_mqtt_311(packet in packet(Version::V311)) {
        prop_assume!(is_known_to_the_oracle(&packet, Version::V311));
        let mut codec = v3::Codec::new(0);
        let (theirs, _) = codec.decode(&mut bytes_of(&packet, Version::V311)).unwrap().unwrap();
        let expected = as_v311(packet);
        let mut written = BytesMut::new();
        codec.encode(theirs.clone(), &mut written).unwrap();
        prop_assert_eq!(as_v311(ours_v3(theirs)), expected.clone());
        prop_assert_eq!(decoder_for(&expected, Version::V311).decode(&mut written), Ok(Some(expected)));
    }

    #[test]
    fn both_codecs_agree_on_mqtt_5(packet in packet(Version::V5)) {
        prop_assume!(is_known_to_the_oracle(&packet, Version::V5));
        let mut codec = v5::Codec::new(0, 0);
        let (theirs, _) = codec.decode(&mut bytes_of(&packet, Version::V5)).unwrap().unwrap();
        let expected = without_defaults(packet);
        let mut written = BytesMut::new();
        v5::Codec::new(0, 0).encode(theirs.clone(), &mut written).unwrap();
        prop_assert_eq!(without_defaults(ours_v5(theirs)), expected.clone());
        let again = decoder_for(&expected, Version::V5).decode(&mut written);
        prop_assert_eq!(again.map(|packet| packet.map(without_defaults)), Ok(Some(expected)));
    }
}
