"""task_create, task_get, task_list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import BridgeError, ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.tools.activation import detect
from tests.helpers.bridge import Core, core
from tests.helpers.rows import put
from tests.helpers.rows import task as task_row
from tests.helpers.work import diary, execute, new_task, rows, set_status


async def in_stream(bridge: Core, stream: str, *dependencies: str, **arguments: Any) -> str:
    """Create a task in a stream that waits for others, and return its id."""
    return await new_task(bridge, metadata={"streamId": stream, "streamDependencies": list(dependencies)}, **arguments)


class TestCreate:
    async def test_the_answer_has_the_keys_of_the_contract_and_no_more(self, tmp_path: Path) -> None:
        """What there is not is absent."""
        async with core(tmp_path) as bridge:
            answer = await bridge.call("task_create", title="T")
            assert list(answer.items()) == [
                ("id", answer["id"]),
                ("status", "pending"),
                ("createdAt", "2026-01-08T12:00:00.000Z"),
            ]
            assert answer["id"].startswith("TASK-")
            await bridge.call("initiative_link", initiativeId="I", title="t")
            prd = (await bridge.call("prd_create", title="Tidy", content="c"))["id"]
            answer = await bridge.call("task_create", title="T", prdId=prd, parentId=answer["id"])
            assert list(answer) == ["id", "prdId", "parentId", "status", "createdAt"]

    async def test_the_event_tells_of_the_task_and_then_of_its_stream(self, tmp_path: Path) -> None:
        """The original kept the stream's new total to itself."""
        async with core(tmp_path) as bridge:
            task = await new_task(
                bridge, "T", assignedAgent="me", metadata={"streamId": "S", "streamName": "The stream"}
            )
            created, progress = bridge.events
            assert created[:2] == (f"task:{task}", "task.created")
            assert list(created[2].items()) == [
                ("taskId", task),
                ("taskTitle", "T"),
                ("assignedAgent", "me"),
                ("streamId", "S"),
                ("createdAt", "2026-01-08T12:00:00.000Z"),
            ]
            assert progress[:2] == ("stream:S", "stream.progress")
            assert list(progress[2].items()) == [
                ("streamId", "S"),
                ("streamName", "The stream"),
                ("totalTasks", 1),
                ("completedTasks", 0),
                ("inProgressTasks", 0),
                ("blockedTasks", 0),
                ("cancelledTasks", 0),
                ("progressPercentage", 0),
                ("lastUpdated", "2026-01-08T12:00:00.000Z"),
            ]
            bridge.forget()
            await new_task(bridge)
            assert bridge.types == ["task.created"]

    async def test_a_new_task_opens_a_stream_that_was_complete(self, tmp_path: Path) -> None:
        """Its progress goes back, unrounded, and a blocked sibling is told of again."""
        async with core(tmp_path) as bridge:
            done, other = await in_stream(bridge, "S"), await in_stream(bridge, "S")
            await set_status(bridge, "completed", done)
            await set_status(bridge, "blocked", other)
            bridge.forget()
            await in_stream(bridge, "S")
            assert bridge.types == ["task.created", "stream.progress", "stream.blocked"]
            assert bridge.events[1][2]["progressPercentage"] == pytest.approx(100 / 3)

    async def test_a_subtask_is_noted_in_the_diary_of_its_parents_initiative(self, tmp_path: Path) -> None:
        """A task that belongs to no initiative leaves no trace there."""
        async with core(tmp_path) as bridge:
            await bridge.call("initiative_link", initiativeId="I", title="t")
            prd = (await bridge.call("prd_create", title="Tidy", content="c"))["id"]
            before = len(await diary(bridge, "I"))
            parent = await new_task(bridge, "P", prdId=prd)
            bridge.clock.advance(1)
            child = await new_task(bridge, "C", parentId=parent)
            await new_task(bridge, "N")
            assert (await diary(bridge, "I"))[before:] == [
                ("task_created", parent, "task", "Created task: P"),
                ("task_created", child, "task", "Created task: C"),
            ]

    async def test_metadata_survive_and_gain_what_the_rules_derive(self, tmp_path: Path) -> None:
        """The mode is always there; a complex task wants verification unless it says otherwise."""
        async with core(tmp_path) as bridge:
            for given, derived in (
                ({"é": ["😀", None, 1.5, True]}, {"activationMode": "quick"}),
                ({"complexity": "Very High"}, {"activationMode": "quick", "verificationRequired": True}),
                ({"complexity": "High", "verificationRequired": False}, {"activationMode": "quick"}),
                ({"activationMode": None}, {}),
            ):
                task = await new_task(bridge, "A quick one", metadata=given)
                assert (await bridge.call("task_get", id=task))["metadata"] == given | derived

    async def test_metadata_are_stored_compactly(self, tmp_path: Path) -> None:
        """Other programs look for `"streamId":"x"` in the text."""
        async with core(tmp_path) as bridge:
            await new_task(bridge, metadata={"streamId": "ü", "n": 1})
            assert await rows(bridge, "SELECT metadata FROM tasks") == [
                ('{"streamId":"ü","n":1,"activationMode":null}',)
            ]

    async def test_a_locked_scope_admits_the_architect_only(self, tmp_path: Path) -> None:
        """The error says what to do."""
        async with core(tmp_path) as bridge:
            await bridge.call("initiative_link", initiativeId="I", title="t")
            prd = (await bridge.call("prd_create", title="Add it", content="c"))["id"]
            with pytest.raises(ConflictError, match="scope_change_request") as caught:
                await new_task(bridge, prdId=prd, assignedAgent="me")
            assert caught.value.field == "prdId"
            await new_task(bridge, prdId=prd, assignedAgent="ta")

    async def test_the_parent_is_warned_of_too_many_subtasks(self, tmp_path: Path) -> None:
        """From the fourth on, in the lightest mode only."""
        async with core(tmp_path) as bridge:
            parent = await new_task(bridge, metadata={"activationMode": "ultrawork"})
            answers = [await bridge.call("task_create", title="s", parentId=parent) for _ in range(4)]
            assert ["activationModeWarning" in answer for answer in answers] == [False, False, False, True]

    @pytest.mark.parametrize(
        ("arguments", "error", "field"),
        [
            ({"title": ""}, InvalidArgumentError, "title"),
            ({"title": None}, InvalidArgumentError, "title"),
            ({"title": 5}, InvalidArgumentError, "title"),
            ({"status": "pending"}, InvalidArgumentError, "status"),
            ({"prdId": "PRD-none"}, NotFoundError, "prdId"),
            ({"parentId": "TASK-none"}, NotFoundError, "parentId"),
            ({"assignedAgent": "a\x00b"}, InvalidArgumentError, "assignedAgent"),
            ({"metadata": "x"}, InvalidArgumentError, "metadata"),
            ({"metadata": {"streamId": 1}}, InvalidArgumentError, "metadata.streamId"),
            ({"metadata": {"streamId": "a\nb"}}, InvalidArgumentError, "metadata.streamId"),
            ({"metadata": {"streamName": []}}, InvalidArgumentError, "metadata.streamName"),
            ({"metadata": {"streamDependencies": [1]}}, InvalidArgumentError, "metadata.streamDependencies"),
            ({"metadata": {"activationMode": "slow"}}, InvalidArgumentError, "metadata.activationMode"),
            ({"metadata": {"activationMode": ["quick"]}}, InvalidArgumentError, "metadata.activationMode"),
            ({"metadata": {"n": 2**70}}, InvalidArgumentError, "metadata.n"),
        ],
    )
    async def test_what_is_refused_creates_nothing_and_names_its_field(
        self, tmp_path: Path, arguments: dict[str, Any], error: type[BridgeError], field: str
    ) -> None:
        """Promise D6: a failing call delivers nothing; and it writes nothing."""
        async with core(tmp_path) as bridge:
            with pytest.raises(error) as caught:
                await bridge.call("task_create", **{"title": "T"} | arguments)
            assert caught.value.field == field
            assert (bridge.events, await bridge.call("task_list")) == ([], [])


