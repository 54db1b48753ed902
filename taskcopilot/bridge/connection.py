"""A WebSocket client between its session and the hub: every message in, every answer out, in order.

Answers and events share one way out, the sink, so that "`subscribed` before the first event" is an order of two calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from taskcopilot.auth.access import EVERYTHING, Access
from taskcopilot.auth.identity import Identity
from taskcopilot.auth.lease import Lease
from taskcopilot.bridge.cursor import Cursor, Position
from taskcopilot.bridge.frames import PING, text_frame
from taskcopilot.bridge.hub import Hub
from taskcopilot.bridge.member import Sink
from taskcopilot.bridge.protocol import (
    ErrorCode,
    ProtocolError,
    Subscribe,
    encode_authenticated,
    encode_error,
    encode_expiring,
    encode_ping,
    encode_pong,
    encode_snapshot,
    encode_subscribed,
)
from taskcopilot.bridge.rate import Pace
from taskcopilot.bridge.session import Answer, Drop, Hold, Keepalive, Session, Show, Wish
from taskcopilot.bridge.wire import WebSocketWire
from taskcopilot.clock import Clock, iso
from taskcopilot.errors import RefusedError
from taskcopilot.topics import Selector

__all__ = ["Connection", "Past"]

_CONFLATION_WINDOW = 0.25
"""Seconds within which old news is left out, for who asked for conflation and not for batches."""

_NO_LIMIT = 1_000
"""Events that wait at most for the end of that window."""


class Past(Protocol):
    """What a subscribe may need of what was before it; everything here may take a trip to the database."""

    async def refresh(self) -> None:
        """Bring the hub to the head and to the retention of the stored log: a client may hold a cursor that another
        process gave it a moment ago.
        """
        ...

    async def seq_before_last(self, selectors: Sequence[Selector], count: int) -> int:
        """Return the number after which the newest `count` matching events come."""
        ...

    async def first_hidden(self, selectors: Sequence[Selector]) -> int | None:
        """Return the index of the first selector that could match what its own view does not show, None for none."""
        ...

    async def snapshot(self, selectors: Sequence[Selector]) -> tuple[int, bytes]:
        """Return the state of what the selectors match as JSON, and the number of the newest event that is in it."""
        ...


class Lets(Protocol):
    """Who checks the tokens that the client shows; see web/doorkeeper.py."""

    async def __call__(self, token: str) -> Identity:
        """Return whom a token stands for; raises RefusedError for one that is not good."""
        ...


class Connection:
    """One connected client. `close` must be called when its socket is gone."""

    def __init__(
        self,
        hub: Hub,
        sink: Sink,
        wire: WebSocketWire,
        past: Past,
        clock: Clock,
        *,
        max_patterns: int,
        message_rate: float,
        access: Access = EVERYTHING,
        identify: Lets | None = None,
        lease: Lease | None = None,
    ) -> None:
        self._hub = hub
        self._sink = sink
        self._past = past
        self._clock = clock
        self._member = hub.attach(sink, wire)
        self._wire = wire
        self._session = Session(self._member.holdings, max_patterns, access)
        self._pace = Pace(message_rate, clock.monotonic())
        self._identify = identify
        self._lease = lease
        self._keepalive = Keepalive()

    def heard(self) -> bool:
        """Note a control frame of the peer; False when the connection has to end because there are too many (R7)."""
        self._keepalive.heard()
        now = self._clock.monotonic()
        return not (self._pace.wait(now) and self._is_out_of_patience(now))

    async def receive(self, frame: str | bytes) -> bool:
        """Do what a message asks for and answer it; no message closes the connection (R5), but too many do (R7).

        False when the connection has to end.
        """
        self._keepalive.heard()
        measures, began = self._hub.measures, self._clock.monotonic()
        try:
            if wait := self._pace.wait(began):
                raise self._session.too_fast(frame, wait)
            await self._grant(self._session.receive(frame))
        except ProtocolError as error:
            measures.errors[error.code] += 1
            self._send(encode_error(error, self._at()))
            if error.code is ErrorCode.RATE_LIMIT:
                return not self._is_out_of_patience(began)
        measures.handling.observe(self._clock.monotonic() - began)
        return True

    def _is_out_of_patience(self, now: float) -> bool:
        if ended := self._pace.is_out_of_patience(now):
            self._hub.measures.errors["closed_too_fast"] += 1
        return ended

    async def _grant(self, wish: Wish) -> None:
        received = self._hub.measures.received
        match wish:
            case Hold():
                received["subscribe"] += 1
                await self._hold(wish)
            case Drop():
                received["unsubscribe"] += 1
                self._hub.drop(self._member, wish.patterns)
                self._confirm(wish.request_id, [])
            case Answer():
                received["ping"] += 1
                self._send(encode_pong(wish.request_id, self._at()))
            case Show():
                received["auth"] += 1
                await self._show(wish)
            case None:
                received["pong"] += 1

    def tick(self) -> bool:
        """An interval is over: send a ping, or return False when the peer counts as gone."""
        if not self._keepalive.tick():
            return False
        self._send(encode_ping(self._at(), self._hub.complete_up_to(self._member)))
        self._sink.write(PING)
        return True

    def warn(self, lease: Lease) -> None:
        """Tell the client that its token ends soon."""
        expires = None if lease.identity is None else lease.identity.expires_at
        reason = "revoked" if lease.is_revoked else "expires"
        self._send(encode_expiring(self._at(), reason, None if expires is None else iso(expires)))

    def close(self) -> None:
        """Leave the hub; idempotent."""
        self._hub.detach(self._member)

    async def _hold(self, wish: Hold) -> None:
        """Grant a subscribe. From the registration to the answer nothing is awaited: no event comes in between."""
        request = wish.request
        await self._refuse_hidden(wish)
        since, state = await self._start(wish)
        if since is not None:
            await self._past.refresh()
        position = self._hub.hold(self._member, wish.selectors, since, self._wire_for(request))
        self._confirm(request.request_id, request.topics, request.since is not None, position)
        if state is not None:
            self._send(encode_snapshot(self._at(), position.after, state))

    async def _show(self, wish: Show) -> None:
        """Go on with the token that the client shows; raises ProtocolError for one that is not good."""
        identity = Identity(access=EVERYTHING)
        if self._identify is not None:
            try:
                identity = await self._identify(wish.token)
            except RefusedError as error:
                raise ProtocolError(ErrorCode.UNAUTHORIZED, error.message, request_id=wish.request_id) from None
        if self._lease is not None:
            self._lease.renew(identity)
        if identity.access.sight != self._session.access.sight:
            self._hub.look_through(self._member, identity.access.sight)
        self._session.access = identity.access
        self._send(encode_authenticated(wish.request_id, self._at(), identity.as_json()))

    async def _refuse_hidden(self, wish: Hold) -> None:
        """Raise ProtocolError for a subscribe that could match what the client may not see."""
        hidden = await self._past.first_hidden(wish.selectors) if self._session.access.view is not None else None
        if hidden is not None:
            raise ProtocolError(
                ErrorCode.FORBIDDEN,
                f"Not in view of the token: {wish.selectors[hidden].pattern.text}",
                request_id=wish.request.request_id,
                field=f"topics.{hidden}",
            )

    async def _start(self, wish: Hold) -> tuple[Cursor | None, bytes | None]:
        """Return the cursor to start from, None for now, and the state as of then where it was asked for."""
        request = wish.request
        if request.snapshot:
            seq, state = await self._past.snapshot(wish.selectors)
            return Cursor(self._hub.log_state.epoch, seq), state
        if request.last is not None:
            return Cursor(
                self._hub.log_state.epoch, await self._past.seq_before_last(wish.selectors, request.last)
            ), None
        return request.since, None

    def _wire_for(self, request: Subscribe) -> WebSocketWire:
        """Return how events are written from now on: options that a request does not name stay as they were."""
        if request.batch is not None:
            batch = request.batch
            self._wire = replace(self._wire, delay=batch.seconds, most=batch.events, batched=True)
        if request.conflate is not None:
            self._wire = replace(self._wire, conflate=request.conflate)
            if not self._wire.batched:
                self._wire = replace(self._wire, delay=_CONFLATION_WINDOW, most=_NO_LIMIT)
        return self._wire

    def _confirm(
        self, request_id: object, topics: list[str], resumed: bool = False, position: Position | None = None
    ) -> None:
        log = self._hub.log_state
        gap = None if position is None else position.gap
        self._send(
            encode_subscribed(
                request_id,
                self._at(),
                topics=topics,
                active=len(self._member.holdings),
                epoch=log.epoch,
                head=log.head,
                recovered=gap is None if resumed else None,
                gap=gap,
            )
        )

    def _send(self, message: bytes) -> None:
        self._sink.write(text_frame(message))

    def _at(self) -> str:
        return iso(self._clock.now())
