"""Following by `GET /api/events`: asking again and again, or asking and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.helpers.paths.path import ALL, Facts, Path, RefusedError, number
from tests.helpers.waiting import DEADLINE

LIMIT = 7
"""Events that one answer brings at most: small, so that most answers are not the last."""


class PollPath(Path):
    """Asks from `next`, with the tag of the last answer to the same question."""

    marks_replay = False
    starts_at_head = False
    wait = ""
    _next = ""

    async def open(self, cursor: str | None, topics: Sequence[str] = ALL, types: Sequence[str] = ()) -> Facts:
        """See Path."""
        self._query = {"topics": ",".join(topics), "eventTypes": ",".join(types), "limit": str(LIMIT)}
        self._next, self._tag = cursor or "", ""
        page = await self._ask(self.wait and "1")
        assert page is not None
        start = number(page["next"])
        if page["events"]:
            start = page["events"][0]["seq"] - 1
        if cursor is not None and "gap" not in page:
            start = number(cursor)
        return self._opened(page["epoch"], start, page.get("gap"))

    async def position(self) -> str:
        """See Path."""
        before = ""
        while before != self._next:
            before = self._next
            await self._ask("")
        return self._next

    async def close(self) -> None:
        """See Path: there is nothing to leave."""
        self._ahead.clear()

    async def next(self) -> dict[str, Any]:
        """See Path; after the last event of an answer the cursor moves past what did not match."""
        event = await super().next()
        if not self._ahead:
            self.cursor = self._next
        return event

    async def _more(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while not self._ahead:
                page = await self._ask(self.wait)
                assert page is None or "gap" not in page, page

    async def _ask(self, wait: str) -> dict[str, Any] | None:
        """Ask; return None when nothing has changed."""
        query = self._query | {"since": self._next, "wait": wait}
        headers = {"If-None-Match": self._tag} if self._tag else {}
        async with self._server.http.get("/api/events", params=query, headers=headers) as answer:
            if answer.status == 304:
                return None
            page = await answer.json(content_type=None)
            if answer.status != 200:
                raise RefusedError(page["code"], page["field"])
            self._tag = answer.headers["ETag"] if page["next"] == self._next else ""
        self._next = page["next"]
        self._ahead.extend(page["events"])
        return page


class LongPollPath(PollPath):
    """Asks, and lets the bridge answer when there is something; the first time for a second at most."""

    wait = "60"
