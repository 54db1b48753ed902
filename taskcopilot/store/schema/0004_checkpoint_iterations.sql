-- Iteration state of a checkpoint: its configuration, number, history, promises and last validation.
ALTER TABLE checkpoints ADD COLUMN iteration_config TEXT;
ALTER TABLE checkpoints ADD COLUMN iteration_number INTEGER DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN iteration_history TEXT DEFAULT '[]';
ALTER TABLE checkpoints ADD COLUMN completion_promises TEXT DEFAULT '[]';
ALTER TABLE checkpoints ADD COLUMN validation_state TEXT;

CREATE INDEX idx_checkpoints_iteration ON checkpoints(task_id, iteration_number DESC);
