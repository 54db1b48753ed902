"""What all ways to follow a bridge have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.helpers.server import RunningServer

ALL = ("*",)


@dataclass(frozen=True)
class Facts:
    """What a client is told when it opens: the log, the number after which it gets events, and what is missing."""

    epoch: str
    start: int
    gap: tuple[int, int] | None


class RefusedError(Exception):
    """The bridge did not take the request."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(code, field)
        self.code, self.field = code, field


class Path(ABC):
    """One client. `cursor` is where it would go on, on this path or on another: all before it was taken or told."""

    marks_replay: ClassVar[bool] = True
    """Whether events of before the request are told apart from those of after it."""

    starts_at_head: ClassVar[bool] = True
    """Whether a request without a cursor begins at the head, or at the oldest event that is kept."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._ahead: deque[dict[str, Any]] = deque()
        self._epoch = ""
        self.cursor: str | None = None

    @abstractmethod
    async def open(self, cursor: str | None, topics: Sequence[str] = ALL, types: Sequence[str] = ()) -> Facts:
        """Ask for what matches after a cursor; raises RefusedError, and may then be tried again."""

    @abstractmethod
    async def position(self) -> str:
        """Return the cursor up to which the bridge says that everything was delivered; events stay to be taken."""

    @abstractmethod
    async def close(self) -> None:
        """Leave, without a word where that is possible."""

    @abstractmethod
    async def _more(self) -> None:
        """Wait for what comes next, and put the events of it into `_ahead`."""

    async def next(self) -> dict[str, Any]:
        """Take the next event: the envelope."""
        while not self._ahead:
            await self._more()
        event = self._ahead.popleft()
        self.cursor = f"{self._epoch}:{event['seq']}"
        return event

    async def take(self, count: int) -> list[tuple[int, bool]]:
        """Take some events; return the number of each, and whether it was marked as replayed."""
        events = [await self.next() for _ in range(count)]
        return [(event["seq"], event.get("replayed", False)) for event in events]

    def _opened(self, epoch: str, start: int, gap: dict[str, int] | None) -> Facts:
        self._epoch, self.cursor = epoch, f"{epoch}:{start}"
        return Facts(epoch, start, None if gap is None else (gap["from"], gap["to"]))


def number(cursor: str) -> int:
    """Return the number in a cursor."""
    return int(cursor.rpartition(":")[2])
