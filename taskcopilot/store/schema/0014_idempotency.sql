-- Idempotency keys: the first result of a tool call, to answer again when the call is repeated.
CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    tool TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    result TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE INDEX idx_idempotency_keys_created ON idempotency_keys(created_at);
