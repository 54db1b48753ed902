"""session-buddy's sessions over a real socket: every dialect, every request, every broadcast, every error."""

from __future__ import annotations

from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.services import session_buddy
from taskcopilot.services.session_buddy import SessionBuddy
from tests.helpers.broadcasts import TIME, Broadcast, check_broadcast, check_refused
from tests.helpers.dialects import House, check_dialects

SESSION = ["session:s", "global"]
KNOWLEDGE = ["knowledge:s", "session:s", "global"]

BROADCASTS = [
    Broadcast(
        "session_created",
        ("s", {"project": "shop"}),
        "session.created",
        {"session_id": "s", "context": {"project": "shop"}},
        SESSION,
    ),
    Broadcast(
        "session_updated",
        ("s", {"branch": "main"}),
        "session.updated",
        {"session_id": "s", "changes": {"branch": "main"}},
        SESSION,
    ),
    Broadcast(
        "session_update",
        ("s", {"branch": "main", "session_id": "other"}),
        "session_update",
        {"session_id": "s", "branch": "main"},
        SESSION,
    ),
    Broadcast(
        "session_checkpoint",
        ("s", "c1", {"quality": 89}),
        "session.checkpoint",
        {"session_id": "s", "checkpoint_id": "c1", "quality": 89},
        ["checkpoint:s", *SESSION],
    ),
    Broadcast("session_closed", ("s",), "session.closed", {"session_id": "s"}, SESSION),
    Broadcast(
        "knowledge_captured",
        ("s", "k1", "insight", {"title": "Sockets"}),
        "knowledge.captured",
        {"session_id": "s", "knowledge_id": "k1", "type": "insight", "title": "Sockets"},
        KNOWLEDGE,
    ),
    Broadcast(
        "knowledge_search_result",
        ("s", "sockets", [{"knowledge_id": "k1"}]),
        "knowledge.search_result",
        {"session_id": "s", "query": "sockets", "results": [{"knowledge_id": "k1"}]},
        KNOWLEDGE,
    ),
]


@pytest.fixture
def sessions(house: House) -> SessionBuddy:
    """The broadcasts."""
    return SessionBuddy(house.publisher)


@pytest.mark.parametrize("broadcast", BROADCASTS, ids=lambda broadcast: broadcast.event)
async def test_a_broadcast_reaches_every_room_of_it(house: House, broadcast: Broadcast) -> None:
    """V7: a checkpoint also who is in its session; a named argument wins over what is added."""
    await check_broadcast(house, SessionBuddy, broadcast, elsewhere="session:other")


async def test_a_session_is_told_from_its_events(house: House, sessions: SessionBuddy) -> None:
    """From its context over what it learned to its end; both forms of an update count."""
    client = await house.client("session-buddy")
    await sessions.broadcast_session_created("s", {"project": "shop", "branch": "main"})
    await sessions.broadcast_session_updated("s", {"branch": "topic"})
    await sessions.broadcast_session_update("s", {"open_files": 3})
    await sessions.broadcast_session_checkpoint("s", "c1", {"quality": 89})
    await sessions.broadcast_knowledge_captured("s", "k1", "insight", {"title": "Sockets"})
    answer = await client.request("get_session", session_id="s")
    assert answer["seq"] == 5
    assert answer["data"] == {
        "session_id": "s",
        "status": "active",
        "context": {"project": "shop", "branch": "topic", "open_files": 3},
        "checkpoints": [{"checkpoint_id": "c1", "quality": 89, "created_at": TIME}],
        "checkpoint_count": 1,
        "knowledge": [{"knowledge_id": "k1", "type": "insight", "title": "Sockets", "captured_at": TIME}],
        "knowledge_count": 1,
        "created_at": TIME,
        "updated_at": TIME,
    }
    await sessions.broadcast_session_closed("s")
    closed = (await client.request("get_session", session_id="s"))["data"]
    assert (closed["status"], closed["closed_at"], closed["context"]["branch"]) == ("closed", TIME, "topic")
    await sessions.broadcast_session_created("s", {})
    anew = (await client.request("get_session", session_id="s"))["data"]
    assert (anew["status"], anew["context"], anew["checkpoint_count"]) == ("active", {}, 0)
    assert "closed_at" not in anew


