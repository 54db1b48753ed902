"""stream_archive_all and stream_unarchive: what goes, what comes back, and who hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.stream_events import report_start
from tests.helpers.bridge import Core, core
from tests.helpers.rows import INITIATIVE, PRD, initiative, prd, put, task

NOW = "2026-01-08T12:00:00.000Z"
OTHER = "INIT-0"
OTHER_PRD = "PRD-0"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Core]:
    """A core with tasks in streams of two initiatives and of none, and one task in no stream."""
    async with core(tmp_path) as running:
        await put(running, "initiatives", initiative(), initiative(OTHER, at="2026-01-08T10:00:00.000Z"))
        await put(running, "prds", prd(), prd(OTHER_PRD, OTHER))
        await put(
            running,
            "tasks",
            task("T1", "A", "completed", prd_id=PRD),
            task("T2", "A", "pending", prd_id=OTHER_PRD),
            task("T3", "B", "in_progress", prd_id=OTHER_PRD),
            task("T4", "C", "pending"),
            task("T5", None, "pending", prd_id=PRD),
        )
        yield running


async def archived(bridge: Core) -> dict[str, tuple[str, str]]:
    """Return task -> (when, by whom) of the archived tasks."""

    def unit(tx: ReadTx) -> dict[str, tuple[str, str]]:
        rows = tx.all("SELECT id, archived_at, archived_by_initiative_id FROM tasks WHERE archived = 1 ORDER BY id")
        return {row["id"]: (row["archived_at"], row["archived_by_initiative_id"]) for row in rows}

    return await bridge.database.read(unit)


async def diary(bridge: Core) -> list[tuple[str, str, str, str]]:
    """Return (type, initiative, entity, summary) of the diary rows."""
    sql = "SELECT type, initiative_id, entity_type, entity_id, summary FROM activity_log ORDER BY created_at, id"

    def unit(tx: ReadTx) -> list[tuple[str, str, str, str]]:
        rows = tx.all(sql)
        return [(row[0], row[1], f"{row[2]}:{row[3]}", row[4]) for row in rows]

    return await bridge.database.read(unit)


@pytest.mark.parametrize(
    ("scope", "tasks", "by"),
    [
        ({}, ["T1", "T4"], INITIATIVE),
        ({"initiativeId": INITIATIVE}, ["T1"], INITIATIVE),
        ({"initiativeId": OTHER}, ["T2", "T3"], OTHER),
        ({"prdId": OTHER_PRD}, ["T2", "T3"], OTHER),
        ({"prdId": PRD, "initiativeId": OTHER}, ["T1"], OTHER),
    ],
)
async def test_the_scope_chooses_the_tasks(bridge: Core, scope: dict[str, Any], tasks: list[str], by: str) -> None:
    """A PRD wins; by default the current initiative's tasks and those without a PRD. Tasks in no stream stay."""
    answer = await bridge.call("stream_archive_all", confirm=True, **scope)
    assert answer == {"streamsArchived": len(tasks), "tasksArchived": len(tasks), "archivedAt": NOW}
    assert await archived(bridge) == dict.fromkeys(tasks, (NOW, by))
    [(kind, initiative_id, entity, summary)] = await diary(bridge)
    assert (kind, initiative_id, entity) == ("stream_archive_all", by, "stream:bulk")
    assert f"({len(tasks)} streams, {len(tasks)} tasks)" in summary


async def test_every_touched_stream_reports_its_progress(bridge: Core) -> None:
    """One `stream.progress` each, with what is left; a stream is complete when what is left is."""
    await put(bridge, "tasks", task("T6", "C", "completed", prd_id=OTHER_PRD))
    await bridge.call("stream_archive_all", confirm=True)
    assert [(topic, kind, data["totalTasks"]) for topic, kind, data in bridge.events] == [
        ("stream:A", "stream.progress", 1),
        ("stream:C", "stream.progress", 1),
        ("stream:C", "stream.completed", 1),
    ]
    assert [stream["streamId"] for stream in (await bridge.call("stream_list"))["streams"]] == []


async def test_archiving_again_changes_nothing(bridge: Core) -> None:
    """The second call finds nothing, and is silent on the bus."""
    await bridge.call("stream_archive_all", confirm=True)
    before = await archived(bridge)
    bridge.forget()
    bridge.clock.advance(1)
    answer = await bridge.call("stream_archive_all", confirm=True)
    assert (answer["streamsArchived"], answer["tasksArchived"]) == (0, 0)
    assert (await archived(bridge), bridge.events) == (before, [])


