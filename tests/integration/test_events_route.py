"""GET /api/events: the log from a cursor, page by page (promises H1 and H2)."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from taskcopilot.bridge import log_page
from tests.helpers.server import RunningServer


async def create(server: RunningServer, count: int, **arguments: Any) -> list[str]:
    """Create tasks outside of streams: one event each. Return their ids."""
    return [(await server.call("task_create", title=f"Task {n}", **arguments))["id"] for n in range(count)]


def seqs(answer: dict[str, Any]) -> list[int]:
    """Return the numbers of the events."""
    return [event["seq"] for event in answer["events"]]


async def test_an_empty_log_has_nothing_but_a_cursor(server: RunningServer) -> None:
    """H1."""
    epoch = server.core.recorder.epoch
    assert await server.get("/api/events") == {"events": [], "next": f"{epoch}:0", "epoch": epoch, "head": 0}


async def test_events_come_as_the_envelopes_of_the_socket(server: RunningServer) -> None:
    """H1: seq, topic, type and data, without `replayed`."""
    (task,) = await create(server, 1, assignedAgent="me")
    answer = await server.get("/api/events")
    assert answer["events"] == [
        {
            "type": "event",
            "timestamp": "2026-01-08T12:00:00.000Z",
            "seq": 1,
            "payload": {
                "topic": f"task:{task}",
                "eventType": "task.created",
                "data": {
                    "taskId": task,
                    "taskTitle": "Task 0",
                    "assignedAgent": "me",
                    "createdAt": "2026-01-08T12:00:00.000Z",
                },
            },
        }
    ]
    assert list(answer["events"][0]) == ["type", "timestamp", "seq", "payload"]


async def test_polling_with_next_sees_every_event_once(server: RunningServer) -> None:
    """H1: whatever the limit, and while new events come."""
    await create(server, 5)
    seen: list[int] = []
    since = ""
    for round_ in range(6):
        answer = await server.get("/api/events", since=since, limit=2)
        seen += seqs(answer)
        since = answer["next"]
        if round_ == 1:
            await create(server, 2)
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert since == f"{server.core.recorder.epoch}:7"


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "1.0", "1e2", "\u0661", "99999999999999999999", " 5"])
async def test_a_limit_out_of_range_is_400(server: RunningServer, limit: str) -> None:
    """H1: limit is 1 to 1,000."""
    problem = await server.get("/api/events", expect=400, limit=limit)
    assert (problem["code"], problem["field"]) == ("INVALID_ARGUMENT", "limit")


async def test_the_limit_is_100_unless_asked_for(server: RunningServer) -> None:
    """H1."""
    await create(server, 101)
    assert len((await server.get("/api/events"))["events"]) == 100
    assert len((await server.get("/api/events", limit=1000))["events"]) == 101


@pytest.mark.parametrize(
    "query",
    [
        "topics=task:*,stream:Stream-A",
        "topics=task:*&topics=stream:Stream-A",
        "topics=t?sk:*,stream:*&topics=task:*",
        "topics=*",
        "topics=",
        "",
    ],
)
async def test_topics_are_a_list_or_repeated(server: RunningServer, query: str) -> None:
    """H1, D2: an event that several patterns match comes once."""
    await server.call("task_create", title="One", metadata={"streamId": "Stream-A"})
    answer = await server.get(f"/api/events?{query}")
    assert [event["payload"]["eventType"] for event in answer["events"]] == ["task.created", "stream.progress"]


async def test_next_moves_past_events_that_did_not_match(server: RunningServer) -> None:
    """H1: a poller of a rare topic does not read the same events again and again."""
    await create(server, 4)
    answer = await server.get("/api/events", topics="stream:*")
    assert (answer["events"], answer["next"]) == ([], f"{answer['epoch']}:4")


@pytest.mark.parametrize(
    "topics",
    ["task", "task:", "Task:*", ":x", "task:*,", ",", "nope:*", "task:" + "*" * 9, "task:" + "x" * 130, "a\x01:*"],
)
async def test_a_topic_that_is_no_pattern_is_400(server: RunningServer, topics: str) -> None:
    """T2 to T4, named by the field."""
    problem = await server.get("/api/events", expect=400, topics=topics)
    assert (problem["code"], problem["field"]) == ("INVALID_ARGUMENT", "topics")


async def test_more_patterns_than_a_client_may_hold_are_400(server: RunningServer) -> None:
    """R3 holds here too; repeated ones count once."""
    many = [f"task:{n}" for n in range(50)]
    await server.get("/api/events", topics=",".join(many + many))
    problem = await server.get("/api/events", expect=400, topics=",".join([*many, "task:50"]))
    assert problem["field"] == "topics"


@pytest.mark.parametrize("name", ["since", "limit"])
async def test_a_parameter_given_twice_is_400(server: RunningServer, name: str) -> None:
    """Which of the two was meant, nobody knows."""
    problem = await server.get(f"/api/events?{name}=1&{name}=2", expect=400)
    assert problem["field"] == name


async def test_one_request_looks_at_a_bounded_part_of_the_log(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H1: with a pattern that matches nothing, too, and `next` still gets to the head."""
    monkeypatch.setattr(log_page, "MAX_SCAN", 10)
    await create(server, 25)
    since, positions = "", []
    for _ in range(4):
        answer = await server.get("/api/events", since=since, topics="agent:*")
        since = answer["next"]
        positions.append(int(since.rpartition(":")[2]))
    assert positions == [10, 20, 25, 25]


async def test_one_answer_is_bounded_in_bytes(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """H1: long texts come in several answers."""
    monkeypatch.setattr(log_page, "MAX_BYTES", 1_000)
    await create(server, 20)
    answer = await server.get("/api/events")
    assert 1 <= len(answer["events"]) < 20
    rest = await server.get("/api/events", since=answer["next"])
    assert seqs(rest)[0] == seqs(answer)[-1] + 1


async def test_a_log_longer_than_a_page_is_read_on(server: RunningServer) -> None:
    """H1: the pages that the store reads do not show."""
    await create(server, 260, metadata={"streamId": "Stream-A"})
    answer = await server.get("/api/events", topics="stream:*", limit=1000)
    assert seqs(answer) == list(range(2, 521, 2))


async def test_the_events_of_a_call_are_there_when_it_answers(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    """D6, D7: and none of a call that failed."""
    async with http.post("/api/tools/task_create", json={"title": "One", "parentId": "TASK-none"}) as response:
        assert response.status == 404
    async with http.post("/api/tools/task_create", json={"title": "Two"}) as response:
        assert response.status == 200
    assert [event["payload"]["data"]["taskTitle"] for event in (await server.get("/api/events"))["events"]] == ["Two"]
