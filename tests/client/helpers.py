"""Waiting for conditions, a clock that stands still, and a callback that keeps what it is given."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from task_copilot_client import TaskCopilotClient
from task_copilot_client.clock import Bell

DEADLINE = 20.0
"""Seconds after which a condition counts as never coming true; far above anything seen."""


def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait for the condition; fail when it does not come true."""
    deadline = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        pause.wait(0.002)


class WatchedBell(Bell):
    """A bell that tells whether somebody waits for it."""

    is_awaited = False

    def wait(self, seconds: float, sock: socket.socket | None = None) -> bool:
        self.is_awaited = True
        try:
            return super().wait(seconds, sock)
        finally:
            self.is_awaited = False


class FakeClock:
    """Time that moves when a test says so; chance that always chooses the shortest pause."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._bells: list[WatchedBell] = []

    def monotonic(self) -> float:
        return self._now

    def timestamp(self) -> str:
        return "2026-01-08T12:00:00.000Z"

    def random(self) -> float:
        return 0.0

    def bell(self) -> Bell:
        self._bells.append(WatchedBell())
        return self._bells[-1]

    def advance(self, seconds: float) -> None:
        """Let time pass once the newest client has nothing else to do, and have everybody look at the clock."""
        until(lambda: self._bells[-1].is_awaited, "rest")
        self._now += seconds
        for bell in self._bells:
            bell.ring()


def until_websocket(client: TaskCopilotClient, clock: FakeClock) -> None:
    """Wait until the client is back on a WebSocket; while it polls in between, let time pass until it probes."""
    until(lambda: client.connected, "a connection")
    until(lambda: client.mode == "websocket" or clock.advance(10), "a WebSocket")


class Recorder:
    """A callback; `calls` holds (topic, type, data) of every call, `threads` where they ran."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.threads: set[threading.Thread] = set()

    def __call__(self, *arguments: Any) -> None:
        self.threads.add(threading.current_thread())
        self.calls.append(arguments)

    @property
    def topics(self) -> list[str]:
        return [call[0] for call in self.calls]

    def wait(self, count: int) -> None:
        until(lambda: len(self.calls) >= count, f"call {count} (got {self.calls})")


def own_threads() -> list[threading.Thread]:
    """Return the threads of all clients that live."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("task-copilot-")]
