"""Rows of the skills: invocations, the counters that a trigger keeps of them, and anomalies.

`top`, `one` and `anomalies_since` read databases of session-buddy, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = [
    "add_anomaly",
    "add_invocation",
    "anomalies_since",
    "change_anomaly",
    "counts",
    "has_moved",
    "mark",
    "one",
    "open_anomaly",
    "resolve_anomaly",
    "set_windows",
    "state",
    "take",
    "top",
    "windows",
]

Row = dict[str, Any]

_ITEM: Final = "skill_name, total_invocations, completion_rate, avg_duration_seconds"
_DASHBOARD: Final = "v_realtime_skill_dashboard"

_WINDOWS: Final = """
    INSERT INTO skill_windows (id, counted_at, after_1h, after_24h, after_25h) VALUES (1, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET counted_at = excluded.counted_at, after_1h = excluded.after_1h,
        after_24h = excluded.after_24h, after_25h = excluded.after_25h
"""
_TAKE: Final = {
    window: f"""
        UPDATE skill_metrics_cache SET invocation_count_{window} = invocation_count_{window} + ?,
            completed_count_{window} = completed_count_{window} + ?, updated_at = ? WHERE skill_name = ?
    """  # noqa: S608 - the names are ours
    for window in ("1h", "24h", "25h")
}
_RATE: Final = """
    UPDATE skill_metrics_cache
    SET avg_completion_rate_24h = 100.0 * completed_count_24h / nullif(invocation_count_24h, 0) WHERE skill_name = ?
"""
_BETWEEN: Final = """
    SELECT skill_name, count(*), sum(completed) FROM skill_invocation
    WHERE invoked_at > ? AND invoked_at <= ? GROUP BY skill_name
"""


def windows(tx: ReadTx) -> tuple[str, str, str] | None:
    """Return the edges that the counters were counted from; None before anything was."""
    row = tx.one("SELECT after_1h, after_24h, after_25h FROM skill_windows WHERE id = 1")
    return None if row is None else (row[0], row[1], row[2])


def set_windows(tx: Tx, edges: Sequence[str]) -> None:
    """Say that the counters are counted from these edges now."""
    tx.execute(_WINDOWS, (tx.at, *edges))


def has_moved(tx: ReadTx, after: str, up_to: str) -> bool:
    """Tell whether anything was invoked in that time."""
    found = tx.value("SELECT 1 FROM skill_invocation WHERE invoked_at > ? AND invoked_at <= ? LIMIT 1", (after, up_to))
    return found is not None


def take(tx: Tx, window: str, after: str, up_to: str, sign: int) -> list[str]:
    """Take what was invoked in that time off a window's counters (`sign` -1) or add it; returns the skills."""
    rows = tx.all(_BETWEEN, (after, up_to))
    tx.execute_many(_TAKE[window], [(sign * count, sign * completed, tx.at, name) for name, count, completed in rows])
    names = [name for name, _, _ in rows]
    if window == "24h":
        tx.execute_many(_RATE, [(name,) for name in names])
    return names


def add_invocation(tx: Tx, values: Row) -> None:
    """Add an invocation, by column; the trigger counts it."""
    columns = {**values, "created_at": tx.at}
    places = ", ".join("?" * len(columns))
    tx.execute(
        f"INSERT INTO skill_invocation ({', '.join(columns)}) VALUES ({places})",  # noqa: S608 - names of fields
        list(columns.values()),
    )


def counts(tx: ReadTx, skill: str) -> Row:
    """Return the counters of the windows of a skill that was invoked."""
    row = tx.one("SELECT * FROM skill_metrics_cache WHERE skill_name = ?", (skill,))
    assert row is not None, "the trigger makes it"  # noqa: S101
    return dict(row)


def state(tx: ReadTx, skill: str) -> Row:
    """Return the row of the dashboard of a skill that was invoked."""
    row = tx.one(f"SELECT * FROM {_DASHBOARD} WHERE skill_name = ?", (skill,))  # noqa: S608
    assert row is not None, "the trigger makes it"  # noqa: S101
    return dict(row)


def open_anomaly(tx: ReadTx, skill: str) -> Row | None:
    """Return the anomaly that is not over yet."""
    row = tx.one("SELECT id, anomaly_type FROM skill_anomalies WHERE skill_name = ? AND resolved_at IS NULL", (skill,))
    return None if row is None else dict(row)


def add_anomaly(tx: Tx, skill: str, kind: str, values: Sequence[float]) -> None:
    """Add an anomaly, detected now; `values` are baseline, observed value and deviation."""
    tx.execute(
        "INSERT INTO skill_anomalies"
        " (skill_name, detected_at, anomaly_type, baseline_value, observed_value, deviation_score)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (skill, tx.at, kind, *values),
    )


def change_anomaly(tx: Tx, identifier: int, values: Sequence[float]) -> None:
    """Say how large an anomaly is by now."""
    tx.execute(
        "UPDATE skill_anomalies SET baseline_value = ?, observed_value = ?, deviation_score = ? WHERE id = ?",
        (*values, identifier),
    )


def resolve_anomaly(tx: Tx, identifier: int) -> None:
    """Say that an anomaly is over."""
    tx.execute("UPDATE skill_anomalies SET resolved_at = ? WHERE id = ?", (tx.at, identifier))


def mark(tx: Tx, skill: str, score: float | None) -> None:
    """Say of a skill how anomalous it is; None for not at all."""
    tx.execute(
        "UPDATE skill_metrics_cache SET is_anomalous = ?, anomaly_score = ? WHERE skill_name = ?",
        (int(score is not None), score, skill),
    )


def top(tx: ReadTx, limit: int) -> list[Row]:
    """Return the skills that were used most in the last day, as the dashboard has them.

    Databases of session-buddy from before it had that view know totals only.
    """
    if _has(tx, _DASHBOARD):
        source, order = _DASHBOARD, "invocation_count_24h DESC, total_invocations DESC, skill_name"
    else:
        source, order = "skill_metrics", "total_invocations DESC, skill_name"
    sql = f"SELECT {_ITEM} FROM {source} WHERE total_invocations > 0 ORDER BY {order} LIMIT ?"  # noqa: S608
    return [dict(row) for row in tx.all(sql, (limit,))]


def one(tx: ReadTx, skill: str) -> Row | None:
    """Return one skill, however little it is used; None when it never was."""
    sql = f"SELECT {_ITEM} FROM skill_metrics WHERE skill_name = ? AND total_invocations > 0"  # noqa: S608
    row = tx.one(sql, (skill,))
    return None if row is None else dict(row)


def anomalies_since(tx: ReadTx, day: str) -> list[Row]:
    """Return the anomalies from a day (`YYYY-MM-DD`) on, in no order: that much can be told from text of any form."""
    if not _has(tx, "skill_anomalies"):
        return []
    sql = "SELECT skill_name, detected_at, anomaly_type, deviation_score FROM skill_anomalies WHERE detected_at >= ?"
    return [dict(row) for row in tx.all(sql, (day,))]


def _has(tx: ReadTx, name: str) -> bool:
    return tx.value("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)) is not None
