"""Databases as session-buddy writes them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

_METRICS = """
CREATE TABLE skill_metrics (
    skill_name TEXT PRIMARY KEY, total_invocations INTEGER, completed_invocations INTEGER,
    abandoned_invocations INTEGER,
    total_duration_seconds REAL, workflow_paths TEXT, common_errors TEXT, follow_up_actions TEXT,
    avg_selection_rank REAL, recommendation_success_rate REAL, first_invoked TEXT, last_invoked TEXT,
    completion_rate REAL, avg_duration_seconds REAL, updated_at TEXT
);
INSERT INTO skill_metrics (skill_name, total_invocations, completion_rate, avg_duration_seconds) VALUES
    ('pytest-run', 3, 66.7, NULL), ('ruff-check', 9, 100.0, 0.5), ('never', 0, 0.0, NULL);
"""

_DASHBOARD = """
CREATE TABLE skill_metrics_cache (
    skill_name TEXT PRIMARY KEY REFERENCES skill_metrics(skill_name), last_invocation_at TEXT,
    invocation_count_1h INTEGER, invocation_count_24h INTEGER, avg_completion_rate_24h REAL, is_anomalous INTEGER,
    anomaly_score REAL, updated_at TEXT
);
INSERT INTO skill_metrics_cache (skill_name, invocation_count_24h) VALUES
    ('pytest-run', 3), ('ruff-check', 9), ('never', 0);
CREATE TABLE skill_anomalies (
    id INTEGER PRIMARY KEY, skill_name TEXT NOT NULL REFERENCES skill_metrics(skill_name), detected_at TEXT NOT NULL,
    anomaly_type TEXT NOT NULL, baseline_value REAL, observed_value REAL, deviation_score REAL, resolved_at TEXT
);
INSERT INTO skill_anomalies (skill_name, detected_at, anomaly_type, deviation_score) VALUES
    ('ruff-check', '2026-01-08T00:10:00', 'drop', 2.5),
    ('ruff-check', '2026-01-08 11:05:00', 'drop', 3.5),
    ('ruff-check', '2026-01-08T12:45:00+01:00', 'spike', 2.1),
    ('pytest-run', '2026-01-08T11:59:00', 'drop', 4.0),
    ('ruff-check', '2026-01-08T11:30:00+05:00', 'drop', 9.0),
    ('ruff-check', 'just now', 'drop', 9.0);
CREATE VIEW v_realtime_skill_dashboard AS
SELECT c.skill_name, c.last_invocation_at, c.invocation_count_1h, c.invocation_count_24h, c.avg_completion_rate_24h,
    c.is_anomalous, c.anomaly_score, m.total_invocations, m.completion_rate, m.avg_duration_seconds
FROM skill_metrics_cache c JOIN skill_metrics m ON c.skill_name = m.skill_name ORDER BY c.invocation_count_24h DESC;
"""


def skills_db(path: Path, version: int = 4) -> Path:
    """Write a skills.db in WAL mode, of that version of its schema, as if now was noon of 2026-01-08."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_METRICS)
        if version >= 4:
            connection.executescript(_DASHBOARD)
    return path
