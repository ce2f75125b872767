-- The first schema. Times are milliseconds since 1970 (UTC), ids are bytes, truth values are 0 and 1.
-- Text sorts byte by byte (collation "C"), as it does on the other engine: lists and their markers depend on it.

CREATE TABLE accounts (
    account TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE access_keys (
    access_key_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    sealed_secret BYTEA NOT NULL,
    session_token_sha256 BYTEA,
    policy TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX access_keys_by_account ON access_keys (account, access_key_id);

-- What the gate reads: thin, so that most of it stays in memory. The PEM lives next door.
CREATE TABLE certificates (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    mode TEXT COLLATE "C" NOT NULL,
    ca_certificate_id BYTEA,
    previous_owned_by TEXT COLLATE "C",
    generation_id TEXT COLLATE "C" NOT NULL,
    customer_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    policy_count BIGINT NOT NULL CHECK (policy_count >= 0),
    thing_count BIGINT NOT NULL CHECK (thing_count >= 0),
    exclusive_thing_count BIGINT NOT NULL CHECK (exclusive_thing_count BETWEEN 0 AND 1),
    PRIMARY KEY (certificate_id, account, region)
);
CREATE INDEX certificates_by_creation ON certificates (account, region, created_at, certificate_id);
-- A certificate in mode DEFAULT belongs to one account of a Region, so that it can be found without SNI.
CREATE UNIQUE INDEX certificates_default_once ON certificates (certificate_id, region) WHERE mode = 'DEFAULT';

CREATE TABLE certificate_pems (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    pem TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
);

CREATE TABLE policies (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    default_version BIGINT NOT NULL,
    next_version BIGINT NOT NULL,
    version_count BIGINT NOT NULL CHECK (version_count >= 0),
    attachment_count BIGINT NOT NULL CHECK (attachment_count >= 0),
    row_version BIGINT NOT NULL,
    generation_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX policies_by_creation ON policies (account, region, created_at, name);

CREATE TABLE policy_versions (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name, version)
);

CREATE TABLE policy_attachments (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    policy_name TEXT COLLATE "C" NOT NULL,
    attached_at BIGINT NOT NULL,
    PRIMARY KEY (certificate_id, account, region, policy_name)
);
CREATE INDEX policy_attachments_by_policy
    ON policy_attachments (account, region, policy_name, attached_at, certificate_id);

CREATE TABLE things (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    thing_id TEXT COLLATE "C" NOT NULL,
    thing_type_name TEXT COLLATE "C",
    -- A JSON object of strings; thing_attributes holds the same for searching.
    attributes TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    principal_count BIGINT NOT NULL CHECK (principal_count >= 0),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX things_by_type ON things (account, region, thing_type_name, name) WHERE thing_type_name IS NOT NULL;

CREATE TABLE thing_attributes (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    thing_name TEXT COLLATE "C" NOT NULL,
    attribute TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, region, thing_name, attribute)
);
CREATE INDEX thing_attributes_by_value ON thing_attributes (account, region, attribute, value, thing_name);

CREATE TABLE thing_principals (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    thing_name TEXT COLLATE "C" NOT NULL,
    exclusive BIGINT NOT NULL CHECK (exclusive BETWEEN 0 AND 1),
    attached_at BIGINT NOT NULL,
    PRIMARY KEY (certificate_id, account, region, thing_name)
);
CREATE INDEX thing_principals_by_thing ON thing_principals (account, region, thing_name, certificate_id);

CREATE TABLE tags (
    arn TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- A JSON object of strings.
    tags TEXT COLLATE "C" NOT NULL,
    row_version BIGINT NOT NULL
);

CREATE TABLE endpoint_prefixes (
    prefix TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    UNIQUE (account, region)
);

CREATE TABLE settings (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE issuances (
    serial BYTEA NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    subject_der BYTEA NOT NULL,
    tbs_sha256 BYTEA NOT NULL,
    requested_at BIGINT NOT NULL,
    certificate_id BYTEA
);

CREATE TABLE change_log (
    epoch BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C",
    event TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL
);
CREATE INDEX change_log_by_time ON change_log (at);
