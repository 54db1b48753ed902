"""One client's conversation, without I/O: what a message of its asks for, and whether it may have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.auth.access import EVERYTHING, Access, Scope
from taskcopilot.bridge.protocol import (
    ABSENT,
    Authenticate,
    ErrorCode,
    Ping,
    Pong,
    ProtocolError,
    Request,
    Subscribe,
    Unsubscribe,
    parse,
)
from taskcopilot.bridge.subscriptions import Holdings
from taskcopilot.errors import InvalidPatternError
from taskcopilot.topics import Pattern, Selector

__all__ = ["Answer", "Drop", "Hold", "Keepalive", "Session", "Show", "Wish"]

_SILENT_INTERVALS: Final = 2
"""Pings in a row that may go unanswered before the peer counts as gone."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Grant a subscribe: hold the selectors, from where `request` says."""

    request: Subscribe
    selectors: list[Selector]


@dataclass(frozen=True, slots=True)
class Drop:
    """Grant an unsubscribe."""

    request_id: Any
    patterns: list[Pattern]


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a ping."""

    request_id: Any


@dataclass(frozen=True, slots=True)
class Show:
    """Check a token."""

    request_id: Any
    token: str


Wish = Hold | Drop | Answer | Show | None


class Session:
    """Decides on a client's messages by what it holds. Nothing is applied in part (R2)."""

    def __init__(self, holdings: Holdings, max_patterns: int, access: Access = EVERYTHING) -> None:
        self._holdings = holdings
        self._max_patterns = max_patterns
        self.access = access
        """What the client may do now."""

    def receive(self, frame: str | bytes) -> Wish:
        """Read a message and say what is to be done; raises ProtocolError, which is to be sent, and nothing done."""
        request = parse(frame)
        try:
            return self._decide(request)
        except InvalidPatternError as error:
            raise ProtocolError(
                ErrorCode.INVALID_TOPIC,
                error.message,
                request_id=getattr(request, "request_id", None),
                field=error.field,
            ) from None

    @staticmethod
    def too_fast(frame: str | bytes, wait: float) -> ProtocolError:
        """Return the answer to a message that came too early; nothing of it is done."""
        try:
            request_id = getattr(parse(frame), "request_id", ABSENT)
        except ProtocolError as error:
            request_id = error.request_id
        return ProtocolError(
            ErrorCode.RATE_LIMIT, f"Too many messages; try again in {wait:.3f} seconds", request_id=request_id
        )

    def _decide(self, request: Request) -> Wish:
        match request:
            case Subscribe():
                self._check_rights(request.request_id)
                selectors = [
                    Selector(pattern, request.types, self.access.view) for pattern in _patterns(request.topics)
                ]
                self._check_limit(selectors, request.request_id)
                return Hold(request, selectors)
            case Unsubscribe():
                patterns = _patterns(request.topics)
                self._check_held(patterns, request.request_id)
                return Drop(request.request_id, patterns)
            case Ping():
                return Answer(request.request_id)
            case Authenticate():
                return Show(request.request_id, request.token)
            case Pong():
                return None

    def _check_rights(self, request_id: Any) -> None:
        if not self.access.scopes:
            raise ProtocolError(
                ErrorCode.UNAUTHORIZED, "Show a token first: a message of type auth", request_id=request_id
            )
        if not self.access.allows(Scope.READ):
            raise ProtocolError(
                ErrorCode.FORBIDDEN, "This needs the scope read, which the token does not have", request_id=request_id
            )

    def _check_limit(self, selectors: list[Selector], request_id: Any) -> None:
        if len(self._holdings.selectors.union(selectors)) > self._max_patterns:
            raise ProtocolError(
                ErrorCode.SUBSCRIPTION_LIMIT,
                f"Subscription limit exceeded (max {self._max_patterns})",
                request_id=request_id,
                field="topics",
            )

    def _check_held(self, patterns: list[Pattern], request_id: Any) -> None:
        held = self._holdings.patterns
        for index, pattern in enumerate(patterns):
            if pattern not in held:
                raise ProtocolError(
                    ErrorCode.NOT_SUBSCRIBED,
                    f"Not subscribed: {pattern.text}",
                    request_id=request_id,
                    field=f"topics.{index}",
                )


def _patterns(topics: list[str]) -> list[Pattern]:
    """Check the topics against the grammar, once each, and name the position of one that fails."""
    patterns: dict[Pattern, None] = {}
    for index, text in enumerate(topics):
        try:
            patterns[Pattern.parse(text)] = None
        except InvalidPatternError as error:
            raise InvalidPatternError(error.message, field=f"topics.{index}") from None
    return list(patterns)


class Keepalive:
    """Decides whether a peer is still there. Anything that it sends counts, a pong or not."""

    def __init__(self) -> None:
        self._unanswered = 0

    def heard(self) -> None:
        """Note that something came from the peer."""
        self._unanswered = 0

    def tick(self) -> bool:
        """An interval is over: True to send a ping, False when the peer counts as gone."""
        self._unanswered += 1
        return self._unanswered <= _SILENT_INTERVALS
