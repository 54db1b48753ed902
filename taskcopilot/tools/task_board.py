"""All tasks as lists show them, each stream's read and encoded once per change of it.

Ten thousand tasks take 70 ms to read and encode, and most of them have not changed since somebody last asked.
"""

from __future__ import annotations

import sqlite3
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from taskcopilot.store import stream_rows, task_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.task_view import encoded

__all__ = ["Card", "cards"]


class Card(NamedTuple):
    """One task: what lists are sorted and filtered by, and its JSON."""

    created_at: str
    id: str
    stream_id: str | None
    status: Any
    assigned_agent: Any
    prd_id: Any
    json: bytes


def cards(tx: ReadTx) -> Sequence[Card]:
    """Return the tasks that are not archived, oldest first. The sequence is shared: do not change it.

    What it costs depends on the tasks of the streams that changed since the last call, and of those in no stream.
    """
    return tx.derived.get(_Board, 0, _Board).cards(tx)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The cards of all streams at some revisions, and how many each stream has."""

    revisions: Mapping[str, int] = field(default_factory=dict)
    cards: list[Card] = field(default_factory=list)
    sizes: Mapping[str, int] = field(default_factory=dict)


class _Board:
    """Remembers the cards of all streams as they were seen last. Safe to use from several threads.

    Two readers whose snapshots differ take turns in moving it to and fro: slower, and right for both.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = _Seen()

    def cards(self, tx: ReadTx) -> list[Card]:
        """Return all cards of a snapshot."""
        revisions = stream_rows.revisions(tx)
        with self._lock:
            seen = self._seen
        moved = {stream for stream, _ in seen.revisions.items() ^ revisions.items()}
        if moved:
            fresh = {stream: _of_stream(tx, stream) for stream in moved}
            found = _replaced(seen, fresh)
            if found is None:
                kept = (card for card in seen.cards if card.stream_id not in moved)
                found = _sorted(kept, *fresh.values())
            sizes = {**seen.sizes, **{stream: len(own) for stream, own in fresh.items()}}
            seen = _Seen(revisions, found, sizes)
            with self._lock:
                self._seen = seen
        loose = _of_stream(tx, None)
        return _sorted(seen.cards, loose) if loose else seen.cards


def _replaced(seen: _Seen, fresh: Mapping[str, list[Card]]) -> list[Card] | None:
    """Put the cards of some streams where their older ones are; None when tasks have come, gone or moved."""
    found = seen.cards.copy()
    for stream, own in fresh.items():
        if len(own) != seen.sizes.get(stream):
            return None
        for card in own:
            place = bisect_left(found, card[:2])
            if place == len(found) or found[place][:3] != card[:3]:
                return None
            found[place] = card
    return found


def _sorted(*several: Iterable[Card]) -> list[Card]:
    return sorted((card for cards in several for card in cards), key=lambda card: card[:2])


def _of_stream(tx: ReadTx, stream_id: str | None) -> list[Card]:
    rows = task_rows.newest(tx, where={"stream_id": stream_id})
    return list(_carded(rows, stream_id))


def _carded(rows: list[sqlite3.Row], stream_id: str | None) -> Iterator[Card]:
    for row, json in zip(rows, encoded(rows), strict=True):
        facts = row["status"], row["assigned_agent"], row["prd_id"]
        yield Card(_text(row["created_at"]), _text(row["id"]), stream_id, *facts, json)


def _text(value: object) -> str:
    """Let what an edit by hand left in a column be compared with texts; NULL comes before all of them, as in SQL."""
    return "" if value is None else str(value)
