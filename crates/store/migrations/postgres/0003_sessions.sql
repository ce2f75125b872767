-- What outlives a connection: sessions, their subscriptions, the messages that wait for them, and retained messages.

CREATE TABLE sessions (
    session_id BYTEA NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    -- The version of MQTT that the session was made with: 4 is 3.1.1.
    protocol_level BIGINT NOT NULL,
    expiry_secs BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The three are NULL while the client is connected.
    disconnected_at BIGINT,
    disconnect_reason TEXT COLLATE "C",
    expires_at BIGINT,
    UNIQUE (account, region, client_id)
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE session_subscriptions (
    session_id BYTEA NOT NULL,
    filter TEXT COLLATE "C" NOT NULL,
    qos BIGINT NOT NULL CHECK (qos BETWEEN 0 AND 1),
    no_local BIGINT NOT NULL CHECK (no_local BETWEEN 0 AND 1),
    retain_as_published BIGINT NOT NULL CHECK (retain_as_published BETWEEN 0 AND 1),
    subscribed_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, filter)
);

-- One row for each message and session. Keys grow with time, so that they are the order of delivery.
CREATE TABLE queued_messages (
    session_id BYTEA NOT NULL,
    message_key BYTEA NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    payload BYTEA NOT NULL,
    is_retained BIGINT NOT NULL CHECK (is_retained BETWEEN 0 AND 1),
    published_at BIGINT NOT NULL,
    expires_at BIGINT,
    payload_format BIGINT,
    content_type TEXT COLLATE "C",
    response_topic TEXT COLLATE "C",
    correlation_data BYTEA,
    -- A JSON array of pairs of strings.
    user_properties TEXT COLLATE "C",
    PRIMARY KEY (session_id, message_key)
);

CREATE TABLE retained_messages (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    payload BYTEA NOT NULL,
    qos BIGINT NOT NULL CHECK (qos BETWEEN 0 AND 1),
    published_at BIGINT NOT NULL,
    expires_at BIGINT,
    payload_format BIGINT,
    content_type TEXT COLLATE "C",
    response_topic TEXT COLLATE "C",
    correlation_data BYTEA,
    user_properties TEXT COLLATE "C",
    PRIMARY KEY (account, region, topic)
);
CREATE INDEX retained_messages_by_expiry ON retained_messages (expires_at) WHERE expires_at IS NOT NULL;

-- How many retained messages a scope has: the number is limited.
CREATE TABLE retained_counts (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    retained_count BIGINT NOT NULL CHECK (retained_count >= 0),
    PRIMARY KEY (account, region)
);
