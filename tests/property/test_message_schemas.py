"""The schemas of messages and the code that reads messages agree (promise H12)."""

from __future__ import annotations

import json
from typing import Any, get_args

from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from taskcopilot.bridge import protocol
from taskcopilot.bridge.protocol import ProtocolError, Request, parse
from taskcopilot.bridge.schemas import EXAMPLES, FROM_CLIENT, FROM_SERVER

WHOLE = st.sampled_from([0, 1, -1, 10, 1000, 1001, 10_000, 10_001, 10**18 - 1, 10**18, True, 1.5, "1", [], {}])
TYPE = st.sampled_from(["task.*", "*", "", "x" * 64, "x" * 65, 3, None])
TYPES = st.lists(TYPE, max_size=3) | st.sampled_from([["a"] * 20, ["a"] * 21, "a"])
CURSORS = st.sampled_from(
    ["epoch:4", "4", ":4", "a b:4", "x:", "x" * 64 + ":1", "x" * 65 + ":1", "9" * 18, "9" * 19, "٣"]
)


def dictionaries(known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Objects with some of the known members, or with an unknown one."""
    return st.fixed_dictionaries({}, optional=known) | st.just({"more": 1}) | st.just("no object")


PAYLOADS = dictionaries(
    {
        "topics": st.lists(st.sampled_from(["task:*", "stream:s", 4]), max_size=3) | st.just("task:*"),
        "since": CURSORS | WHOLE,
        "last": WHOLE,
        "snapshot": st.sampled_from([True, True, 1, "yes"]),
        "filter": dictionaries({"eventTypes": TYPES}),
        "batch": dictionaries({"maxMs": WHOLE, "maxEvents": WHOLE}),
        "token": st.sampled_from(["", "tcb_x", None, 7]),
        "conflate": st.lists(st.sampled_from(["stream.progress", "agent.heartbeat", "task.created", 1]), max_size=2),
    }
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["subscribe", "subscribe", "unsubscribe", "ping", "pong", "auth", "event", 3])},
    optional={"id": st.sampled_from([1, None, {"a": []}]), "timestamp": st.just("x"), "payload": PAYLOADS},
)

VALIDATORS = [Draft7Validator(schema) for schema in FROM_CLIENT.values()]


def is_read(message: Any) -> bool:
    """Tell whether the bridge takes the message for a request."""
    try:
        parse(json.dumps(message))
    except ProtocolError:
        return False
    return True


@given(MESSAGES | st.sampled_from([each for examples in EXAMPLES.values() for each in examples]))
@example({"type": "subscribe", "payload": {"topics": ["*"], "since": 1, "last": 1}})
@example({"type": "subscribe", "payload": {"topics": ["*"], "snapshot": True, "since": "1"}})
def test_a_message_is_read_exactly_when_its_schema_says_so(message: dict[str, Any]) -> None:
    """H12: of messages with members from everywhere; the grammar of topics (T1 to T4) is not in the schema."""
    assert is_read(message) == any(validator.is_valid(message) for validator in VALIDATORS)


def test_there_is_a_schema_for_every_kind_of_message() -> None:
    """H12: of those that are read, and of those that are written; `event` has one for each type, a batch is joined."""
    assert len(FROM_CLIENT) == len(EXAMPLES) == len(get_args(Request))
    written = {name for name in protocol.__all__ if name.startswith("encode_")} - {"encode_event"}
    assert len(FROM_SERVER.keys() - {"batch"}) == len(written)
