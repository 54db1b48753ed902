"""PRDs: their types, their scope locks, and how far their tasks are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.tools.prd_types import detect
from taskcopilot.tools.text import preview, utf16_cut, utf16_length
from tests.helpers.bridge import Core, core
from tests.helpers.work import diary, rows, set_status


async def make(bridge: Core, title: str = "Checkout", content: str = "# Checkout", **more: Any) -> str:
    """Create a PRD and return its id."""
    answer = await bridge.call("prd_create", title=title, content=content, **more)
    return str(answer["id"])


async def metadata_of(bridge: Core, prd_id: str) -> dict[str, Any]:
    """Return a PRD's metadata."""
    return dict((await bridge.call("prd_get", id=prd_id))["metadata"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Fix the build", "DEFECT"),
        ("Why does the design fail", "DEFECT"),
        ("How to build a page", "QUESTION"),
        ("Build a new PAGE", "EXPERIENCE"),
        ("Implement retries", "FEATURE"),
        ("Prefix errors and debugging", "TECHNICAL"),
        ("Upgrade Python", "TECHNICAL"),
        ("", "TECHNICAL"),
    ],
)
def test_the_type_is_that_of_the_first_group_with_a_whole_word_in_the_text(text: str, kind: str) -> None:
    """Defects win over questions, these over user interfaces, these over features; any case counts."""
    assert detect(text) == kind


@pytest.mark.parametrize(
    ("title", "locked"),
    [("Add retries", True), ("New layout", True), ("Fix it", False), ("Why", False), ("Upgrade", False)],
)
async def test_the_scope_of_features_and_interfaces_is_locked_by_default(
    tmp_path: Path, title: str, locked: bool
) -> None:
    """Only these grow by themselves."""
    async with core(tmp_path) as bridge:
        assert (await metadata_of(bridge, await make(bridge, title)))["scopeLocked"] is locked


async def test_the_description_counts_for_the_type(tmp_path: Path) -> None:
    """Title and description are one text."""
    async with core(tmp_path) as bridge:
        prd = await make(bridge, "Payments", description="what broke?")
        assert (await metadata_of(bridge, prd))["prdType"] == "QUESTION"


async def test_the_callers_scope_lock_wins_and_the_detected_type_wins(tmp_path: Path) -> None:
    """Other metadata are kept as they came; `scopeLocked: null` is as good as none."""
    async with core(tmp_path) as bridge:
        given = {"priority": "P1", "tags": ["a", "ü"], "nested": {"k": [1, None]}, "prdType": "MINE"}
        prd = await make(bridge, "Add retries", metadata={**given, "scopeLocked": False})
        assert await metadata_of(bridge, prd) == {**given, "prdType": "FEATURE", "scopeLocked": False}
        prd = await make(bridge, "Add retries", metadata={"scopeLocked": None})
        assert (await metadata_of(bridge, prd))["scopeLocked"] is True


async def test_a_scope_lock_that_is_no_boolean_is_refused(tmp_path: Path) -> None:
    """A lock that silently locks nothing is worse than an error."""
    async with core(tmp_path) as bridge:
        with pytest.raises(InvalidArgumentError) as refused:
            await make(bridge, metadata={"scopeLocked": "yes"})
        assert refused.value.field == "metadata.scopeLocked"
        assert await bridge.call("prd_list") == []


async def test_a_locked_scope_keeps_other_agents_from_adding_tasks(tmp_path: Path) -> None:
    """That is what the lock is for: agent `ta` alone adds tasks."""
    async with core(tmp_path) as bridge:
        prd = await make(bridge, "Add retries")
        with pytest.raises(ConflictError):
            await bridge.call("task_create", title="more", prdId=prd, assignedAgent="me")
        await bridge.call("task_create", title="more", prdId=prd, assignedAgent="ta")


async def test_a_prd_belongs_to_the_current_initiative(tmp_path: Path) -> None:
    """The one that was linked last, even when both were linked in the same millisecond."""
    async with core(tmp_path) as bridge:
        for name in ("INIT-B", "INIT-A", "INIT-C"):
            await bridge.call("initiative_link", initiativeId=name, title=name)
        answer = await bridge.call("prd_create", title="t", content="c")
        assert answer["initiativeId"] == "INIT-C"
        assert ("prd_created", answer["id"], "prd", "Created PRD: t") in await diary(bridge, "INIT-C")


async def test_without_an_initiative_a_default_one_is_made_once(tmp_path: Path) -> None:
    """An agent may begin with a PRD."""
    async with core(tmp_path) as bridge:
        first = await bridge.call("prd_create", title="a", content="c")
        second = await bridge.call("prd_create", title="b", content="c")
        assert first["initiativeId"].startswith("INIT-")
        known = await rows(bridge, "SELECT id, title FROM initiatives")
        assert known == [(first["initiativeId"], "Default Initiative")]
        assert second["initiativeId"] == first["initiativeId"]


async def test_creating_answers_the_keys_of_the_contract_in_order(tmp_path: Path) -> None:
    """Clients of the original read these."""
    async with core(tmp_path) as bridge:
        answer = await bridge.call("prd_create", title="t", content="short")
        assert list(answer) == ["id", "initiativeId", "createdAt", "summary"]
        assert answer["id"].startswith("PRD-")
        assert (answer["createdAt"], answer["summary"]) == ("2026-01-08T12:00:00.000Z", "short")
        assert bridge.events == []


