"""A client of a service between its session and the hub: every message in, every answer out, in order."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from taskcopilot.auth.identity import Identity
from taskcopilot.auth.lease import Lease
from taskcopilot.bridge.cursor import Position
from taskcopilot.bridge.frames import PING, text_frame
from taskcopilot.bridge.member import Sink
from taskcopilot.bridge.session import Keepalive
from taskcopilot.clock import iso
from taskcopilot.errors import BridgeError, RefusedError
from taskcopilot.logs import CONNECTION
from taskcopilot.rooms.answers import encode_answer, encode_error, encode_notice
from taskcopilot.rooms.desk import Desk
from taskcopilot.rooms.protocol import Code, Message, Reply, RoomError
from taskcopilot.rooms.relaying import Relaying
from taskcopilot.rooms.session import RoomSession, refused
from taskcopilot.rooms.wire import RoomWire
from taskcopilot.services.state import State
from taskcopilot.store.transaction import ReadTx
from taskcopilot.topics import Room, Selector

__all__ = ["Closing", "RoomConnection"]

_log: Final = logging.getLogger(__name__)

_POLICY: Final = 1008


@dataclass(frozen=True, slots=True)
class Closing:
    """How a connection is to be ended."""

    code: int
    reason: str


_REASONS: Final = {
    Code.AUTH_FAILED: "Authentication failed",
    Code.AUTH_REQUIRED: "Authentication required",
    Code.DECODE_ERROR: "Authentication required",
    Code.RATE_LIMIT_EXCEEDED: "Message rate limit exceeded",
}


class RoomConnection:
    """One connected client that was counted in at the desk. `close` must be awaited when its socket is gone."""

    token_patience: ClassVar[float] = 10.0
    """Seconds in which a client has to show its token."""
    no_token: ClassVar[Closing] = Closing(_POLICY, "Authentication required")

    def __init__(self, desk: Desk, sink: Sink, *, identity: Identity | None = None, lease: Lease | None = None) -> None:
        self._desk = desk
        self._sink = sink
        self._backing = desk.backing
        self._clock = desk.backing.clock
        self._id = self._clock.new_id()
        CONNECTION.set(self._id)
        self._session = RoomSession(
            desk.service,
            desk.backing.message_rate,
            self._clock.monotonic(),
            is_guarded=desk.backing.identify is not None,
            identity=identity,
        )
        self._lease = lease
        wire = RoomWire(self._clock, self._backing.hub.log_state.epoch, desk.service.name)
        self._wire = wire
        self._member = self._backing.hub.attach(sink, wire)
        self._mark = desk.service.mark(self._id)
        self._relaying = Relaying(desk.service, self._backing.publisher, self._clock, self._mark)
        self._keepalive = Keepalive()

    @property
    def is_open(self) -> bool:
        """True when the client may ask; before, it has to show its token."""
        return self._session.is_open

    def greet(self) -> None:
        """Send the welcome; on a service with a secret that is done when the token was shown."""
        service, log = self._desk.service, self._backing.hub.log_state
        about = {"connection_id": self._id, "server": service.name, "message": service.greeting}
        data = {**about, "authenticated": self._session.user_id is not None, **service.welcome}
        self._send(
            encode_notice(self._clock.new_id(), self._at(), "session.created", data, seq=log.head, epoch=log.epoch)
        )

    def heard(self) -> None:
        """Note that something came from the peer, a control frame for example."""
        self._keepalive.heard()

    def tick(self) -> bool:
        """An interval is over: send a ping, or return False when the peer counts as gone."""
        if not self._keepalive.tick():
            return False
        self._sink.write(PING)
        return True

    async def receive(self, frame: str | bytes) -> Closing | None:
        """Do what a message asks for and answer it; says when the connection has to end."""
        self._keepalive.heard()
        try:
            message = self._session.receive(frame, self._clock.monotonic())
            self._desk.received[message.verb] += 1
            await self._grant(message)
        except RoomError as error:
            return self._refuse(error)
        return None

    async def close(self) -> None:
        """Leave hub, rooms and desk, and take back what the client published of its own presence."""
        self._backing.hub.detach(self._member)
        self._desk.leave(self._session.rooms)
        self._session.rooms = set()
        await self._relaying.undo()

    async def _grant(self, message: Message) -> None:
        match message.verb:
            case "subscribe":
                await self._join(message)
            case "unsubscribe":
                self._leave(message)
            case "ping":
                complete = self._backing.hub.complete_up_to(self._member)
                self._answer(message.reply, {}, seq=complete, epoch=self._backing.hub.log_state.epoch)
            case "auth" | "refresh_token":
                await self._authenticate(message)
            case "request":
                await self._ask(message)
            case "event":
                self._answer(message.reply, await self._relay(message))
            case _:
                pass

    def warn(self, lease: Lease) -> None:
        """Tell the client that its token ends soon: `refresh_token` goes on with a fresh one."""
        expires = None if lease.identity is None else lease.identity.expires_at
        told = {
            "reason": "revoked" if lease.is_revoked else "expires",
            "expires_at": None if expires is None else iso(expires),
        }
        self._send(encode_notice(self._clock.new_id(), self._at(), "auth.expiring", told))

    async def _authenticate(self, message: Message) -> None:
        was_open = self._session.is_open
        token = self._session.token_of(message)
        if token is not None:
            await self._let_in(token, message)
        data = {
            "status": "authenticated" if message.verb == "auth" else "refreshed",
            "user_id": self._session.user_id,
        }
        self._answer(message.reply, data, status=data["status"])
        if not was_open:
            self.greet()

    async def _let_in(self, token: str, message: Message) -> None:
        assert self._backing.identify is not None, "the session has asked for a token"  # noqa: S101
        try:
            identity = await self._backing.identify(token)
        except RefusedError:
            raise self._session.refused_token(message) from None
        if self._lease is not None:
            self._lease.renew(identity)
        if identity.access.sight != self._session.access.sight:
            self._backing.hub.look_through(self._member, identity.access.sight)
        self._session.let_in(identity)

    async def _join(self, message: Message) -> None:
        """Grant a subscribe. From the registration to the answer nothing is awaited: no event comes in between."""
        if message.since is not None:
            await self._backing.past.refresh()
        for room in set(message.rooms) - self._session.rooms:
            self._session.rooms.add(room)
            self._desk.joined(room)
        view = self._session.access.view
        selectors = [Selector(Room(self._desk.service.address(room)), view=view) for room in message.rooms]
        position = self._backing.hub.hold(self._member, selectors, message.since, self._rewired())
        self._confirm(message, "subscribed", **self._resumed(message, position))

    def _leave(self, message: Message) -> None:
        leaving = self._session.rooms.intersection(message.rooms)
        if leaving:
            self._session.rooms -= leaving
            for room in leaving:
                self._desk.left(room)
            going = [Room(self._desk.service.address(room)) for room in leaving]
            self._backing.hub.drop(self._member, going, self._rewired())
        self._confirm(message, "unsubscribed")

    def _rewired(self) -> RoomWire:
        """Return the wire for the rooms that the client is in now."""
        self._wire = replace(self._wire, rooms=frozenset(map(self._desk.service.address, self._session.rooms)))
        return self._wire

    def _resumed(self, message: Message, position: Position) -> dict[str, Any]:
        log = self._backing.hub.log_state
        told: dict[str, Any] = {"seq": log.head, "epoch": log.epoch}
        if message.since is not None:
            told["recovered"] = position.gap is None
        if position.gap is not None:
            told["gap"] = position.gap.as_json()
        return told

    def _confirm(self, message: Message, status: str, **more: Any) -> None:
        named = {"channels": list(message.rooms)} if message.several else {"channel": message.rooms[0]}
        self._answer(message.reply, {"status": status, **named}, status=status, **more)

    async def _ask(self, message: Message) -> None:
        """Answer a request from the state, and say with `seq` up to which event it is true."""
        request = self._desk.service.request(message.name)
        arguments = self._session.arguments(message)
        name = self._desk.service.name

        def read(tx: ReadTx) -> tuple[dict[str, Any], int]:
            assert request is not None  # noqa: S101 - the session has checked
            return request.answer(State(tx, name), arguments), tx.value("SELECT head FROM log_state WHERE id = 1")

        data, seq = await self._guarded(self._backing.database.read(read), message)
        self._answer(message.reply, data, seq=seq)

    async def _relay(self, message: Message) -> dict[str, Any]:
        """Publish for the client. From its first event on it has a wire of its own, which leaves out what it said."""
        if self._wire.own is None:
            self._wire = replace(self._wire, own=self._mark)
            self._backing.hub.drop(self._member, [], self._wire)
        told: dict[str, Any] = await self._guarded(self._relaying.publish(message.name, message.data), message)
        return told

    async def _guarded(self, work: Any, message: Message) -> Any:
        """Return what the work returns; its errors become RoomErrors, a defect of ours too."""
        try:
            return await work
        except BridgeError as error:
            raise refused(error, message.reply) from None
        except Exception as error:
            _log.exception("%s failed on %s", self._desk.service.name, message.name)
            raise RoomError(Code.SERVER_ERROR, "Internal server error", message.reply) from error

    def _refuse(self, error: RoomError) -> Closing | None:
        self._desk.errors[error.code] += 1
        self._send(encode_error(self._clock.new_id(), self._at(), error))
        return Closing(_POLICY, _REASONS[error.code]) if error.ends else None

    def _answer(self, reply: Reply, data: Mapping[str, Any], **more: Any) -> None:
        self._send(encode_answer(self._clock.new_id(), self._at(), reply, data, **more))

    def _send(self, message: bytes) -> None:
        self._sink.write(text_frame(message))

    def _at(self) -> str:
        return iso(self._clock.now())
