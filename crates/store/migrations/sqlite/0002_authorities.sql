-- CA certificates, registration codes, transfers between accounts, and the refusals that tell why a device stayed outside.

CREATE TABLE ca_certificates (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    status TEXT NOT NULL,
    auto_registration INTEGER NOT NULL CHECK (auto_registration BETWEEN 0 AND 1),
    mode TEXT NOT NULL,
    subject_sha256 BLOB NOT NULL,
    -- A JSON object; template_name holds its templateName for searching.
    registration_config TEXT,
    template_name TEXT,
    generation_id TEXT NOT NULL,
    customer_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
) STRICT, WITHOUT ROWID;
CREATE INDEX ca_certificates_by_creation ON ca_certificates (account, region, created_at, certificate_id);
CREATE INDEX ca_certificates_by_template
    ON ca_certificates (account, region, template_name, created_at, certificate_id) WHERE template_name IS NOT NULL;
CREATE INDEX ca_certificates_by_subject
    ON ca_certificates (account, region, subject_sha256, created_at, certificate_id);
-- A CA in mode DEFAULT belongs to one account of a Region.
CREATE UNIQUE INDEX ca_certificates_default_once ON ca_certificates (certificate_id, region) WHERE mode = 'DEFAULT';

CREATE TABLE ca_certificate_pems (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    pem TEXT NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
) STRICT;

-- How many CA certificates of a scope have one subject: the number is limited.
CREATE TABLE ca_subjects (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    subject_sha256 BLOB NOT NULL,
    ca_count INTEGER NOT NULL CHECK (ca_count >= 0),
    PRIMARY KEY (account, region, subject_sha256)
) STRICT, WITHOUT ROWID;

CREATE INDEX certificates_by_ca ON certificates (account, region, ca_certificate_id, created_at, certificate_id)
    WHERE ca_certificate_id IS NOT NULL;

CREATE TABLE registration_codes (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    code TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

-- The last transfer of a certificate, under the key that the certificate has now.
CREATE TABLE transfers (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    -- The certificate's created_at, which never changes: it orders the offers in the lists of those they are made to.
    certificate_created_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    transfer_message TEXT,
    transfer_date INTEGER NOT NULL,
    accept_date INTEGER,
    reject_date INTEGER,
    reject_reason TEXT,
    is_pending INTEGER NOT NULL CHECK (is_pending BETWEEN 0 AND 1),
    PRIMARY KEY (certificate_id, account, region)
) STRICT, WITHOUT ROWID;
CREATE INDEX transfers_outgoing ON transfers (account, region, transfer_date, certificate_id) WHERE is_pending = 1;
CREATE INDEX transfers_incoming ON transfers (target, region, certificate_created_at, certificate_id)
    WHERE is_pending = 1;
-- One account is offered a certificate by one other at a time, so that an id says which offer is meant.
CREATE UNIQUE INDEX transfers_offered_once ON transfers (certificate_id, target, region) WHERE is_pending = 1;

CREATE TABLE refusals (
    refusal INTEGER PRIMARY KEY AUTOINCREMENT,
    certificate_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    account TEXT,
    region TEXT,
    client_id TEXT,
    source_ip TEXT NOT NULL,
    source_port INTEGER NOT NULL,
    sni TEXT
) STRICT;
CREATE INDEX refusals_by_certificate ON refusals (certificate_id, at, refusal);
CREATE INDEX refusals_by_time ON refusals (at, refusal);
