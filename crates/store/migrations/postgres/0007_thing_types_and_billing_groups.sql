-- Thing types, and the billing groups of things.

CREATE TABLE thing_types (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    -- A new one whenever a type of this name is made.
    thing_type_id TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    -- A JSON array of strings.
    searchable_attributes TEXT COLLATE "C" NOT NULL,
    deprecated_at BIGINT,
    created_at BIGINT NOT NULL,
    -- Grows by one with every change.
    row_version BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE billing_groups (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    -- A new one whenever a group of this name is made.
    billing_group_id TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE UNIQUE INDEX billing_groups_by_id ON billing_groups (account, region, billing_group_id);

-- The id of a group that no longer exists counts as none.
ALTER TABLE things ADD COLUMN billing_group_id TEXT COLLATE "C";
CREATE INDEX things_by_billing_group ON things (account, region, billing_group_id, name)
    WHERE billing_group_id IS NOT NULL;
