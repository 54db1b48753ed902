"""Cursors, messages, addresses and checks: plain values."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_copilot_client import messages
from task_copilot_client.address import Address
from task_copilot_client.cursor import Cursor, Gap, as_seq, oldest
from task_copilot_client.messages import Event, MalformedError, Missed, Ping, Rejected, Subscribed, Unknown, parse
from task_copilot_client.subscriptions import checked_topics

CURSORS = st.builds(Cursor, st.none() | st.sampled_from(["e1", "e2"]), st.integers(0, 10**17))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
MEMBERS = st.dictionaries(
    st.sampled_from(["type", "id", "seq", "payload", "topic", "eventType", "data", "epoch", "gap", "from", "to"]),
    JSON | st.sampled_from(["event", "subscribed", "error", "ping", "gap"]),
)


@given(CURSORS)
def test_a_cursor_survives_its_text(cursor: Cursor) -> None:
    """What `client.cursor` gives is what `since` takes."""
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "x", "-1", -1, "a:b:1", "e1:", ":1", True, None, 1.5, "٣", "1" * 19])
def test_what_is_no_cursor_is_refused(text: Any) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="since"):
        Cursor.parse(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(1, 1), (0, 0), (42.0, 42)],
        *[(value, None) for value in (4.2, True, "7", None, -1, float("nan"), float("inf"), 10**30, [])],
    ],
)
def test_strange_numbers_count_as_absent(value: Any, expected: int | None) -> None:
    """A number that is none harms nothing."""
    assert as_seq(value) == expected


def test_the_oldest_of_cursors_is_of_the_log_of_the_first() -> None:
    """Numbers of different logs are not compared."""
    assert oldest([None, Cursor("a", 5), Cursor("b", 1), Cursor("a", 3)]) == Cursor("a", 3)
    assert oldest([]) is None


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_frame_does_more_than_be_malformed(frame: bytes) -> None:
    """Whatever comes is a message or a MalformedError."""
    with contextlib.suppress(MalformedError):
        parse(frame)


@given(MEMBERS, MEMBERS)
def test_no_object_does_more_than_be_malformed(message: dict[str, Any], payload: dict[str, Any]) -> None:
    """Objects that look like messages, with members of any type, are read or refused."""
    with contextlib.suppress(MalformedError):
        parse(json.dumps(message | {"payload": payload}).encode())


def test_deep_nesting_is_malformed() -> None:
    """The parser's recursion limit is no crash."""
    with pytest.raises(MalformedError):
        parse(b"[" * 100_000)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {"type": "event", "seq": 4, "payload": {"topic": "task:1", "eventType": "x", "data": 1}, "new": 1},
            Event("task:1", "x", 1, 4),
        ),
        ({"type": "event", "payload": {"topic": "task:1", "eventType": "x"}}, Event("task:1", "x", None, None)),
        (
            {"type": "subscribed", "id": "a", "payload": {"epoch": "e", "seq": 3, "gap": {"from": 1, "to": 2}}},
            Subscribed("a", Cursor("e", 3), Gap(1, 2)),
        ),
        ({"type": "subscribed", "id": "a", "payload": {"topics": []}}, Subscribed("a", None, None)),
        ({"type": "error", "payload": {"code": "C", "message": "m"}}, Rejected(None, "C", "m", None)),
        ({"type": "ping", "payload": {"seq": 9}}, Ping(9)),
        ({"type": "ping", "payload": {}}, Ping(None)),
        ({"type": "gap", "payload": {"from": 1, "to": 2}}, Missed(Gap(1, 2))),
        ({"type": "batch"}, Unknown("batch")),
    ],
)
def test_messages_are_read(message: dict[str, Any], expected: messages.Message) -> None:
    """Each message of the protocol, of the new server and of the original."""
    assert parse(json.dumps(message).encode()) == expected


@pytest.mark.parametrize("frame", [b"", b"null", b"[]", b"{}", b'{"type":1}', b'{"type":"event"}', b"\xff"])
def test_what_is_no_message_is_malformed(frame: bytes) -> None:
    """It is reported and skipped."""
    with pytest.raises(MalformedError):
        parse(frame)


def test_requests_have_the_shape_of_the_protocol() -> None:
    """Type, id, timestamp and payload; `since` only where there is one."""
    subscribe = json.loads(messages.subscribe("sub-1", ["task:ä"], Cursor("e", 4), "now"))
    payload = {"topics": ["task:ä"], "since": "e:4"}
    assert subscribe == {"type": "subscribe", "id": "sub-1", "timestamp": "now", "payload": payload}
    assert "since" not in json.loads(messages.subscribe("s", ["*"], None, "now"))["payload"]
    assert json.loads(messages.pong("now")) == {"type": "pong", "timestamp": "now", "payload": {}}


@pytest.mark.parametrize(
    ("base", "api_base", "ws_url", "is_local"),
    [
        ("http://127.0.0.1:9090", "http://127.0.0.1:9090", "ws://127.0.0.1:9090/ws", True),
        ("HTTP://localhost:1//", "HTTP://localhost:1", "ws://localhost:1/ws", True),
        ("http://[::1]", "http://[::1]", "ws://[::1]/ws", True),
        ("https://bridge.example/x/", "https://bridge.example/x", "wss://bridge.example/x/ws", False),
        ("http://127.example", "http://127.example", "ws://127.example/ws", False),
    ],
)
def test_the_websocket_is_where_the_api_is(base: str, api_base: str, ws_url: str, is_local: bool) -> None:
    """https becomes wss; slashes at the end do not matter."""
    address = Address.parse(base)
    assert (address.api_base, address.ws_url, address.is_local) == (api_base, ws_url, is_local)


@pytest.mark.parametrize(
    "base", ["", "127.0.0.1:9090", "ftp://x", "http://", "http://x?y", "http://x#y", "http://x:70000"]
)
def test_what_is_no_address_is_refused(base: str) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="api_base"):
        Address.parse(base)


@pytest.mark.parametrize(
    ("topics", "error"),
    [("task:*", TypeError), ([1], TypeError), ([], ValueError), (["task:*", ""], ValueError), (["\ud800"], ValueError)],
)
def test_topics_that_no_bridge_would_take_are_refused_at_once(topics: Any, error: type[Exception]) -> None:
    """A string instead of a list of them is the common mistake."""
    with pytest.raises(error):
        checked_topics(topics)