async def test_a_stream_that_was_archived_whole_starts_anew_under_its_name(bridge: Core) -> None:
    """`stream.started` is sent again for the next stream of that name."""
    for number in range(2):
        await put(bridge, "tasks", task(f"N{number}", "C", "in_progress"))
        bridge.forget()
        await bridge.recorder.record(lambda tx: report_start(tx, "C"))
        await bridge.recorder.record(lambda tx: report_start(tx, "C"))
        assert bridge.types == ["stream.started"]
        await bridge.call("stream_archive_all", confirm=True)


async def test_without_any_initiative_everything_goes_and_no_diary_is_kept(tmp_path: Path) -> None:
    """There is nobody to note it for."""
    async with core(tmp_path) as bridge:
        await put(bridge, "tasks", task("T1", "A"))
        assert (await bridge.call("stream_archive_all", confirm=True))["tasksArchived"] == 1
        assert await archived(bridge) == {"T1": (NOW, "manual")}
        answer = await bridge.call("stream_unarchive", streamId="A")
        assert answer == {"streamId": "A", "tasksUnarchived": 1, "newInitiativeId": None}
        assert await diary(bridge) == []


@pytest.mark.parametrize(
    ("tool", "arguments", "error", "field"),
    [
        ("stream_archive_all", {"confirm": False}, InvalidArgumentError, "confirm"),
        ("stream_archive_all", {}, InvalidArgumentError, "confirm"),
        ("stream_archive_all", {"confirm": "true"}, InvalidArgumentError, "confirm"),
        ("stream_archive_all", {"confirm": True, "prdId": "nobody"}, NotFoundError, "prdId"),
        ("stream_archive_all", {"confirm": True, "initiativeId": "nobody"}, NotFoundError, "initiativeId"),
        ("stream_unarchive", {"streamId": "nobody"}, NotFoundError, "streamId"),
        ("stream_unarchive", {"streamId": "A"}, ConflictError, "streamId"),
        ("stream_unarchive", {"streamId": "A", "prdId": "nobody"}, NotFoundError, "prdId"),
        ("stream_unarchive", {"streamId": "A", "initiativeId": "nobody"}, NotFoundError, "initiativeId"),
    ],
)
async def test_a_refused_call_changes_nothing(
    bridge: Core, tool: str, arguments: dict[str, Any], error: type[Exception], field: str
) -> None:
    """Promise D6: no event either. The error names the field."""
    with pytest.raises(error) as failure:
        await bridge.call(tool, **arguments)
    assert failure.value.field == field  # type: ignore[attr-defined]
    assert (await archived(bridge), await diary(bridge), bridge.events) == ({}, [], [])


async def test_unarchiving_brings_the_tasks_back_as_they_were(bridge: Core) -> None:
    """They keep their PRDs; the diary of the current initiative notes it, and the stream reports its progress."""
    await bridge.call("stream_archive_all", confirm=True, initiativeId=OTHER)
    bridge.forget()
    answer = await bridge.call("stream_unarchive", streamId="B")
    assert list(answer.items()) == [("streamId", "B"), ("tasksUnarchived", 1), ("newInitiativeId", INITIATIVE)]
    assert list(await archived(bridge)) == ["T2"]
    assert [(topic, kind, data["inProgressTasks"]) for topic, kind, data in bridge.events] == [
        ("stream:B", "stream.progress", 1)
    ]
    noted = [(kind, initiative_id, entity) for kind, initiative_id, entity, _ in await diary(bridge)]
    assert ("stream_unarchived", INITIATIVE, "stream:B") in noted
    detail = await bridge.call("stream_get", streamId="B")
    assert (detail["archived"], detail["tasks"][0]["prdId"]) == (False, OTHER_PRD)


async def test_unarchiving_may_be_limited_to_a_prd(bridge: Core) -> None:
    """And noted for another initiative than the current one."""
    await bridge.call("stream_archive_all", confirm=True, prdId=PRD)
    await bridge.call("stream_archive_all", confirm=True, prdId=OTHER_PRD)
    answer = await bridge.call("stream_unarchive", streamId="A", prdId=PRD, initiativeId=OTHER)
    assert (answer["tasksUnarchived"], answer["newInitiativeId"]) == (1, OTHER)
    with pytest.raises(ConflictError, match="PRD-1"):
        await bridge.call("stream_unarchive", streamId="A", prdId=PRD)
    assert list(await archived(bridge)) == ["T2", "T3"]


async def test_a_call_that_is_repeated_with_its_key_answers_the_same(bridge: Core) -> None:
    """Promise H6: nothing happens twice."""
    arguments = {"confirm": True, "idempotencyKey": "once"}
    first = await bridge.call("stream_archive_all", **arguments)
    await bridge.call("stream_unarchive", streamId="A")
    assert await bridge.call("stream_archive_all", **arguments) == first
    assert list(await archived(bridge)) == ["T4"]
