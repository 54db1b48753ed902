"""One client's conversation with a service, without I/O: what a message asks for, and whether it may have it."""

from __future__ import annotations

from typing import Any, Final

from taskcopilot.bridge.rate import Pace
from taskcopilot.errors import BridgeError
from taskcopilot.rooms.protocol import Code, Message, Reply, RoomError, parse
from taskcopilot.rooms.tokens import Verify
from taskcopilot.services.service import Service
from taskcopilot.services.service import parse as parse_model

__all__ = ["MAX_ROOMS", "RoomSession", "refused"]

MAX_ROOMS: Final = 500
"""Rooms that one connection may be in."""


class RoomSession:
    """Decides on a client's messages. A message that is refused changes nothing."""

    def __init__(self, service: Service, verify: Verify | None, message_rate: float, now: float) -> None:
        self._service = service
        self._verify = verify
        self._pace = Pace(message_rate, now)
        self.rooms: set[str] = set()
        """The rooms that the client is in."""
        self.is_open = verify is None
        """True when the client may ask: at once on a service without a secret, or after it showed a token."""
        self.user_id: str | None = None

    def receive(self, frame: str | bytes, now: float) -> Message:
        """Read a message and return it when it may be granted; raises RoomError, which is to be sent."""
        if wait := self._pace.wait(now):
            raise self._too_fast(frame, wait, now)
        if not self.is_open:
            return self._first(frame)
        message = parse(frame)
        self._check(message)
        return message

    def authenticate(self, message: Message) -> dict[str, Any]:
        """Check the token of `auth` or `refresh_token` and return the answer's data; raises RoomError.

        A service without a secret takes any token: clients that hold one show it everywhere.
        """
        token = message.data.get("token")
        ends = not self.is_open
        if self._verify is not None:
            if not isinstance(token, str):
                raise RoomError(Code.AUTH_FAILED, "Missing or malformed auth token", message.reply, ends=ends)
            claims = self._verify(token)
            if claims is None:
                raise RoomError(Code.AUTH_FAILED, "Invalid or expired token", message.reply, ends=ends)
            self.user_id = _text(claims.get("user_id", claims.get("sub")))
        self.is_open = True
        return {"status": "authenticated" if message.verb == "auth" else "refreshed", "user_id": self.user_id}

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
            case "event" if self._service.relay(message.name) is None:
                raise RoomError(
                    Code.FORBIDDEN,
                    f"clients of {self._service.name} cannot publish {message.name[:200]}",
                    message.reply,
                )
            case _:
                pass

    def _check_rooms(self, message: Message) -> None:
        for room in message.rooms:
            if not self._service.has_room(room):
                channels = ", ".join(self._service.channels)
                raise RoomError(Code.INVALID_CHANNEL, f"no channel {room[:200]!r}; there are {channels}", message.reply)
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


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
