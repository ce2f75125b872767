-- Static thing groups, the things in them, and the policies attached to them.

CREATE TABLE thing_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    -- A new one whenever a group of this name is made.
    group_id TEXT NOT NULL,
    -- Empty for a root.
    parent TEXT NOT NULL,
    -- A JSON array of names, from the root to the parent. Fixed when the group is made.
    ancestors TEXT NOT NULL,
    description TEXT,
    -- A JSON object of strings.
    attributes TEXT NOT NULL,
    version INTEGER NOT NULL,
    child_count INTEGER NOT NULL CHECK (child_count >= 0),
    policy_count INTEGER NOT NULL CHECK (policy_count >= 0),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX thing_groups_by_id ON thing_groups (group_id);
CREATE INDEX thing_groups_by_parent ON thing_groups (account, region, parent, name);

-- Every group under every group that it lies in, however deep.
CREATE TABLE thing_group_descendants (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    ancestor TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (account, region, ancestor, name)
) STRICT, WITHOUT ROWID;

-- The id tells a group from a later one of the same name: rows of a group that is gone count for nothing, and are
-- removed little by little.
CREATE TABLE thing_group_members (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    thing_name TEXT NOT NULL,
    group_id TEXT NOT NULL,
    PRIMARY KEY (account, region, thing_name, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX thing_group_members_by_group ON thing_group_members (group_id, thing_name);
-- Groups that are gone and may have left members behind.
CREATE TABLE dead_thing_groups (
    group_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
-- Grows by one with every change of the thing's groups.
ALTER TABLE things ADD COLUMN membership_version INTEGER NOT NULL DEFAULT 0;

CREATE TABLE thing_group_policies (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    group_name TEXT NOT NULL,
    policy_name TEXT NOT NULL,
    attached_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, group_name, policy_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX thing_group_policies_by_policy
    ON thing_group_policies (account, region, policy_name, attached_at, group_name);
