//! Why a connection ended, in the words of AWS's lifecycle events ("Lifecycle events", AWS IoT Core developer guide).

use std::fmt;

/// The reason of a disconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The holder of the certificate may not be connected any more.
    AuthError,
    /// The client said goodbye.
    ClientInitiated,
    /// The client broke a rule.
    ClientError,
    /// The socket is gone.
    ConnectionLost,
    /// Another connection came with the same client id.
    DuplicateClientId,
    /// The client was silent for one and a half keep-alives.
    KeepAliveTimeout,
    /// The server failed.
    ServerError,
    /// The server stops.
    ServerInitiated,
    /// DeleteConnection.
    ApiInitiated,
    /// The client takes its messages too slowly, or sends too fast.
    Throttled,
    /// A WebSocket has lived as long as it may.
    WebSocketTtl,
}

impl DisconnectReason {
    /// AWS's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthError => "AUTH_ERROR",
            Self::ClientInitiated => "CLIENT_INITIATED_DISCONNECT",
            Self::ClientError => "CLIENT_ERROR",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::DuplicateClientId => "DUPLICATE_CLIENTID",
            Self::KeepAliveTimeout => "MQTT_KEEP_ALIVE_TIMEOUT",
            Self::ServerError => "SERVER_ERROR",
            Self::ServerInitiated => "SERVER_INITIATED_DISCONNECT",
            Self::ApiInitiated => "API_INITIATED_DISCONNECT",
            Self::Throttled => "THROTTLED",
            Self::WebSocketTtl => "WEBSOCKET_TTL_EXPIRATION",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
