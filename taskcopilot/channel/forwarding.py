"""From the bridge to the host: events become notices, and the cursor moves when a notice was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.bridge.rate import Bucket
from taskcopilot.channel.cursor_file import CursorFile
from taskcopilot.channel.following import Heard
from taskcopilot.channel.notice import Notice, of_gap
from taskcopilot.channel.outbox import Outbox
from taskcopilot.channel.wish import Pace
from taskcopilot.clock import Clock

__all__ = ["Forwarder"]

_AHEAD: Final = 1_000
"""What may be heard and not yet told; behind that the bridge waits for us, and we for the host."""

Write = Callable[[bytes], Awaitable[None]]


class Forwarder:
    """Tells a host what is heard.

    The cursor is saved right after each notice was written: a process that is killed in between tells this one notice
    again when it is restarted, with the same `seq`; nothing is left out. What was only counted is told anew.
    """

    def __init__(self, write: Write, file: CursorFile, clock: Clock, pace: Pace) -> None:
        self._write = write
        self._file = file
        self._clock = clock
        self._bucket = Bucket(pace.per_minute / 60, pace.burst, clock.monotonic())
        self._outbox = Outbox(self._bucket, "")
        self._epoch = ""

    async def run(self, heard: AsyncIterator[Heard]) -> None:
        """Forward until cancelled, until the host is gone (OSError), or until listening fails, which is raised."""
        queue: asyncio.Queue[Heard] = asyncio.Queue(_AHEAD)
        tasks = {
            asyncio.create_task(_fill(queue, heard), name="channel-listener"),
            asyncio.create_task(self._tell_all(queue), name="channel-teller"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_all(self, queue: asyncio.Queue[Heard]) -> None:
        while True:
            await self._step(queue)

    async def _step(self, queue: asyncio.Queue[Heard]) -> None:
        """Take the next thing that happens: something is heard, or what was counted may be told."""
        if self._outbox.is_empty:
            await self._take(await queue.get())
            return
        due = self._outbox.due(self._clock.monotonic())
        if isinstance(due, Notice):
            await self._tell(due)
            return
        getting = asyncio.ensure_future(queue.get())
        pausing = asyncio.ensure_future(self._clock.sleep(due))
        try:
            await asyncio.wait({getting, pausing}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                await self._take(getting.result())
        finally:
            getting.cancel()
            pausing.cancel()

    async def _take(self, heard: Heard) -> None:
        if heard.cursor.epoch != self._epoch:
            await self._flush()
            self._epoch = heard.cursor.epoch or ""
            self._outbox = Outbox(self._bucket, self._epoch)
        if heard.gap is not None:
            await self._flush()
            await self._tell(of_gap(*heard.gap, heard.cursor.seq, self._epoch))
        elif heard.envelope is not None:
            notice = self._outbox.offer(heard.envelope, self._clock.monotonic())
            if notice is not None:
                await self._tell(notice)
        elif self._outbox.is_empty:
            await self._save(heard.cursor)

    async def _flush(self) -> None:
        """Tell what was only counted: the numbers that follow are others."""
        if not self._outbox.is_empty:
            await self._tell(self._outbox.flush())

    async def _tell(self, notice: Notice) -> None:
        await self._write(notice.encode())
        await self._save(Cursor(self._epoch, notice.up_to))

    async def _save(self, cursor: Cursor) -> None:
        await asyncio.to_thread(self._file.save, cursor)


async def _fill(queue: asyncio.Queue[Heard], heard: AsyncIterator[Heard]) -> None:
    async for each in heard:
        await queue.put(each)
