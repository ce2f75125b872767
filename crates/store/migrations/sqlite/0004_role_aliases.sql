-- Role aliases, and the credentials that devices get by them.

CREATE TABLE role_aliases (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    alias TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    duration_secs INTEGER NOT NULL,
    -- Changes with every change.
    generation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, alias)
) STRICT, WITHOUT ROWID;

-- How many of each limited kind a scope has.
CREATE TABLE scope_counts (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    item_count INTEGER NOT NULL CHECK (item_count >= 0),
    PRIMARY KEY (account, region, kind)
) STRICT, WITHOUT ROWID;

-- The device that a temporary access key was given to.
ALTER TABLE access_keys ADD COLUMN device_certificate_id BLOB;
ALTER TABLE access_keys ADD COLUMN device_thing_name TEXT;
ALTER TABLE access_keys ADD COLUMN device_thing_type_name TEXT;
CREATE INDEX access_keys_by_end ON access_keys (expires_at) WHERE expires_at IS NOT NULL;
