"""Who is told of the events of a service: handlers, one after the other, and iterations, each at its own pace.

Nothing is thrown away: where a listener has CAPACITY events waiting, whoever gives it the next one waits, too.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Self

from task_copilot_client.aio.messages import ChannelMessage
from task_copilot_client.matching import glob_match

__all__ = ["CAPACITY", "ChannelEvents", "Handler", "Listeners"]

_log: Final = logging.getLogger("task_copilot_client")

CAPACITY: Final = 1_000
"""Events that may wait for one listener."""

Handler = Callable[[ChannelMessage], Awaitable[object] | object]


class ChannelEvents:
    """An iteration of `ChannelClient.events`. One task iterates; used from the client's event loop only."""

    def __init__(self, names: Sequence[str], leave: Callable[[ChannelEvents], None]) -> None:
        self._names = names
        self._leave = leave
        self._queue: deque[ChannelMessage] = deque()
        self._changed = asyncio.Condition()
        self._is_ended = False
        self._error: Exception | None = None

    def __aiter__(self) -> Self:
        """Return itself: there is one position, however many loops."""
        return self

    async def __anext__(self) -> ChannelMessage:
        """Wait for the next event. Ends when the client closes, after what had come in by then.

        Raises ChannelError when the client has given up, because its token was refused.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._queue or self._is_ended)
            if self._queue:
                self._changed.notify_all()
                return self._queue.popleft()
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def close(self) -> None:
        """End the iteration, and throw away what waits. Idempotent."""
        self._leave(self)
        self._queue.clear()
        await self.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def put(self, message: ChannelMessage) -> None:
        """Take an event in if it is wanted; waits while too many are waiting."""
        if self._names and not any(glob_match(name, message.event) for name in self._names):
            return
        async with self._changed:
            await self._changed.wait_for(lambda: self._is_ended or len(self._queue) < CAPACITY)
            if not self._is_ended:
                self._queue.append(message)
                self._changed.notify_all()

    async def end(self, error: Exception | None = None) -> None:
        """Take nothing more in; what waits can still be iterated, and then the error is raised."""
        async with self._changed:
            if not self._is_ended:
                self._is_ended, self._error = True, error
            self._changed.notify_all()


class Listeners:
    """The handlers and iterations of one client."""

    def __init__(self) -> None:
        self._handlers: list[tuple[str, Handler]] = []
        self._iterations: list[ChannelEvents] = []
        self._dispatching: asyncio.Task[None] | None = None

    def add(self, name: str, handler: Handler) -> Callable[[], None]:
        """Call a handler from now on; return what ends that."""
        entry = (name, handler)
        self._handlers.append(entry)
        if self._dispatching is None:
            self._dispatching = asyncio.create_task(self._dispatch(self.iterate(())), name="channel-handlers")
        return lambda: self._handlers.remove(entry) if entry in self._handlers else None

    def iterate(self, names: Sequence[str]) -> ChannelEvents:
        """Begin an iteration."""
        iteration = ChannelEvents(names, self._forget)
        self._iterations.append(iteration)
        return iteration

    async def give(self, message: ChannelMessage) -> None:
        """Tell everybody of an event."""
        for iteration in tuple(self._iterations):
            await iteration.put(message)

    async def end(self, error: Exception | None = None) -> None:
        """End all iterations; no handler is called any more, unless it is the one that is running and asks for this."""
        for iteration in tuple(self._iterations):
            await iteration.end(error)
        task, self._dispatching = self._dispatching, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait([task])

    def _forget(self, iteration: ChannelEvents) -> None:
        if iteration in self._iterations:
            self._iterations.remove(iteration)

    async def _dispatch(self, events: ChannelEvents) -> None:
        async for message in events:
            for name, handler in tuple(self._handlers):
                if glob_match(name, message.event):
                    await _call(handler, message)


async def _call(handler: Handler, message: ChannelMessage) -> None:
    """Call a handler; what it raises is logged, and ends nothing."""
    try:
        result = handler(message)
        if inspect.isawaitable(result):
            await result
    except Exception:  # noqa: BLE001 - the others are called all the same
        _log.exception("a handler of %s failed", message.event)
