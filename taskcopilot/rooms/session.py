"""One client's conversation with a service, without I/O: what a message asks for, and whether it may have it."""

from __future__ import annotations

from typing import Any, Final

from taskcopilot.auth.access import EVERYTHING, NOTHING, Access, Scope
from taskcopilot.auth.identity import Identity
from taskcopilot.bridge.rate import Pace
from taskcopilot.errors import BridgeError
from taskcopilot.rooms.protocol import Code, Message, Reply, RoomError, parse
from taskcopilot.services.service import Service
from taskcopilot.services.service import parse as parse_model
from taskcopilot.topics import Room

__all__ = ["MAX_ROOMS", "RoomSession", "refused"]

MAX_ROOMS: Final = 500
"""Rooms that one connection may be in."""


class RoomSession:
    """Decides on a client's messages. A message that is refused changes nothing."""

    def __init__(
        self,
        service: Service,
        message_rate: float,
        now: float,
        *,
        is_guarded: bool,
        identity: Identity | None = None,
    ) -> None:
        self._service = service
        self._is_guarded = is_guarded
        self._pace = Pace(message_rate, now)
        self.rooms: set[str] = set()
        """The rooms that the client is in."""
        self.is_open = not is_guarded or identity is not None
        """True when the client may ask: at once where no tokens are asked for, or after it showed one."""
        self.access: Access = EVERYTHING if not is_guarded else NOTHING
        self.user_id: str | None = None
        if identity is not None:
            self.let_in(identity)

    def let_in(self, identity: Identity) -> None:
        """Go on as the bearer of a token."""
        self.is_open, self.access, self.user_id = True, identity.access, identity.user

    def receive(self, frame: str | bytes, now: float) -> Message:
        """Read a message and return it when it may be granted; raises RoomError, which is to be sent."""
        if wait := self._pace.wait(now):
            raise self._too_fast(frame, wait, now)
        if not self.is_open:
            return self._first(frame)
        message = parse(frame)
        self._check(message)
        return message

    def token_of(self, message: Message) -> str | None:
        """Return the token of `auth` or `refresh_token` that is to be checked; raises RoomError when there is none.

        None where no tokens are asked for: clients that hold one show it everywhere, and any will do.
        """
        token = message.data.get("token")
        if not self._is_guarded:
            return None
        if not isinstance(token, str):
            raise RoomError(Code.AUTH_FAILED, "Missing or malformed auth token", message.reply, ends=not self.is_open)
        return token

    def refused_token(self, message: Message) -> RoomError:
        """Return the error for a token that is not good; it ends the conversation of who had shown no other."""
        return RoomError(Code.AUTH_FAILED, "Invalid or expired token", message.reply, ends=not self.is_open)

    def _first(self, frame: str | bytes) -> Message:
        """Read the first message of a client that has to show a token; anything else ends the connection."""
        try:
            message = parse(frame)
        except RoomError as error:
            error.ends = True
            raise
        if message.verb != "auth":
            raise RoomError(Code.AUTH_REQUIRED, "Authentication required", message.reply, ends=True)
        return message

    def _check(self, message: Message) -> None:
        match message.verb:
            case "subscribe" | "unsubscribe":
                self._check_rooms(message)
            case "request" if self._service.request(message.name) is None:
                raise RoomError(Code.UNKNOWN_REQUEST, f"Unknown request event: {message.name[:200]}", message.reply)
            case "request":
                self._check_right(Scope.READ, message)
                self._check_whole(message)
            case "event" if self._service.relay(message.name) is None:
                raise RoomError(
                    Code.FORBIDDEN,
                    f"clients of {self._service.name} cannot publish {message.name[:200]}",
                    message.reply,
                )
            case "event":
                self._check_right(Scope.WRITE, message)
                self._check_topic(message)
            case _:
                pass

    def _check_right(self, scope: Scope, message: Message) -> None:
        if not self.access.allows(scope):
            raise RoomError(Code.FORBIDDEN, f"The token does not have the scope {scope.value}", message.reply)

    def _check_whole(self, message: Message) -> None:
        """Answers to requests sum up all that a service knows."""
        view = self.access.view
        if view is not None and not view.covers_entities(self._service.entities):
            raise RoomError(Code.FORBIDDEN, f"Not in view of the token: {message.name[:200]}", message.reply)

    def _check_topic(self, message: Message) -> None:
        view = self.access.view
        if view is None:
            return
        try:
            topic = self._service.read(message.name, message.data).topic()
        except BridgeError as error:
            raise refused(error, message.reply) from None
        if not view.sees((topic,)):
            raise RoomError(Code.FORBIDDEN, f"Not in view of the token: {topic[:200]}", message.reply)

    def _check_joining(self, room: str, message: Message) -> None:
        self._check_right(Scope.READ, message)
        view = self.access.view
        if view is None or view.covers(Room(self._service.address(room))):
            return
        if not view.covers_entities(self._service.entities):
            raise RoomError(Code.FORBIDDEN, f"Not authorized to subscribe to {room[:200]}", message.reply)

    def _check_rooms(self, message: Message) -> None:
        for room in message.rooms:
            if not self._service.has_room(room):
                channels = ", ".join(self._service.channels)
                raise RoomError(Code.INVALID_CHANNEL, f"no channel {room[:200]!r}; there are {channels}", message.reply)
            if message.verb == "subscribe":
                self._check_joining(room, message)
        if message.verb == "subscribe" and len(self.rooms.union(message.rooms)) > MAX_ROOMS:
            raise RoomError(Code.SUBSCRIPTION_LIMIT, f"more than {MAX_ROOMS} channels", message.reply)

    def arguments(self, message: Message) -> Any:
        """Return the checked arguments of a request; raises RoomError that names the field."""
        request = self._service.request(message.name)
        assert request is not None, "checked when the message was received"  # noqa: S101
        try:
            return parse_model(request.arguments, message.data)
        except BridgeError as error:
            raise refused(error, message.reply) from None

    def _too_fast(self, frame: str | bytes, wait: float, now: float) -> RoomError:
        try:
            reply = parse(frame).reply
        except RoomError as error:
            reply = error.reply
        return RoomError(
            Code.RATE_LIMIT_EXCEEDED,
            f"Message rate limit exceeded. Retry after {wait:.3f} seconds.",
            reply,
            ends=self._pace.is_out_of_patience(now),
        )


def refused(error: BridgeError, reply: Reply) -> RoomError:
    """Return an error of the bridge as the room protocol has it; details go into the data."""
    known = error.code in Code.__members__
    data = {**error.details, **({"field": error.field} if error.field else {})}
    return RoomError(Code(error.code) if known else Code.SERVER_ERROR, error.message, reply, data=data)
