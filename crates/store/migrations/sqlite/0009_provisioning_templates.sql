-- Provisioning templates and their versions.

CREATE TABLE provisioning_templates (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    template_type TEXT NOT NULL,
    description TEXT,
    enabled INTEGER NOT NULL CHECK (enabled BETWEEN 0 AND 1),
    role_arn TEXT NOT NULL,
    -- The function that is asked before a device is provisioned, and the form in which: both or neither.
    hook_payload_version TEXT,
    hook_target_arn TEXT,
    default_version INTEGER NOT NULL,
    next_version INTEGER NOT NULL,
    version_count INTEGER NOT NULL CHECK (version_count >= 1),
    row_version INTEGER NOT NULL,
    -- Tells a template from one of the same name that was deleted.
    generation_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE provisioning_template_versions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name, version)
) STRICT;
