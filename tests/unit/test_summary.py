"""progress_summary and health_check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.clock import iso
from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.tools.velocity import velocity
from tests.helpers.bridge import Core, core
from tests.helpers.original_database import OriginalContents, build_original_database
from tests.helpers.work import execute, new_task, set_status

NOW = datetime(2026, 1, 8, 12, tzinfo=UTC)


async def begin(bridge: Core, initiative: str = "A", **more: Any) -> str:
    """Link an initiative with a PRD that locks nothing, and return the PRD."""
    await bridge.call("initiative_link", initiativeId=initiative, title=f"Title of {initiative}")
    return str((await bridge.call("prd_create", title="Upgrade", content="c", **more))["id"])


async def summarise(bridge: Core, **arguments: Any) -> dict[str, Any]:
    """Return the summary."""
    return dict(await bridge.call("progress_summary", **arguments))


async def store(bridge: Core, task: str, confidence: float | None = None, **more: Any) -> None:
    """Store a work product."""
    given = {} if confidence is None else {"confidence": confidence}
    await bridge.call(
        "work_product_store", **{"taskId": task, "type": "other", "title": "w", "content": "c"} | given | more
    )


async def test_an_empty_initiative_has_nothing_but_zeros(tmp_path: Path) -> None:
    """Keys and order are those of the contract; what has no value is absent."""
    async with core(tmp_path) as bridge:
        await bridge.call("initiative_link", initiativeId="A", title="Checkout")
        summary = await summarise(bridge)
        still = {"tasksCompleted": 0, "tasksPerDay": 0, "trend": "insufficient_data", "trendIndicator": "?"}
        assert list(summary.items()) == [
            ("initiativeId", "A"),
            ("title", "Checkout"),
            ("prds", {"total": 0, "active": 0, "completed": 0}),
            (
                "tasks",
                {
                    "total": 0,
                    "pending": 0,
                    "inProgress": 0,
                    "completed": 0,
                    "blocked": 0,
                    "progressBar": "[░░░░░░░░░░░░░░░░░░░░] 0% (0/0)",
                },
            ),
            (
                "workProducts",
                {"total": 0, "byType": {}, "modelUsage": {"opus": 0, "sonnet": 0, "haiku": 0, "unknown": 0}},
            ),
            ("velocity", [{"period": period, **still} for period in ("7d", "14d", "30d")]),
            (
                "recentActivity",
                [
                    {
                        "timestamp": "2026-01-08T12:00:00.000Z",
                        "type": "initiative_created",
                        "summary": "Linked initiative: Checkout",
                    }
                ],
            ),
        ]


async def test_only_what_belongs_to_the_initiative_counts(tmp_path: Path) -> None:
    """Its PRDs' tasks and their subtasks; not those of others, without a PRD, or archived."""
    async with core(tmp_path) as bridge:
        other = await begin(bridge, "Other")
        mine = await begin(bridge, "Mine")
        top = await new_task(bridge, prdId=mine)
        child = await new_task(bridge, parentId=top)
        grandchild = await new_task(bridge, parentId=child)
        foreign = await new_task(bridge, prdId=other)
        guest = await new_task(bridge, parentId=top, prdId=other)
        lonely = await new_task(bridge)
        archived = await new_task(bridge, prdId=mine)
        everything = (top, child, grandchild, foreign, guest, lonely, archived)
        for task in everything:
            await store(bridge, task)
        await set_status(bridge, "completed", *everything)
        await execute(bridge, "UPDATE tasks SET archived = 1 WHERE id = ?", archived)
        summary = await summarise(bridge)
        assert summary["initiativeId"] == "Mine"
        assert (summary["tasks"]["total"], summary["tasks"]["completed"]) == (3, 3)
        assert summary["workProducts"]["total"] == 3
        assert [period["tasksCompleted"] for period in summary["velocity"]] == [3, 3, 3]
        assert summary["prds"] == {"total": 1, "active": 1, "completed": 0}
        assert (await summarise(bridge, initiativeId="Other"))["tasks"]["total"] == 2


