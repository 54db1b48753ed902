"""A WebSocket client between its session and the hub: every message in, every answer out, in order.

Answers and events share one way out, the sink, so that "`subscribed` before the first event" is an order of two calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from taskcopilot.bridge.cursor import Gap
from taskcopilot.bridge.frames import PING, text_frame
from taskcopilot.bridge.hub import Hub
from taskcopilot.bridge.member import Sink
from taskcopilot.bridge.protocol import (
    ProtocolError,
    encode_error,
    encode_event,
    encode_gap,
    encode_ping,
    encode_pong,
    encode_subscribed,
)
from taskcopilot.bridge.session import Answer, Drop, Hold, Keepalive, Session
from taskcopilot.clock import Clock, iso
from taskcopilot.events import Event

__all__ = ["Connection", "WebSocketWire"]


class WebSocketWire:
    """Events as uncompressed text frames; share one object among all connections of a server."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock

    def event(self, event: Event, *, replayed: bool) -> bytes:
        """See Wire."""
        return text_frame(encode_event(event, replayed=replayed))

    def gap(self, gap: Gap) -> bytes:
        """See Wire."""
        return text_frame(encode_gap(gap, iso(self._clock.now())))


class Connection:
    """One connected client. `close` must be called when its socket is gone.

    `refresh` brings the hub to the head of the stored log: a client may hold a cursor that another process gave it a
    moment ago.
    """

    def __init__(
        self,
        hub: Hub,
        sink: Sink,
        wire: WebSocketWire,
        clock: Clock,
        *,
        max_patterns: int,
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._hub = hub
        self._sink = sink
        self._clock = clock
        self._refresh = refresh
        self._member = hub.attach(sink, wire)
        self._session = Session(self._member.holdings, max_patterns)
        self._keepalive = Keepalive()

    def heard(self) -> None:
        """Note that something came from the peer, a control frame for example."""
        self._keepalive.heard()

    async def receive(self, frame: str | bytes) -> None:
        """Do what a message asks for and answer it; no message closes the connection (R5)."""
        self._keepalive.heard()
        try:
            wish = self._session.receive(frame)
        except ProtocolError as error:
            self._send(encode_error(error, self._at()))
            return
        match wish:
            case Hold():
                await self._hold(wish)
            case Drop():
                self._drop(wish)
            case Answer():
                self._send(encode_pong(wish.request_id, self._at()))
            case None:
                pass

    def tick(self) -> bool:
        """An interval is over: send a ping, or return False when the peer counts as gone."""
        if not self._keepalive.tick():
            return False
        self._send(encode_ping(self._at(), self._hub.complete_up_to(self._member)))
        self._sink.write(PING)
        return True

    def close(self) -> None:
        """Leave the hub; idempotent."""
        self._hub.detach(self._member)

    async def _hold(self, wish: Hold) -> None:
        if wish.since is not None and wish.since.seq > self._hub.head:
            await self._refresh()
        position = self._hub.hold(self._member, wish.patterns, wish.since)
        self._confirm(
            wish.request_id,
            wish.topics,
            recovered=None if wish.since is None else position.gap is None,
            gap=position.gap,
        )

    def _drop(self, wish: Drop) -> None:
        self._hub.drop(self._member, wish.patterns)
        self._confirm(wish.request_id, [])

    def _confirm(
        self, request_id: object, topics: list[str], *, recovered: bool | None = None, gap: Gap | None = None
    ) -> None:
        log = self._hub.log_state
        self._send(
            encode_subscribed(
                request_id,
                self._at(),
                topics=topics,
                active=len(self._member.holdings),
                epoch=log.epoch,
                head=log.head,
                recovered=recovered,
                gap=gap,
            )
        )

    def _send(self, message: bytes) -> None:
        self._sink.write(text_frame(message))

    def _at(self) -> str:
        return iso(self._clock.now())
