"""Work products: what is kept, what is warned of, and the token budgets of streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.tools.work_product_rules import check
from tests.helpers.bridge import Core, core
from tests.helpers.work import diary, execute, new_task, rows

FILLER = "Words that fill the space. " * 5
GOOD = f"# Title\n\n{FILLER}"
TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n"
CODE = "```python\nx = 1\n```\n"


async def store(bridge: Core, task: str, **more: Any) -> dict[str, Any]:
    """Store a work product that keeps every rule."""
    return dict(
        await bridge.call(
            "work_product_store", **{"taskId": task, "type": "other", "title": "Notes", "content": GOOD} | more
        )
    )


async def metadata_of(bridge: Core, answer: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of what was stored."""
    return dict((await bridge.call("work_product_get", id=answer["id"]))["metadata"])


class TestStore:
    async def test_the_answer_has_the_keys_of_the_contract_in_order(self, tmp_path: Path) -> None:
        """No validation when there is nothing to warn of, and no event."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            bridge.forget()
            answer = await store(bridge, task, content=GOOD)
            assert list(answer) == ["id", "taskId", "summary", "wordCount", "createdAt"]
            assert answer["id"].startswith("WP-")
            assert (answer["taskId"], answer["summary"], answer["wordCount"]) == (task, GOOD, 27)
            assert answer["createdAt"] == "2026-01-08T12:00:00.000Z"
            assert bridge.events == []

    async def test_what_is_stored_is_returned_whole(self, tmp_path: Path) -> None:
        """The caller's metadata survive as they are; confidence is null when it was not stated."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            metadata = {"modelUsed": "opus", "files": ["ü"], "n": None, "validation": "mine"}
            answer = await store(bridge, task, content="# Ünï 😀\n" + FILLER, metadata=metadata, confidence=0.5)
            assert list((await bridge.call("work_product_get", id=answer["id"])).items()) == [
                ("id", answer["id"]),
                ("taskId", task),
                ("type", "other"),
                ("title", "Notes"),
                ("content", "# Ünï 😀\n" + FILLER),
                ("metadata", metadata),
                ("createdAt", "2026-01-08T12:00:00.000Z"),
                ("confidence", 0.5),
            ]
            without = await store(bridge, task)
            assert (await bridge.call("work_product_get", id=without["id"]))["confidence"] is None

    @pytest.mark.parametrize(
        ("content", "summary"),
        [
            ("x" * 300, "x" * 300),
            ("x" * 301, "x" * 300 + "..."),
            ("x" + "😀" * 150, "x" + "😀" * 149 + "..."),
            ("", ""),
        ],
    )
    async def test_the_summary_is_the_first_300_utf16_units(self, tmp_path: Path, content: str, summary: str) -> None:
        """Emoji count two, and none is cut in half."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            assert (await store(bridge, task, content=content))["summary"] == summary
            assert (await bridge.call("work_product_list", taskId=task))[0]["summary"] == summary

    @pytest.mark.parametrize("confidence", [0, 0.5, 1])
    async def test_any_confidence_from_0_to_1_is_kept(self, tmp_path: Path, confidence: float) -> None:
        """Both ends included; whole numbers stay whole."""
        async with core(tmp_path) as bridge:
            answer = await store(bridge, await new_task(bridge), confidence=confidence)
            kept = (await bridge.call("work_product_get", id=answer["id"]))["confidence"]
            assert (kept, type(kept)) == (confidence, type(confidence))

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"confidence": 1.01}, "confidence"),
            ({"confidence": -0.01}, "confidence"),
            ({"confidence": "1"}, "confidence"),
            ({"confidence": float("nan")}, "confidence"),
            ({"type": "specification"}, "type"),
            ({"type": "poem"}, "type"),
            ({"title": ""}, "title"),
            ({"content": None}, "content"),
            ({"metadata": "x"}, "metadata"),
            ({"taskId": ""}, "taskId"),
            ({"author": "me"}, "author"),
        ],
    )
    async def test_bad_arguments_name_their_field_and_change_nothing(
        self, tmp_path: Path, arguments: dict[str, Any], field: str
    ) -> None:
        """`specification` was in the original's types, but never in its database."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            with pytest.raises(InvalidArgumentError) as refused:
                await store(bridge, task, **arguments)
            assert refused.value.field == field
            assert await bridge.call("work_product_list", taskId=task) == []

    async def test_an_unknown_task_names_the_field(self, tmp_path: Path) -> None:
        """NOT_FOUND, field taskId; the original told of a foreign key."""
        async with core(tmp_path) as bridge:
            with pytest.raises(NotFoundError) as refused:
                await store(bridge, "TASK-nowhere")
            assert refused.value.field == "taskId"

    async def test_the_diary_of_the_prds_initiative_notes_it_with_its_warnings(self, tmp_path: Path) -> None:
        """A task without a PRD leaves no trace."""
        async with core(tmp_path) as bridge:
            prd = await bridge.call("prd_create", title="Upgrade", content="c")
            task = await new_task(bridge, prdId=prd["id"])
            bridge.clock.advance(1)
            good = await store(bridge, task)
            bridge.clock.advance(1)
            poor = await store(bridge, task, type="architecture", content="")
            await store(bridge, await new_task(bridge))
            assert (await diary(bridge, prd["initiativeId"]))[-2:] == [
                ("work_product_created", good["id"], "work_product", "Created other: Notes"),
                ("work_product_created", poor["id"], "work_product", "Created architecture: Notes (3 warnings)"),
            ]

    async def test_a_repeated_key_stores_one(self, tmp_path: Path) -> None:
        """H6: with validation in the answer too."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            first = await store(bridge, task, content="short", idempotencyKey="k")
            assert await store(bridge, task, content="short", idempotencyKey="k") == first
            assert len(await bridge.call("work_product_list", taskId=task)) == 1


def broken(content: str, kind: str = "other") -> list[str]:
    """Return the rules that the content does not keep."""
    return [flag.rule.id for flag in check(content, kind)]


class TestRules:
    @pytest.mark.parametrize(
        ("content", "rules"),
        [
            ("", ["size-max-global", "structure-has-heading"]),
            (GOOD, []),
            ("# T" + "x" * 97, []),
            ("# T" + "x" * 96, ["size-max-global"]),
            ("# T" + "😀" * 49, []),
            ("# T" + "x" * 24_997, []),
            ("# T" + "x" * 24_998, ["other-size"]),
            ("# T" + "x" * 49_998, ["size-max-global", "other-size"]),
            (FILLER, ["structure-has-heading"]),
            (f"## Two\n{FILLER}", ["structure-has-heading"]),
            (f"{FILLER}\n# Über\n", []),
            (f"#\n{FILLER}", ["structure-has-heading"]),
        ],
    )
    def test_all_types_want_a_heading_and_100_to_50000_units(self, content: str, rules: list[str]) -> None:
        """Emoji count two."""
        assert broken(content) == rules

    @pytest.mark.parametrize(
        ("kind", "more", "rules"),
        [
            ("architecture", "## Overview\n### All components\n", []),
            ("architecture", "## Overview\n#### Components\n", ["arch-sections"]),
            ("architecture", "Overview and Components", ["arch-sections"]),
            ("architecture", "## OVERVIEW, components" + "x" * 30_000, ["arch-size"]),
            ("technical_design", "## A\n## B\n## C\n", []),
            ("technical_design", "## A\n## B\n### C\n", ["td-completeness"]),
            ("technical_design", "## A\n## B\n## C\n" + "x" * 25_000, ["td-size"]),
            ("implementation", CODE, []),
            ("implementation", "```open", ["impl-code-blocks"]),
            ("implementation", CODE + "x" * 20_000, ["impl-size"]),
            ("test_plan", f"## Scope\n## Tests\n{TABLE}", []),
            ("test_plan", "## Scope\n## Tests\n| a | b |\n|---|---|\n", ["test-tables"]),
            ("test_plan", f"## Scope\n{TABLE}", ["test-sections"]),
            ("security_review", f"## Findings\n## Summary\n{TABLE}", []),
            ("security_review", f"## Findings\n{TABLE}", ["sec-findings"]),
            ("security_review", "## Findings\n## Summary\n", ["sec-tables"]),
            ("documentation", CODE, []),
            ("documentation", "no code", ["doc-examples"]),
            ("documentation", CODE + "x" * 30_000, ["doc-size"]),
        ],
    )
    def test_each_type_wants_what_it_usually_holds(self, kind: str, more: str, rules: list[str]) -> None:
        """Headings count to the third level, in any case, by the words in them."""
        assert broken(f"{GOOD}\n{more}", kind) == rules

    async def test_warnings_are_answered_and_kept_but_refuse_nothing(self, tmp_path: Path) -> None:
        """In the metadata beside the caller's, with the time."""
        async with core(tmp_path) as bridge:
            answer = await store(
                bridge, await new_task(bridge), type="implementation", content=GOOD, metadata={"modelUsed": "opus"}
            )
            validation = answer["validation"]
            assert list(validation) == ["valid", "flagCount", "warnings", "rejected", "feedback"]
            assert (validation["valid"], validation["flagCount"], validation["rejected"]) == (False, 1, False)
            (warning,) = validation["warnings"]
            assert warning in validation["feedback"]
            metadata = await metadata_of(bridge, answer)
            (flag,) = metadata["validation"]["flags"]
            assert (flag["ruleId"], flag["severity"], flag["message"]) == ("impl-code-blocks", "warn", warning)
            assert list(flag) == ["ruleId", "ruleName", "severity", "message", "suggestion"]
            assert metadata["validation"]["validatedAt"] == "2026-01-08T12:00:00.000Z"
            assert metadata["modelUsed"] == "opus"

    async def test_several_warnings_come_in_the_order_of_the_rules(self, tmp_path: Path) -> None:
        """General rules first."""
        async with core(tmp_path) as bridge:
            answer = await store(bridge, await new_task(bridge), type="test_plan", content="x")
            flags = (await metadata_of(bridge, answer))["validation"]["flags"]
            assert [flag["ruleId"] for flag in flags] == [
                "size-max-global",
                "structure-has-heading",
                "test-tables",
                "test-sections",
            ]
            assert len(answer["validation"]["warnings"]) == 4

    def test_rules_take_a_million_characters_in_their_stride(self) -> None:
        """Their expressions are linear."""
        for content in ("|" * 1_000_000, "#" * 1_000_000, "# " * 500_000, " \t" * 500_000, "\n" * 1_000_000):
            check(content, "test_plan")
            check(content, "technical_design")


