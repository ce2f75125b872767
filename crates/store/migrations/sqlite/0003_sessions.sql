-- What outlives a connection: sessions, their subscriptions, the messages that wait for them, and retained messages.

CREATE TABLE sessions (
    session_id BLOB NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    client_id TEXT NOT NULL,
    -- The version of MQTT that the session was made with: 4 is 3.1.1.
    protocol_level INTEGER NOT NULL,
    expiry_secs INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- The three are NULL while the client is connected.
    disconnected_at INTEGER,
    disconnect_reason TEXT,
    expires_at INTEGER,
    UNIQUE (account, region, client_id)
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE session_subscriptions (
    session_id BLOB NOT NULL,
    filter TEXT NOT NULL,
    qos INTEGER NOT NULL CHECK (qos BETWEEN 0 AND 1),
    no_local INTEGER NOT NULL CHECK (no_local BETWEEN 0 AND 1),
    retain_as_published INTEGER NOT NULL CHECK (retain_as_published BETWEEN 0 AND 1),
    subscribed_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, filter)
) STRICT, WITHOUT ROWID;

-- One row for each message and session. Keys grow with time, so that they are the order of delivery.
CREATE TABLE queued_messages (
    session_id BLOB NOT NULL,
    message_key BLOB NOT NULL,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    is_retained INTEGER NOT NULL CHECK (is_retained BETWEEN 0 AND 1),
    published_at INTEGER NOT NULL,
    expires_at INTEGER,
    payload_format INTEGER,
    content_type TEXT,
    response_topic TEXT,
    correlation_data BLOB,
    -- A JSON array of pairs of strings.
    user_properties TEXT,
    PRIMARY KEY (session_id, message_key)
) STRICT;

CREATE TABLE retained_messages (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    qos INTEGER NOT NULL CHECK (qos BETWEEN 0 AND 1),
    published_at INTEGER NOT NULL,
    expires_at INTEGER,
    payload_format INTEGER,
    content_type TEXT,
    response_topic TEXT,
    correlation_data BLOB,
    user_properties TEXT,
    PRIMARY KEY (account, region, topic)
) STRICT;
CREATE INDEX retained_messages_by_expiry ON retained_messages (expires_at) WHERE expires_at IS NOT NULL;

-- How many retained messages a scope has: the number is limited.
CREATE TABLE retained_counts (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    retained_count INTEGER NOT NULL CHECK (retained_count >= 0),
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