async def test_each_status_is_counted_and_cancelled_tasks_are_not_in_the_total(tmp_path: Path) -> None:
    """A cancelled task no longer keeps an initiative from being complete."""
    async with core(tmp_path) as bridge:
        prd = await begin(bridge)
        for status, number in (("in_progress", 1), ("completed", 2), ("blocked", 3), ("cancelled", 4)):
            tasks = [await new_task(bridge, prdId=prd) for _ in range(number)]
            await set_status(bridge, status, *tasks)  # type: ignore[arg-type]
        await new_task(bridge, prdId=prd)
        figures = (await summarise(bridge))["tasks"]
        assert figures.pop("progressBar").endswith("28% (2/7)")
        assert figures == {"total": 7, "pending": 1, "inProgress": 1, "completed": 2, "blocked": 3}


@pytest.mark.parametrize(
    ("completed", "total", "bar"),
    [
        (1, 5, "[████░░░░░░░░░░░░░░░░] 20% (1/5)"),
        (2, 3, "[█████████████░░░░░░░] 66% (2/3)"),
        (5, 5, "[████████████████████] 100% (5/5)"),
        (0, 1, "[░░░░░░░░░░░░░░░░░░░░] 0% (0/1)"),
    ],
)
async def test_the_bar_has_20_cells_and_rounds_down(tmp_path: Path, completed: int, total: int, bar: str) -> None:
    """It is full only when everything is completed."""
    async with core(tmp_path) as bridge:
        prd = await begin(bridge)
        tasks = [await new_task(bridge, prdId=prd) for _ in range(total)]
        await set_status(bridge, "completed", *tasks[:completed])
        assert (await summarise(bridge))["tasks"]["progressBar"] == bar


async def test_archived_prds_are_the_completed_ones(tmp_path: Path) -> None:
    """Cancelled ones are in the total only."""
    async with core(tmp_path) as bridge:
        await begin(bridge)
        for status in ("archived", "cancelled"):
            prd = (await bridge.call("prd_create", title="Upgrade", content="c"))["id"]
            await execute(bridge, "UPDATE prds SET status = ? WHERE id = ?", status, prd)
        assert (await summarise(bridge))["prds"] == {"total": 3, "active": 1, "completed": 1}


class TestWorkProducts:
    async def test_they_are_counted_by_type_model_and_confidence(self, tmp_path: Path) -> None:
        """High from 0.8, medium from 0.5; models that are not known are `unknown`."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, prdId=await begin(bridge))
            for confidence in (0.8, 1, 0.5, 0.7, 0):
                await store(bridge, task, confidence, metadata={"modelUsed": "opus"})
            await store(bridge, task, metadata={"modelUsed": "haiku"}, type="documentation")
            await store(bridge, task, metadata={"modelUsed": 5})
            figures = (await summarise(bridge))["workProducts"]
            assert figures == {
                "total": 7,
                "byType": {"other": 6, "documentation": 1},
                "confidenceStats": {
                    "averageConfidence": 0.6,
                    "highConfidence": 2,
                    "mediumConfidence": 2,
                    "lowConfidence": 1,
                    "noConfidence": 2,
                },
                "modelUsage": {"opus": 5, "sonnet": 0, "haiku": 1, "unknown": 1},
            }
            assert list(figures) == ["total", "byType", "confidenceStats", "modelUsage"]

    async def test_a_least_confidence_leaves_out_the_rest(self, tmp_path: Path) -> None:
        """Work products without confidence too, in every figure."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, prdId=await begin(bridge))
            for confidence in (None, 0.2, 0.5, 1):
                await store(bridge, task, confidence)
            figures = (await summarise(bridge, minConfidence=0.5))["workProducts"]
            assert (figures["total"], figures["confidenceStats"]["averageConfidence"]) == (2, 0.75)
            assert (figures["confidenceStats"]["noConfidence"], figures["modelUsage"]["unknown"]) == (0, 2)
            assert (await summarise(bridge, minConfidence=0))["workProducts"]["total"] == 3

    async def test_confidence_stats_are_absent_when_none_is_known(self, tmp_path: Path) -> None:
        """As in the original."""
        async with core(tmp_path) as bridge:
            await store(bridge, await new_task(bridge, prdId=await begin(bridge)))
            assert "confidenceStats" not in (await summarise(bridge))["workProducts"]

    @pytest.mark.parametrize("confidence", [-0.1, 1.1, "0.5", True])
    async def test_a_least_confidence_outside_of_0_to_1_is_refused(self, tmp_path: Path, confidence: Any) -> None:
        """INVALID_ARGUMENT, field minConfidence."""
        async with core(tmp_path) as bridge:
            await begin(bridge)
            with pytest.raises(InvalidArgumentError) as refused:
                await summarise(bridge, minConfidence=confidence)
            assert refused.value.field == "minConfidence"


