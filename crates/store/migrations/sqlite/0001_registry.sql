-- The first schema. Times are milliseconds since 1970 (UTC), ids are bytes, truth values are 0 and 1.

CREATE TABLE accounts (
    account TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE access_keys (
    access_key_id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    sealed_secret BLOB NOT NULL,
    session_token_sha256 BLOB,
    policy TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX access_keys_by_account ON access_keys (account, access_key_id);

-- What the gate reads: thin, so that most of it stays in memory. The PEM lives next door.
CREATE TABLE certificates (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    status TEXT NOT NULL,
    mode TEXT NOT NULL,
    ca_certificate_id BLOB,
    previous_owned_by TEXT,
    generation_id TEXT NOT NULL,
    customer_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    policy_count INTEGER NOT NULL CHECK (policy_count >= 0),
    thing_count INTEGER NOT NULL CHECK (thing_count >= 0),
    exclusive_thing_count INTEGER NOT NULL CHECK (exclusive_thing_count BETWEEN 0 AND 1),
    PRIMARY KEY (certificate_id, account, region)
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_by_creation ON certificates (account, region, created_at, certificate_id);
-- A certificate in mode DEFAULT belongs to one account of a Region, so that it can be found without SNI.
CREATE UNIQUE INDEX certificates_default_once ON certificates (certificate_id, region) WHERE mode = 'DEFAULT';

CREATE TABLE certificate_pems (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    pem TEXT NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
) STRICT;

CREATE TABLE policies (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    default_version INTEGER NOT NULL,
    next_version INTEGER NOT NULL,
    version_count INTEGER NOT NULL CHECK (version_count >= 0),
    attachment_count INTEGER NOT NULL CHECK (attachment_count >= 0),
    row_version INTEGER NOT NULL,
    generation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX policies_by_creation ON policies (account, region, created_at, name);

CREATE TABLE policy_versions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name, version)
) STRICT;

CREATE TABLE policy_attachments (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    policy_name TEXT NOT NULL,
    attached_at INTEGER NOT NULL,
    PRIMARY KEY (certificate_id, account, region, policy_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_attachments_by_policy
    ON policy_attachments (account, region, policy_name, attached_at, certificate_id);

CREATE TABLE things (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    thing_id TEXT NOT NULL,
    thing_type_name TEXT,
    -- A JSON object of strings; thing_attributes holds the same for searching.
    attributes TEXT NOT NULL,
    version INTEGER NOT NULL,
    principal_count INTEGER NOT NULL CHECK (principal_count >= 0),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX things_by_type ON things (account, region, thing_type_name, name) WHERE thing_type_name IS NOT NULL;

CREATE TABLE thing_attributes (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    thing_name TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, region, thing_name, attribute)
) STRICT, WITHOUT ROWID;
CREATE INDEX thing_attributes_by_value ON thing_attributes (account, region, attribute, value, thing_name);

CREATE TABLE thing_principals (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    thing_name TEXT NOT NULL,
    exclusive INTEGER NOT NULL CHECK (exclusive BETWEEN 0 AND 1),
    attached_at INTEGER NOT NULL,
    PRIMARY KEY (certificate_id, account, region, thing_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX thing_principals_by_thing ON thing_principals (account, region, thing_name, certificate_id);

CREATE TABLE tags (
    arn TEXT NOT NULL PRIMARY KEY,
    -- A JSON object of strings.
    tags TEXT NOT NULL,
    row_version INTEGER NOT NULL
) STRICT;

CREATE TABLE endpoint_prefixes (
    prefix TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    UNIQUE (account, region)
) STRICT;

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE issuances (
    serial BLOB NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    subject_der BLOB NOT NULL,
    tbs_sha256 BLOB NOT NULL,
    requested_at INTEGER NOT NULL,
    certificate_id BLOB
) STRICT;

CREATE TABLE change_log (
    epoch INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    account TEXT NOT NULL,
    region TEXT,
    event TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX change_log_by_time ON change_log (at);
