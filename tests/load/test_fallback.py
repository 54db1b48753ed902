"""Who has no socket misses nothing: pollers beside sockets, on the same events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.load.bridge import Bridge
from tests.helpers.load.heard import Frames, all_reach
from tests.helpers.load.listener import crowd
from tests.helpers.load.log_rule import StoredLog, summary
from tests.helpers.load.writer import Caller, Writer, moment
from tests.helpers.waiting import DEADLINE

INTERVAL = 0.5
"""Seconds between two questions of a poller that does not wait for the answer."""


class Poller:
    """Asks for the log from its cursor, by long polls or at intervals, until it has an event that it waits for."""

    def __init__(self, port: int, *, wait: bool) -> None:
        self._port = port
        self._wait = wait
        self._last = 1 << 62
        self.asked = 0
        self.events: list[dict[str, Any]] = []

    def end_at(self, seq: int) -> None:
        """Let the poller end when it has this event."""
        self._last = seq

    async def run(self) -> None:
        """Poll."""
        loop, cursor = asyncio.get_running_loop(), "0"
        async with Caller.connected(self._port) as caller:
            while not self.events or self.events[-1]["seq"] < self._last:
                next_time = loop.time() + (0 if self._wait else INTERVAL)
                page = await caller.get(f"/api/events?topics=task:*&since={cursor}" + "&wait=1" * self._wait)
                assert "gap" not in page
                self.events += page["events"]
                self.asked += 1
                cursor = page["next"]
                await moment(next_time)


@pytest.mark.parametrize("wait", [False, True], ids=["polls", "long polls"])
async def test_pollers_see_what_sockets_see(
    bridge: Bridge, size: Callable[[Any, Any], Any], say: Callable[[str], None], wait: bool
) -> None:
    """H1, H8: the same events, whole, once, and in the same order. Event to receive is that of the sockets."""
    count, rate, frames = size(10, 50), 20, Frames()
    pollers = [Poller(bridge.port, wait=wait) for _ in range(count)]
    async with crowd(bridge.port, count, frames, lambda _: ["task:*"]) as listeners:
        polling = asyncio.gather(*(poller.run() for poller in pollers))
        async with Writer.connected(bridge.port) as writer:
            await writer.create_at(rate * size(1, 15), rate)
        log = await StoredLog.read(bridge.port)
        for poller in pollers:
            poller.end_at(log.head)
        async with asyncio.timeout(DEADLINE):
            await polling
        heard = [listener.heard for listener in listeners]
        await all_reach(heard, log.head, DEADLINE)
    log.check_acknowledged(writer.acknowledged)
    log.check_frames(frames)
    log.check_heard(heard, lambda topic: topic.startswith("task:"))
    for poller in pollers:
        assert poller.events == list(log.events.values())
    say(
        f"{count} pollers asked {sum(poller.asked for poller in pollers)} times for {log.head} events; "
        f"{count} sockets beside them: {summary(log.delays(heard))}"
    )
