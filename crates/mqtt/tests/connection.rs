//! One connection: what a CONNECT leads to, what a client may not do, and the window of its unacknowledged messages.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatehouse_mqtt::packet::{
    Acknowledgement, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, PacketType, Publish, ReasonProperties,
    Subscribe, Subscription, Unsubscribe, Will,
};
use gatehouse_mqtt::{
    Connection, Decoder, Delivery, EncodeError, MessageProperties, Outbound, OutboundMessage, Packet, PacketId, Peer,
    Qos, ReasonCode, Received, Settings, Utf8Bytes, Version, Wills, encode, refusal,
};
use proptest::collection::vec;
use proptest::prelude::*;

const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

fn text(text: &str) -> Utf8Bytes {
    Utf8Bytes::try_from(text).unwrap()
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn connect(version: Version) -> Connect {
    Connect { keep_alive_secs: 60, ..Connect::new(version, text("dev")) }
}

fn open_with(version: Version, settings: Settings) -> Connection {
    Connection::open(&connect(version), &Arc::new(settings)).unwrap().0
}

fn open(version: Version) -> Connection {
    open_with(version, Settings::default())
}

fn offers(connect: &Connect, settings: Settings) -> ConnAckProperties {
    Connection::open(connect, &Arc::new(settings)).unwrap().1
}

fn refused(connect: &Connect, settings: Settings) -> Option<ReasonCode> {
    let refusal = Connection::open(connect, &Arc::new(settings)).err()?;
    assert!(refusal.reason.is_allowed_in(PacketType::ConnAck));
    Some(refusal.reason)
}

fn publish(delivery: Delivery) -> Publish {
    Publish {
        dup: false,
        delivery,
        retain: false,
        topic: text("a/b"),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Bytes::from_static(b"hi"),
    }
}

fn plain() -> Publish {
    publish(Delivery::AtMostOnce)
}

fn acknowledgement(packet_id: u16) -> Acknowledgement {
    Acknowledgement { packet_id: id(packet_id), reason: ReasonCode::Success, properties: ReasonProperties::default() }
}

fn subscribe(filters: Vec<Subscription>) -> Subscribe {
    Subscribe { packet_id: id(1), subscription_identifier: None, user_properties: Vec::new(), filters }
}

fn unsubscribe(filters: usize) -> Packet {
    let filters = vec![text("a"); filters];
    Packet::Unsubscribe(Unsubscribe { packet_id: id(1), user_properties: Vec::new(), filters })
}

fn user_properties(count: usize, bytes: usize) -> Vec<(Utf8Bytes, Utf8Bytes)> {
    vec![(text(""), text(&"v".repeat(bytes))); count]
}

fn message(payload: &[u8]) -> OutboundMessage<'_> {
    OutboundMessage { topic: "a/b", payload, retain: false, properties: MessageProperties::none(), expiry_secs: None }
}

fn will(qos: Qos, retain: bool) -> Option<Will> {
    Some(Will {
        topic: text("w"),
        payload: Bytes::new(),
        qos,
        retain,
        delay_interval: None,
        properties: MessageProperties::default(),
    })
}

#[test]
fn keep_alive_is_brought_within_30_and_1200_seconds() {
    for (asked, effective) in
        [(0, 1200), (1, 30), (29, 30), (30, 30), (31, 31), (1200, 1200), (1201, 1200), (u16::MAX, 1200)]
    {
        for version in VERSIONS {
            let connect = Connect { keep_alive_secs: asked, ..connect(version) };
            let (connection, properties) = Connection::open(&connect, &Arc::new(Settings::default())).unwrap();
            assert_eq!(connection.keep_alive_secs(), effective);
            assert_eq!(connection.keep_alive_deadline(), Duration::from_secs(u64::from(effective)) * 3 / 2);
            assert_eq!(properties.server_keep_alive, Some(effective));
        }
    }
}

