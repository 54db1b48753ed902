"""Linking initiatives, and wiping them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import IdempotencyConflictError, InvalidArgumentError, NotFoundError
from tests.helpers.bridge import Core, core
from tests.helpers.work import diary, execute, new_task, rows, set_status

AT = "2026-01-08T12:00:00.000Z"


async def link(bridge: Core, initiative: str, **more: Any) -> dict[str, Any]:
    """Link an initiative that is titled like its id."""
    return dict(await bridge.call("initiative_link", initiativeId=initiative, title=f"Title of {initiative}", **more))


async def new_prd(bridge: Core) -> str:
    """Create a PRD that locks nothing, in the current initiative."""
    return str((await bridge.call("prd_create", title="Upgrade", content="c"))["id"])


def progress(bridge: Core) -> dict[str, tuple[int, int]]:
    """Return stream -> (total, completed) of the progress that was reported last."""
    return {
        data["streamId"]: (data["totalTasks"], data["completedTasks"])
        for _, kind, data in bridge.events
        if kind == "stream.progress"
    }


async def archived(bridge: Core) -> dict[str, tuple[int, str | None, str | None]]:
    """Return title -> archived, when, and by which initiative."""
    found = await rows(bridge, "SELECT title, archived, archived_at, archived_by_initiative_id FROM tasks")
    return {title: (flag, at, by) for title, flag, at, by in found}


class TestLink:
    async def test_a_new_initiative_is_created_under_the_id_as_given(self, tmp_path: Path) -> None:
        """`dbPath` is the id of the workspace, as in the original."""
        async with core(tmp_path) as bridge:
            assert await link(bridge, "any/id: ü", description="why") == {
                "initiativeId": "any/id: ü",
                "workspaceCreated": True,
                "dbPath": bridge.database.workspace.id,
                "archivedStreamsCount": 0,
            }
            assert await rows(bridge, "SELECT * FROM initiatives") == [
                ("any/id: ü", "Title of any/id: ü", "why", AT, AT)
            ]
            assert await diary(bridge, "any/id: ü") == [
                ("initiative_created", "any/id: ü", "initiative", "Linked initiative: Title of any/id: ü")
            ]

    async def test_linking_again_updates_and_archives_nothing(self, tmp_path: Path) -> None:
        """An absent description stays as it is; null clears it."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A", description="why")
            await new_task(bridge, metadata={"streamId": "S"})
            bridge.clock.advance(1)
            bridge.forget()
            again = await bridge.call("initiative_link", initiativeId="A", title="new")
            assert (again["workspaceCreated"], again["archivedStreamsCount"], bridge.events) == (False, 0, [])
            assert await rows(bridge, "SELECT * FROM initiatives") == [
                ("A", "new", "why", AT, "2026-01-08T12:00:01.000Z")
            ]
            assert [row[0] for row in await diary(bridge, "A")] == ["initiative_created", "initiative_updated"]
            await link(bridge, "A", description=None)
            assert await rows(bridge, "SELECT description FROM initiatives") == [(None,)]

    async def test_what_was_linked_last_is_current_even_within_a_millisecond(self, tmp_path: Path) -> None:
        """Also when the clock was set back, and whichever id sorts first."""
        async with core(tmp_path) as bridge:
            for name in ("B", "A", "C", "A", "B"):
                await link(bridge, name)
                assert (await bridge.call("progress_summary"))["initiativeId"] == name
            await execute(bridge, "UPDATE initiatives SET updated_at = '2030-12-31T23:59:59.999Z' WHERE id = 'A'")
            await link(bridge, "C")
            assert (await bridge.call("progress_summary"))["initiativeId"] == "C"

    @pytest.mark.parametrize("stamp", ["zzz", "9999-12-31T23:59:59.999Z"])
    async def test_a_time_that_nothing_can_follow_does_not_stop_linking(self, tmp_path: Path, stamp: str) -> None:
        """Anybody may have written it."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A")
            await execute(bridge, "UPDATE initiatives SET updated_at = ?", stamp)
            assert (await link(bridge, "B"))["workspaceCreated"] is True
            assert await rows(bridge, "SELECT updated_at FROM initiatives WHERE id = 'B'") == [(AT,)]

    async def test_a_stream_with_tasks_left_remembers_when_it_ran(self, tmp_path: Path) -> None:
        """It goes on for whoever has tasks in it."""
        async with core(tmp_path) as bridge:
            await link(bridge, "Third")
            third = await new_prd(bridge)
            await link(bridge, "Old")
            await new_task(bridge, metadata={"streamId": "S"})
            await new_task(bridge, prdId=third, metadata={"streamId": "S"})
            await execute(bridge, "INSERT INTO stream_runs VALUES ('S', ?, NULL)", AT)
            await link(bridge, "New")
            assert await rows(bridge, "SELECT stream_id FROM stream_runs") == [("S",)]

    async def test_leaving_an_initiative_archives_its_streams_and_those_without_prd(self, tmp_path: Path) -> None:
        """Tasks outside of streams, and streams of third initiatives, stay."""
        async with core(tmp_path) as bridge:
            await link(bridge, "Third")
            third = await new_prd(bridge)
            await link(bridge, "Old")
            old = await new_prd(bridge)
            await new_task(bridge, "of old", prdId=old, metadata={"streamId": "S"})
            await new_task(bridge, "no prd", metadata={"streamId": "T"})
            await new_task(bridge, "no stream", prdId=old)
            await new_task(bridge, "of third", prdId=third, metadata={"streamId": "S"})
            bridge.clock.advance(1)
            assert (await link(bridge, "New"))["archivedStreamsCount"] == 2
            gone, there = (1, "2026-01-08T12:00:01.000Z", "New"), (0, None, None)
            assert await archived(bridge) == {"of old": gone, "no prd": gone, "no stream": there, "of third": there}
            kind, *_, summary = (await diary(bridge, "Old"))[-1]
            assert (kind, summary) == (
                "streams_auto_archived",
                "Auto-archived 2 stream tasks due to initiative switch to New",
            )

    async def test_each_stream_that_lost_tasks_reports_its_progress_once(self, tmp_path: Path) -> None:
        """Archiving changes what counts; the original said nothing."""
        async with core(tmp_path) as bridge:
            await link(bridge, "Third")
            third = await new_prd(bridge)
            await new_task(bridge, "left", prdId=third, metadata={"streamId": "S"})
            await link(bridge, "Old")
            old = await new_prd(bridge)
            await execute(bridge, "UPDATE tasks SET archived = 0")
            for stream in ("T", "S", "T"):
                await new_task(bridge, prdId=old, metadata={"streamId": stream, "streamName": f"Name of {stream}"})
            bridge.forget()
            await link(bridge, "New")
            assert [(topic, kind) for topic, kind, _ in bridge.events] == [
                ("stream:S", "stream.progress"),
                ("stream:T", "stream.progress"),
            ]
            assert progress(bridge) == {"S": (1, 0), "T": (0, 0)}
            assert [data["streamName"] for _, _, data in bridge.events] == ["S", "Name of T"]

    async def test_a_stream_that_is_archived_whole_can_start_anew(self, tmp_path: Path) -> None:
        """The next initiative may use the same stream id."""
        async with core(tmp_path) as bridge:
            await link(bridge, "Old")
            await new_task(bridge, metadata={"streamId": "S"})
            await new_task(bridge, metadata={"streamId": "T"})
            await execute(bridge, "INSERT INTO stream_runs VALUES ('S', ?, NULL), ('other', ?, NULL)", AT, AT)
            await link(bridge, "New")
            assert await rows(bridge, "SELECT stream_id FROM stream_runs") == [("other",)]

    async def test_a_repeated_key_links_once(self, tmp_path: Path) -> None:
        """H6: and the same key with another title is a conflict."""
        async with core(tmp_path) as bridge:
            assert await link(bridge, "A", idempotencyKey="k") == await link(bridge, "A", idempotencyKey="k")
            assert len(await diary(bridge, "A")) == 1
            with pytest.raises(IdempotencyConflictError):
                await link(bridge, "B", idempotencyKey="k")

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"title": "t"}, "initiativeId"),
            ({"initiativeId": "", "title": "t"}, "initiativeId"),
            ({"initiativeId": "a\nb", "title": "t"}, "initiativeId"),
            ({"initiativeId": "a"}, "title"),
            ({"initiativeId": "a", "title": "t", "description": 5}, "description"),
        ],
    )
    async def test_bad_arguments_name_their_field(self, tmp_path: Path, arguments: dict[str, Any], field: str) -> None:
        """And nothing is linked."""
        async with core(tmp_path) as bridge:
            with pytest.raises(InvalidArgumentError) as refused:
                await bridge.call("initiative_link", **arguments)
            assert refused.value.field == field
            assert await rows(bridge, "SELECT * FROM initiatives") == []


HANGING = (
    "INSERT INTO agent_performance VALUES ('x' || ?1, 'me', ?1, NULL, NULL, 'success', NULL, ?2)",
    """INSERT INTO checkpoints (id, task_id, sequence, trigger, task_status, created_at)
       VALUES ('x' || ?1, ?1, 1, 'manual', 'pending', ?2)""",
    "INSERT INTO agent_handoffs VALUES ('x' || ?1, ?1, 'me', 'qa', 'WP-1', 'look', 1, 2, ?2)",
    "INSERT INTO agent_activity VALUES ('x' || ?1, 'default', 'me', ?1, NULL, NULL, ?2, ?2, NULL)",
    "INSERT INTO task_claims VALUES (?1, 'me', ?2, ?2)",
)
"""A row in each table that refers to tasks; the original failed on the first two."""

TABLES = (
    "prds",
    "tasks",
    "work_products",
    "agent_performance",
    "checkpoints",
    "agent_handoffs",
    "agent_activity",
    "task_claims",
    "scope_change_requests",
)


async def hang_everything_on(bridge: Core, task: str) -> None:
    """Give a task a row in every table that refers to tasks."""
    for sql in HANGING:
        await execute(bridge, sql, task, AT)
    await bridge.call("work_product_store", taskId=task, type="other", title="w", content="c")


async def count(bridge: Core, *tables: str) -> list[int]:
    """Return how many rows each table holds."""
    return [(await rows(bridge, f"SELECT count(*) FROM {table}"))[0][0] for table in tables]  # noqa: S608


class TestWipe:
    async def test_everything_that_hangs_on_the_tasks_goes_and_nothing_else(self, tmp_path: Path) -> None:
        """Checkpoints, performance rows, and subtasks however they were created do not stop it."""
        async with core(tmp_path) as bridge:
            await link(bridge, "Kept")
            kept = await new_task(bridge, "kept", prdId=await new_prd(bridge))
            await hang_everything_on(bridge, kept)
            await link(bridge, "Gone")
            prd = await new_prd(bridge)
            top = await new_task(bridge, "top", prdId=prd)
            child = await new_task(bridge, "child", parentId=top)
            grandchild = await new_task(bridge, "grandchild", parentId=child)
            own = await new_task(bridge, "own prd", parentId=top, prdId=prd)
            for task in (top, child, grandchild, own):
                await hang_everything_on(bridge, task)
            await execute(
                bridge,
                "INSERT INTO scope_change_requests (id, prd_id, request_type, description, rationale, requested_by,"
                " status, created_at) VALUES ('s', ?, 'add_task', 'd', 'r', 'me', 'pending', ?)",
                prd,
                AT,
            )
            lonely = await new_task(bridge, "no prd")
            answer = await bridge.call("initiative_wipe", confirm=True)
            assert list(answer.items()) == [
                ("initiativeId", "Gone"),
                ("deletedPrds", 1),
                ("deletedTasks", 4),
                ("deletedWorkProducts", 4),
                ("deletedActivityLogs", 7),
            ]
            assert set(await rows(bridge, "SELECT id FROM tasks")) == {(kept,), (lonely,)}
            assert await count(bridge, *TABLES) == [1, 2, 1, 1, 1, 1, 1, 1, 0]
            assert await rows(bridge, "PRAGMA foreign_key_check") == []

    async def test_the_initiative_and_a_note_of_the_wipe_stay(self, tmp_path: Path) -> None:
        """It is still the current one."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A")
            assert (await bridge.call("initiative_wipe", confirm=True))["deletedActivityLogs"] == 1
            assert await diary(bridge, "A") == [
                ("initiative_wiped", "A", "initiative", "Wiped all data for initiative: Title of A")
            ]
            assert (await bridge.call("progress_summary"))["initiativeId"] == "A"

    async def test_a_subtask_that_names_another_initiatives_prd_stays_there(self, tmp_path: Path) -> None:
        """A task belongs to the initiative of its PRD; it only loses its parent."""
        async with core(tmp_path) as bridge:
            await link(bridge, "B")
            prd_of_b = await new_prd(bridge)
            await link(bridge, "A")
            parent = await new_task(bridge, "parent", prdId=await new_prd(bridge))
            guest = await new_task(bridge, "guest", parentId=parent, prdId=prd_of_b)
            below = await new_task(bridge, "below", parentId=guest)
            assert (await bridge.call("initiative_wipe", confirm=True, initiativeId="A"))["deletedTasks"] == 1
            assert set(await rows(bridge, "SELECT id, parent_id FROM tasks")) == {(guest, None), (below, guest)}

    async def test_archived_tasks_go_too(self, tmp_path: Path) -> None:
        """An initiative that was left can be wiped by name."""
        async with core(tmp_path) as bridge:
            await link(bridge, "Old")
            await new_task(bridge, prdId=await new_prd(bridge), metadata={"streamId": "S"})
            await link(bridge, "New")
            assert (await bridge.call("initiative_wipe", confirm=True, initiativeId="Old"))["deletedTasks"] == 1

    async def test_every_stream_that_lost_tasks_reports_its_progress(self, tmp_path: Path) -> None:
        """Totals are 0 where no task is left, and a stream that is left complete says so."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A")
            prd = await new_prd(bridge)
            await new_task(bridge, prdId=prd, metadata={"streamId": "Z"})
            await new_task(bridge, prdId=prd, metadata={"streamId": "S"})
            done = await new_task(bridge, metadata={"streamId": "S"})
            await new_task(bridge, metadata={"streamId": "other"})
            await set_status(bridge, "completed", done)
            bridge.forget()
            await bridge.call("initiative_wipe", confirm=True)
            assert [(topic, kind) for topic, kind, _ in bridge.events] == [
                ("stream:S", "stream.progress"),
                ("stream:S", "stream.completed"),
                ("stream:Z", "stream.progress"),
            ]
            assert progress(bridge) == {"S": (1, 1), "Z": (0, 0)}

    async def test_a_stream_without_tasks_forgets_when_it_ran(self, tmp_path: Path) -> None:
        """So that its id can be used anew."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A")
            await new_task(bridge, prdId=await new_prd(bridge), metadata={"streamId": "S"})
            await execute(bridge, "INSERT INTO stream_runs VALUES ('S', ?, NULL)", AT)
            await bridge.call("initiative_wipe", confirm=True)
            assert await count(bridge, "stream_runs") == [0]

    async def test_it_is_all_or_nothing(self, tmp_path: Path) -> None:
        """D6: a wipe that fails at its end deletes nothing and reports nothing."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A")
            task = await new_task(bridge, prdId=await new_prd(bridge), metadata={"streamId": "S"})
            await hang_everything_on(bridge, task)
            await execute(
                bridge,
                "CREATE TRIGGER refuse BEFORE DELETE ON activity_log BEGIN SELECT RAISE(ABORT, 'no'); END",
            )
            before = await count(bridge, *TABLES, "events")
            with pytest.raises(Exception, match="no"):
                await bridge.call("initiative_wipe", confirm=True)
            assert await count(bridge, *TABLES, "events") == before

    @pytest.mark.parametrize("arguments", [{}, {"confirm": False}, {"confirm": "yes"}, {"confirm": None}])
    async def test_it_wants_to_be_confirmed(self, tmp_path: Path, arguments: dict[str, Any]) -> None:
        """Nothing brings the data back."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A")
            await new_prd(bridge)
            with pytest.raises(InvalidArgumentError) as refused:
                await bridge.call("initiative_wipe", **arguments)
            assert refused.value.field == "confirm"
            assert await count(bridge, "prds") == [1]

    async def test_an_unknown_initiative_or_none_names_the_field(self, tmp_path: Path) -> None:
        """NOT_FOUND, field initiativeId."""
        async with core(tmp_path) as bridge:
            for arguments in ({}, {"initiativeId": "nowhere"}):
                with pytest.raises(NotFoundError) as refused:
                    await bridge.call("initiative_wipe", confirm=True, **arguments)
                assert refused.value.field == "initiativeId"

    async def test_a_repeated_key_wipes_once(self, tmp_path: Path) -> None:
        """H6: what was made since stays."""
        async with core(tmp_path) as bridge:
            await link(bridge, "A")
            first = await bridge.call("initiative_wipe", confirm=True, idempotencyKey="k")
            await new_prd(bridge)
            assert await bridge.call("initiative_wipe", confirm=True, idempotencyKey="k") == first
            assert await count(bridge, "prds") == [1]
