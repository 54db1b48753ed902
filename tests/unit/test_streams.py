"""stream_list and stream_get: what a stream is summed up to, and which streams are shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.store.streams import Counts
from taskcopilot.tools.name_order import name_key
from taskcopilot.tools.stream_info import status_of
from tests.helpers.bridge import Core, core
from tests.helpers.original_database import build_original_database
from tests.helpers.rows import INITIATIVE, PRD, initiative, prd, product, put, task


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Core]:
    """A core with one initiative and one PRD."""
    async with core(tmp_path) as running:
        await put(running, "initiatives", initiative())
        await put(running, "prds", prd())
        yield running


async def tasks(bridge: Core, *rows: dict[str, Any]) -> None:
    """Put tasks of the one PRD, or of another where they say so."""
    await put(bridge, "tasks", *({"prd_id": PRD} | row for row in rows))


async def names(bridge: Core, **arguments: Any) -> list[str]:
    """Return the ids of the streams that stream_list shows."""
    return [stream["streamId"] for stream in (await bridge.call("stream_list", **arguments))["streams"]]


async def test_a_stream_is_shown_with_the_fields_of_the_original_and_ours_after_them(bridge: Core) -> None:
    """Key by key, in this order; what has no value has no key."""
    await tasks(bridge, task("T1", "A"))
    answer = await bridge.call("stream_list")
    assert list(answer["streams"][0].items()) == [
        ("streamId", "A"),
        ("streamName", "A"),
        ("streamPhase", "parallel"),
        ("totalTasks", 1),
        ("completedTasks", 0),
        ("inProgressTasks", 0),
        ("blockedTasks", 0),
        ("pendingTasks", 1),
        ("files", []),
        ("streamPaths", []),
        ("dependencies", []),
        ("tokenUsage", 0),
        ("overBudget", False),
        ("progressPercentage", 0),
        ("cancelledTasks", 0),
        ("status", "pending"),
    ]


async def test_the_first_task_names_the_stream_and_all_tasks_add_to_its_lists(bridge: Core) -> None:
    """Files, paths and dependencies are unions without repetition, in the order of creation."""
    first = {"streamName": "API", "streamPhase": "foundation", "worktreePath": "/w", "branchName": "b", "files": ["a"]}
    second = {"streamName": "Other", "files": ["a", "b", 7], "streamPaths": ["src/"], "streamDependencies": ["X"]}
    third = {"streamDependencies": ["Y", "X"], "streamPaths": "no list", "files": None}
    await tasks(
        bridge,
        task("T3", "A", metadata=third, at="2026-01-08T11:00:02.000Z"),
        task("T2", "A", metadata=second, at="2026-01-08T11:00:01.000Z"),
        task("T1", "A", metadata=first),
    )
    stream = (await bridge.call("stream_list"))["streams"][0]
    assert (stream["streamName"], stream["streamPhase"]) == ("API", "foundation")
    assert (stream["worktreePath"], stream["branchName"]) == ("/w", "b")
    assert (stream["files"], stream["streamPaths"]) == (["a", "b"], ["src/"])
    assert stream["dependencies"] == ["X", "Y"]
    assert (await bridge.call("stream_get", streamId="A"))["dependencies"] == ["X", "Y"]


async def test_metadata_that_anybody_wrote_wrongly_counts_as_absent(bridge: Core) -> None:
    """An unknown phase is the default one, a name that is no text is the id."""
    odd = {"streamName": 5, "streamPhase": "later", "streamTokenBudget": "much", "worktreePath": {}, "branchName": ""}
    await tasks(bridge, task("T1", "A", metadata=odd), task("T2", metadata='{"streamId":'), task("T3", "", metadata={}))
    answer = await bridge.call("stream_list")
    assert [stream["streamName"] for stream in answer["streams"]] == ["A"]
    assert answer["streams"][0]["streamPhase"] == "parallel"
    assert not {"tokenBudget", "worktreePath", "branchName"} & answer["streams"][0].keys()


async def test_list_detail_and_event_count_alike(bridge: Core) -> None:
    """Cancelled and archived tasks are not in the total; the percentage is rounded half up."""
    statuses = ["completed", "in_progress", "blocked", "cancelled", *["pending"] * 5]
    await tasks(bridge, *(task(f"T{number}", "A", status) for number, status in enumerate(statuses)))
    await tasks(bridge, task("old", "A", "completed", archived=1))
    await bridge.call("task_create", title="without PRD", metadata={"streamId": "A"})
    await bridge.call("stream_unarchive", streamId="A")
    event = bridge.events[-2][2]
    keys = ["totalTasks", "completedTasks", "inProgressTasks", "blockedTasks", "cancelledTasks"]
    listed = (await bridge.call("stream_list"))["streams"][0]
    detail = await bridge.call("stream_get", streamId="A")
    for shown in (listed, detail, event):
        assert [shown[key] for key in keys] == [10, 2, 1, 1, 1]
    assert (listed["pendingTasks"], detail["pendingTasks"]) == (6, 6)
    assert (listed["progressPercentage"], detail["progressPercentage"], event["progressPercentage"]) == (20, 20, 20)


async def test_percentages_are_rounded_half_up(bridge: Core) -> None:
    """1 of 8 is 13, as in JavaScript."""
    await tasks(bridge, task("T0", "A", "completed"), *(task(f"T{number}", "A") for number in range(1, 8)))
    assert (await bridge.call("stream_list"))["streams"][0]["progressPercentage"] == 13


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"completed": 2}, "completed"),
        ({"completed": 2, "cancelled": 1}, "completed"),
        ({"completed": 1, "blocked": 1, "in_progress": 1}, "blocked"),
        ({"in_progress": 1, "pending": 1}, "in_progress"),
        ({"completed": 1, "pending": 1}, "pending"),
        ({"cancelled": 1}, "pending"),
    ],
)
def test_the_status_is_what_the_tasks_come_to(counts: dict[str, int], status: str) -> None:
    """Blocked wins over in progress; cancelled tasks no longer keep a stream from completing."""
    assert status_of(Counts(**counts)) == status


async def test_the_blocked_reason_is_that_of_the_oldest_blocked_task(bridge: Core) -> None:
    """Without a reason it reads as in the event `task.blocked`."""
    await tasks(
        bridge,
        task("T2", "A", "blocked", blocked_reason="later", at="2026-01-08T11:00:01.000Z"),
        task("T1", "A", "blocked", blocked_reason="earlier"),
        task("T0", "A", "completed", blocked_reason="long ago", at="2026-01-08T10:00:00.000Z"),
        task("T3", "B", "blocked"),
    )
    first, second = (await bridge.call("stream_list"))["streams"]
    assert (first["status"], first["blockedReason"]) == ("blocked", "earlier")
    assert second["blockedReason"] == "Unknown"
    assert (await bridge.call("stream_get", streamId="A"))["blockedReason"] == "earlier"


async def test_streams_are_ordered_by_phase_and_then_by_name(bridge: Core) -> None:
    """Case and accents decide only between equal names."""
    named = [("i", "a", "integration"), ("p1", "Zoo", "parallel"), ("p2", "ärger", "parallel"), ("p3", "apple", None)]
    for id_, name, phase in [*named, ("f", "z", "foundation"), ("p4", "Apple", None)]:
        metadata = {"streamName": name} | ({"streamPhase": phase} if phase else {})
        await tasks(bridge, task(f"T-{id_}", id_, metadata=metadata))
    assert await names(bridge) == ["f", "p3", "p4", "p2", "p1", "i"]


def test_names_are_ordered_as_people_expect() -> None:
    """Spaces, punctuation, symbols, digits, letters; as localeCompare does."""
    ordered = ["", " a", "-a", "_", "+a", "1", "10", "2", "a", "A", "ä", "a b", "ab", "b", "ß", "sz", "Z"]
    backwards = ordered[::-1]
    assert sorted(backwards, key=name_key) == ordered


async def test_token_use_is_a_quarter_of_the_characters_rounded_up(bridge: Core) -> None:
    """The budget is the largest of the tasks'; what archived tasks produced does not count."""
    await tasks(
        bridge,
        task("T1", "A", metadata={"streamTokenBudget": 2}),
        task("T2", "A", metadata={"streamTokenBudget": 3.0}),
        task("T3", "A", metadata={"streamTokenBudget": True}),
        task("old", "A", archived=1),
        task("T4", "B", metadata={"streamTokenBudget": -1}),
    )
    await put(
        bridge, "work_products", product("1", "T1", "äöü😀"), product("2", "T2", "x" * 9), product("3", "old", "x" * 99)
    )
    first, second = (await bridge.call("stream_list"))["streams"]
    assert (first["tokenBudget"], first["tokenUsage"], first["overBudget"]) == (3, 4, True)
    assert ("tokenBudget" in second, second["tokenUsage"], second["overBudget"]) == (False, 0, False)
    detail = await bridge.call("stream_get", streamId="A")
    assert (detail["tokenBudget"], detail["tokenUsage"], detail["overBudget"]) == (3, 4, True)
    everything = await bridge.call("stream_get", streamId="A", includeArchived=True)
    assert everything["tokenUsage"] == 28