async def in_stream(bridge: Core, budget: Any = None, stream: str = "S", **more: Any) -> str:
    """Create a task in a stream, with a budget where one is given."""
    return await new_task(bridge, metadata={"streamId": stream, "streamTokenBudget": budget}, **more)


async def fits(bridge: Core, task: str, tokens: int) -> bool:
    """Store that many tokens; tell whether the budget allowed it."""
    try:
        await store(bridge, task, content="x" * (4 * tokens))
    except ConflictError as error:
        assert error.field == "content"
        return False
    return True


class TestBudget:
    async def test_a_stream_may_use_its_budget_to_the_last_token(self, tmp_path: Path) -> None:
        """A token is four characters; what is refused is not kept."""
        async with core(tmp_path) as bridge:
            task = await in_stream(bridge, 100)
            assert await fits(bridge, task, 60)
            assert not await fits(bridge, task, 41)
            assert await fits(bridge, task, 40)
            assert not await fits(bridge, task, 1)
            assert len(await bridge.call("work_product_list", taskId=task)) == 2

    async def test_all_tasks_of_the_stream_share_its_largest_budget(self, tmp_path: Path) -> None:
        """Whichever task declares it; other streams do not count."""
        async with core(tmp_path) as bridge:
            await in_stream(bridge, 10)
            await in_stream(bridge, 50)
            task, sibling = await in_stream(bridge), await in_stream(bridge)
            other = await in_stream(bridge, stream="other")
            assert await fits(bridge, other, 1_000)
            assert await fits(bridge, task, 50)
            assert not await fits(bridge, sibling, 1)

    @pytest.mark.parametrize("budget", [None, 0, -5, "10", True, [10]])
    async def test_what_is_no_number_above_zero_is_no_budget(self, tmp_path: Path, budget: Any) -> None:
        """Metadata belong to the caller."""
        async with core(tmp_path) as bridge:
            assert await fits(bridge, await in_stream(bridge, budget), 100)

    async def test_partial_tokens_count_whole_and_emoji_twice(self, tmp_path: Path) -> None:
        """UTF-16 units, rounded up; blank content costs nothing."""
        async with core(tmp_path) as bridge:
            task = await in_stream(bridge, 1.5)
            with pytest.raises(ConflictError):
                await store(bridge, task, content="x" * 5)
            with pytest.raises(ConflictError):
                await store(bridge, task, content="😀" * 3)
            await store(bridge, task, content=" " * 100)

    async def test_archived_tasks_of_the_stream_do_not_use_its_budget(self, tmp_path: Path) -> None:
        """Their work is set aside."""
        async with core(tmp_path) as bridge:
            old, new = await in_stream(bridge, 10), await in_stream(bridge)
            assert await fits(bridge, old, 10)
            await execute(bridge, "UPDATE tasks SET archived = 1 WHERE id = ?", old)
            assert await fits(bridge, new, 10)

    async def test_streams_of_the_same_name_in_two_initiatives_have_budgets_of_their_own(self, tmp_path: Path) -> None:
        """A task without a PRD sees the stream over all initiatives."""
        async with core(tmp_path) as bridge:
            tasks = []
            for name in ("A", "B"):
                await bridge.call("initiative_link", initiativeId=name, title=name)
                prd = (await bridge.call("prd_create", title="Upgrade", content="c"))["id"]
                await execute(bridge, "UPDATE tasks SET archived = 0")
                tasks.append(await in_stream(bridge, 10, prdId=prd))
            of_a, of_b = tasks
            assert await fits(bridge, of_a, 10)
            assert await fits(bridge, of_b, 10)
            assert not await fits(bridge, await in_stream(bridge), 1)

    async def test_a_numeric_stream_id_of_an_old_database_has_its_budget_too(self, tmp_path: Path) -> None:
        """Streams are looked up by the column, not by the text of the metadata."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await execute(bridge, """UPDATE tasks SET metadata = '{"streamId":5,"streamTokenBudget":1}'""")
            assert not await fits(bridge, task, 2)
            assert await rows(bridge, "SELECT id FROM work_products") == []


class TestRead:
    async def test_getting_an_unknown_one_names_the_field(self, tmp_path: Path) -> None:
        """NOT_FOUND, field id."""
        async with core(tmp_path) as bridge:
            with pytest.raises(NotFoundError) as refused:
                await bridge.call("work_product_get", id="WP-nowhere")
            assert refused.value.field == "id"

    async def test_the_list_of_a_task_shows_the_newest_first(self, tmp_path: Path) -> None:
        """Without contents, but with their beginnings and word counts."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await store(bridge, await new_task(bridge))
            first = await store(bridge, task, content="one  two\n\tthree", confidence=1)
            bridge.clock.advance(1)
            second = await store(bridge, task, type="documentation")
            listed = await bridge.call("work_product_list", taskId=task)
            assert [item["id"] for item in listed] == [second["id"], first["id"]]
            assert list(listed[1].items()) == [
                ("id", first["id"]),
                ("type", "other"),
                ("title", "Notes"),
                ("summary", "one  two\n\tthree"),
                ("wordCount", 3),
                ("createdAt", "2026-01-08T12:00:00.000Z"),
                ("confidence", 1),
            ]
            assert listed[0]["confidence"] is None

    async def test_the_list_of_an_unknown_task_names_the_field(self, tmp_path: Path) -> None:
        """NOT_FOUND, field taskId: an empty list would hide a typing error."""
        async with core(tmp_path) as bridge:
            with pytest.raises(NotFoundError) as refused:
                await bridge.call("work_product_list", taskId="TASK-nowhere")
            assert refused.value.field == "taskId"
