-- Role aliases, and the credentials that devices get by them.

CREATE TABLE role_aliases (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    alias TEXT COLLATE "C" NOT NULL,
    role_arn TEXT COLLATE "C" NOT NULL,
    duration_secs BIGINT NOT NULL,
    -- Changes with every change.
    generation_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, alias)
);

-- How many of each limited kind a scope has.
CREATE TABLE scope_counts (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    item_count BIGINT NOT NULL CHECK (item_count >= 0),
    PRIMARY KEY (account, region, kind)
);

-- The device that a temporary access key was given to.
ALTER TABLE access_keys ADD COLUMN device_certificate_id BYTEA;
ALTER TABLE access_keys ADD COLUMN device_thing_name TEXT COLLATE "C";
ALTER TABLE access_keys ADD COLUMN device_thing_type_name TEXT COLLATE "C";
CREATE INDEX access_keys_by_end ON access_keys (expires_at) WHERE expires_at IS NOT NULL;
