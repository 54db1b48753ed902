"""JSON of every shape as messages: an answer with a code, and the conversation goes on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.peer import Peer
from tests.security.watched import Watched

pytestmark = pytest.mark.timeout(900)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["*", "task:*", "stream:x", "e:5", "subscribe", "request", "system", "workflow:1"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = ("id", "type", "payload", "event", "data", "room", "channel", "correlation_id", "token", "session_id", "since")
OPTIONS = ("topics", "since", "last", "filter", "snapshot", "batch", "conflate", "channel", "room", "token")
TYPES = st.sampled_from(["subscribe", "unsubscribe", "ping", "pong", "request", "event", "auth", "ack", "error"])


def members(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the members, of any value."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, VALUES))


INNER = members(OPTIONS) | st.builds(
    lambda topics, more: {**more, "topics": topics}, st.lists(LEAVES, max_size=4), members(OPTIONS)
)
MESSAGES = st.one_of(
    st.builds(
        lambda kind, head, body, data: {**head, "type": kind, "payload": body, "data": data},
        TYPES,
        members(NAMES),
        INNER,
        INNER,
    ),
    members(NAMES),
    VALUES,
).map(orjson.dumps)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A message with some bytes changed, taken out or doubled."""
    data = bytearray(draw(MESSAGES))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)


@pytest.mark.parametrize("path", ["/ws", "/ws/mahavishnu"])
def test_every_message_is_answered_or_passed_over(
    watched: Watched, path: str, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """R5: with an error that has a code, or what was asked for; never an end, unless of a limit that says so."""
    wanted, done, errors, numbers = size(400, 2_500), 0, 0, itertools.count()
    peers: list[Peer] = []

    def ask(message: bytes) -> list[dict[str, Any]]:
        """Send a message and a ping; return what comes before the pong, or the end by a limit."""
        if not peers:
            peers.append(Peer(watched.url, path))
        peer, token = peers[0], f"end-{next(numbers)}"
        peer.send_bytes(message)
        peer.send({"type": "ping", "id": token})
        heard = []
        for answer in peer.messages():
            if token in (answer.get("id"), answer.get("correlation_id")):
                return heard
            heard.append(answer)
        assert peer.close_code in (4429, 1008), (peer.close_code, message)
        peers.pop().socket.close()
        return heard

    @settings(max_examples=wanted, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(MESSAGES | broken())
    def answers(message: bytes) -> None:
        nonlocal done, errors
        done += 1
        for answer in ask(message):
            if answer["type"] == "error":
                errors += 1
                code = answer["payload"]["code"] if path == "/ws" else answer["error_code"]
                assert code.isupper()
                assert "SERVER_ERROR" not in code
                assert "INTERNAL" not in code

    try:
        answers()
    finally:
        for peer in peers:
            peer.socket.close()
    say(f"{path}: {done} messages, {errors} errors")
    assert done >= wanted
    assert errors > wanted // 10
