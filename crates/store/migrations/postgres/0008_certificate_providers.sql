-- Certificate providers: who issues certificates in the place of the deployment's own authority. One of a scope at most.

CREATE TABLE certificate_providers (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    function_arn TEXT COLLATE "C" NOT NULL,
    -- The token of the request that made it, if it had one, and the request: so that the same request is known again.
    token_sha256 BYTEA,
    request_sha256 BYTEA NOT NULL,
    -- Changes with every change.
    generation_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    PRIMARY KEY (account, region)
);
