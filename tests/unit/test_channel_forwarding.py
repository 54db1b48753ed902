"""What a channel forwards, without processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.channel.cursor_file import CursorFile
from taskcopilot.channel.following import Heard
from taskcopilot.channel.forwarding import Forwarder
from taskcopilot.channel.wish import Pace
from tests.helpers.clock import FakeClock


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CursorFile]:
    """The cursor of a session."""
    with contextlib.closing(CursorFile.claim(tmp_path, "s")) as claimed:
        yield claimed


def happened(seq: int) -> Heard:
    envelope = {"seq": seq, "payload": {"topic": "task:t", "eventType": "task.blocked", "data": {}}}
    return Heard(Cursor("e", seq), envelope)


async def test_a_defect_of_the_listener_ends_the_forwarding(file: CursorFile) -> None:
    """A channel that cannot hear any more says so instead of being silent for ever."""
    written: list[bytes] = []
    told = asyncio.Event()

    async def write(line: bytes) -> None:
        written.append(line)
        told.set()

    async def heard() -> AsyncIterator[Heard]:
        yield happened(7)
        await told.wait()
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        await Forwarder(write, file, FakeClock(), Pace(60, 1)).run(heard())
    assert b"event 7" in written[0]


async def test_a_host_that_has_gone_ends_the_listening(file: CursorFile) -> None:
    """Nobody follows the bridge for a session that is over, and its cursor stays before what was not told."""
    over = asyncio.Event()

    async def write(_line: bytes) -> None:
        raise BrokenPipeError

    async def heard() -> AsyncIterator[Heard]:
        try:
            yield happened(7)
            await asyncio.Event().wait()
        finally:
            over.set()

    with pytest.raises(BrokenPipeError):
        await Forwarder(write, file, FakeClock(), Pace(60, 1)).run(heard())
    assert over.is_set()
    assert file.load() is None
