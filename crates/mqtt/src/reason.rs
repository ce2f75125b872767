//! The reason codes of MQTT 5 (section 2.4), and what of them MQTT 3.1.1 can say.

use crate::packet::PacketType;

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal in $packets:expr;)*) => {
        /// Why something was done or refused. From 0x80 on, a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $($(#[$doc])* $name = $value,)*
        }

        impl ReasonCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code of this value, if MQTT 5 has one.
            #[must_use]
            pub const fn from_value(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$name),)*
                    _ => None,
                }
            }

            const fn packets(self) -> u8 {
                match self {
                    $(Self::$name => $packets,)*
                }
            }
        }
    };
}

const CONNACK: u8 = 1;
/// PUBACK and PUBREC.
const PUBACK: u8 = 2;
/// PUBREL and PUBCOMP.
const PUBREL: u8 = 4;
const SUBACK: u8 = 8;
const UNSUBACK: u8 = 16;
const DISCONNECT: u8 = 32;
const AUTH: u8 = 64;
const SUBSCRIBING: u8 = SUBACK | UNSUBACK;
const ANYWHERE: u8 = CONNACK | PUBACK | SUBSCRIBING | DISCONNECT;

reason_codes! {
    /// Success; in DISCONNECT: normal disconnection; in SUBACK: granted QoS 0.
    Success = 0x00 in ANYWHERE | PUBREL | AUTH;
    /// Granted QoS 1.
    GrantedQos1 = 0x01 in SUBACK;
    /// Granted QoS 2.
    GrantedQos2 = 0x02 in SUBACK;
    /// The client ends the connection and wants its will published.
    DisconnectWithWill = 0x04 in DISCONNECT;
    /// Accepted, and nobody is subscribed.
    NoMatchingSubscribers = 0x10 in PUBACK;
    /// There was no such subscription to remove.
    NoSubscriptionExisted = 0x11 in UNSUBACK;
    /// Next step of enhanced authentication.
    ContinueAuthentication = 0x18 in AUTH;
    /// Enhanced authentication begins again.
    ReAuthenticate = 0x19 in AUTH;
    /// No reason that may or can be told.
    UnspecifiedError = 0x80 in ANYWHERE;
    /// The packet cannot be parsed.
    MalformedPacket = 0x81 in CONNACK | DISCONNECT;
    /// The packet can be parsed and is not allowed, or not here.
    ProtocolError = 0x82 in CONNACK | DISCONNECT;
    /// Valid, and not taken by this server.
    ImplementationSpecificError = 0x83 in ANYWHERE;
    /// A protocol version that is not served.
    UnsupportedProtocolVersion = 0x84 in CONNACK;
    /// A client identifier that is not allowed.
    ClientIdentifierNotValid = 0x85 in CONNACK;
    /// Unknown user name, or wrong password.
    BadUserNameOrPassword = 0x86 in CONNACK;
    /// Not authorized.
    NotAuthorized = 0x87 in ANYWHERE;
    /// The server is not available.
    ServerUnavailable = 0x88 in CONNACK;
    /// The server is busy.
    ServerBusy = 0x89 in CONNACK | DISCONNECT;
    /// The client is banned.
    Banned = 0x8A in CONNACK;
    /// The server is shutting down.
    ServerShuttingDown = 0x8B in DISCONNECT;
    /// An authentication method that is not served.
    BadAuthenticationMethod = 0x8C in CONNACK | DISCONNECT;
    /// Silent for one and a half times the keep-alive.
    KeepAliveTimeout = 0x8D in DISCONNECT;
    /// Another connection with this client identifier was made.
    SessionTakenOver = 0x8E in DISCONNECT;
    /// A filter that is well formed as a string and not accepted.
    TopicFilterInvalid = 0x8F in SUBSCRIBING | DISCONNECT;
    /// A topic name that is well formed as a string and not accepted.
    TopicNameInvalid = 0x90 in CONNACK | PUBACK | DISCONNECT;
    /// The packet identifier is in use.
    PacketIdentifierInUse = 0x91 in PUBACK | SUBSCRIBING;
    /// The packet identifier is not known.
    PacketIdentifierNotFound = 0x92 in PUBREL;
    /// More unacknowledged publishes than the Receive Maximum.
    ReceiveMaximumExceeded = 0x93 in DISCONNECT;
    /// A topic alias of 0 or above the Topic Alias Maximum.
    TopicAliasInvalid = 0x94 in DISCONNECT;
    /// Larger than the Maximum Packet Size.
    PacketTooLarge = 0x95 in CONNACK | DISCONNECT;
    /// Messages come too fast.
    MessageRateTooHigh = 0x96 in DISCONNECT;
    /// A quota or limit is exceeded.
    QuotaExceeded = 0x97 in CONNACK | PUBACK | SUBACK | DISCONNECT;
    /// Ended by an administrator.
    AdministrativeAction = 0x98 in DISCONNECT;
    /// The payload is not what the Payload Format Indicator says.
    PayloadFormatInvalid = 0x99 in CONNACK | PUBACK | DISCONNECT;
    /// Retained messages are not served.
    RetainNotSupported = 0x9A in CONNACK | DISCONNECT;
    /// A QoS above the Maximum QoS.
    QosNotSupported = 0x9B in CONNACK | DISCONNECT;
    /// For now, use another server.
    UseAnotherServer = 0x9C in CONNACK | DISCONNECT;
    /// For good, use another server.
    ServerMoved = 0x9D in CONNACK | DISCONNECT;
    /// Shared subscriptions are not served.
    SharedSubscriptionsNotSupported = 0x9E in SUBACK | DISCONNECT;
    /// Connections come too fast.
    ConnectionRateExceeded = 0x9F in CONNACK | DISCONNECT;
    /// The connection has lasted as long as it may.
    MaximumConnectTime = 0xA0 in DISCONNECT;
    /// Subscription identifiers are not served.
    SubscriptionIdentifiersNotSupported = 0xA1 in SUBACK | DISCONNECT;
    /// Wildcard subscriptions are not served.
    WildcardSubscriptionsNotSupported = 0xA2 in SUBACK | DISCONNECT;
}

