//! The will: published for a device that goes without a word, and never for one that has lost its rights.

use gatehouse_mqtt::packet::{Connect, Will};
use gatehouse_mqtt::{Delivery, MessageProperties, Qos, ReasonCode, Version};

use crate::harness::{ALLOW_ALL, Answer, Client, Device, Gate, Key, Registrar, home, publish, text};

const NO_PUBLISH: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},
    {"Effect":"Deny","Action":"iot:Publish","Resource":"*"}]}"#;

fn with_will(version: Version, topic: &str) -> Connect {
    let will = Will {
        topic: text(topic),
        payload: "gone".into(),
        qos: Qos::AtLeastOnce,
        retain: false,
        delay_interval: None,
        properties: MessageProperties::NONE,
    };
    Connect { will: Some(will), ..Connect::new(version, text("mortal")) }
}

/// A gate with a device that has a policy of its own and has left a will to `wills`, and a listener to that topic.
struct Story {
    gate: Gate,
    device: Device,
    mortal: Client,
    listener: Client,
}

async fn story(version: Version) -> Story {
    let gate = Gate::open().await;
    let mut listener = gate.client("listener").await;
    listener.subscribe("wills").await;
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    gate.registrar.make_policy(home(), "mine", ALLOW_ALL).await;
    gate.registrar.attach(home(), "mine", device.id).await;
    let mut call = gate.call(&device);
    call.mqtt = version;
    let mortal = call.connect_with(with_will(version, "wills")).await.accepted();
    gate.until(|gate| gate.connections() == 2).await;
    Story { gate, device, mortal, listener }
}

impl Story {
    async fn the_will_is_published(mut self) {
        assert_eq!(self.listener.payload().await, "gone");
        self.gate.until(|gate| gate.connections() == 1).await;
        self.listener.hears_nothing().await;
    }

    async fn no_will_is_published(mut self) {
        self.gate.until(|gate| gate.connections() == 1).await;
        self.listener.hears_nothing().await;
    }
}

const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

#[tokio::test]
async fn a_lost_device_leaves_its_will() {
    for version in VERSIONS {
        let Story { gate, device, mortal, listener } = story(version).await;
        let mut mortal = mortal;
        mortal.hears_nothing().await;
        mortal.vanish();
        let told = async {
            let mut listener = listener;
            assert_eq!(listener.payload().await, "gone");
        };
        told.await;
        drop((gate, device));
    }
}

#[tokio::test]
async fn a_device_that_says_goodbye_leaves_none() {
    for version in VERSIONS {
        let Story { gate, device, mortal, listener } = story(version).await;
        mortal.disconnect(ReasonCode::Success).await;
        let mortal = gate.connect(&device, "another").await;
        Story { gate, device, mortal, listener }.no_will_is_published_after().await;
    }
}

impl Story {
    /// As `no_will_is_published`, with one more connection than the listener's.
    async fn no_will_is_published_after(mut self) {
        self.gate.until(|gate| gate.connections() == 2).await;
        self.mortal.hears_nothing().await;
        self.listener.hears_nothing().await;
    }
}

#[tokio::test]
async fn a_goodbye_with_will_publishes_it() {
    let Story { gate, device, mortal, listener } = story(Version::V5).await;
    mortal.disconnect(ReasonCode::DisconnectWithWill).await;
    let mortal = gate.connect(&device, "another").await;
    let mut story = Story { gate, device, mortal, listener };
    assert_eq!(story.listener.payload().await, "gone");
    story.mortal.hears_nothing().await;
}

#[tokio::test]
async fn a_device_that_breaks_the_protocol_leaves_its_will() {
    let mut story = story(Version::V5).await;
    story.mortal.send(&publish(Delivery::ExactlyOnce(crate::harness::id(1)), "t", "")).await;
    assert_eq!(story.mortal.until_closed().await.unwrap().0, 0x9b);
    story.the_will_is_published().await;
}

#[tokio::test]
async fn a_device_that_is_taken_over_leaves_its_will() {
    let mut story = story(Version::V5).await;
    let _heir = story.gate.connect(&story.device, "mortal").await;
    assert_eq!(story.mortal.until_closed().await.unwrap().0, 0x8e);
    assert_eq!(story.listener.payload().await, "gone");
}

#[tokio::test]
async fn a_revoked_device_leaves_no_will() {
    for version in VERSIONS {
        let mut story = story(version).await;
        story.gate.registrar.revoke(home(), story.device.id).await;
        drop(story.mortal.until_closed().await);
        story.no_will_is_published().await;
    }
}

#[tokio::test]
async fn a_deleted_device_leaves_no_will() {
    let mut story = story(Version::V5).await;
    story.gate.registrar.delete(home(), story.device.id).await;
    drop(story.mortal.until_closed().await);
    story.no_will_is_published().await;
}

#[tokio::test]
async fn a_will_that_policies_have_forbidden_since_is_not_published() {
    let story = story(Version::V5).await;
    story.gate.registrar.put_in_force(home(), "mine", NO_PUBLISH).await;
    let Story { gate, device, mortal, listener } = story;
    mortal.vanish();
    gate.until(|gate| gate.connections() == 1).await;
    let mortal = gate.connect(&device, "another").await;
    Story { gate, device, mortal, listener }.no_will_is_published_after().await;
}

#[tokio::test]
async fn a_will_of_a_device_without_policies_is_not_published() {
    let story = story(Version::V5).await;
    story.gate.registrar.detach(home(), "mine", story.device.id).await;
    let Story { gate, mortal, mut listener, .. } = story;
    mortal.vanish();
    gate.until(|gate| gate.connections() == 1).await;
    listener.hears_nothing().await;
}

#[tokio::test]
async fn a_will_that_may_not_be_published_is_refused_with_the_connect() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let refuse = |answer: Answer| answer.explained().0;
    for (topic, code) in [("$aws/things/x/shadow/update", 0x90), ("$mine", 0x90), ("a/+", 0x90), ("a/#", 0x90)] {
        let connect = with_will(Version::V5, topic);
        assert_eq!(refuse(gate.call(&device).connect_with(connect).await), code, "{topic}");
    }
    gate.registrar.put_in_force(home(), "all", NO_PUBLISH).await;
    assert_eq!(refuse(gate.call(&device).connect_with(with_will(Version::V5, "wills")).await), 0x87);
    let older = gate.call(&device).mqtt311().connect_with(with_will(Version::V311, "wills")).await;
    assert_eq!(older.refused(), [0x20, 2, 0, 5]);
    assert_eq!(gate.refusals("policy-denied"), 2);
    gate.connect(&device, "mortal").await.hears_nothing().await;
}
