"""What a tick says: the most used skills and the anomalies of the last hour, to who listens to all or to one skill.

Without I/O. Databases of session-buddy hold times in several forms: with `T` or a blank, with an offset, with `Z` or
with neither. They are compared as moments; as text a `T` counts as later than any blank of the same day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

__all__ = ["LISTED", "RECENT", "Snapshot", "encode_tick", "moment", "recent"]

LISTED: Final = 10
"""Skills in a tick, and anomalies."""

RECENT: Final = timedelta(hours=1)
"""How long an anomaly is told, from its detection on."""

Row = Mapping[str, Any]
"""An item of a tick, with the names of the wire."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What ticks of one moment are made from."""

    top: Sequence[Row]
    anomalies: Sequence[Row]
    """All of the last hour, newest first."""
    skills: Mapping[str, Row] = field(default_factory=dict)
    """The skills that somebody listens to, those that were ever invoked."""


def moment(text: Any) -> datetime | None:
    """Return the moment that an ISO 8601 text means, UTC where it does not say; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def recent(anomalies: Iterable[Row], now: datetime) -> list[Row]:
    """Return the anomalies that were detected in the hour until now, newest first."""
    timed = ((moment(anomaly["detected_at"]), anomaly) for anomaly in anomalies)
    found = [(at, anomaly) for at, anomaly in timed if at is not None and now - RECENT <= at <= now]
    return [anomaly for _, anomaly in sorted(found, key=lambda pair: pair[0], reverse=True)]


def encode_tick(at: str, snapshot: Snapshot, skill: str | None) -> bytes:
    """Return the message of a tick for who listens to one skill, or to all (None)."""
    if skill is None:
        top, anomalies = snapshot.top, snapshot.anomalies
    else:
        top = [snapshot.skills[skill]] if skill in snapshot.skills else []
        anomalies = [anomaly for anomaly in snapshot.anomalies if anomaly["skill_name"] == skill]
    data = {"top_skills": list(top[:LISTED]), "anomalies": list(anomalies[:LISTED])}
    return orjson.dumps({"type": "metrics_update", "timestamp": at, "data": data})
