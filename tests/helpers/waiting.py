"""Waiting for conditions instead of for time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

DEADLINE = 20.0
"""Seconds after which a condition counts as never coming true; far above anything seen, the machines are shared."""


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Let the event loop run until the condition holds; fail when it does not come true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        await asyncio.sleep(0)


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Ask again and again until the condition holds, in a test without an event loop; fail when it never does."""
    deadline = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        pause.wait(0.005)


async def settle(turns: int = 20) -> None:
    """Let everything that is ready run, some turns of the event loop long."""
    for _ in range(turns):
        await asyncio.sleep(0)
