-- Registry events: which a scope wants published, and those that are still to be published.

CREATE TABLE event_configurations (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    -- A JSON array of the types that are on.
    enabled TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    -- Grows by one with every change.
    row_version BIGINT NOT NULL,
    PRIMARY KEY (account, region)
);

-- A row leaves when its message is safe with everybody who must get it. No id comes twice.
CREATE TABLE registry_messages (
    message_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    topic TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    told_at BIGINT NOT NULL
);
CREATE INDEX registry_messages_by_scope ON registry_messages (account, region, message_id);
CREATE INDEX registry_messages_by_time ON registry_messages (told_at);
