-- Tokens that clients show. hash: SHA-256 of the secret, NULL for the id of a JWT that is only here as revoked.
-- scopes and topics: JSON arrays, topics is NULL for everything.
CREATE TABLE access_tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT,
    last4 TEXT NOT NULL,
    scopes TEXT NOT NULL,
    topics TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT
);
