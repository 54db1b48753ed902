-- Claims: which agent holds a task, until when. One a task, gone with the task.
CREATE TABLE task_claims (
    task_id TEXT PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE,
    agent TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);

CREATE INDEX idx_task_claims_expires ON task_claims(expires_at);
