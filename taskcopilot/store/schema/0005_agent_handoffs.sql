-- Handoffs: the chain of agents that passed a task on. work_product_id refers to nothing on purpose.
CREATE TABLE agent_handoffs (
    id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
    from_agent TEXT NOT NULL,
    to_agent TEXT NOT NULL,
    work_product_id TEXT NOT NULL,
    handoff_context TEXT NOT NULL,
    chain_position INTEGER NOT NULL,
    chain_length INTEGER NOT NULL,
    created_at TEXT NOT NULL
);

CREATE INDEX idx_handoffs_task ON agent_handoffs(task_id, chain_position);
CREATE INDEX idx_handoffs_agents ON agent_handoffs(from_agent, to_agent);
