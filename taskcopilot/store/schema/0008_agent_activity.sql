-- Which agent is at work on which task now: one row a task, its id is ACTIVITY- and the task id.
CREATE TABLE agent_activity (
    id TEXT PRIMARY KEY,
    stream_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
    activity_description TEXT,
    phase TEXT,
    started_at TEXT NOT NULL,
    last_heartbeat TEXT NOT NULL,
    completed_at TEXT
);

CREATE INDEX idx_agent_activity_stream ON agent_activity(stream_id);
CREATE INDEX idx_agent_activity_task ON agent_activity(task_id);
CREATE INDEX idx_agent_activity_heartbeat ON agent_activity(last_heartbeat DESC);
