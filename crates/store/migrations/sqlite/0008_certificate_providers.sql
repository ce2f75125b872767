-- Certificate providers: who issues certificates in the place of the deployment's own authority. One of a scope at most.

CREATE TABLE certificate_providers (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    function_arn TEXT NOT NULL,
    -- The token of the request that made it, if it had one, and the request: so that the same request is known again.
    token_sha256 BLOB,
    request_sha256 BLOB NOT NULL,
    -- Changes with every change.
    generation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
