-- Static thing groups, the things in them, and the policies attached to them.

CREATE TABLE thing_groups (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    -- A new one whenever a group of this name is made.
    group_id TEXT COLLATE "C" NOT NULL,
    -- Empty for a root.
    parent TEXT COLLATE "C" NOT NULL,
    -- A JSON array of names, from the root to the parent. Fixed when the group is made.
    ancestors TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    -- A JSON object of strings.
    attributes TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    child_count BIGINT NOT NULL CHECK (child_count >= 0),
    policy_count BIGINT NOT NULL CHECK (policy_count >= 0),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE UNIQUE INDEX thing_groups_by_id ON thing_groups (group_id);
CREATE INDEX thing_groups_by_parent ON thing_groups (account, region, parent, name);

-- Every group under every group that it lies in, however deep.
CREATE TABLE thing_group_descendants (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    ancestor TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, region, ancestor, name)
);

-- The id tells a group from a later one of the same name: rows of a group that is gone count for nothing, and are
-- removed little by little.
CREATE TABLE thing_group_members (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    thing_name TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, region, thing_name, group_id)
);
CREATE INDEX thing_group_members_by_group ON thing_group_members (group_id, thing_name);
-- Groups that are gone and may have left members behind.
CREATE TABLE dead_thing_groups (
    group_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
-- Grows by one with every change of the thing's groups.
ALTER TABLE things ADD COLUMN membership_version BIGINT NOT NULL DEFAULT 0;

CREATE TABLE thing_group_policies (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    group_name TEXT COLLATE "C" NOT NULL,
    policy_name TEXT COLLATE "C" NOT NULL,
    attached_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, group_name, policy_name)
);
CREATE INDEX thing_group_policies_by_policy
    ON thing_group_policies (account, region, policy_name, attached_at, group_name);
