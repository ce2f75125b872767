-- Fleet provisioning: certificates that are nobody's yet, and claims. Refusals that say more.

CREATE TABLE unclaimed_certificates (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
) STRICT, WITHOUT ROWID;
CREATE INDEX unclaimed_certificates_by_end ON unclaimed_certificates (expires_at, certificate_id);

CREATE TABLE provisioning_claims (
    certificate_id BLOB NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    template_name TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    PRIMARY KEY (certificate_id, account, region)
) STRICT, WITHOUT ROWID;
CREATE INDEX provisioning_claims_by_end ON provisioning_claims (not_after);

-- What there is to say of a refusal beyond its reason.
ALTER TABLE refusals ADD COLUMN details TEXT;
