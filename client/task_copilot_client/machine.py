"""What to do next, without doing it: the states of a client and the table of its transitions.

The connection thread performs one Action at a time and reports its Outcome; `step` answers with the next state and the
next action. Sockets, time and threads are elsewhere (runner.py).

The idea of the table: a WebSocket is always preferred. Losing one means RECONNECTING, with a growing, jittered pause
before each try. After `tries` failures in a row (Outcome.EXHAUSTED) the log is polled over HTTP instead; where that
works the client rests in HTTP, polls at its interval and tries the WebSocket now and then. Where it does not, the
client keeps trying both in turn until somebody stops it. Only the first connect may end in DISCONNECTED by itself.

A connection on which nothing was ever heard (DROPPED) counts as a failed try: a server that accepts and hangs up does
not keep the client from polling.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

__all__ = ["RECONNECT_TRIES", "TABLE", "Action", "Mode", "Outcome", "Rhythm", "Situation", "State", "step"]

RECONNECT_TRIES: Final = 3
"""Tries at a lost WebSocket before polling takes over: about two seconds in all."""


class Mode(StrEnum):
    """What `get_mode()` tells."""

    DISCONNECTED = "disconnected"
    WEBSOCKET = "websocket"
    HTTP = "http"
    RECONNECTING = "reconnecting"


class State(Enum):
    """Where a client is. CONNECTING is the first connect, which may fail for good."""

    CONNECTING = "connecting"
    WEBSOCKET = "websocket"
    RECONNECTING = "reconnecting"
    HTTP = "http"
    DISCONNECTED = "disconnected"

    @property
    def mode(self) -> Mode:
        """The state as callers see it: whoever is still connecting is not connected."""
        return Mode.DISCONNECTED if self is State.CONNECTING else Mode(self.value)


class Action(Enum):
    """What the connection thread is to do."""

    OPEN = "open a WebSocket"
    LISTEN = "converse over the WebSocket until it ends"
    POLL = "read the log over HTTP up to its head"
    BACK_OFF = "pause before the next try"
    REST = "wait until a poll or a probe is due"
    FINISH = "end the thread"


class Outcome(Enum):
    """How an action ended."""

    STARTED = "the thread has started"
    OPENED = "a WebSocket is open"
    REFUSED = "no WebSocket can be had"
    LOST = "the WebSocket ended after it had worked"
    DROPPED = "the WebSocket ended before anything was heard on it"
    EXHAUSTED = "refused or dropped, once too often"
    RESTART = "the conversation is to begin anew, from an older cursor"
    POLLED = "the log was read up to its head"
    POLL_FAILED = "the log could not be read"
    WAITED = "the pause is over, or a poll is due"
    PROBE_DUE = "it is time to try the WebSocket again"
    STOPPED = "somebody disconnects"


_S, _A, _O = State, Action, Outcome

TABLE: Final[dict[State, dict[Outcome, tuple[State, Action]]]] = {
    _S.CONNECTING: {
        _O.STARTED: (_S.CONNECTING, _A.OPEN),
        _O.OPENED: (_S.WEBSOCKET, _A.LISTEN),
        _O.REFUSED: (_S.CONNECTING, _A.POLL),
        _O.EXHAUSTED: (_S.CONNECTING, _A.POLL),
        _O.POLLED: (_S.HTTP, _A.REST),
        _O.POLL_FAILED: (_S.DISCONNECTED, _A.FINISH),
    },
    _S.WEBSOCKET: {
        _O.LOST: (_S.RECONNECTING, _A.BACK_OFF),
        _O.DROPPED: (_S.RECONNECTING, _A.BACK_OFF),
        _O.RESTART: (_S.WEBSOCKET, _A.OPEN),
        _O.OPENED: (_S.WEBSOCKET, _A.LISTEN),
        _O.REFUSED: (_S.RECONNECTING, _A.BACK_OFF),
        _O.EXHAUSTED: (_S.RECONNECTING, _A.POLL),
    },
    _S.RECONNECTING: {
        _O.WAITED: (_S.RECONNECTING, _A.OPEN),
        _O.OPENED: (_S.WEBSOCKET, _A.LISTEN),
        _O.REFUSED: (_S.RECONNECTING, _A.BACK_OFF),
        _O.EXHAUSTED: (_S.RECONNECTING, _A.POLL),
        _O.POLLED: (_S.HTTP, _A.REST),
        _O.POLL_FAILED: (_S.RECONNECTING, _A.BACK_OFF),
    },
    _S.HTTP: {
        _O.WAITED: (_S.HTTP, _A.POLL),
        _O.PROBE_DUE: (_S.HTTP, _A.OPEN),
        _O.OPENED: (_S.WEBSOCKET, _A.LISTEN),
        _O.REFUSED: (_S.HTTP, _A.REST),
        _O.EXHAUSTED: (_S.HTTP, _A.REST),
        _O.POLLED: (_S.HTTP, _A.REST),
        _O.POLL_FAILED: (_S.RECONNECTING, _A.BACK_OFF),
    },
    _S.DISCONNECTED: {},
}
"""State and outcome -> next state and next action. STOPPED leads to the end from everywhere and is not repeated."""

_COUNTED: Final = frozenset({_O.REFUSED, _O.DROPPED})
_FORGIVEN: Final = frozenset({_O.LOST, _O.POLLED})


@dataclass(frozen=True, slots=True)
class Situation:
    """A state, and how many tries at the WebSocket have failed in a row."""

    state: State = State.CONNECTING
    failures: int = 0


def step(now: Situation, outcome: Outcome, *, tries: int = RECONNECT_TRIES) -> tuple[Situation, Action]:
    """Return what follows from an outcome; an outcome that the table does not know there is a defect: KeyError.

    `tries` of 0 stands for "no WebSocket wanted": the first refusal leads to polling.
    """
    if outcome is Outcome.STOPPED:
        return Situation(State.DISCONNECTED), Action.FINISH
    failures = _count(now.failures, outcome)
    if outcome in _COUNTED and failures >= tries:
        outcome = Outcome.EXHAUSTED
    state, action = TABLE[now.state][outcome]
    return Situation(state, failures), action


def _count(failures: int, outcome: Outcome) -> int:
    if outcome in _FORGIVEN:
        return 0
    return failures + (outcome in _COUNTED)


class Rhythm:
    """When the next poll and the next probe are due. Times are those of one monotonic clock, in seconds."""

    def __init__(self, poll_interval: float, probe_interval: float) -> None:
        self._poll_interval = poll_interval
        self._probe_interval = probe_interval
        self._next_poll = self._next_probe = 0.0

    def polled(self, now: float) -> None:
        """Note that a poll has ended."""
        self._next_poll = now + self._poll_interval

    def probed(self, now: float) -> None:
        """Note that a try at the WebSocket has ended."""
        self._next_probe = now + self._probe_interval

    @property
    def next(self) -> tuple[float, Outcome]:
        """When something is due next, and which outcome that is; a poll goes first."""
        if self._next_poll <= self._next_probe:
            return self._next_poll, Outcome.WAITED
        return self._next_probe, Outcome.PROBE_DUE
