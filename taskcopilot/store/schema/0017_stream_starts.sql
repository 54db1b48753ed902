-- Streams that had begun before we kept track of it, in a database of the original: when, is only known roughly.
INSERT INTO stream_runs (stream_id, started_at)
SELECT stream_id, min(created_at) FROM tasks
WHERE stream_id IS NOT NULL AND status IN ('in_progress', 'blocked', 'completed')
GROUP BY stream_id
ON CONFLICT (stream_id) DO NOTHING;
