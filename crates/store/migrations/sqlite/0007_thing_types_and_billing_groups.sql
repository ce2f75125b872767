-- Thing types, and the billing groups of things.

CREATE TABLE thing_types (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    -- A new one whenever a type of this name is made.
    thing_type_id TEXT NOT NULL,
    description TEXT,
    -- A JSON array of strings.
    searchable_attributes TEXT NOT NULL,
    deprecated_at INTEGER,
    created_at INTEGER NOT NULL,
    -- Grows by one with every change.
    row_version INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE billing_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    -- A new one whenever a group of this name is made.
    billing_group_id TEXT NOT NULL,
    description TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX billing_groups_by_id ON billing_groups (account, region, billing_group_id);

-- The id of a group that no longer exists counts as none.
ALTER TABLE things ADD COLUMN billing_group_id TEXT;
CREATE INDEX things_by_billing_group ON things (account, region, billing_group_id, name)
    WHERE billing_group_id IS NOT NULL;
