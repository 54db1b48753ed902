-- Skills: what was invoked, and what that adds up to. The trigger keeps the metrics, and the windows decay (store/skills.py).
-- All times are UTC in the form of our clock, so that their order as text is their order in time.
CREATE TABLE skill_invocation (
    id INTEGER PRIMARY KEY,
    skill_name TEXT NOT NULL,
    invoked_at TEXT NOT NULL,
    session_id TEXT,
    workflow_phase TEXT,
    completed INTEGER NOT NULL,
    duration_seconds REAL,
    error_type TEXT,
    created_at TEXT NOT NULL
);

CREATE INDEX idx_skill_invocation_time ON skill_invocation(invoked_at, skill_name, completed);

CREATE TABLE skill_metrics (
    skill_name TEXT PRIMARY KEY,
    total_invocations INTEGER NOT NULL,
    completed_invocations INTEGER NOT NULL,
    timed_invocations INTEGER NOT NULL,
    total_duration_seconds REAL NOT NULL,
    first_invoked TEXT NOT NULL,
    last_invoked TEXT NOT NULL,
    completion_rate REAL NOT NULL,
    avg_duration_seconds REAL,
    updated_at TEXT NOT NULL
);

-- The windows end at skill_windows.counted_at. 25h is the hour and the day before it.
CREATE TABLE skill_metrics_cache (
    skill_name TEXT PRIMARY KEY REFERENCES skill_metrics(skill_name),
    last_invocation_at TEXT NOT NULL,
    invocation_count_1h INTEGER NOT NULL,
    completed_count_1h INTEGER NOT NULL,
    invocation_count_24h INTEGER NOT NULL,
    completed_count_24h INTEGER NOT NULL,
    invocation_count_25h INTEGER NOT NULL,
    completed_count_25h INTEGER NOT NULL,
    avg_completion_rate_24h REAL,
    is_anomalous INTEGER NOT NULL DEFAULT 0,
    anomaly_score REAL,
    updated_at TEXT NOT NULL
);

CREATE INDEX idx_skill_cache_recent ON skill_metrics_cache(invocation_count_24h DESC);

CREATE TABLE skill_anomalies (
    id INTEGER PRIMARY KEY,
    skill_name TEXT NOT NULL REFERENCES skill_metrics(skill_name),
    detected_at TEXT NOT NULL,
    anomaly_type TEXT NOT NULL,
    baseline_value REAL,
    observed_value REAL,
    deviation_score REAL,
    resolved_at TEXT
);

CREATE INDEX idx_skill_anomalies_detected ON skill_anomalies(detected_at DESC);

CREATE INDEX idx_skill_anomalies_skill ON skill_anomalies(skill_name, detected_at DESC);

-- What was invoked after one of these counts in that window.
CREATE TABLE skill_windows (
    id INTEGER PRIMARY KEY,
    counted_at TEXT NOT NULL,
    after_1h TEXT NOT NULL,
    after_24h TEXT NOT NULL,
    after_25h TEXT NOT NULL
);

CREATE TRIGGER skill_invocation_counts AFTER INSERT ON skill_invocation
BEGIN
    INSERT INTO skill_metrics VALUES (
        NEW.skill_name, 1, NEW.completed, NEW.duration_seconds IS NOT NULL, coalesce(NEW.duration_seconds, 0),
        NEW.invoked_at, NEW.invoked_at, 100.0 * NEW.completed, NEW.duration_seconds, NEW.created_at
    )
    ON CONFLICT (skill_name) DO UPDATE SET
        total_invocations = total_invocations + 1,
        completed_invocations = completed_invocations + excluded.completed_invocations,
        timed_invocations = timed_invocations + excluded.timed_invocations,
        total_duration_seconds = total_duration_seconds + excluded.total_duration_seconds,
        first_invoked = min(first_invoked, excluded.first_invoked),
        last_invoked = max(last_invoked, excluded.last_invoked),
        completion_rate = 100.0 * (completed_invocations + excluded.completed_invocations) / (total_invocations + 1),
        avg_duration_seconds = (total_duration_seconds + excluded.total_duration_seconds)
            / nullif(timed_invocations + excluded.timed_invocations, 0),
        updated_at = excluded.updated_at;

    INSERT INTO skill_metrics_cache
        SELECT NEW.skill_name, NEW.invoked_at,
            NEW.invoked_at > after_1h, NEW.completed AND NEW.invoked_at > after_1h,
            NEW.invoked_at > after_24h, NEW.completed AND NEW.invoked_at > after_24h,
            NEW.invoked_at > after_25h, NEW.completed AND NEW.invoked_at > after_25h,
            CASE WHEN NEW.invoked_at > after_24h THEN 100.0 * NEW.completed END, 0, NULL, NEW.created_at
        FROM skill_windows WHERE id = 1
    ON CONFLICT (skill_name) DO UPDATE SET
        last_invocation_at = max(last_invocation_at, excluded.last_invocation_at),
        invocation_count_1h = invocation_count_1h + excluded.invocation_count_1h,
        completed_count_1h = completed_count_1h + excluded.completed_count_1h,
        invocation_count_24h = invocation_count_24h + excluded.invocation_count_24h,
        completed_count_24h = completed_count_24h + excluded.completed_count_24h,
        invocation_count_25h = invocation_count_25h + excluded.invocation_count_25h,
        completed_count_25h = completed_count_25h + excluded.completed_count_25h,
        avg_completion_rate_24h = 100.0 * (completed_count_24h + excluded.completed_count_24h)
            / nullif(invocation_count_24h + excluded.invocation_count_24h, 0),
        updated_at = excluded.updated_at;
END;

CREATE VIEW v_realtime_skill_dashboard AS
SELECT c.skill_name, c.last_invocation_at, c.invocation_count_1h, c.invocation_count_24h, c.avg_completion_rate_24h,
    c.is_anomalous, c.anomaly_score, m.total_invocations, m.completion_rate, m.avg_duration_seconds
FROM skill_metrics_cache c JOIN skill_metrics m ON m.skill_name = c.skill_name
ORDER BY c.invocation_count_24h DESC, m.total_invocations DESC, c.skill_name;