#[test]
fn connack_of_mqtt_5_tells_what_is_offered() {
    let found = offers(&connect(Version::V5), Settings::default());
    let expected = ConnAckProperties {
        session_expiry_interval: Some(0),
        receive_maximum: Some(100),
        maximum_qos: Some(Qos::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: Some(149_504),
        topic_alias_maximum: Some(8),
        wildcard_subscription_available: Some(true),
        subscription_identifiers_available: Some(false),
        shared_subscription_available: Some(false),
        server_keep_alive: Some(60),
        ..ConnAckProperties::default()
    };
    assert_eq!(found, expected);
    let all = Settings { retain_available: true, shared_subscription_available: true, ..Settings::default() };
    let found = offers(&connect(Version::V5), all);
    assert_eq!((found.retain_available, found.shared_subscription_available), (Some(true), Some(true)));
}

#[test]
fn connack_of_mqtt_311_has_two_bytes_of_content() {
    let (connection, properties) = Connection::open(&connect(Version::V311), &Arc::new(Settings::default())).unwrap();
    let mut out = BytesMut::new();
    connection.encode(&connection.connack(false, properties), &mut out).unwrap();
    assert_eq!(&out[..], [0x20, 2, 0, 0]);
}

#[test]
fn a_session_lasts_as_long_as_asked_and_allowed() {
    let week = 604_800;
    for (version, clean_start, asked, max, effective) in [
        (Version::V5, true, None, week, 0),
        (Version::V5, true, Some(60), week, 60),
        (Version::V5, true, Some(u32::MAX), week, week),
        (Version::V5, true, Some(60), 0, 0),
        (Version::V311, true, None, 3600, 0),
        (Version::V311, false, None, 3600, 3600),
        (Version::V311, false, None, 0, 0),
    ] {
        let mut connect = Connect { clean_start, ..connect(version) };
        connect.properties.session_expiry_interval = asked;
        let settings = Settings { session_expiry_max_secs: max, ..Settings::default() };
        let (connection, properties) = Connection::open(&connect, &Arc::new(settings)).unwrap();
        assert_eq!(connection.session_expiry_secs(), effective, "{version:?} {asked:?} {max}");
        assert_eq!(properties.session_expiry_interval, Some(effective));
    }
}

#[test]
fn connects_that_are_not_allowed_are_refused() {
    let kept = || Settings { wills: Wills::Kept, ..Settings::default() };
    let v5 = |change: fn(&mut Connect)| {
        let mut connect = connect(Version::V5);
        change(&mut connect);
        connect
    };
    let small = v5(|connect| connect.properties.maximum_packet_size = Some(511));
    let enhanced = v5(|connect| connect.properties.authentication_method = Some(text("SCRAM")));
    let verbose = v5(|connect| connect.properties.user_properties = user_properties(2, 4097));
    let receives_nothing = v5(|connect| connect.properties.receive_maximum = Some(0));
    let wildcard_response = v5(|connect| {
        connect.will = will(Qos::AtLeastOnce, false);
        connect.will.as_mut().unwrap().properties.response_topic = Some(text("a/#"));
    });
    let nameless = Connect { clean_start: false, client_id: text(""), ..connect(Version::V311) };
    for (connect, settings, reason) in [
        (&small, Settings::default(), ReasonCode::ImplementationSpecificError),
        (&enhanced, Settings::default(), ReasonCode::BadAuthenticationMethod),
        (&verbose, Settings::default(), ReasonCode::QuotaExceeded),
        (&receives_nothing, Settings::default(), ReasonCode::ProtocolError),
        (&wildcard_response, kept(), ReasonCode::ProtocolError),
        (&nameless, Settings::default(), ReasonCode::ClientIdentifierNotValid),
    ] {
        assert_eq!(refused(connect, settings), Some(reason));
    }
    let just_large_enough = v5(|connect| connect.properties.maximum_packet_size = Some(512));
    assert_eq!(refused(&just_large_enough, Settings::default()), None);
    let may_be_nameless = v5(|connect| (connect.client_id, connect.clean_start) = (text(""), false));
    assert_eq!(refused(&may_be_nameless, Settings::default()), None);
}

#[test]
fn wills_are_refused_ignored_or_kept() {
    use ReasonCode::{ImplementationSpecificError, QosNotSupported, RetainNotSupported};
    for (wills, retain_available, qos, retain, outcome) in [
        (Wills::Refused, false, Qos::AtMostOnce, false, Some(ImplementationSpecificError)),
        (Wills::Ignored, false, Qos::AtLeastOnce, true, None),
        (Wills::Ignored, false, Qos::ExactlyOnce, false, Some(QosNotSupported)),
        (Wills::Kept, false, Qos::AtLeastOnce, false, None),
        (Wills::Kept, false, Qos::AtLeastOnce, true, Some(RetainNotSupported)),
        (Wills::Kept, true, Qos::AtLeastOnce, true, None),
        (Wills::Kept, true, Qos::ExactlyOnce, false, Some(QosNotSupported)),
    ] {
        for version in VERSIONS {
            let connect = Connect { will: will(qos, retain), ..connect(version) };
            let settings = Settings { wills, retain_available, ..Settings::default() };
            assert_eq!(refused(&connect, settings), outcome, "{wills:?} {qos:?} {retain}");
        }
    }
}

#[test]
fn a_refusal_is_said_in_the_form_of_the_version_or_not_at_all() {
    let packet = refusal(ReasonCode::NotAuthorized, "no");
    let mut out = BytesMut::new();
    Peer::of(&connect(Version::V5)).encode(&packet, &mut out).unwrap();
    assert_eq!(&out[..], b"\x20\x08\x00\x87\x05\x1f\x00\x02no");
    out.clear();
    Peer::of(&connect(Version::V311)).encode(&packet, &mut out).unwrap();
    assert_eq!(&out[..], [0x20, 2, 0, 5]);
    out.clear();
    encode(&refusal(ReasonCode::UnsupportedProtocolVersion, "no"), Version::V311, &mut out).unwrap();
    assert_eq!(&out[..], [0x20, 2, 0, 1]);
    let unsayable = Peer::new(Version::V311).encode(&refusal(ReasonCode::QosNotSupported, "no"), &mut out);
    assert!(matches!(unsayable, Err(EncodeError::NotInVersion(_))));
}

fn violations() -> Vec<(&'static str, Packet, ReasonCode)> {
    let with = |change: fn(&mut Publish)| {
        let mut publish = plain();
        change(&mut publish);
        Packet::Publish(publish)
    };
    let qos2 = Subscription::new(text("a"), Qos::ExactlyOnce);
    let nine = vec![Subscription::new(text("a"), Qos::AtMostOnce); 9];
    let identified = Subscribe { subscription_identifier: Some(1), ..subscribe(nine[..1].to_vec()) };
    let no_local = Subscription { no_local: true, ..Subscription::new(text("$share/g/a"), Qos::AtMostOnce) };
    let connack = ConnAck { session_present: false, reason: ReasonCode::Success, properties: Default::default() };
    let error = ReasonCode::ProtocolError;
    vec![
        ("second CONNECT", Packet::Connect(Box::new(connect(Version::V5))), error),
        ("CONNACK", Packet::ConnAck(Box::new(connack)), error),
        ("PINGRESP", Packet::PingResp, error),
        ("PUBREC", Packet::PubRec(acknowledgement(1)), error),
        ("PUBREL", Packet::PubRel(acknowledgement(1)), error),
        ("PUBCOMP", Packet::PubComp(acknowledgement(1)), error),
        ("AUTH", Packet::Auth(Auth::new(ReasonCode::ReAuthenticate)), error),
        ("QoS 2", Packet::Publish(publish(Delivery::ExactlyOnce(id(1)))), ReasonCode::QosNotSupported),
        ("retain", with(|p| p.retain = true), ReasonCode::RetainNotSupported),
        ("payload", with(|p| p.payload = Bytes::from(vec![0; 131_073])), ReasonCode::PacketTooLarge),
        ("subscription identifier", with(|p| p.subscription_identifiers.push(1)), error),
        ("no topic", with(|p| p.topic = text("")), error),
        ("alias 0", with(|p| p.topic_alias = Some(0)), ReasonCode::TopicAliasInvalid),
        ("alias 9", with(|p| p.topic_alias = Some(9)), ReasonCode::TopicAliasInvalid),
        ("unknown alias", with(|p| (p.topic, p.topic_alias) = (text(""), Some(8))), error),
        (
            "alias of a long topic",
            with(|p| (p.topic, p.topic_alias) = (text(&"t".repeat(513)), Some(1))),
            ReasonCode::TopicNameInvalid,
        ),
        ("content type", with(|p| p.properties.content_type = Some(text(&"t".repeat(257)))), ReasonCode::QuotaExceeded),
        (
            "correlation data",
            with(|p| p.properties.correlation_data = Some(Bytes::from(vec![0; 8193]))),
            ReasonCode::QuotaExceeded,
        ),
        (
            "user properties",
            with(|p| p.properties.user_properties = user_properties(2, 4097)),
            ReasonCode::QuotaExceeded,
        ),
        (
            "empty user properties",
            with(|p| p.properties.user_properties = user_properties(1639, 0)),
            ReasonCode::QuotaExceeded,
        ),
        ("response topic with #", with(|p| p.properties.response_topic = Some(text("a/#"))), error),
        ("response topic with +", with(|p| p.properties.response_topic = Some(text("+/a"))), error),
        ("no response topic", with(|p| p.properties.response_topic = Some(text(""))), error),
        ("QoS 2 filter", Packet::Subscribe(subscribe(vec![qos2])), ReasonCode::QosNotSupported),
        ("nine filters", Packet::Subscribe(subscribe(nine)), ReasonCode::QuotaExceeded),
        ("nine filters to leave", unsubscribe(9), ReasonCode::QuotaExceeded),
        ("identified", Packet::Subscribe(identified), ReasonCode::SubscriptionIdentifiersNotSupported),
        ("shared without local", Packet::Subscribe(subscribe(vec![no_local])), error),
        (
            "longer session",
            Packet::Disconnect(Disconnect { session_expiry_interval: Some(1), ..Disconnect::new(ReasonCode::Success) }),
            error,
        ),
    ]
}

#[test]
fn what_a_client_may_not_do_ends_the_connection() {
    for (what, packet, reason) in violations() {
        for version in VERSIONS {
            let mut connection = open(version);
            let error = connection.receive(packet.clone()).unwrap_err();
            assert_eq!(error.reason, reason, "{what}");
            assert!(connection.is_closed());
            assert!(connection.receive(Packet::PingReq).is_err(), "{what}");
            assert_eq!(connection.deliver(&message(b""), Qos::AtMostOnce, &mut BytesMut::new()), Outbound::Closed);
            let farewell = connection.disconnect(error.reason, error.text);
            assert_eq!(farewell.is_some(), version == Version::V5);
            if let Some(Packet::Disconnect(farewell)) = farewell {
                assert!(farewell.reason.is_allowed_in(PacketType::Disconnect));
                assert_eq!(farewell.reason_string.unwrap(), error.text);
            }
        }
    }
}

#[test]
fn what_stands_at_the_limits_is_received() {
    let mut largest = publish(Delivery::AtLeastOnce(id(1)));
    largest.payload = Bytes::from(vec![0; 131_072]);
    largest.properties = MessageProperties {
        content_type: Some(text(&"t".repeat(256))),
        correlation_data: Some(Bytes::from(vec![0; 8192])),
        response_topic: Some(text("r")),
        user_properties: user_properties(2, 4096),
        ..MessageProperties::default()
    };
    for version in VERSIONS {
        let mut connection = open(version);
        let Ok(Received::Publish(received)) = connection.receive(Packet::Publish(largest.clone())) else { panic!() };
        assert_eq!((received.topic, received.payload), (largest.topic.clone(), largest.payload.clone()));
        assert_eq!((received.delivery, received.properties), (largest.delivery, largest.properties.clone()));
        let filters = vec![Subscription::new(text("a/#"), Qos::AtLeastOnce); 8];
        let expected = Received::Subscribe { packet_id: id(1), filters: filters.clone() };
        assert_eq!(connection.receive(Packet::Subscribe(subscribe(filters))), Ok(expected));
        let expected = Received::Unsubscribe { packet_id: id(1), filters: vec![text("a"); 8] };
        assert_eq!(connection.receive(unsubscribe(8)), Ok(expected));
        assert_eq!(connection.receive(Packet::PingReq), Ok(Received::Ping));
    }
}

#[test]
fn retained_messages_pass_where_they_are_offered() {
    let mut connection = open_with(Version::V311, Settings { retain_available: true, ..Settings::default() });
    let retained = Publish { retain: true, ..plain() };
    assert!(matches!(connection.receive(Packet::Publish(retained)), Ok(Received::Publish(publish)) if publish.retain));
}

#[test]
fn message_expiry_is_brought_within_its_bounds() {
    for (asked, effective) in [(0, 1), (1, 1), (604_800, 604_800), (604_801, 604_800), (u32::MAX, 604_800)] {
        let mut message = plain();
        message.properties.message_expiry_interval = Some(asked);
        let Ok(Received::Publish(received)) = open(Version::V5).receive(Packet::Publish(message)) else { panic!() };
        assert_eq!(received.properties.message_expiry_interval, Some(effective));
    }
}

#[test]
fn a_topic_alias_stands_for_its_latest_topic() {
    let mut connection = open(Version::V5);
    let mut topic_of = |topic: &str, alias| {
        let publish = Publish { topic: text(topic), topic_alias: alias, ..plain() };
        match connection.receive(Packet::Publish(publish)) {
            Ok(Received::Publish(received)) => received.topic.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(topic_of("one", Some(1)), "one");
    assert_eq!(topic_of("two", Some(8)), "two");
    assert_eq!(topic_of("", Some(1)), "one");
    assert_eq!(topic_of("other", None), "other");
    assert_eq!(topic_of("three", Some(1)), "three");
    assert_eq!(topic_of("", Some(1)), "three");
    assert_eq!(topic_of("", Some(8)), "two");
}

#[test]
fn a_client_has_no_more_than_its_receive_maximum_unacknowledged() {
    for version in VERSIONS {
        let mut connection = open(version);
        for n in 1..=100 {
            connection.receive(Packet::Publish(publish(Delivery::AtLeastOnce(id(n))))).unwrap();
        }
        connection.receive(Packet::Publish(plain())).unwrap();
        assert!(connection.puback(id(50), ReasonCode::Success, "").is_some());
        connection.receive(Packet::Publish(publish(Delivery::AtLeastOnce(id(50))))).unwrap();
        let error = connection.receive(Packet::Publish(publish(Delivery::AtLeastOnce(id(101))))).unwrap_err();
        assert_eq!(error.reason, ReasonCode::ReceiveMaximumExceeded);
    }
}

#[test]
fn only_mqtt_311_clients_may_send_again_on_the_same_connection() {
    for (version, is_allowed) in [(Version::V311, true), (Version::V5, false)] {
        let mut connection = open(version);
        connection.receive(Packet::Publish(publish(Delivery::AtLeastOnce(id(1))))).unwrap();
        let again = Publish { dup: true, ..publish(Delivery::AtLeastOnce(id(1))) };
        assert_eq!(connection.receive(Packet::Publish(again)).is_ok(), is_allowed);
    }
}

#[test]
fn answers_have_the_form_of_the_version() {
    let reasons = || vec![ReasonCode::GrantedQos1, ReasonCode::NotAuthorized];
    let table: [(Version, &[u8], &[u8]); 2] = [
        (Version::V311, &[0x90, 4, 0, 1, 1, 0x80], &[0xb0, 2, 0, 1]),
        (Version::V5, b"\x90\x0a\x00\x01\x05\x1f\x00\x02no\x01\x87", b"\xb0\x05\x00\x01\x00\x00\x87"),
    ];
    for (version, suback, unsuback) in table {
        let connection = open(version);
        let mut out = BytesMut::new();
        connection.encode(&connection.suback(id(1), reasons(), "no"), &mut out).unwrap();
        assert_eq!(&out[..], suback);
        out.clear();
        let reasons = vec![ReasonCode::Success, ReasonCode::NotAuthorized];
        connection.encode(&connection.unsuback(id(1), reasons, ""), &mut out).unwrap();
        assert_eq!(&out[..], unsuback);
    }
    assert_eq!(open(Version::V311).puback(id(1), ReasonCode::NotAuthorized, "no"), None);
    let mut connection = open(Version::V5);
    let mut out = BytesMut::new();
    let puback = connection.puback(id(1), ReasonCode::NotAuthorized, "").unwrap();
    connection.encode(&puback, &mut out).unwrap();
    assert_eq!(&out[..], [0x40, 3, 0, 1, 0x87]);
}

#[test]
fn a_text_that_no_string_can_carry_is_left_out() {
    let Some(Packet::Disconnect(packet)) = open(Version::V5).disconnect(ReasonCode::AdministrativeAction, "a\0b")
    else {
        panic!()
    };
    assert_eq!(packet, Disconnect::new(ReasonCode::AdministrativeAction));
}

#[test]
fn a_disconnect_may_shorten_the_session_and_ends_the_connection() {
    let mut asked = connect(Version::V5);
    asked.properties.session_expiry_interval = Some(60);
    let settings = Arc::new(Settings { session_expiry_max_secs: 3600, ..Settings::default() });
    for (secs, effective) in [(None, 60), (Some(0), 0), (Some(600), 600), (Some(u32::MAX), 3600)] {
        let (mut connection, _) = Connection::open(&asked, &settings).unwrap();
        let packet = Disconnect { session_expiry_interval: secs, ..Disconnect::new(ReasonCode::DisconnectWithWill) };
        let received = connection.receive(Packet::Disconnect(packet)).unwrap();
        assert_eq!(received, Received::Disconnect { reason: ReasonCode::DisconnectWithWill, reason_string: None });
        assert_eq!(connection.session_expiry_secs(), effective);
        assert!(connection.receive(Packet::PingReq).is_err());
    }
}

#[test]
fn a_message_is_written_as_the_client_can_read_it() {
    for version in VERSIONS {
        let mut connection = open(version);
        let mut out = BytesMut::new();
        assert_eq!(connection.deliver(&message(b"hi"), Qos::AtMostOnce, &mut out), Outbound::Sent(None));
        assert_eq!(connection.deliver(&message(b"ho"), Qos::ExactlyOnce, &mut out), Outbound::Sent(Some(id(1))));
        let mut decoder = Decoder::client(version, 1000);
        let second = Publish { payload: Bytes::from_static(b"ho"), ..publish(Delivery::AtLeastOnce(id(1))) };
        assert_eq!(decoder.decode(&mut out), Ok(Some(Packet::Publish(plain()))));
        assert_eq!(decoder.decode(&mut out), Ok(Some(Packet::Publish(second))));
    }
}

#[test]
fn a_message_has_what_is_left_of_its_lifetime() {
    let properties = MessageProperties { message_expiry_interval: Some(100), ..MessageProperties::default() };
    let mut out = BytesMut::new();
    let message = OutboundMessage { properties: &properties, expiry_secs: Some(40), ..message(b"") };
    open(Version::V5).deliver(&message, Qos::AtMostOnce, &mut out);
    assert_eq!(&out[..], b"\x30\x0b\x00\x03a/b\x05\x02\x00\x00\x00\x28");
}

#[test]
fn a_message_larger_than_the_client_takes_is_dropped_and_takes_no_identifier() {
    let mut asked = connect(Version::V5);
    asked.properties.maximum_packet_size = Some(512);
    let (mut connection, _) = Connection::open(&asked, &Arc::new(Settings::default())).unwrap();
    let mut out = BytesMut::new();
    // 1 + 2 for the fixed header, 5 for the topic, 2 for the identifier, 1 for no properties.
    assert_eq!(connection.deliver(&message(&[0; 502]), Qos::AtLeastOnce, &mut out), Outbound::TooLarge);
    assert!(out.is_empty() && connection.in_flight() == 0);
    assert_eq!(connection.deliver(&message(&[0; 501]), Qos::AtLeastOnce, &mut out), Outbound::Sent(Some(id(1))));
    assert_eq!(out.len(), 512);
}

#[test]
fn an_acknowledgement_of_nothing_is_nothing() {
    let mut connection = open(Version::V311);
    assert_eq!(connection.receive(Packet::PubAck(acknowledgement(1))), Ok(Received::Stray));
    connection.deliver(&message(b""), Qos::AtLeastOnce, &mut BytesMut::new());
    let expected = Received::Acknowledged { packet_id: id(1), reason: ReasonCode::Success };
    assert_eq!(connection.receive(Packet::PubAck(acknowledgement(1))), Ok(expected));
    assert_eq!(connection.receive(Packet::PubAck(acknowledgement(1))), Ok(Received::Stray));
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 128, "{} bytes", size_of::<Connection>());
    assert!(size_of::<Packet>() <= 320, "{} bytes", size_of::<Packet>());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_more_than_the_window_is_in_flight_and_identifiers_are_unique(
        receive_maximum in proptest::option::of(1..150u16),
        steps in vec((0..3u8, any::<proptest::sample::Index>()), 0..400),
    ) {
        let mut asked = connect(Version::V5);
        asked.properties.receive_maximum = receive_maximum;
        let (mut connection, _) = Connection::open(&asked, &Arc::new(Settings::default())).unwrap();
        let window = usize::from(receive_maximum.unwrap_or(u16::MAX).min(100));
        let (mut flying, mut seen) = (Vec::new(), HashSet::new());
        let mut out = BytesMut::new();
        for (step, pick) in steps {
            if step == 0 && !flying.is_empty() {
                let packet_id: PacketId = flying.swap_remove(pick.index(flying.len()));
                seen.remove(&packet_id);
                let packet = Packet::PubAck(acknowledgement(packet_id.get()));
                let expected = Received::Acknowledged { packet_id, reason: ReasonCode::Success };
                prop_assert_eq!(connection.receive(packet), Ok(expected));
            } else {
                match connection.deliver(&message(b"x"), Qos::AtLeastOnce, &mut out) {
                    Outbound::Sent(Some(packet_id)) => {
                        prop_assert!(seen.insert(packet_id));
                        flying.push(packet_id);
                    }
                    outcome => {
                        prop_assert_eq!(outcome, Outbound::WindowFull);
                        prop_assert_eq!(flying.len(), window);
                        let free = connection.deliver(&message(b"x"), Qos::AtMostOnce, &mut out);
                        prop_assert_eq!(free, Outbound::Sent(None));
                    }
                }
            }
            prop_assert!(flying.len() <= window);
            prop_assert_eq!(connection.in_flight(), flying.len());
        }
    }
}
