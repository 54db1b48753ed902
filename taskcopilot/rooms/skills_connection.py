"""A client of the metrics of skills between its socket and the ticker."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from taskcopilot.auth.access import Scope
from taskcopilot.auth.identity import Identity
from taskcopilot.auth.lease import Lease
from taskcopilot.bridge.frames import PING, text_frame
from taskcopilot.bridge.member import Sink
from taskcopilot.bridge.rate import Pace
from taskcopilot.bridge.session import Keepalive
from taskcopilot.clock import iso
from taskcopilot.errors import RefusedError
from taskcopilot.rooms.connection import Closing
from taskcopilot.rooms.protocol import Code
from taskcopilot.rooms.skills_protocol import Refused, Said, encode_answer, encode_refusal, parse
from taskcopilot.rooms.skills_ticker import Listener, SkillsDesk
from taskcopilot.services.session_metrics import audience_of

__all__ = ["SkillsConnection"]

_AUTHENTICATION_FAILED: Final = Closing(4001, "Authentication failed")
_TOO_FAST: Final = Closing(1008, "Message rate limit exceeded")


class SkillsConnection:
    """One connected client that was counted in at the desk. `close` must be awaited when its socket is gone."""

    token_patience: ClassVar[float] = 5.0
    """Seconds in which a client has to show its token."""
    no_token: ClassVar[Closing] = _AUTHENTICATION_FAILED

    def __init__(
        self, desk: SkillsDesk, sink: Sink, *, identity: Identity | None = None, lease: Lease | None = None
    ) -> None:
        self._desk = desk
        self._sink = sink
        self._clock = desk.backing.clock
        self._identify = desk.backing.identify
        self._lease = lease
        self._pace = Pace(desk.backing.message_rate, self._clock.monotonic())
        self._keepalive = Keepalive()
        self._listener = Listener(sink)
        self.is_open = self._identify is None or (identity is not None and self._may_listen(identity))
        """True when the client may ask; before, it has to show its token."""

    def greet(self) -> None:
        """Say `connected`, and let the ticks of all skills come."""
        authenticated = self._identify is not None
        self._answer(
            "connected", message=self._desk.service.greeting, authenticated=authenticated, timestamp=self._at()
        )
        self._desk.listen(self._listener)
        self._desk.joined(audience_of(None))

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
        """Do what a message asks for; says when the connection has to end. What is wrong is answered with its code."""
        self._keepalive.heard()
        now = self._clock.monotonic()
        try:
            self._keep_pace(now)
            if not self.is_open:
                return await self._authenticate(frame)
            said = parse(frame)
            if said.verb == "token" and self._identify is not None:
                return await self._let_in(said.token)
        except Refused as refused:
            self._desk.errors[refused.code] += 1
            self._sink.write(text_frame(encode_refusal(refused, self._at())))
            too_fast = refused.code is Code.RATE_LIMIT_EXCEEDED and self._pace.is_out_of_patience(now)
            return _TOO_FAST if too_fast else None
        self._desk.received[said.verb] += 1
        self._grant(said)
        return None

    async def close(self) -> None:
        """Leave the listeners and the desk."""
        audience = self._audience()
        self._desk.forget(self._listener)
        self._desk.leave(audience)

    def _keep_pace(self, now: float) -> None:
        if wait := self._pace.wait(now):
            raise Refused(Code.RATE_LIMIT_EXCEEDED, f"Message rate limit exceeded. Retry after {wait:.3f} seconds.")

    def _grant(self, said: Said) -> None:
        """Do what was asked; a token that nobody asked for is passed over, as its holder waits for `connected` only."""
        match said.verb:
            case "subscribe":
                self._listen(said.skill, is_silent=False)
                self._answer("subscription_confirmed", skill=said.skill, timestamp=self._at())
            case "unsubscribe":
                skill = self._listener.skill
                self._listen(None, is_silent=True)
                self._answer("unsubscription_confirmed", skill=skill, timestamp=self._at())
            case "ping":
                self._answer("pong")
            case _:
                pass

    async def _authenticate(self, frame: str | bytes) -> Closing | None:
        """Take the first message of a client that has to show a token: anything else ends the connection."""
        try:
            said = parse(frame)
        except Refused:
            return _AUTHENTICATION_FAILED
        if said.verb != "token":
            self._desk.errors[Code.AUTH_FAILED] += 1
            return _AUTHENTICATION_FAILED
        if closing := await self._let_in(said.token):
            return closing
        self.is_open = True
        self.greet()
        return None

    async def _let_in(self, token: str) -> Closing | None:
        """Go on with a token: the first one, or a fresh one before the last one ends."""
        try:
            identity = None if self._identify is None else await self._identify(token)
        except RefusedError:
            identity = None
        if identity is None or not self._may_listen(identity):
            self._desk.errors[Code.AUTH_FAILED] += 1
            return _AUTHENTICATION_FAILED
        if self._lease is not None:
            self._lease.renew(identity)
        return None

    def _may_listen(self, identity: Identity) -> bool:
        """The metrics are for who reads, and sees all that is about skills."""
        access = identity.access
        return access.allows(Scope.READ) and (
            access.view is None or access.view.covers_entities(self._desk.service.entities or {"skill"})
        )

    def warn(self, lease: Lease) -> None:
        """Tell the client that its token ends soon: another one may be shown as the first one was."""
        self._answer("auth_expiring", reason="revoked" if lease.is_revoked else "expires", timestamp=self._at())

    def _listen(self, skill: str | None, *, is_silent: bool) -> None:
        for room in self._audience():
            self._desk.left(room)
        self._listener.skill, self._listener.is_silent = skill, is_silent
        for room in self._audience():
            self._desk.joined(room)

    def _audience(self) -> set[str]:
        """Return what the desk counts this client in: nothing while it is silent, or before it was greeted."""
        if self._listener.is_silent or self._listener not in self._desk.listeners:
            return set()
        return {audience_of(self._listener.skill)}

    def _answer(self, kind: str, **members: Any) -> None:
        self._sink.write(text_frame(encode_answer(kind, **members)))

    def _at(self) -> str:
        return iso(self._clock.now())
