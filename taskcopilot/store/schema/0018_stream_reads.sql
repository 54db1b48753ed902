-- What every change of a task asks about its stream is answered by an index alone, however many tasks the stream has.
DROP INDEX idx_tasks_stream;
CREATE INDEX idx_tasks_stream ON tasks(stream_id, archived, created_at, id);
CREATE INDEX idx_tasks_stream_status ON tasks(stream_id, archived, status);

-- The streams that a task says its own stream waits for, as JSON text, and NULL where it names none.
ALTER TABLE tasks ADD COLUMN stream_dependencies TEXT GENERATED ALWAYS AS (
    CASE WHEN json_valid(metadata) THEN
        CASE WHEN json_array_length(metadata, '$.streamDependencies') > 0
            THEN json_extract(metadata, '$.streamDependencies')
        END
    END
) VIRTUAL;

CREATE INDEX idx_tasks_stream_dependencies ON tasks(stream_id, archived, stream_dependencies, id)
WHERE stream_dependencies IS NOT NULL;

-- A number per stream that moves when anything does that a summary of the stream is made of, whoever wrote it:
-- what was summed up at a revision is true as long as the revision stands.
CREATE TABLE stream_revisions (
    stream_id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
);

INSERT INTO stream_revisions (stream_id, revision) SELECT DISTINCT stream_id, 1 FROM tasks WHERE stream_id IS NOT NULL;

CREATE TRIGGER stream_gains_task AFTER INSERT ON tasks WHEN NEW.stream_id IS NOT NULL BEGIN
    INSERT INTO stream_revisions (stream_id, revision) VALUES (NEW.stream_id, 1)
    ON CONFLICT (stream_id) DO UPDATE SET revision = revision + 1;
END;

CREATE TRIGGER stream_loses_task AFTER DELETE ON tasks WHEN OLD.stream_id IS NOT NULL BEGIN
    UPDATE stream_revisions SET revision = revision + 1 WHERE stream_id = OLD.stream_id;
END;

CREATE TRIGGER stream_task_changes AFTER UPDATE ON tasks
WHEN OLD.stream_id IS NOT NULL OR NEW.stream_id IS NOT NULL BEGIN
    UPDATE stream_revisions SET revision = revision + 1 WHERE stream_id = OLD.stream_id;
    INSERT INTO stream_revisions (stream_id, revision) SELECT NEW.stream_id, 1
    WHERE NEW.stream_id IS NOT NULL AND NEW.stream_id IS NOT OLD.stream_id
    ON CONFLICT (stream_id) DO UPDATE SET revision = revision + 1;
END;

CREATE TRIGGER stream_gains_product AFTER INSERT ON work_products BEGIN
    UPDATE stream_revisions SET revision = revision + 1
    WHERE stream_id = (SELECT stream_id FROM tasks WHERE id = NEW.task_id);
END;

CREATE TRIGGER stream_loses_product AFTER DELETE ON work_products BEGIN
    UPDATE stream_revisions SET revision = revision + 1
    WHERE stream_id = (SELECT stream_id FROM tasks WHERE id = OLD.task_id);
END;

CREATE TRIGGER stream_product_changes AFTER UPDATE ON work_products BEGIN
    UPDATE stream_revisions SET revision = revision + 1
    WHERE stream_id IN (SELECT stream_id FROM tasks WHERE id IN (OLD.task_id, NEW.task_id));
END;