async def test_a_number_as_stream_id_is_reached_by_its_text(bridge: Core) -> None:
    """The original listed such streams and could not find them."""
    await tasks(bridge, task("T1", 5))
    assert await names(bridge) == ["5"]
    assert (await bridge.call("stream_get", streamId="5"))["tasks"][0]["id"] == "T1"


async def test_ids_with_wildcards_stand_for_themselves(bridge: Core) -> None:
    """The original compared with LIKE."""
    await tasks(bridge, task("T1", "A_1"), task("T2", "AB1"), task("T3", "%"))
    for stream_id, expected in (("A_1", "T1"), ("%", "T3")):
        assert [t["id"] for t in (await bridge.call("stream_get", streamId=stream_id))["tasks"]] == [expected]


async def test_without_a_filter_the_current_initiative_chooses_the_streams(bridge: Core) -> None:
    """Its own and those without a PRD; all tasks of a chosen stream count, as in its events."""
    await put(bridge, "initiatives", initiative("INIT-0", at="2026-01-08T10:00:00.000Z"))
    await put(bridge, "prds", prd("PRD-0", "INIT-0"))
    await tasks(bridge, task("T1", "A"), task("T2", "A", prd_id="PRD-0"), task("T3", "B", prd_id="PRD-0"))
    await tasks(bridge, task("T4", "C", prd_id=None), task("T5", prd_id=PRD))
    listed = (await bridge.call("stream_list"))["streams"]
    assert [(stream["streamId"], stream["totalTasks"]) for stream in listed] == [("A", 2), ("C", 1)]


