"""One WebSocket conversation, without the socket: what to say so that the bridge's view becomes the registry's.

The first request of a conversation names every pattern at once and resumes from the cursor: one replay in seq order.
Later registrations get a request each. One that wants older events than the conversation has begun with makes a new
conversation necessary (`needs_restart`), because only a replay of everything keeps everybody's events in order.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from task_copilot_client import messages
from task_copilot_client.errors import SubscriptionError
from task_copilot_client.feed import Feed
from task_copilot_client.messages import Event, Expiring, MalformedError, Missed, Ping, Rejected, Subscribed, Unknown
from task_copilot_client.subscriptions import Registration, all_patterns

__all__ = ["Session"]

_log: Final = logging.getLogger("task_copilot_client")

_BLAMED_TOPIC: Final = re.compile(r"topics\.([0-9]{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Request:
    """A subscribe that is not answered yet."""

    registrations: tuple[Registration, ...]
    topics: list[str]

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(registration.id for registration in self.registrations)


class Session:
    """Say `requests()`, feed it every frame with `receive`, say what that returns. One thread."""

    def __init__(
        self,
        feed: Feed,
        numbers: Iterator[int],
        timestamp: Callable[[], str],
        fresh_token: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._feed = feed
        self._fresh_token = fresh_token
        self._numbers = numbers
        self._timestamp = timestamp
        self._seen: Sequence[Registration] | None = None
        self._known: set[int] = set()
        self._held: set[str] = set()
        self._waiting: dict[str, _Request] = {}
        self._keeps_log = True
        self._begun = False
        self.heard = False
        """True once any message of the protocol came."""
        self.needs_restart = False
        """True when this conversation cannot serve a registration, or not in order; a new one can."""

    def requests(self) -> list[str]:
        """Return what is to be sent now; nothing when the bridge's view is the registry's."""
        if (wanted := self._feed.registrations()) is self._seen:
            return []
        self._seen = wanted
        self._known &= {registration.id for registration in wanted}
        return [*self._ends(wanted), *self._begins(wanted)]

    @property
    def is_settled(self) -> bool:
        """True when every request is answered."""
        return not self._waiting

    @property
    def _is_fresh(self) -> bool:
        """True while the bridge has nothing of us: what it has sent on a connection it does not send again on it."""
        return not self._begun and not self._waiting

    def _ends(self, wanted: Sequence[Registration]) -> list[str]:
        gone = self._held.difference(all_patterns(wanted))
        if not gone:
            return []
        self._held -= gone
        return [messages.unsubscribe(f"unsub-{next(self._numbers)}", sorted(gone), self._timestamp())]

    def _begins(self, wanted: Sequence[Registration]) -> list[str]:
        new = tuple(registration for registration in wanted if registration.id not in self._known)
        if not new:
            return []
        if self._is_fresh:
            return [self._request(new, resume=True)]
        if self._keeps_log and any(registration.since is not None for registration in new):
            self.needs_restart = True
            return []
        return [self._request((registration,), resume=False) for registration in new]

    def _request(self, registrations: tuple[Registration, ...], *, resume: bool) -> str:
        since = self._feed.begin(registrations) if resume else None
        request = _Request(registrations, all_patterns(registrations))
        name = f"sub-{next(self._numbers)}"
        self._waiting[name] = request
        self._known |= request.ids
        return messages.subscribe(name, request.topics, since, self._timestamp())

    def receive(self, frame: bytes) -> list[str]:
        """Take one frame and return what is to be sent in answer; a frame that makes no sense is reported only."""
        try:
            message = messages.parse(frame)
        except MalformedError as error:
            _log.warning("a frame of the bridge was ignored: %s", error)
            return []
        self.heard = True
        return self._take(message)

    def _take(self, message: messages.Message) -> list[str]:
        match message:
            case Event():
                self._feed.event(message)
            case Ping(seq):
                self._advance(seq)
                return [messages.pong(self._timestamp())]
            case Subscribed():
                self._granted(message)
            case Rejected():
                self._refused(message)
            case Missed(gap):
                self._feed.missed(gap)
            case Expiring():
                return self._show_fresh_token()
            case Unknown(kind):
                _log.debug("a message of type %r means nothing to us", kind)
            case _:
                assert_never(message)
        return []

    def _show_fresh_token(self) -> list[str]:
        """Go on with this conversation if there is another token to be had; a refusal of it is reported only."""
        token = self._fresh_token()
        return [] if token is None else [messages.authenticate(f"auth-{next(self._numbers)}", token, self._timestamp())]

    def _advance(self, seq: int | None) -> None:
        """Believe the ping only when nothing is on its way: it may have overtaken the answer to our request."""
        if self.is_settled and self._known:
            self._feed.advance(seq)

    def _granted(self, answer: Subscribed) -> None:
        request = self._waiting.pop(answer.request_id, None) if isinstance(answer.request_id, str) else None
        if request is None:
            return  # the answer to an unsubscribe
        self._begun = True
        self._seen = None  # whoever left before the answer came is to be ended now
        self._held.update(request.topics)
        self._keeps_log = answer.head is not None
        if not self._keeps_log and any(registration.since for registration in request.registrations):
            _log.warning("the bridge keeps no log: past events cannot be delivered")
        self._feed.acknowledge(request.ids, answer.head, answer.gap)

    def _refused(self, answer: Rejected) -> None:
        request = self._find(answer.request_id)
        if request is None:
            _log.warning("the bridge complains: %s: %s", answer.code, answer.message)
            return
        culprits = _culprits(request, answer)
        topics = tuple(all_patterns([each for each in request.registrations if each.id in culprits]))
        error = SubscriptionError(answer.message, code=answer.code, field=answer.field, topics=topics)
        self._feed.reject(culprits, error)
        self._known -= request.ids
        self._seen = None
        self.needs_restart |= not self._is_fresh and len(request.ids) > len(culprits)

    def _find(self, request_id: Any) -> _Request | None:
        """Return the request that an error is about; a server that echoes no ids answers in order."""
        if request_id is None and self._waiting:
            return self._waiting.pop(next(iter(self._waiting)))
        return self._waiting.pop(request_id, None) if isinstance(request_id, str) else None


def _culprits(request: _Request, answer: Rejected) -> frozenset[int]:
    """Decide who of a joint request is to blame: those with the topic that the bridge names, or else the youngest.

    The rest is asked for again without them, so in the end only those are refused who have to be.
    """
    named = _BLAMED_TOPIC.fullmatch(answer.field or "")
    if named is not None and int(named[1]) < len(request.topics):
        topic = request.topics[int(named[1])]
        return frozenset(each.id for each in request.registrations if topic in each.patterns)
    return frozenset({max(request.ids)})