@pytest.mark.parametrize(
    ("content", "summary"),
    [
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "..."),
        ("😀" * 100, "😀" * 100),
        ("😀" * 101, "😀" * 100 + "..."),
        ("x" + "😀" * 100, "x" + "😀" * 99 + "..."),
    ],
)
async def test_the_summary_is_the_first_200_utf16_units(tmp_path: Path, content: str, summary: str) -> None:
    """Emoji count two, and none is cut in half."""
    async with core(tmp_path) as bridge:
        assert (await bridge.call("prd_create", title="t", content=content))["summary"] == summary


def test_text_is_counted_and_cut_in_utf16_units() -> None:
    """As clients in JavaScript count."""
    assert [utf16_length(text) for text in ("", "abc", "ä", "😀a")] == [0, 3, 1, 3]
    assert [utf16_cut("a😀b", units) for units in range(5)] == ["", "a", "a", "a😀", "a😀b"]
    assert (preview("abc", 3), preview("abcd", 3), preview("", 3)) == ("abc", "abc...", "")


async def test_getting_shows_the_content_only_on_request(tmp_path: Path) -> None:
    """Contents are long; what has no value is absent, but counts over nothing are null."""
    async with core(tmp_path) as bridge:
        prd = await make(bridge, description="in short")
        brief = await bridge.call("prd_get", id=prd)
        assert list(brief) == [
            "id",
            "initiativeId",
            "title",
            "description",
            "metadata",
            "taskCount",
            "completedTasks",
            "createdAt",
            "updatedAt",
        ]
        assert (brief["taskCount"], brief["completedTasks"], brief["description"]) == (0, None, "in short")
        assert (await bridge.call("prd_get", id=prd, includeContent=True))["content"] == "# Checkout"
        assert "description" not in await bridge.call("prd_get", id=await make(bridge, description=""))
        empty = await make(bridge, content="")
        assert (await bridge.call("prd_get", id=empty, includeContent=True))["content"] == ""


async def test_getting_an_unknown_prd_names_the_field(tmp_path: Path) -> None:
    """NOT_FOUND, field id."""
    async with core(tmp_path) as bridge:
        with pytest.raises(NotFoundError) as refused:
            await bridge.call("prd_get", id="PRD-nowhere")
        assert refused.value.field == "id"


async def test_the_list_shows_the_newest_first_with_progress_rounded_half_up(tmp_path: Path) -> None:
    """1 of 8 is 13 %, as JavaScript rounds."""
    async with core(tmp_path) as bridge:
        old = await make(bridge, "Old", description="d")
        bridge.clock.advance(1)
        new = await make(bridge, "New")
        tasks = [(await bridge.call("task_create", title=str(n), prdId=old))["id"] for n in range(8)]
        await set_status(bridge, "completed", tasks[0])
        assert await bridge.call("prd_list") == [
            {"id": new, "title": "New", "taskCount": 0, "completedTasks": None, "progress": "0/0"},
            {
                "id": old,
                "title": "Old",
                "description": "d",
                "taskCount": 8,
                "completedTasks": 1,
                "progress": "1/8 (13%)",
            },
        ]


async def test_the_list_is_filtered_by_initiative_and_status(tmp_path: Path) -> None:
    """Without a filter all initiatives are listed."""
    async with core(tmp_path) as bridge:
        await bridge.call("initiative_link", initiativeId="A", title="A")
        of_a = await make(bridge)
        await bridge.call("initiative_link", initiativeId="B", title="B")
        of_b = await make(bridge)

        async def listed(**filters: str) -> set[str]:
            return {item["id"] for item in await bridge.call("prd_list", **filters)}

        assert await listed() == {of_a, of_b}
        assert await listed(initiativeId="A") == {of_a}
        assert await listed(initiativeId="B", status="active") == {of_b}
        assert await listed(status="archived") == set()
        with pytest.raises(NotFoundError) as refused:
            await listed(initiativeId="C")
        assert refused.value.field == "initiativeId"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"content": "c"}, "title"),
        ({"title": "", "content": "c"}, "title"),
        ({"title": "t"}, "content"),
        ({"title": "t", "content": 1}, "content"),
        ({"title": "t", "content": "c", "metadata": []}, "metadata"),
        ({"title": "t", "content": "c", "status": "active"}, "status"),
    ],
)
async def test_bad_arguments_name_their_field_and_change_nothing(
    tmp_path: Path, arguments: dict[str, Any], field: str
) -> None:
    """Not even the default initiative is made."""
    async with core(tmp_path) as bridge:
        with pytest.raises(InvalidArgumentError) as refused:
            await bridge.call("prd_create", **arguments)
        assert refused.value.field == field
        with pytest.raises(NotFoundError):
            await bridge.call("progress_summary")


async def test_an_unknown_status_is_refused(tmp_path: Path) -> None:
    """The original answered an empty list."""
    async with core(tmp_path) as bridge:
        with pytest.raises(InvalidArgumentError) as refused:
            await bridge.call("prd_list", status="done")
        assert refused.value.field == "status"


async def test_a_repeated_key_creates_one_prd(tmp_path: Path) -> None:
    """H6: the first answer again, and nothing more."""
    async with core(tmp_path) as bridge:
        call = {"title": "t", "content": "c", "idempotencyKey": "k"}
        assert await bridge.call("prd_create", **call) == await bridge.call("prd_create", **call)
        assert len(await bridge.call("prd_list")) == 1


async def test_metadata_are_stored_as_compact_json(tmp_path: Path) -> None:
    """Other programs search in the text."""
    async with core(tmp_path) as bridge:
        await make(bridge, "Upgrade", metadata={"tag": "ü"})
        assert await rows(bridge, "SELECT metadata FROM prds") == [
            ('{"tag":"ü","prdType":"TECHNICAL","scopeLocked":false}',)
        ]
