"""Standard input and output as the wire of a conversation, which nothing else in the process can touch.

Imports nothing of the SDK, so that the wire can be claimed before anything had a chance to print.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

__all__ = ["Wire"]

T = TypeVar("T")

_CHUNK: Final = 65_536


class Wire:
    """A pair of descriptors that carries lines. Reading and writing never block the event loop or the exit."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing

    @classmethod
    def claim(cls) -> Wire:
        """Take the standard streams, once and for good: from now on what is printed goes to standard error.

        They are not given back, because Python writes at exit what was printed and still is in its buffers. Raises
        OSError when one of them is closed.
        """
        reading, writing = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (0, 1))
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nothing, 0)
        try:
            os.dup2(2, 1)
        except OSError:
            os.dup2(nothing, 1)
        os.close(nothing)
        return cls(reading, writing)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the lines that come in, without their ends, until the peer closes."""
        rest = b""
        while chunk := await _in_daemon_thread(os.read, self._reading, _CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line
        if rest:
            yield rest

    async def write(self, line: bytes) -> None:
        """Write a line and its end; returns when the peer's side has taken it, raises OSError when it is gone."""
        await _in_daemon_thread(_write_all, self._writing, line + b"\n")


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


async def _in_daemon_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking call where it holds up nothing: the threads of an executor keep a process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: OSError | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        result: T | None = None
        failed: OSError | None = None
        try:
            result = function(*arguments)
        except OSError as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="wire", daemon=True).start()
    return await done
