-- Domain configurations: the host names that devices come in under, besides and on top of the endpoints of each scope.

CREATE TABLE domain_configurations (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The last part of the ARN; empty for an endpoint, which has none.
    arn_id TEXT NOT NULL,
    domain_type TEXT NOT NULL,
    -- In lower case. NULL for an endpoint, whose name is computed.
    domain_name TEXT,
    server_certificate_arn TEXT,
    security_policy TEXT NOT NULL,
    authentication_type TEXT NOT NULL,
    application_protocol TEXT NOT NULL,
    status TEXT NOT NULL,
    status_changed_at INTEGER NOT NULL,
    -- Changes with every change.
    generation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
-- A name belongs to one scope of the deployment: whoever came first.
CREATE UNIQUE INDEX domain_configurations_by_domain ON domain_configurations (domain_name)
    WHERE domain_name IS NOT NULL;
