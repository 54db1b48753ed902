-- Endpoints that get events by HTTP. `position`: everything up to this event was delivered, is dead, or was not wanted.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    format TEXT NOT NULL,
    topics TEXT NOT NULL,
    types TEXT NOT NULL,
    private INTEGER NOT NULL,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at TEXT,
    disabled TEXT,
    created_at TEXT NOT NULL
);

-- Events that an endpoint did not take. `again`: it is to be tried once more.
CREATE TABLE webhook_dead (
    webhook_id TEXT NOT NULL REFERENCES webhooks(id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    topic TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    reason TEXT NOT NULL,
    failed_at TEXT NOT NULL,
    again INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (webhook_id, seq)
);
