"""The asynchronous client of a service: what its users call, and how it stays connected."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from task_copilot_client.aio.connection import Connection
from task_copilot_client.aio.listeners import ChannelEvents, Handler, Listeners
from task_copilot_client.aio.messages import ChannelError, ChannelMessage
from task_copilot_client.aio.resumption import Resumption, Stretch
from task_copilot_client.backoff import full_jitter
from task_copilot_client.clock import SYSTEM_CLOCK, Clock
from task_copilot_client.cursor import Cursor
from task_copilot_client.errors import UnreachableError
from task_copilot_client.trust import trusting

__all__ = ["ChannelClient"]

_log: Final = logging.getLogger("task_copilot_client")

FIRST_DELAY: Final = 1.0
"""Seconds that the first pause before a reconnect stays below; it doubles from try to try."""

MAX_DELAY: Final = 60.0
SETTLING: Final = 0.1
"""Seconds between two questions whether a replay is through."""


class ChannelClient:
    """A client of one service. Belongs to one event loop; its methods may be called by any number of tasks.

    While the connection is lost, the client tries again: after 1 s at most, doubling to 60 s, evenly spread between 0
    and that. Then it shows its token, enters its rooms again and has replayed what it missed: every logged event of its
    rooms passes once, in the order of the log, across reconnects. Events that are not logged are not replayed. Where
    the log is a new one, or was pruned meanwhile, `on_gap` is called. A server that keeps no log resumes from now on.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str] | None = None,
        *,
        timeout: float = 30.0,
        ca_file: str | PathLike[str] | None = None,
        on_gap: Callable[[], object] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Take the service's address, such as `ws://127.0.0.1:8690`. A token that is a function is asked each time.

        `ca_file` holds the authorities (PEM) that the certificate at a `wss` address has to come from, or that
        certificate; by default those of the system are trusted. ValueError where the address is not `wss`.
        """
        if ca_file is not None and not url.startswith(("wss:", "https:")):
            raise ValueError(f"ca_file: there is no certificate to check at {url!r}; use wss")
        self._ca_file = None if ca_file is None else fspath(ca_file)
        self._url = url
        self._token = token
        self._timeout = timeout
        self._on_gap = on_gap
        self._clock = clock
        self._resumption = Resumption()
        self._listeners = Listeners()
        self._http: aiohttp.ClientSession | None = None
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None

    @property
    def welcome(self) -> ChannelMessage | None:
        """What the service said when this connection began; `data["connection_id"]` is how it calls us."""
        return None if self._connection is None else self._connection.welcome

    @property
    def is_connected(self) -> bool:
        """True while the connection stands and the rooms are entered."""
        return self._connected.is_set()

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms that the client is in, or enters again as soon as it can."""
        return self._resumption.rooms

    @property
    def cursor(self) -> Cursor | None:
        """The place up to which everything has passed; may be kept and given to `subscribe` by another client."""
        return self._resumption.cursor

    async def connect(self) -> None:
        """Connect; raises UnreachableError, or ChannelError for a token that is refused. Later losses are made good.

        A `ca_file` that cannot be used is a ValueError.
        """
        if self._task is not None:
            raise RuntimeError("already connected; a client is used once")
        trusted = await asyncio.to_thread(trusting, self._ca_file) if self._ca_file is not None else True
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise
        self._task = asyncio.create_task(self._keep(), name="channel-client")

    async def close(self) -> None:
        """End the connection and all iterations; what came in by then can still be iterated. Idempotent."""
        for task in (self._task, self._settling):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
                await asyncio.wait([task])
        self._task = None
        if self._connection is not None:
            self._connection.abandon()
        await self._drop()
        if self._http is not None:
            await self._http.close()
        await self._listeners.end()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def request(self, event: str, data: Mapping[str, Any] | None = None, *, seconds: float | None = None) -> Any:
        """Ask the service, and return the answer's data.

        Raises ChannelError when it is refused, TimeoutError when no answer came within `seconds` (by default the
        client's time-out; in it also a lost connection may come back), and UnreachableError when the connection is
        lost while it is asked: then it may or may not have been done.
        """
        return (await self._ask("request", event, data, seconds)).data

    async def publish(self, event: str, data: Mapping[str, Any], *, seconds: float | None = None) -> dict[str, Any]:
        """Publish an event that the service relays, and return its `status` and `seq`; otherwise as `request`.

        It does not come back to this client, unless it is replayed after a reconnect.
        """
        return (await self._ask("event", event, data, seconds)).data

    async def subscribe(self, *channels: str, since: Cursor | int | str | None = None) -> None:
        """Enter rooms; events come from now on, or first what came after `since`, in the order of the log.

        Raises as `request`; then none of the rooms is entered that was not before.
        """
        cursor = None if since is None else Cursor.parse(since)
        new = set(channels) - set(self.rooms)
        try:
            async with asyncio.timeout(self._timeout):
                await self._until_connected()
                await self._enter(Stretch(channels, cursor))
                if cursor is None:
                    await self._settle()
                else:
                    self._settle_soon()
        except BaseException:
            self._resumption.left(new)
            raise

    async def unsubscribe(self, *channels: str) -> None:
        """Leave rooms; raises as `request`, and they are left all the same after the next reconnect."""
        self._resumption.left(channels)
        await self._ask("request", "unsubscribe", {"channels": list(channels)})

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call the handler with each ChannelMessage of an event, or of all that a glob matches; returns what ends that.

        Handlers are called one after the other, in the order of the events, and awaited when they are coroutines. One
        that raises is logged. A slow one holds up what is read, so that the service keeps the rest for us.
        """
        return self._listeners.add(event, handler)

    def events(self, *names: str) -> ChannelEvents:
        """Iterate over events with one of these names or globs, by default over all, from now on.

        Who stops iterating calls `close` on it or uses `with`: otherwise it holds up the client when it is full.
        """
        return self._listeners.iterate(names)

    async def _keep(self) -> None:
        """Wait until the connection is lost, and connect again; until a token is refused or somebody closes."""
        failures = 0
        try:
            while True:
                if self._connection is not None:
                    await self._connection.lost()
                    failures = 0
                await self._drop()
                await asyncio.sleep(full_jitter(failures, self._clock.random, cap=MAX_DELAY, first=FIRST_DELAY))
                failures += 1
                try:
                    await self._open()
                except UnreachableError as error:
                    _log.debug("not connected yet: %s", error)
        except ChannelError as refused:
            _log.warning("%s refuses us: %s", self._url, refused)
            await self._listeners.end(refused)

    async def _open(self) -> None:
        """Connect, show the token, and enter the rooms again; raises UnreachableError, ChannelError for the token."""
        assert self._http is not None, "connect has made it"  # noqa: S101
        token = self._token() if callable(self._token) else self._token
        try:
            async with asyncio.timeout(self._timeout):
                self._connection = await Connection.open(self._http, self._url, token)
                self._connection.listen(self)
                await self._enter_again()
        except (ChannelError, UnreachableError):
            await self._drop()
            raise
        except TimeoutError as error:
            await self._drop()
            raise UnreachableError(f"{self._url}: no answer within {self._timeout:g} s") from error
        _log.info("connected to %s", self._url)
        self._connected.set()

    async def _enter_again(self) -> None:
        stretches = self._resumption.stretches()
        try:
            for stretch in stretches:
                await self._enter(stretch)
        except ChannelError as error:
            raise UnreachableError(f"{self._url} does not let us in again: {error}") from error
        if stretches:
            self._settle_soon()

    async def _enter(self, stretch: Stretch) -> None:
        """Ask for rooms; `entered` is called with the answer before anything else is read."""
        data: dict[str, Any] = {"channels": list(stretch.rooms)}
        if stretch.since is not None:
            data["since"] = str(stretch.since)
        await self._exchange("request", "subscribe", data, stretch)

    def _settle_soon(self) -> None:
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle_quietly(), name="channel-settling")

    async def _settle_quietly(self) -> None:
        """Settle as long as the connection stands, also when the service finds that we ask too often."""
        with contextlib.suppress(UnreachableError):
            while True:
                try:
                    return await self._settle()
                except ChannelError:
                    await asyncio.sleep(SETTLING)

    async def _settle(self) -> None:
        """Ask until everything that is being replayed was sent; `take` notes the answers."""
        while True:
            await self._exchange("ping")
            if self._resumption.is_settled:
                return
            await asyncio.sleep(SETTLING)

    async def _ask(
        self, kind: str, event: str, data: Mapping[str, Any] | None, seconds: float | None = None
    ) -> ChannelMessage:
        async with asyncio.timeout(self._timeout if seconds is None else seconds):
            await self._until_connected()
            return await self._exchange(kind, event, data)

    async def _until_connected(self) -> None:
        if self._task is None or self._task.done():
            raise UnreachableError(f"{self._url}: not connected, and nobody tries")
        await self._connected.wait()

    async def _exchange(
        self, kind: str, event: str | None = None, data: Mapping[str, Any] | None = None, stretch: Stretch | None = None
    ) -> ChannelMessage:
        if self._connection is None:
            raise UnreachableError(f"{self._url}: the connection is lost")
        return await self._connection.exchange(kind, event, data, stretch)

    async def take(self, message: ChannelMessage) -> None:
        """See Receiver."""
        if message.type == "pong":
            self._resumption.complete(message.seq)
        elif message.event == "log.gap":
            self._on_gap()
        elif message.type == "event" and self._resumption.admits(message.seq):
            await self._listeners.give(message)

    def entered(self, stretch: Stretch, answer: ChannelMessage) -> None:
        """See Receiver."""
        since = None if stretch.since is None else stretch.since.seq
        is_same_log = self._resumption.joined(stretch.rooms, since, answer.epoch, answer.seq)
        if not is_same_log or answer.recovered is False:
            self._on_gap()

    def ended(self) -> None:
        """See Receiver."""
        self._connected.clear()

    async def _drop(self) -> None:
        """Give the connection up; what was read of it already still goes to the listeners."""
        self._connected.clear()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
