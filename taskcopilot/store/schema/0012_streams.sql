-- Streams: the key that a task carries in its metadata becomes a column to look up by, and when streams ran.
-- A stream is the set of tasks with one metadata.streamId. Nothing checked its type, so a number counts as its text.
-- Anything else (an object, an array, a boolean, null, an empty string) is no stream, nor is metadata that is not JSON.
ALTER TABLE tasks ADD COLUMN stream_id TEXT GENERATED ALWAYS AS (
    CASE WHEN json_valid(metadata) THEN
        CASE json_type(metadata, '$.streamId')
            WHEN 'text' THEN NULLIF(json_extract(metadata, '$.streamId'), '')
            WHEN 'integer' THEN CAST(json_extract(metadata, '$.streamId') AS TEXT)
            WHEN 'real' THEN CAST(json_extract(metadata, '$.streamId') AS TEXT)
        END
    END
) VIRTUAL;

CREATE INDEX idx_tasks_stream ON tasks(stream_id, archived);
CREATE INDEX idx_tasks_created ON tasks(created_at);

CREATE TABLE stream_runs (
    stream_id TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    completed_at TEXT
);
