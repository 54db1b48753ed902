"""How a long-running process lives: its event loop, and its end on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final

__all__ = ["GRACE", "keep_the_loop_prompt", "run_until_signal"]

_log: Final = logging.getLogger(__name__)

GRACE: Final = 3.0
"""Seconds after which a process that was told to stop is gone, whatever holds it up."""

_DESCRIPTORS: Final = 65_536
"""Files and sockets that a bridge may have open, where the system lets it: shells start with 1,024 and less."""

_TURN: Final = 0.0005
"""Seconds after which a thread gives way to another; ten times as often as by default costs nothing measurable."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_REPEAT: Final = 10.0
"""Seconds between two lines about connections that cannot be accepted; asyncio writes thousands in a second."""

Work = Callable[[asyncio.Event], Awaitable[None]]
"""What a process does until the event is set, cleaning up after itself."""


def run_until_signal(work: Work) -> None:
    """Run the work on a new event loop; uvloop's when it is installed. Takes the descriptors that the system allows.

    SIGTERM and SIGINT set the event; the second of them ends the process at once, and so does the end of the grace.
    """
    _allow_descriptors()
    keep_the_loop_prompt()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_guard(work))


def keep_the_loop_prompt() -> None:
    """Let the event loop have its turn soon while another thread makes a long list.

    The interpreter's threads change every 5 ms by default; and each full pass of its garbage collector, of which a long
    list causes some, looks at everything that was imported (40 ms, measured) unless that is set aside.
    """
    sys.setswitchinterval(_TURN)
    gc.collect()
    gc.freeze()


async def _guard(work: Work) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(number: int) -> None:
        if stopping.is_set():
            _end(number)
        _log.info("%s: stopping", signal.Signals(number).name)
        stopping.set()
        watchdog = threading.Timer(GRACE, _end, (number,))
        watchdog.daemon = True
        watchdog.start()

    loop.set_exception_handler(_Complaints())
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    await work(stopping)


class _Complaints:
    """Logs what the event loop complains of; of connections that cannot be accepted only now and then."""

    def __init__(self) -> None:
        self._due = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "_start_serving" in context["message"]:
            return  # asyncio tries again to accept, and the socket was closed meanwhile
        if not (isinstance(error, OSError) and error.errno in _EXHAUSTED):
            loop.default_exception_handler(context)
        elif loop.time() >= self._due:
            self._due = loop.time() + _REPEAT
            _log.error("no more connections can be accepted for now, those that are open go on: %s", error.strerror)


def _end(number: int) -> None:
    """Leave without ceremony. Nothing that was acknowledged is lost: the database survives a crash."""
    os._exit(128 + number)


def _allow_descriptors() -> None:
    """Raise the soft limit: at its end new clients are cut off, or wait, for no reason that the system has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems have limits that they do not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - an extra, and only for those who serve
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
