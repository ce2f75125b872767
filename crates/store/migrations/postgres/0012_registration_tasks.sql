-- Bulk registration: tasks, and what became of each line of their input files.

CREATE TABLE registration_tasks (
    task_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    template_body TEXT COLLATE "C" NOT NULL,
    bucket TEXT COLLATE "C" NOT NULL,
    object_key TEXT COLLATE "C" NOT NULL,
    role_arn TEXT COLLATE "C" NOT NULL,
    -- The input file as it was found first: both or neither. It must stay so.
    object_length BIGINT,
    object_version TEXT COLLATE "C",
    -- Everything before has its outcome: bytes, lines, and how many of them were carried out and refused.
    position BIGINT NOT NULL,
    line BIGINT NOT NULL,
    successes BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    message TEXT COLLATE "C",
    -- Who works on it, a new word for each turn, and until when nobody else may.
    turn TEXT COLLATE "C" NOT NULL,
    turn_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified_at BIGINT NOT NULL,
    ended_at BIGINT
);
-- A scope has one task at a time.
CREATE UNIQUE INDEX registration_tasks_under_way ON registration_tasks (account, region) WHERE ended_at IS NULL;
CREATE INDEX registration_tasks_waiting ON registration_tasks (turn_until, task_id) WHERE ended_at IS NULL;
CREATE INDEX registration_tasks_by_time ON registration_tasks (account, region, created_at, task_id);
CREATE INDEX registration_tasks_by_end ON registration_tasks (ended_at) WHERE ended_at IS NOT NULL;

-- A line has one outcome, written in the commit that carries it out.
CREATE TABLE registration_task_lines (
    task_id TEXT COLLATE "C" NOT NULL,
    line BIGINT NOT NULL,
    -- What was registered; both NULL for a line that was refused, which has the others.
    certificate_id BYTEA,
    resource_arns TEXT COLLATE "C",
    error_code TEXT COLLATE "C",
    error_message TEXT COLLATE "C",
    PRIMARY KEY (task_id, line)
);
CREATE INDEX registration_task_lines_refused ON registration_task_lines (task_id, line) WHERE certificate_id IS NULL;
