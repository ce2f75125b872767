-- Registry events: which a scope wants published, and those that are still to be published.

CREATE TABLE event_configurations (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    -- A JSON array of the types that are on.
    enabled TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    -- Grows by one with every change.
    row_version INTEGER NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

-- A row leaves when its message is safe with everybody who must get it. No id comes twice.
CREATE TABLE registry_messages (
    message_id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    topic TEXT NOT NULL,
    payload TEXT NOT NULL,
    told_at INTEGER NOT NULL
) STRICT;
CREATE INDEX registry_messages_by_scope ON registry_messages (account, region, message_id);
CREATE INDEX registry_messages_by_time ON registry_messages (told_at);
