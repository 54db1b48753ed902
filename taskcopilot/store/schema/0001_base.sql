-- Base tables: initiatives, their PRDs, tasks, what tasks produced, and the activity log.
CREATE TABLE initiatives (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE TABLE prds (
    id TEXT PRIMARY KEY,
    initiative_id TEXT NOT NULL REFERENCES initiatives(id),
    title TEXT NOT NULL,
    description TEXT,
    content TEXT NOT NULL,
    metadata TEXT DEFAULT '{}',
    status TEXT DEFAULT 'active' CHECK (status IN ('active', 'archived', 'cancelled')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE INDEX idx_prds_initiative ON prds(initiative_id);

CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    prd_id TEXT REFERENCES prds(id),
    parent_id TEXT REFERENCES tasks(id),
    title TEXT NOT NULL,
    description TEXT,
    assigned_agent TEXT,
    status TEXT DEFAULT 'pending'
        CHECK (status IN ('pending', 'in_progress', 'blocked', 'completed', 'cancelled')),
    blocked_reason TEXT,
    notes TEXT,
    metadata TEXT DEFAULT '{}',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE INDEX idx_tasks_prd ON tasks(prd_id);
CREATE INDEX idx_tasks_parent ON tasks(parent_id);
CREATE INDEX idx_tasks_agent ON tasks(assigned_agent);
CREATE INDEX idx_tasks_status ON tasks(status);

CREATE TABLE work_products (
    id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL REFERENCES tasks(id),
    type TEXT NOT NULL CHECK (type IN (
        'technical_design', 'implementation', 'test_plan', 'security_review', 'documentation', 'architecture', 'other'
    )),
    title TEXT NOT NULL,
    content TEXT NOT NULL,
    metadata TEXT DEFAULT '{}',
    created_at TEXT NOT NULL
);

CREATE INDEX idx_work_products_task ON work_products(task_id);

CREATE TABLE activity_log (
    id TEXT PRIMARY KEY,
    initiative_id TEXT NOT NULL REFERENCES initiatives(id),
    type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    entity_type TEXT,
    summary TEXT NOT NULL,
    metadata TEXT,
    created_at TEXT NOT NULL
);

CREATE INDEX idx_activity_log_initiative ON activity_log(initiative_id);
