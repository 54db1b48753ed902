"""Who wants what: the registry of subscriptions. The connection makes the bridge's view follow it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from task_copilot_client.cursor import Cursor
from task_copilot_client.errors import SubscriptionError
from task_copilot_client.matching import glob_match

__all__ = ["Answer", "Callback", "Registration", "Registry", "all_patterns", "checked_topics"]

Callback = Callable[[str, str, Any], object]
"""Called with topic, event type and data. What it returns is not looked at."""


class Answer:
    """What became of a registration, for the one who waits for it. Given once; any thread may wait."""

    def __init__(self, told: Callable[[SubscriptionError | None], object] = lambda _: None) -> None:
        self._given = threading.Event()
        self._told = told
        self.error: SubscriptionError | None = None
        self.is_awaited = False
        """True when somebody waits, and so will see the error."""

    def give(self, error: SubscriptionError | None = None) -> None:
        """Let the waiter go on; the first answer stays."""
        if not self._given.is_set():
            self.error = error
            self._given.set()
            self._told(error)

    def wait(self, seconds: float) -> bool:
        """Wait for the answer; False when the time is over."""
        return self._given.wait(seconds)


@dataclass(frozen=True, slots=True)
class Registration:
    """One `subscribe`: patterns, whom to call, and from where on; `since` None is from now on. Ids grow.

    A private one belongs to somebody who ends it: "unsubscribe everybody" does not mean that one.
    """

    id: int
    patterns: tuple[str, ...]
    callback: Callable[..., object]
    since: Cursor | None
    answer: Answer = field(default_factory=Answer, compare=False)
    is_private: bool = False

    def matches(self, topic: str) -> bool:
        """Tell whether any of the patterns matches."""
        return any(glob_match(pattern, topic) for pattern in self.patterns)


class Registry:
    """All registrations of a client, oldest first.

    Any thread may change it at any time: changes replace the whole tuple under a lock, readers iterate over the tuple
    they took.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: tuple[Registration, ...] = ()
        self._ids = itertools.count(1)

    def snapshot(self) -> tuple[Registration, ...]:
        """Return the registrations of this moment."""
        return self._all

    def add(
        self,
        patterns: Iterable[str],
        callback: Callable[..., object],
        since: Cursor | None,
        answer: Answer | None = None,
        *,
        is_private: bool = False,
    ) -> Registration:
        """Register; a pattern that is named twice counts once."""
        distinct = tuple(dict.fromkeys(patterns))
        with self._lock:
            registration = Registration(
                next(self._ids), distinct, callback, since, answer or Answer(), is_private=is_private
            )
            self._all = (*self._all, registration)
        return registration

    def discard(self, ids: Container[int]) -> None:
        """Remove registrations; ids that are not there are fine."""
        with self._lock:
            self._all = tuple(registration for registration in self._all if registration.id not in ids)

    def remove(self, patterns: Iterable[str], callback: Callable[..., object] | None) -> bool:
        """Remove patterns, of one callback or of all that are not private; False when nobody had them.

        Other patterns stay in force.
        """
        unwanted = frozenset(patterns)
        with self._lock:
            before, kept = self._all, []
            for registration in before:
                if registration.callback == callback or (callback is None and not registration.is_private):
                    rest = tuple(pattern for pattern in registration.patterns if pattern not in unwanted)
                    if rest != registration.patterns:
                        registration = replace(registration, patterns=rest)  # noqa: PLW2901
                if registration.patterns:
                    kept.append(registration)
            self._all = tuple(kept)
            return self._all != before

    def callbacks(self, ids: Container[int], topic: str) -> list[Callable[..., object]]:
        """Return whom of these registrations a topic still concerns, each callback once."""
        found: list[Callable[..., object]] = []
        for registration in self._all:
            if registration.id in ids and registration.matches(topic) and registration.callback not in found:
                found.append(registration.callback)
        return found


def all_patterns(registrations: Iterable[Registration]) -> list[str]:
    """Return the distinct patterns, in order of first mention."""
    return list(dict.fromkeys(pattern for registration in registrations for pattern in registration.patterns))


def checked_topics(topics: Sequence[str], name: str = "topics") -> tuple[str, ...]:
    """Check what any bridge would refuse; which patterns are valid is for the bridge to say."""
    if isinstance(topics, str) or not all(isinstance(topic, str) for topic in topics):
        raise TypeError(f"{name}: expected a list of strings, got {topics!r}")
    if not topics or not all(topics):
        raise ValueError(f"{name}: expected at least one, and none that is empty")
    for topic in topics:
        topic.encode()  # a lone surrogate is no text: UnicodeEncodeError is a ValueError
    return tuple(topics)
