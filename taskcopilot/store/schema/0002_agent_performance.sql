-- How each agent fared on each task, for success rates per agent, work product type and complexity.
CREATE TABLE agent_performance (
    id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES tasks(id),
    work_product_type TEXT,
    complexity TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure', 'blocked', 'reassigned')),
    duration_ms INTEGER,
    created_at TEXT NOT NULL
);

CREATE INDEX idx_agent_perf_agent ON agent_performance(agent_id);
CREATE INDEX idx_agent_perf_outcome ON agent_performance(agent_id, outcome);
CREATE INDEX idx_agent_perf_type ON agent_performance(agent_id, work_product_type);
CREATE INDEX idx_agent_perf_created ON agent_performance(created_at DESC);
