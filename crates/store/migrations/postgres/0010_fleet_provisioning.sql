-- Fleet provisioning: certificates that are nobody's yet, and claims. Refusals that say more.

CREATE TABLE unclaimed_certificates (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
);
CREATE INDEX unclaimed_certificates_by_end ON unclaimed_certificates (expires_at, certificate_id);

CREATE TABLE provisioning_claims (
    certificate_id BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    template_name TEXT COLLATE "C" NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
);
CREATE INDEX provisioning_claims_by_end ON provisioning_claims (not_after);

-- What there is to say of a refusal beyond its reason.
ALTER TABLE refusals ADD COLUMN details TEXT COLLATE "C";
