-- Checkpoints: the state of a task at one moment, to resume from. A null expires_at means never.
CREATE TABLE checkpoints (
    id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL REFERENCES tasks(id),
    sequence INTEGER NOT NULL,
    trigger TEXT NOT NULL CHECK (trigger IN ('auto_status', 'auto_subtask', 'manual', 'error')),
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
    expires_at TEXT
);

-- Not unique: databases of the original may hold two checkpoints of one task with the same sequence.
CREATE INDEX idx_checkpoints_task ON checkpoints(task_id, sequence DESC);
CREATE INDEX idx_checkpoints_expires ON checkpoints(expires_at);