impl ReasonCode {
    /// The byte on the wire of MQTT 5.
    #[must_use]
    pub const fn value(self) -> u8 {
        self as u8
    }

    /// Does it refuse something?
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        self.value() >= 0x80
    }

    /// May a packet of this type carry it (MQTT 5, table 2-6)?
    #[must_use]
    pub const fn is_allowed_in(self, packet: PacketType) -> bool {
        let set = match packet {
            PacketType::ConnAck => CONNACK,
            PacketType::PubAck | PacketType::PubRec => PUBACK,
            PacketType::PubRel | PacketType::PubComp => PUBREL,
            PacketType::SubAck => SUBACK,
            PacketType::UnsubAck => UNSUBACK,
            PacketType::Disconnect => DISCONNECT,
            PacketType::Auth => AUTH,
            _ => 0,
        };
        self.packets() & set != 0
    }

    /// The CONNACK return code of MQTT 3.1.1 that says it; `None` where the connection is closed without CONNACK
    /// ([MQTT-3.2.2-6] of 3.1.1).
    #[must_use]
    pub const fn connack_return_code(self) -> Option<u8> {
        match self {
            Self::Success => Some(0),
            Self::UnsupportedProtocolVersion => Some(1),
            Self::ClientIdentifierNotValid => Some(2),
            Self::ServerUnavailable | Self::ServerBusy | Self::QuotaExceeded | Self::ConnectionRateExceeded => Some(3),
            Self::BadUserNameOrPassword => Some(4),
            Self::NotAuthorized | Self::Banned | Self::BadAuthenticationMethod => Some(5),
            _ => None,
        }
    }

    /// What a CONNACK return code of MQTT 3.1.1 says.
    #[must_use]
    pub const fn from_connack_return_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_from_its_value() {
        for value in 0..=u8::MAX {
            assert!(ReasonCode::from_value(value).is_none_or(|code| code.value() == value));
        }
        assert_eq!(ReasonCode::ALL.len(), 43);
    }

    #[test]
    fn every_return_code_of_connack_comes_back() {
        for code in 0..=5 {
            let reason = ReasonCode::from_connack_return_code(code).unwrap();
            assert_eq!(reason.connack_return_code(), Some(code));
        }
        assert_eq!(ReasonCode::from_connack_return_code(6), None);
    }
}