async def test_with_a_filter_only_the_tasks_under_it_count(bridge: Core) -> None:
    """A PRD wins over an initiative; what is unknown has no streams."""
    await put(bridge, "initiatives", initiative("INIT-0", at="2026-01-08T10:00:00.000Z"))
    await put(bridge, "prds", prd("PRD-0", "INIT-0"))
    await tasks(bridge, task("T1", "A"), task("T2", "A", prd_id="PRD-0"), task("T3", "B", prd_id=None))
    for filters in ({"initiativeId": INITIATIVE}, {"prdId": PRD}, {"prdId": PRD, "initiativeId": "INIT-0"}):
        listed = (await bridge.call("stream_list", **filters))["streams"]
        assert [(stream["streamId"], stream["totalTasks"]) for stream in listed] == [("A", 1)]
    for nobody in ({"initiativeId": "nobody"}, {"prdId": "nobody"}):
        assert await names(bridge, **nobody) == []
    detail = await bridge.call("stream_get", streamId="A", initiativeId="INIT-0")
    assert [shown["id"] for shown in detail["tasks"]] == ["T2"]
    assert (await bridge.call("stream_get", streamId="A"))["totalTasks"] == 2


async def test_without_any_initiative_all_streams_are_shown(tmp_path: Path) -> None:
    """And none in an empty database."""
    async with core(tmp_path) as bridge:
        assert await bridge.call("stream_list") == {"streams": []}
        await bridge.call("task_create", title="t", metadata={"streamId": "A"})
        assert await names(bridge) == ["A"]