class TestMilestones:
    async def test_they_are_measured_over_the_tasks_that_they_name(self, tmp_path: Path) -> None:
        """Wherever these belong; the percentage is rounded down."""
        async with core(tmp_path) as bridge:
            done, also_done, open_, dropped = [await new_task(bridge) for _ in range(4)]
            await set_status(bridge, "completed", done, also_done)
            await set_status(bridge, "cancelled", dropped)
            milestones = [
                {"id": "M1", "name": "First", "description": "d", "taskIds": [done, also_done, open_, dropped]},
                {"id": "M2", "name": "Second", "taskIds": [done, dropped]},
                {"id": "M3", "name": "Third", "taskIds": []},
                {"id": "M4", "name": "Fourth", "taskIds": ["TASK-to-come", done]},
            ]
            await begin(bridge, metadata={"milestones": milestones})
            keys = ("totalTasks", "completedTasks", "percentComplete", "isComplete")
            found = (await summarise(bridge))["milestones"]
            assert [(entry["id"], *(entry[key] for key in keys)) for entry in found] == [
                ("M1", 3, 2, 66, False),
                ("M2", 1, 1, 100, True),
                ("M3", 0, 0, 0, False),
                ("M4", 2, 1, 50, False),
            ]
            assert list(found[0])[:3] == ["id", "name", "description"]
            assert "description" not in found[1]

    async def test_only_those_of_active_prds_are_shown(self, tmp_path: Path) -> None:
        """Without any, the key is absent."""
        async with core(tmp_path) as bridge:
            prd = await begin(bridge, metadata={"milestones": [{"id": "M", "name": "n", "taskIds": []}]})
            assert "milestones" in await summarise(bridge)
            await execute(bridge, "UPDATE prds SET status = 'archived' WHERE id = ?", prd)
            assert "milestones" not in await summarise(bridge)

    @pytest.mark.parametrize(
        "milestones",
        [None, 5, "M1", {}, [None], [5], [{}], [{"id": 1, "name": "n", "taskIds": []}], [{"id": "M", "name": "n"}]],
    )
    async def test_what_is_no_milestone_is_passed_over(self, tmp_path: Path, milestones: Any) -> None:
        """The original failed on every summary of such an initiative."""
        async with core(tmp_path) as bridge:
            await begin(bridge, metadata={"milestones": milestones})
            assert "milestones" not in await summarise(bridge)


def ago(*days: float) -> list[str]:
    """Return stamps of so many days before now."""
    return [iso(NOW - timedelta(days=each)) for each in days]


