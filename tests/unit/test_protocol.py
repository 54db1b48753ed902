"""Reading and writing the messages of `/ws`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.bridge.protocol import (
    ABSENT,
    ErrorCode,
    Ping,
    Pong,
    ProtocolError,
    Subscribe,
    Unsubscribe,
    encode_error,
    encode_event,
    encode_ping,
    encode_pong,
    encode_subscribed,
    parse,
)
from taskcopilot.events import Event

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

FAULTS = [
    ("", ErrorCode.INVALID_MESSAGE),
    ("{", ErrorCode.INVALID_MESSAGE),
    (b"\xff\xfe", ErrorCode.INVALID_MESSAGE),
    ("null", ErrorCode.INVALID_MESSAGE),
    ("[" * 5_000, ErrorCode.INVALID_MESSAGE),
    ('{"type":"ping","id":%s1%s}' % ("[" * 300, "]" * 300), ErrorCode.INVALID_MESSAGE),
    ("5", ErrorCode.UNKNOWN_TYPE),
    ('"subscribe"', ErrorCode.UNKNOWN_TYPE),
    ("true", ErrorCode.UNKNOWN_TYPE),
    ("[]", ErrorCode.UNKNOWN_TYPE),
    ("{}", ErrorCode.UNKNOWN_TYPE),
    ('{"type":"event"}', ErrorCode.UNKNOWN_TYPE),
    ('{"type":5}', ErrorCode.UNKNOWN_TYPE),
    ('{"type":["subscribe"]}', ErrorCode.UNKNOWN_TYPE),
    ('{"type":"subscribe"}', ErrorCode.INVALID_MESSAGE),
    ('{"type":"subscribe","payload":null}', ErrorCode.INVALID_MESSAGE),
    ('{"type":"unsubscribe","payload":[]}', ErrorCode.INVALID_MESSAGE),
    ('{"type":"subscribe","payload":{}}', ErrorCode.INVALID_TOPIC),
    ('{"type":"subscribe","payload":{"topics":[]}}', ErrorCode.INVALID_TOPIC),
    ('{"type":"subscribe","payload":{"topics":"task:*"}}', ErrorCode.INVALID_TOPIC),
    ('{"type":"unsubscribe","payload":{"topics":{}}}', ErrorCode.INVALID_TOPIC),
    ('{"type":"subscribe","payload":{"topics":["*",5]}}', ErrorCode.INVALID_MESSAGE),
    ('{"type":"subscribe","payload":{"topics":[null]}}', ErrorCode.INVALID_MESSAGE),
]
SINCE_FAULTS = [
    "-1",
    '"x"',
    "1.5",
    "true",
    "[]",
    '"a:b"',
    '":1"',
    '"1:"',
    "9223372036854775808",
    '"\\u0661"',
    '"' + "1" * 19 + '"',
]


@pytest.mark.parametrize(("frame", "code"), FAULTS)
def test_each_fault_gets_the_code_of_the_table(frame: str | bytes, code: ErrorCode) -> None:
    """The table of error codes, row by row."""
    with pytest.raises(ProtocolError) as caught:
        parse(frame)
    assert code == caught.value.code


@pytest.mark.parametrize("since", SINCE_FAULTS)
def test_a_since_that_is_no_cursor_is_an_invalid_message(since: str) -> None:
    """WS_INVALID_MESSAGE names the field."""
    with pytest.raises(ProtocolError) as caught:
        parse('{"type":"subscribe","id":3,"payload":{"topics":["*"],"since":%s}}' % since)
    assert (caught.value.code, caught.value.field, caught.value.request_id) == (ErrorCode.INVALID_MESSAGE, "since", 3)


def test_requests_are_read_as_they_were_meant() -> None:
    """Binary frames are read like text; id and cursor are taken over."""
    assert parse(b'{"type":"subscribe","id":"a","payload":{"topics":["*"],"since":"e-1:7"}}') == Subscribe(
        "a", ["*"], Cursor("e-1", 7)
    )
    assert parse('{"type":"unsubscribe","payload":{"topics":["x","x"]}}') == Unsubscribe(ABSENT, ["x", "x"])
    assert parse('{"type":"ping","id":null}') == Ping(None)
    assert parse('{"type":"pong","payload":3}') == Pong()


@given(JSON)
def test_any_id_is_echoed(request_id: Any) -> None:
    """R6: of any JSON type, in every kind of answer."""
    text = orjson.dumps({"type": "ping", "id": request_id})
    read = parse(text)
    assert isinstance(read, Ping)
    error = ProtocolError(ErrorCode.INVALID_TOPIC, "no", request_id=read.request_id)
    for answer in (
        encode_pong(read.request_id, "t"),
        encode_error(error, "t"),
        encode_subscribed(read.request_id, "t", topics=[], active=0, epoch="e", head=0),
    ):
        assert request_id == orjson.loads(answer)["id"]


@given(st.binary(max_size=60) | st.text(max_size=60) | JSON.map(orjson.dumps))
def test_no_message_does_more_than_a_protocol_error(frame: str | bytes) -> None:
    """R5: whatever comes, it is a request or an error with a code."""
    try:
        assert parse(frame) is not None
    except ProtocolError as error:
        assert error.code in set(ErrorCode)


@given(st.dictionaries(st.text(), JSON), st.text(min_size=1), st.booleans())
def test_an_event_survives_the_wire(data: dict[str, Any], identifier: str, replayed: bool) -> None:
    """The envelope's keys, in the original's order, with the payload as it was logged."""
    event = Event(7, "2026-01-08T12:00:00.000Z", f"task:{identifier}", "task.created", orjson.dumps(data))
    message = orjson.loads(encode_event(event, replayed=replayed))
    assert list(message) == ["type", "timestamp", "seq", *(["replayed"] if replayed else []), "payload"]
    assert message["payload"] == {"topic": event.topic, "eventType": event.type, "data": data}
    assert (message["type"], message["timestamp"], message["seq"]) == ("event", event.at, 7)


def test_answers_hold_what_they_must_and_nothing_else() -> None:
    """Absent ids, gaps and `recovered` leave no key behind; errors name the field."""
    plain = orjson.loads(encode_subscribed(ABSENT, "t", topics=["*"], active=1, epoch="e", head=4))
    assert plain == {
        "type": "subscribed",
        "timestamp": "t",
        "payload": {"topics": ["*"], "activeSubscriptions": 1, "epoch": "e", "seq": 4},
    }
    told = encode_subscribed(1, "t", topics=["*"], active=1, epoch="e", head=4, recovered=False, gap=Gap(1, 2))
    assert orjson.loads(told)["payload"]["gap"] == {"from": 1, "to": 2}
    error = ProtocolError(ErrorCode.INVALID_TOPIC, "no", field="topics.0")
    assert orjson.loads(encode_error(error, "t"))["payload"] == {
        "code": "WS_INVALID_TOPIC",
        "message": "no",
        "field": "topics.0",
    }
    assert orjson.loads(encode_ping("t", 9)) == {"type": "ping", "timestamp": "t", "payload": {"seq": 9}}
