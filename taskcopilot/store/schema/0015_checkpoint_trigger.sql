-- Checkpoints also admit the trigger auto_recovery, which orchestrators send and the original always refused.
-- SQLite cannot alter a CHECK, so the table is built anew with every column and row. Nothing references it, so
-- dropping the old one deletes nothing else, also with foreign_keys on.
CREATE TABLE checkpoints_rebuilt (
    id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL REFERENCES tasks(id),
    sequence INTEGER NOT NULL,
    trigger TEXT NOT NULL
        CHECK (trigger IN ('auto_status', 'auto_subtask', 'manual', 'error', 'auto_recovery')),
    task_status TEXT NOT NULL,
    task_notes TEXT,
    task_metadata TEXT,
    blocked_reason TEXT,
    assigned_agent TEXT,
    execution_phase TEXT,
    execution_step INTEGER,
    agent_context TEXT,
    draft_content TEXT,
    draft_type TEXT,
    subtask_states TEXT DEFAULT '[]',
    created_at TEXT NOT NULL,
    expires_at TEXT,
    iteration_config TEXT,
    iteration_number INTEGER DEFAULT 0,
    iteration_history TEXT DEFAULT '[]',
    completion_promises TEXT DEFAULT '[]',
    validation_state TEXT
);

INSERT INTO checkpoints_rebuilt (
    id, task_id, sequence, trigger, task_status, task_notes, task_metadata, blocked_reason, assigned_agent,
    execution_phase, execution_step, agent_context, draft_content, draft_type, subtask_states, created_at, expires_at,
    iteration_config, iteration_number, iteration_history, completion_promises, validation_state
)
SELECT
    id, task_id, sequence, trigger, task_status, task_notes, task_metadata, blocked_reason, assigned_agent,
    execution_phase, execution_step, agent_context, draft_content, draft_type, subtask_states, created_at, expires_at,
    iteration_config, iteration_number, iteration_history, completion_promises, validation_state
FROM checkpoints;

DROP TABLE checkpoints;

ALTER TABLE checkpoints_rebuilt RENAME TO checkpoints;

CREATE INDEX idx_checkpoints_task ON checkpoints(task_id, sequence DESC);
CREATE INDEX idx_checkpoints_iteration ON checkpoints(task_id, iteration_number DESC);

-- Serves expiry: what has expired, and what expires next.
CREATE INDEX idx_checkpoints_expires ON checkpoints(expires_at);