class TestVelocity:
    @pytest.mark.parametrize(
        ("days", "trend", "sign"),
        [
            ((6, 5, 2, 1), "stable", "→"),
            ((6, 5, 3, 2, 1), "improving", "↗"),
            ((6, 6, 5, 3, 2), "declining", "↘"),
            ((3, 2, 1, 0), "improving", "↗"),
            ((6, 6, 6, 6), "declining", "↘"),
            ((6, 2, 1), "insufficient_data", "?"),
            ((6, 6, 6, 6, 6, 1, 1, 1, 1, 1, 1), "stable", "→"),
        ],
    )
    def test_the_trend_compares_the_halves_of_the_period(self, days: tuple[float, ...], trend: str, sign: str) -> None:
        """More than 20 % up or down is a trend; fewer than four tasks are none."""
        week = velocity(ago(*days), NOW)[0]
        assert (week.trend, week.trend_indicator) == (trend, sign)

    def test_each_period_counts_what_lies_in_it(self) -> None:
        """Its first moment belongs to it; what lies ahead does not."""
        found = velocity(ago(-1, 0, 7, 7.001, 14, 30, 31), NOW)
        assert [(entry.period, entry.tasks_completed) for entry in found] == [("7d", 2), ("14d", 4), ("30d", 5)]

    def test_tasks_per_day_have_two_decimals(self) -> None:
        """Rounded half up; whole numbers are whole."""
        assert [entry.tasks_per_day for entry in velocity(ago(1, 1), NOW)] == [0.29, 0.14, 0.07]
        assert (
            velocity(ago(*[1] * 7), NOW)[0]
            .model_dump_json()
            .startswith('{"period":"7d","tasksCompleted":7,"tasksPerDay":1,')
        )

    async def test_tasks_count_when_they_were_changed_last(self, tmp_path: Path) -> None:
        """Only those that are completed."""
        async with core(tmp_path) as bridge:
            prd = await begin(bridge)
            tasks = [await new_task(bridge, prdId=prd) for _ in range(3)]
            await set_status(bridge, "completed", *tasks[:2])
            bridge.clock.advance(10 * 86_400)
            found = (await summarise(bridge))["velocity"]
            assert [entry["tasksCompleted"] for entry in found] == [0, 2, 2]


async def test_the_latest_five_rows_of_its_diary_are_shown(tmp_path: Path) -> None:
    """Newest first."""
    async with core(tmp_path) as bridge:
        prd = await begin(bridge)
        for number in range(6):
            bridge.clock.advance(1)
            await new_task(bridge, f"n{number}", prdId=prd)
        recent = (await summarise(bridge))["recentActivity"]
        assert [row["summary"] for row in recent] == [f"Created task: n{number}" for number in (5, 4, 3, 2, 1)]
        assert list(recent[0].items())[:2] == [
            ("timestamp", "2026-01-08T12:00:06.000Z"),
            ("type", "task_created"),
        ]


async def test_an_unknown_initiative_or_none_names_the_field(tmp_path: Path) -> None:
    """NOT_FOUND, field initiativeId."""
    async with core(tmp_path) as bridge:
        for arguments in ({}, {"initiativeId": "nowhere"}):
            with pytest.raises(NotFoundError) as refused:
                await summarise(bridge, **arguments)
            assert refused.value.field == "initiativeId"


async def test_a_database_of_the_original_is_summarised(tmp_path: Path) -> None:
    """Null metadata, numeric stream ids and archived tasks do not stop it."""
    build_original_database(tmp_path / "tasks.db")
    async with core(tmp_path) as bridge:
        summary = await summarise(bridge)
        assert summary["initiativeId"] == OriginalContents.current_initiative
        (milestone,) = summary["milestones"]
        assert (milestone["id"], milestone["totalTasks"], milestone["completedTasks"]) == ("M1", 2, 1)


async def test_health_counts_the_whole_workspace(tmp_path: Path) -> None:
    """Archived tasks and those of all initiatives included."""
    async with core(tmp_path) as bridge:
        assert list((await bridge.call("health_check")).items()) == [
            ("status", "healthy"),
            ("workspaceId", bridge.database.workspace.id),
            ("prdCount", 0),
            ("taskCount", 0),
            ("completedTasks", 0),
            ("workProductCount", 0),
        ]
        task = await new_task(bridge, prdId=await begin(bridge))
        await new_task(bridge)
        await store(bridge, task)
        await set_status(bridge, "completed", task)
        await execute(bridge, "UPDATE tasks SET archived = 1")
        health = await bridge.call("health_check")
        assert [health[key] for key in ("prdCount", "taskCount", "completedTasks", "workProductCount")] == [1, 2, 1, 1]
