-- What an event is about beside its topic: `task:<id>` and `stream:<id>`, a line each. Who may see one of them may see it.
ALTER TABLE events ADD COLUMN about TEXT;

UPDATE events SET about = NULLIF(TRIM(
    COALESCE('task:' || NULLIF(json_extract(data, '$.taskId'), SUBSTR(topic, 6)), '') || char(10) ||
    COALESCE('stream:' || NULLIF(COALESCE(
        NULLIF(json_extract(data, '$.streamId'), 'default'),
        (SELECT stream_id FROM tasks WHERE id = json_extract(data, '$.taskId'))
    ), SUBSTR(topic, 8)), ''), char(10)), '')
WHERE rooms IS NULL AND json_valid(data);
