-- Provisioning templates and their versions.

CREATE TABLE provisioning_templates (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    template_type TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    enabled BIGINT NOT NULL CHECK (enabled BETWEEN 0 AND 1),
    role_arn TEXT COLLATE "C" NOT NULL,
    -- The function that is asked before a device is provisioned, and the form in which: both or neither.
    hook_payload_version TEXT COLLATE "C",
    hook_target_arn TEXT COLLATE "C",
    default_version BIGINT NOT NULL,
    next_version BIGINT NOT NULL,
    version_count BIGINT NOT NULL CHECK (version_count >= 1),
    row_version BIGINT NOT NULL,
    -- Tells a template from one of the same name that was deleted.
    generation_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE provisioning_template_versions (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name, version)
);
