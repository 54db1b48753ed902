-- The services: the rooms that an event also goes to, what the events of a service add up to, and who serves it where.
ALTER TABLE events ADD COLUMN rooms TEXT;

-- seq: the event that changed the document last.
CREATE TABLE service_state (
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    seq INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (service, kind, id)
);

CREATE INDEX idx_service_state_newest ON service_state(service, kind, seq);

-- rooms: a JSON object, name to the number of connections in it. A row whose updated_at is old was left by a process that died.
CREATE TABLE service_presence (
    service TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    host TEXT,
    port INTEGER,
    connections INTEGER NOT NULL,
    rooms TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
