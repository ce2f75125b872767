//! What the server offers and where it stops, handed in by its owner.

/// The limits and offers of one server. The values of AWS stand in "AWS IoT Core endpoints and quotas", message broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Shortest keep-alive, in seconds; shorter ones become this.
    pub keep_alive_min_secs: u16,
    /// Longest keep-alive, in seconds; longer ones and 0 become this.
    pub keep_alive_max_secs: u16,
    /// Largest variable header and payload together, in bytes; told to MQTT 5 clients as Maximum Packet Size.
    pub packet_bytes_max: u32,
    /// Smallest Maximum Packet Size that a client may ask for, in bytes.
    pub client_packet_bytes_min: u32,
    /// Largest payload of a message, in bytes.
    pub payload_bytes_max: usize,
    /// Unacknowledged QoS 1 messages from the client; told to MQTT 5 clients as Receive Maximum.
    pub receive_maximum: u16,
    /// Unacknowledged QoS 1 messages to the client; a client's lower Receive Maximum wins.
    pub in_flight_max: u16,
    /// Highest topic alias that the client may use.
    pub topic_alias_maximum: u16,
    /// Longest topic name that may get an alias, in bytes: it is kept for as long as the connection lasts.
    pub aliased_topic_bytes_max: usize,
    /// Filters in one SUBSCRIBE or UNSUBSCRIBE.
    pub filters_max: usize,
    /// Largest Content Type, in bytes.
    pub content_type_bytes_max: usize,
    /// Largest Correlation Data, in bytes.
    pub correlation_data_bytes_max: usize,
    /// Names and values of a packet's user properties together, in bytes.
    pub user_properties_bytes_max: usize,
    /// Longest Message Expiry Interval, in seconds; longer ones become this.
    pub message_expiry_max_secs: u32,
    /// Longest time that a session outlives its connection, in seconds; 0 ends sessions with their connection.
    pub session_expiry_max_secs: u32,
    /// Are retained messages kept?
    pub retain_available: bool,
    /// Are `$share/…` filters served? Told to the client here; the caller refuses such a filter with
    /// [`SharedSubscriptionsNotSupported`](crate::ReasonCode::SharedSubscriptionsNotSupported).
    pub shared_subscription_available: bool,
    /// What a will in CONNECT leads to.
    pub wills: Wills,
}

/// What a will in CONNECT leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wills {
    /// The connection is refused.
    Refused,
    /// The connection is taken and the will is not published.
    Ignored,
    /// The will is published by the rules.
    Kept,
}

impl Default for Settings {
    /// AWS's numbers, without what needs stored sessions, retained messages, wills or shared groups.
    fn default() -> Self {
        Self {
            keep_alive_min_secs: 30,
            keep_alive_max_secs: 1200,
            packet_bytes_max: 146 * 1024,
            client_packet_bytes_min: 512,
            payload_bytes_max: 128 * 1024,
            receive_maximum: 100,
            in_flight_max: 100,
            topic_alias_maximum: 8,
            aliased_topic_bytes_max: 512,
            filters_max: 8,
            content_type_bytes_max: 256,
            correlation_data_bytes_max: 8 * 1024,
            user_properties_bytes_max: 8 * 1024,
            message_expiry_max_secs: 604_800,
            session_expiry_max_secs: 0,
            retain_available: false,
            shared_subscription_available: false,
            wills: Wills::Ignored,
        }
    }
}
