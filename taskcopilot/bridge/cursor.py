"""Cursors: a client's position in the log, and what is left of the log after it (promise D5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.store.event_log import LogState

__all__ = ["CURSOR", "Cursor", "Gap", "Position"]

CURSOR: Final = re.compile(r"(?:([0-9A-Za-z._-]{1,64}):)?([0-9]{1,18})")
"""Eighteen digits fit a 64-bit integer; a log that long would take a million events a second for 31,000 years."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that can no longer be delivered, both ends included."""

    first: int
    last: int

    def as_json(self) -> dict[str, int]:
        """Return the gap as it goes on the wire."""
        return {"from": self.first, "to": self.last}


@dataclass(frozen=True, slots=True)
class Position:
    """Where delivery starts: after the event `after`; and what is missing before it, if anything."""

    after: int
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A claim to have everything up to `seq`, in the log named by `epoch` (None: in whichever log this is)."""

    epoch: str | None
    seq: int

    def __str__(self) -> str:
        return str(self.seq) if self.epoch is None else f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, value: Any) -> Cursor:
        """Read `42`, `"42"` or `"<epoch>:42"`; raise InvalidArgumentError for anything else."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        match = CURSOR.fullmatch(text) if isinstance(text, str) and text.isascii() else None
        if match is None:
            raise InvalidArgumentError(
                "since: expected an event number or a cursor '<epoch>:<seq>' as the bridge gave it", field="since"
            )
        return cls(match[1], int(match[2]))

    def locate(self, log: LogState) -> Position:
        """Find the cursor in the log.

        Of a foreign log, or past the head, nothing is known: the whole log counts as missing, and delivery starts
        at the head. Below what retention keeps, the range that is gone is missing, and delivery starts behind it.
        """
        if (self.epoch not in (None, log.epoch)) or self.seq > log.head:
            return Position(log.head, Gap(1, log.head) if log.head else Gap(0, 0))
        if self.seq < log.pruned_to:
            return Position(log.pruned_to, Gap(self.seq + 1, log.pruned_to))
        return Position(self.seq)