class TestDependencies:
    @pytest.mark.parametrize(
        ("streams", "closing", "path"),
        [
            ([], ("A", "A"), "A -> A"),
            ([("B", "A")], ("A", "B"), "A -> B -> A"),
            ([("B", "A"), ("C", "B"), ("D", "C")], ("A", "D"), "A -> D -> C -> B -> A"),
            ([("B", "A"), ("C", "A"), ("D", "B", "C")], ("A", "X", "D"), "A -> D -> [BC] -> A"),
        ],
    )
    async def test_a_circle_is_refused_when_it_is_made(
        self, tmp_path: Path, streams: list[tuple[str, ...]], closing: tuple[str, ...], path: str
    ) -> None:
        """The original noticed only with a later task, and then refused that one."""
        async with core(tmp_path) as bridge:
            for stream in streams:
                await in_stream(bridge, *stream)
            bridge.forget()
            with pytest.raises(InvalidArgumentError, match=f"circular dependency of stream A: {path}") as caught:
                await in_stream(bridge, *closing)
            assert (caught.value.field, bridge.events) == ("metadata.streamDependencies", [])

    async def test_a_task_without_dependencies_does_not_hide_those_of_its_stream(self, tmp_path: Path) -> None:
        """All tasks of a stream count, not the last one."""
        async with core(tmp_path) as bridge:
            await in_stream(bridge, "B", "A")
            await in_stream(bridge, "B")
            with pytest.raises(InvalidArgumentError, match="circular"):
                await in_stream(bridge, "A", "B")

    async def test_what_only_looks_like_a_circle_is_fine(self, tmp_path: Path) -> None:
        """Diamonds, streams that do not exist yet, and archived tasks close none."""
        async with core(tmp_path) as bridge:
            for stream in (("D", "B", "C"), ("B", "A"), ("C", "A"), ("A", "later")):
                await in_stream(bridge, *stream)
            await execute(bridge, "UPDATE tasks SET archived = 1")
            await in_stream(bridge, "A", "D")

    async def test_a_chain_as_long_as_a_project_is_followed(self, tmp_path: Path) -> None:
        """Its length is no problem, and it does not end before the circle."""
        async with core(tmp_path) as bridge:
            chain = (
                task_row(f"T{n}", f"S{n}", metadata={"streamDependencies": [f"S{n - 1}"]}) for n in range(1, 3_000)
            )
            await put(bridge, "tasks", *chain)
            with pytest.raises(InvalidArgumentError, match="S0 -> S2999 -> S2998"):
                await in_stream(bridge, "S0", "S2999")


