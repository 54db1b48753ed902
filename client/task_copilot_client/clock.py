"""Time, chance and waiting, in one place, so that tests can hold time still."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import time
from datetime import UTC, datetime
from typing import Final, Protocol

__all__ = ["SYSTEM_CLOCK", "Bell", "Clock", "SystemClock"]


class Bell:
    """What the connection thread waits on: bytes on a socket, time to pass, or a ring from another thread.

    A ring is never lost: one that comes before `wait` ends that wait at once. Rings do not count up, and a wait may
    end without one; whoever waits looks again at what it waits for. `ring` may be called from any thread, also after
    `close`; everything else belongs to the waiting thread.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._receiver, selectors.EVENT_READ)

    def ring(self) -> None:
        """End the present wait, or the next one."""
        with contextlib.suppress(OSError):  # full: rung already; closed: nobody waits any more
            self._sender.send(b"!")

    def wait(self, seconds: float, sock: socket.socket | None = None) -> bool:
        """Wait for a ring, for so many seconds at most, or until the socket can be read; True in the last case."""
        if sock is None:
            self._select(seconds)
            return False
        self._selector.register(sock, selectors.EVENT_READ)
        try:
            return sock in self._select(seconds)
        finally:
            self._selector.unregister(sock)

    def _select(self, seconds: float) -> list[object]:
        ready = [key.fileobj for key, _ in self._selector.select(max(0.0, seconds))]
        if self._receiver in ready:
            with contextlib.suppress(BlockingIOError):
                self._receiver.recv(4096)
        return list(ready)

    def close(self) -> None:
        """Give the sockets back."""
        self._selector.close()
        self._receiver.close()
        self._sender.close()


class Clock(Protocol):
    """What the client knows of time and chance."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...

    def timestamp(self) -> str:
        """Return the time of day in UTC, ISO 8601 with milliseconds and Z."""
        ...

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def bell(self) -> Bell:
        """Return a new bell."""
        ...


class SystemClock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def timestamp(self) -> str:
        """See Clock."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def random(self) -> float:
        """See Clock."""
        return random.random()  # noqa: S311 - spreads reconnects, guards nothing

    def bell(self) -> Bell:
        """See Clock."""
        return Bell()


SYSTEM_CLOCK: Final = SystemClock()
