"""Windows of time that end now, and what leaves them while time goes on. Without I/O.

A window's count is that of the invocations after its edge. When the edge moves, only what lies between the old edge and
the new one has to be taken off: the counters decay at the cost of what left, not of what is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from typing import NamedTuple

from taskcopilot.clock import iso

__all__ = ["Edges", "Moved", "edges_at", "moved"]


@dataclass(frozen=True, slots=True)
class Edges:
    """Where the windows begin, as text of our clock: later than it is inside. 25h is the hour and the day before it."""

    after_1h: str
    after_24h: str
    after_25h: str


class Moved(NamedTuple):
    """What lies in `after < time <= up_to` left the window, or, with `sign` 1, came back into it."""

    window: str
    after: str
    up_to: str
    sign: int


def edges_at(now: datetime) -> Edges:
    """Return the edges of windows that end at a moment in UTC."""
    return Edges(*(iso(now - timedelta(hours=hours)) for hours in (1, 24, 25)))


def moved(then: Edges, now: Edges) -> Iterator[Moved]:
    """Yield what the windows lost since then; a clock that was set back gives it back to them."""
    for field, old, new in zip(fields(Edges), astuple(then), astuple(now), strict=True):
        if old != new:
            yield Moved(field.name.removeprefix("after_"), min(old, new), max(old, new), -1 if old < new else 1)
