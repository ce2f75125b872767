-- Domain configurations: the host names that devices come in under, besides and on top of the endpoints of each scope.

CREATE TABLE domain_configurations (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    -- The last part of the ARN; empty for an endpoint, which has none.
    arn_id TEXT COLLATE "C" NOT NULL,
    domain_type TEXT COLLATE "C" NOT NULL,
    -- In lower case. NULL for an endpoint, whose name is computed.
    domain_name TEXT COLLATE "C",
    server_certificate_arn TEXT COLLATE "C",
    security_policy TEXT COLLATE "C" NOT NULL,
    authentication_type TEXT COLLATE "C" NOT NULL,
    application_protocol TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    status_changed_at BIGINT NOT NULL,
    -- Changes with every change.
    generation_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
-- A name belongs to one scope of the deployment: whoever came first.
CREATE UNIQUE INDEX domain_configurations_by_domain ON domain_configurations (domain_name)
    WHERE domain_name IS NOT NULL;
