"""What watchers of resources are told: our bus as the subscription bus of the SDK, and the notices for old clients."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent

from taskcopilot.bus import Bus, Subscription
from taskcopilot.events import Event
from taskcopilot.mcp.uris import changed

__all__ = ["Changes", "Watch"]

Listener = Callable[[ServerEvent], None]

_LISTED: Final = frozenset({"task.created", "task.status_changed"})
"""Types of events that change which resources are listed."""


class Changes:
    """A SubscriptionBus that is fed by ours, and only while somebody listens. Used from the event loop only."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._listeners: dict[object, Listener] = {}
        self._subscription: Subscription | None = None

    async def publish(self, event: ServerEvent) -> None:
        """Tell all listeners."""
        for listener in list(self._listeners.values()):
            listener(event)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call the listener with what changes from now on; returns what ends that, idempotent."""
        token = object()
        self._listeners[token] = listener
        if self._subscription is None:
            self._subscription = self._bus.subscribe(self._receive)

        def unsubscribe() -> None:
            self._listeners.pop(token, None)
            if not self._listeners and self._subscription is not None:
                self._subscription.close()
                self._subscription = None

        return unsubscribe

    def _receive(self, events: Sequence[Event]) -> None:
        """Tell of a batch; what it changed several times is told once."""
        happened: list[ServerEvent] = [ResourceUpdated(uri) for uri in changed(events)]
        if any(event.type in _LISTED for event in events):
            happened.append(ResourcesListChanged())
        for listener in list(self._listeners.values()):
            for event in happened:
                listener(event)


class Watch:
    """The resources that one old client has subscribed to; it is told on its session, in a task of its own.

    Where it takes nothing, what changes meanwhile is told once.
    """

    def __init__(self, connection: Connection, changes: Changes) -> None:
        self.uris: set[str] = set()
        self._connection = connection
        self._due: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._unsubscribe = changes.subscribe(self._receive)
        self._task = asyncio.create_task(self._tell(), name="watch")
        connection.exit_stack.push_async_callback(self.close)

    @classmethod
    def of(cls, context: ServerRequestContext[Any], changes: Changes) -> Watch:
        """Return the watch of a client's connection; it lives as long as that."""
        connection = context.session._connection  # noqa: SLF001 - only it says when a conversation is over
        watch = connection.state.get(cls.__name__)
        if watch is None:
            watch = connection.state[cls.__name__] = cls(connection, changes)
        return watch

    async def close(self) -> None:
        """End it."""
        self._unsubscribe()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _receive(self, event: ServerEvent) -> None:
        if isinstance(event, ResourceUpdated) and event.uri in self.uris:
            self._due[event.uri] = None
            self._wake.set()

    async def _tell(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                uri = next(iter(self._due))
                del self._due[uri]
                await self._connection.send_resource_updated(uri)
