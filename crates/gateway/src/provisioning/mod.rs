//! Fleet provisioning over MQTT.

mod payload;
