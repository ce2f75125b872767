-- CA certificates, registration codes, transfers between accounts, and the refusals that tell why a device stayed outside.

CREATE TABLE ca_certificates (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    auto_registration BIGINT NOT NULL CHECK (auto_registration BETWEEN 0 AND 1),
    mode TEXT COLLATE "C" NOT NULL,
    subject_sha256 BYTEA NOT NULL,
    -- A JSON object; template_name holds its templateName for searching.
    registration_config TEXT COLLATE "C",
    template_name TEXT COLLATE "C",
    generation_id TEXT COLLATE "C" NOT NULL,
    customer_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
);
CREATE INDEX ca_certificates_by_creation ON ca_certificates (account, region, created_at, certificate_id);
CREATE INDEX ca_certificates_by_template
    ON ca_certificates (account, region, template_name, created_at, certificate_id) WHERE template_name IS NOT NULL;
CREATE INDEX ca_certificates_by_subject
    ON ca_certificates (account, region, subject_sha256, created_at, certificate_id);
-- A CA in mode DEFAULT belongs to one account of a Region.
CREATE UNIQUE INDEX ca_certificates_default_once ON ca_certificates (certificate_id, region) WHERE mode = 'DEFAULT';

CREATE TABLE ca_certificate_pems (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    pem TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
);

-- How many CA certificates of a scope have one subject: the number is limited.
CREATE TABLE ca_subjects (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    subject_sha256 BYTEA NOT NULL,
    ca_count BIGINT NOT NULL CHECK (ca_count >= 0),
    PRIMARY KEY (account, region, subject_sha256)
);

CREATE INDEX certificates_by_ca ON certificates (account, region, ca_certificate_id, created_at, certificate_id)
    WHERE ca_certificate_id IS NOT NULL;

CREATE TABLE registration_codes (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region)
);

-- The last transfer of a certificate, under the key that the certificate has now.
CREATE TABLE transfers (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    -- The certificate's created_at, which never changes: it orders the offers in the lists of those they are made to.
    certificate_created_at BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    transfer_message TEXT COLLATE "C",
    transfer_date BIGINT NOT NULL,
    accept_date BIGINT,
    reject_date BIGINT,
    reject_reason TEXT COLLATE "C",
    is_pending BIGINT NOT NULL CHECK (is_pending BETWEEN 0 AND 1),
    PRIMARY KEY (certificate_id, account, region)
);
CREATE INDEX transfers_outgoing ON transfers (account, region, transfer_date, certificate_id) WHERE is_pending = 1;
CREATE INDEX transfers_incoming ON transfers (target, region, certificate_created_at, certificate_id)
    WHERE is_pending = 1;
-- One account is offered a certificate by one other at a time, so that an id says which offer is meant.
CREATE UNIQUE INDEX transfers_offered_once ON transfers (certificate_id, target, region) WHERE is_pending = 1;

CREATE TABLE refusals (
    refusal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    certificate_id BYTEA NOT NULL,
    at BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C",
    region TEXT COLLATE "C",
    client_id TEXT COLLATE "C",
    source_ip TEXT COLLATE "C" NOT NULL,
    source_port BIGINT NOT NULL,
    sni TEXT COLLATE "C"
);
CREATE INDEX refusals_by_certificate ON refusals (certificate_id, at, refusal);
CREATE INDEX refusals_by_time ON refusals (at, refusal);
