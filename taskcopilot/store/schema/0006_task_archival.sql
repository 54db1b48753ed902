-- Archived tasks: set aside when the initiative changes, and by which initiative.
ALTER TABLE tasks ADD COLUMN archived INTEGER DEFAULT 0;
ALTER TABLE tasks ADD COLUMN archived_at TEXT;
ALTER TABLE tasks ADD COLUMN archived_by_initiative_id TEXT;

CREATE INDEX idx_tasks_archived ON tasks(archived);
