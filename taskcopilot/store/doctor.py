"""Is the database sound? Checks that read only, each with a plain answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import orjson

from taskcopilot.events import Event
from taskcopilot.store import streams
from taskcopilot.store.event_rows import UNREADABLE
from taskcopilot.store.transaction import ReadTx

__all__ = ["Finding", "examine"]

_LATEST_PROGRESS: Final = """
    SELECT topic, data FROM events
    WHERE seq IN (SELECT max(seq) FROM events WHERE type = 'stream.progress' AND json_valid(data) GROUP BY topic)
"""

_EVENTS: Final = "SELECT seq, at, topic, type, data, rooms, about FROM events WHERE seq > ? ORDER BY seq LIMIT 500"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `problems` is empty when all is well."""

    check: str
    problems: list[str]


def examine(tx: ReadTx) -> list[Finding]:
    """Run every check on one snapshot. Reads the whole file: seconds for a large one."""
    return [Finding(name, list(check(tx))) for name, check in _CHECKS.items()]


def _integrity(tx: ReadTx) -> Iterator[str]:
    yield from (row[0] for row in tx.all("PRAGMA integrity_check(20)") if row[0] != "ok")


def _foreign_keys(tx: ReadTx) -> Iterator[str]:
    for row in tx.all("PRAGMA foreign_key_check"):
        yield f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there"


def _log(tx: ReadTx) -> Iterator[str]:
    state = tx.one("SELECT head, pruned_to FROM log_state WHERE id = 1")
    if state is None:
        yield "the log has no state"
        return
    found = tx.one("SELECT count(*) AS n, min(seq) AS first, max(seq) AS last FROM events")
    expected = state["head"] - state["pruned_to"]
    if found is None or found["n"] != expected:
        yield f"the log holds {found['n'] if found else 0} events, and should hold {expected}"
    elif expected and (found["first"], found["last"]) != (state["pruned_to"] + 1, state["head"]):
        yield f"the log reaches from {found['first']} to {found['last']}, not from {state['pruned_to'] + 1} to its head"


def _payloads(tx: ReadTx) -> Iterator[str]:
    for event in islice(_unreadable(tx), 20):
        yield f"event {event.seq} cannot be delivered: {orjson.loads(event.data)['reason']}"


def _unreadable(tx: ReadTx) -> Iterator[Event]:
    after = 0
    while page := tx.events(_EVENTS, (after,)):
        yield from (event for event in page if event.type == UNREADABLE)
        after = page[-1].seq


def _streams(tx: ReadTx) -> Iterator[str]:
    """What clients were told last of each stream is what its tasks say."""
    for row in tx.all(_LATEST_PROGRESS):
        told = orjson.loads(row["data"])
        counts = streams.count(tx, told["streamId"])
        now = (counts.total, counts.completed, counts.in_progress, counts.blocked)
        last = tuple(told[key] for key in ("totalTasks", "completedTasks", "inProgressTasks", "blockedTasks"))
        if now != last:
            yield f"stream {told['streamId']}: its last progress event says {last}, its tasks say {now}"


_CHECKS: Final[dict[str, Callable[[ReadTx], Iterator[str]]]] = {
    "file": _integrity,
    "foreign keys": _foreign_keys,
    "event log": _log,
    "event payloads": _payloads,
    "streams": _streams,
}