class TestGet:
    async def test_a_task_is_shown_with_the_keys_of_the_contract(self, tmp_path: Path) -> None:
        """What is empty is absent, as are subtasks and work products unless asked for."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, "T")
            assert list((await bridge.call("task_get", id=task)).items()) == [
                ("id", task),
                ("title", "T"),
                ("status", "pending"),
                ("metadata", {"activationMode": None}),
                ("createdAt", "2026-01-08T12:00:00.000Z"),
                ("updatedAt", "2026-01-08T12:00:00.000Z"),
            ]
            await bridge.call("task_update", id=task, status="blocked", blockedReason="r", notes="", assignedAgent="me")
            shown = await bridge.call("task_get", id=task, includeSubtasks=True, includeWorkProducts=True)
            assert (shown["blockedReason"], shown["assignedAgent"], "notes" in shown) == ("r", "me", False)
            assert (shown["subtasks"], shown["workProducts"]) == ([], [])

    async def test_subtasks_and_work_products_come_when_asked_for(self, tmp_path: Path) -> None:
        """In short, with their keys."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            child = await new_task(bridge, "C", parentId=task, assignedAgent="qa")
            product = await bridge.call("work_product_store", taskId=task, type="other", title="W", content="c")
            shown = await bridge.call("task_get", id=task, includeSubtasks=True, includeWorkProducts=True)
            assert shown["subtasks"] == [{"id": child, "title": "C", "status": "pending", "assignedAgent": "qa"}]
            assert shown["workProducts"] == [
                {"id": product["id"], "type": "other", "title": "W", "createdAt": "2026-01-08T12:00:00.000Z"}
            ]

    async def test_an_unknown_task_is_not_found(self, tmp_path: Path) -> None:
        """And the error names the field."""
        async with core(tmp_path) as bridge:
            with pytest.raises(NotFoundError, match="TASK-none") as caught:
                await bridge.call("task_get", id="TASK-none")
            assert caught.value.field == "id"

    async def test_metadata_that_another_program_broke_count_as_empty(self, tmp_path: Path) -> None:
        """The task can still be read and listed."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            for broken in ("no json", "[]", None):
                await execute(bridge, "UPDATE tasks SET metadata = ?", broken)
                assert (await bridge.call("task_get", id=task))["metadata"] == {}
                assert [item["id"] for item in await bridge.call("task_list")] == [task]


class TestList:
    async def test_tasks_come_oldest_first_archived_ones_too(self, tmp_path: Path) -> None:
        """With the keys of the contract."""
        async with core(tmp_path) as bridge:
            created = []
            for number in range(3):
                created.append(await new_task(bridge, f"t{number}"))
                bridge.clock.advance(1)
            await execute(bridge, "UPDATE tasks SET archived = 1 WHERE id = ?", created[1])
            listed = await bridge.call("task_list")
            assert [item["id"] for item in listed] == created
            assert list(listed[0].items()) == [
                ("id", created[0]),
                ("title", "t0"),
                ("status", "pending"),
                ("subtaskCount", 0),
                ("completedSubtasks", None),
                ("hasWorkProducts", False),
            ]

    async def test_subtasks_and_work_products_are_counted(self, tmp_path: Path) -> None:
        """Completed ones apart."""
        async with core(tmp_path) as bridge:
            parent = await new_task(bridge)
            first, _ = [await new_task(bridge, parentId=parent) for _ in range(2)]
            await set_status(bridge, "completed", first)
            await bridge.call("work_product_store", taskId=parent, type="other", title="W", content="c")
            (item,) = await bridge.call("task_list", parentId=None)
            assert (item["subtaskCount"], item["completedSubtasks"], item["hasWorkProducts"]) == (2, 1, True)

    async def test_filters_are_combined_and_null_asks_for_the_top_level(self, tmp_path: Path) -> None:
        """Without parentId all levels are listed."""
        async with core(tmp_path) as bridge:
            parent = await new_task(bridge, assignedAgent="me")
            child = await new_task(bridge, parentId=parent, assignedAgent="me")
            other = await new_task(bridge, assignedAgent="qa")
            await set_status(bridge, "completed", child, other)
            for filters, expected in (
                ({}, {parent, child, other}),
                ({"parentId": None}, {parent, other}),
                ({"parentId": parent}, {child}),
                ({"assignedAgent": "me"}, {parent, child}),
                ({"assignedAgent": "me", "status": "completed"}, {child}),
                ({"prdId": "PRD-none"}, set()),
                ({"assignedAgent": None, "status": None}, {parent, child, other}),
            ):
                assert {item["id"] for item in await bridge.call("task_list", **filters)} == expected
            with pytest.raises(InvalidArgumentError, match="status"):
                await bridge.call("task_list", status="done")


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("Fix a typo", "ultrawork"),
        ("ANALYZE it", "analyze"),
        ("a fast and comprehensive one", "thorough"),
        ("a comprehensive and fast one", "quick"),
        ("quick, then thorough, then quick", "thorough"),
        ("in-depth look", "thorough"),
        ("breakfast minority", None),
        ("", None),
    ],
)
def test_the_mode_is_the_one_whose_first_word_stands_furthest_right(text: str, mode: str | None) -> None:
    """Whole words only, in any case, as in the original."""
    assert detect(text) == mode