async def test_a_session_keeps_its_newest_and_counts_all(
    house: House, sessions: SessionBuddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that goes on for weeks does not grow without end; an unknown one begins with its first event."""
    monkeypatch.setattr(session_buddy, "MAX_KEPT", 2)
    monkeypatch.setattr(session_buddy, "MAX_MEMBERS", 2)
    for number in range(3):
        await sessions.broadcast_session_checkpoint("s", f"c{number}", {})
        await sessions.broadcast_session_updated("s", {f"m{number}": number, "m0": number})
    session = (await (await house.client("session-buddy")).request("get_session", session_id="s"))["data"]
    assert [checkpoint["checkpoint_id"] for checkpoint in session["checkpoints"]] == ["c1", "c2"]
    assert session["checkpoint_count"] == 3
    assert session["context"] == {"m2": 2, "m0": 2}


async def test_sessions_are_seen_on_the_main_bus(house: House, sessions: SessionBuddy) -> None:
    """A session's checkpoints under the session: `checkpoint:*` are those of tasks."""
    await sessions.broadcast_session_checkpoint("s", "c1", {})
    await sessions.broadcast_knowledge_captured("s", "k1", "insight", {})
    for topics, event in (("session:s", "session.checkpoint"), ("knowledge:*", "knowledge.captured")):
        page = await house.server.get("/api/events", topics=topics)
        assert [told["payload"]["eventType"] for told in page["events"]] == [f"session-buddy.{event}"]


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("get_session", {"session_id": "nobody"}, "NOT_FOUND"),
        ("get_session", {}, "INVALID_ARGUMENT"),
        ("get_session", {"session_id": 7}, "INVALID_ARGUMENT"),
        ("get_status", {}, "UNKNOWN_REQUEST"),
        ("subscribe", {"channel": "session:"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "sessions"}, "INVALID_CHANNEL"),
        ("unsubscribe", {"channel": "test:r"}, "INVALID_CHANNEL"),
    ],
)
async def test_every_bad_request_gets_its_code(house: House, event: str, data: dict[str, Any], code: str) -> None:
    """V4: with its correlation, and the connection goes on."""
    await check_refused(house, "session-buddy", event, data, code)


@pytest.mark.parametrize("room", ["session:s", "knowledge:s", "checkpoint:s", "global"])
async def test_every_dialect_joins_and_leaves(house: House, room: str) -> None:
    """The forms of the documents and of the clients; a session also by `session_id` alone."""
    await check_dialects(await house.client("session-buddy"), room)


async def test_who_joins_by_the_session_id_hears_the_session(house: House, sessions: SessionBuddy) -> None:
    """The form of the first document: type subscribe and a session_id, and the event `session_update`."""
    client = await house.client("session-buddy")
    await client.say({"type": "subscribe", "session_id": "s"})
    assert (await client.hear())["type"] == "ack"
    await sessions.broadcast_session_update("s", {"branch": "main"})
    (heard,) = await client.sync()
    assert (heard["event"], heard["room"], heard["data"]["branch"]) == ("session_update", "session:s", "main")


async def test_a_broadcast_that_is_none_is_refused(house: House, sessions: SessionBuddy) -> None:
    """The error names the field, nobody hears of it, and nothing is kept."""
    client = await house.client("session-buddy")
    await client.subscribe("global")
    with pytest.raises(InvalidArgumentError) as refused:
        await sessions.broadcast_knowledge_captured("s", "", "insight", {})
    assert refused.value.field == "knowledge_id"
    assert await client.sync() == []
    await check_refused(house, "session-buddy", "get_session", {"session_id": "s"}, "NOT_FOUND")
