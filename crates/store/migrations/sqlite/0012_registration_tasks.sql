-- Bulk registration: tasks, and what became of each line of their input files.

CREATE TABLE registration_tasks (
    task_id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    status TEXT NOT NULL,
    template_body TEXT NOT NULL,
    bucket TEXT NOT NULL,
    object_key TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    -- The input file as it was found first: both or neither. It must stay so.
    object_length INTEGER,
    object_version TEXT,
    -- Everything before has its outcome: bytes, lines, and how many of them were carried out and refused.
    position INTEGER NOT NULL,
    line INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    message TEXT,
    -- Who works on it, a new word for each turn, and until when nobody else may.
    turn TEXT NOT NULL,
    turn_until INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_modified_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
-- A scope has one task at a time.
CREATE UNIQUE INDEX registration_tasks_under_way ON registration_tasks (account, region) WHERE ended_at IS NULL;
CREATE INDEX registration_tasks_waiting ON registration_tasks (turn_until, task_id) WHERE ended_at IS NULL;
CREATE INDEX registration_tasks_by_time ON registration_tasks (account, region, created_at, task_id);
CREATE INDEX registration_tasks_by_end ON registration_tasks (ended_at) WHERE ended_at IS NOT NULL;

-- A line has one outcome, written in the commit that carries it out.
CREATE TABLE registration_task_lines (
    task_id TEXT NOT NULL,
    line INTEGER NOT NULL,
    -- What was registered; both NULL for a line that was refused, which has the others.
    certificate_id BLOB,
    resource_arns TEXT,
    error_code TEXT,
    error_message TEXT,
    PRIMARY KEY (task_id, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX registration_task_lines_refused ON registration_task_lines (task_id, line) WHERE certificate_id IS NULL;
