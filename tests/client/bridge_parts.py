"""Stand-ins for the shells of the client, for tests of what stands above them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from task_copilot_client.cursor import Cursor
from task_copilot_client.dispatch import Delivery
from task_copilot_client.http import Http, Page, _read_page
from task_copilot_client.signals import Signals
from tests.client.bridge_model import Log


class ListOutbox:
    """Keeps deliveries until somebody takes them."""

    def __init__(self) -> None:
        self.items: deque[Delivery] = deque()

    def put(self, item: Delivery) -> None:
        self.items.append(item)

    def positions(self) -> list[Cursor | None]:
        return [item.before for item in self.items]


class FakeHttp(Http):
    """Reads pages of two from a model's log."""

    def __init__(self, log: Callable[[], Log]) -> None:
        self._log = log

    def head(self) -> Cursor:
        return self._answer({"limit": "1"}).head

    def page(self, since: Cursor, patterns: Sequence[str]) -> Page:
        return self._answer({"since": str(since), "topics": ",".join(patterns), "limit": "2"})

    def _answer(self, query: dict[str, Any]) -> Page:
        return _read_page(self._log().page(query))


def quiet_signals() -> Signals:
    """Nobody stops, and there is always room, so nobody waits for the bell."""
    bell: Any = None
    return Signals(bell, lambda: False, lambda: False, lambda: None)