async def test_archived_tasks_are_shown_only_when_asked_for(bridge: Core) -> None:
    """A stream of archived tasks alone is not found otherwise."""
    gone = {"archived": 1, "archived_at": "2026-01-08T11:30:00.000Z", "archived_by_initiative_id": "INIT-2"}
    await tasks(bridge, task("T1", "A", "completed", **gone), task("T2", "B", **gone))
    await tasks(bridge, task("T3", "B", metadata={"streamName": "living"}, at="2026-01-08T11:00:01.000Z"))
    assert await names(bridge) == ["B"]
    assert await names(bridge, includeArchived=True) == ["A", "B"]
    with pytest.raises(NotFoundError) as failure:
        await bridge.call("stream_get", streamId="A")
    assert (failure.value.field, failure.value.details) == ("streamId", {"streamId": "A"})
    detail = await bridge.call("stream_get", streamId="A", includeArchived=True)
    assert (detail["archived"], detail["archivedAt"]) == (True, "2026-01-08T11:30:00.000Z")
    assert (detail["archivedByInitiativeId"], detail["status"]) == ("INIT-2", "completed")
    mixed = await bridge.call("stream_get", streamId="B", includeArchived=True)
    assert (mixed["archived"], mixed["totalTasks"], mixed["streamName"]) == (True, 2, "living")


async def test_a_detail_has_the_tasks_oldest_first_and_the_counts(bridge: Core) -> None:
    """Key by key, in this order; tasks leave out what has no value."""
    await tasks(
        bridge,
        task("T2", "A", "in_progress", assigned_agent="me", notes="", at="2026-01-08T11:00:01.000Z"),
        task("T1", "A", description="d", parent_id=None),
    )
    detail = await bridge.call("stream_get", streamId="A")
    assert detail["tasks"][0] == {
        "id": "T1",
        "prdId": PRD,
        "title": "Title of T1",
        "description": "d",
        "status": "pending",
        "metadata": {"streamId": "A"},
        "createdAt": "2026-01-08T11:00:00.000Z",
        "updatedAt": "2026-01-08T11:00:00.000Z",
    }
    assert detail["tasks"][1]["assignedAgent"] == "me"
    assert list(detail) == [
        *("streamId", "streamName", "streamPhase", "tasks", "dependencies", "status", "tokenUsage", "overBudget"),
        *("archived", "progressPercentage", "totalTasks", "completedTasks", "inProgressTasks", "blockedTasks"),
        *("pendingTasks", "cancelledTasks"),
    ]


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("stream_list", {"includeArchived": "true"}, "includeArchived"),
        ("stream_list", {"prdId": ""}, "prdId"),
        ("stream_list", {"colour": 1}, "colour"),
        ("stream_get", {}, "streamId"),
        ("stream_get", {"streamId": 5}, "streamId"),
    ],
)
async def test_bad_arguments_are_refused_by_name(
    bridge: Core, tool: str, arguments: dict[str, Any], field: str
) -> None:
    """The error names the field."""
    with pytest.raises(InvalidArgumentError) as failure:
        await bridge.call(tool, **arguments)
    assert failure.value.field == field


async def test_a_stream_starts_with_its_first_task_in_progress_whatever_was_completed_before(tmp_path: Path) -> None:
    """A task that went straight from pending to completed started nothing."""
    async with core(tmp_path) as bridge:
        first, second = [
            (await bridge.call("task_create", title="t", metadata={"streamId": "A"}))["id"] for _ in range(2)
        ]
        await bridge.call("task_update", id=first, status="completed")
        assert "stream.started" not in bridge.types
        await bridge.call("task_update", id=second, status="in_progress")
        assert bridge.types.count("stream.started") == 1
        await bridge.call("task_update", id=second, status="pending")
        await bridge.call("task_update", id=second, status="in_progress")
        assert bridge.types.count("stream.started") == 1


async def test_a_stream_of_the_original_that_had_begun_does_not_start_again(tmp_path: Path) -> None:
    """The migration notes when such streams began."""
    contents = await asyncio.to_thread(build_original_database, tmp_path / "tasks.db")
    async with core(tmp_path) as bridge:
        begun = await bridge.database.read(lambda tx: {row["stream_id"] for row in tx.all("SELECT * FROM stream_runs")})
        assert begun
        assert begun <= set(contents.streams)
        for stream in begun:
            task = (await bridge.call("task_create", title="t", metadata={"streamId": stream}))["id"]
            await bridge.call("task_update", id=task, status="in_progress")
        assert "stream.started" not in bridge.types
