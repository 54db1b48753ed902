"""stream_conflict_check, and the path patterns that streams own files by."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcopilot.errors import ConflictError, InvalidArgumentError
from taskcopilot.tools.path_patterns import MAX_LENGTH, MAX_STARS, PathPattern
from tests.helpers.bridge import Core, core
from tests.helpers.rows import INITIATIVE, PRD, initiative, prd, put, task


@pytest.mark.parametrize(
    ("pattern", "owned", "others"),
    [
        ("src/pay/", ["src/pay/a", "src/pay/b/c", "src/pay/"], ["src/pay", "src/payment/a", "x/src/pay/a"]),
        ("src/*/", ["src/*/a"], ["src/a/b"]),
        ("src/pay", ["src/pay", "src/pay/a", "src/pay/b/c"], ["src/payment", "src", "src/pa"]),
        ("src/*.py", ["src/a.py", "src/.py"], ["src/a/b.py", "src/a.pyc", "a.py"]),
        ("src/a?.py", ["src/ab.py", "src/a/.py", "src/a😀.py"], ["src/a.py", "src/abc.py"]),
        ("src/**", ["src/", "src/a", "src/a/b.py"], ["src", "srcs/a"]),
        ("**/test.py", ["/test.py", "a/test.py", "a/b/test.py"], ["test.py", "a/test.pyc"]),
        ("src/**/test.py", ["src/test.py", "src/a/test.py", "src/a/b/test.py"], ["src/atest.py", "src/a/test.py/b"]),
        ("src/**/**/x", ["src/x", "src/a/x", "src/a/b/x"], ["src/ax"]),
        ("src/***", ["src/a/b"], ["sr"]),
        ("a*b*c", ["abc", "aXbYc", "abcbc"], ["ab/c", "acb"]),
        ("[a-z].py", ["[a-z].py"], ["b.py"]),
        ("a.(b|c)+$", ["a.(b|c)+$"], ["axb"]),
        ("", [], ["", "a"]),
    ],
)
def test_a_pattern_owns_what_it_says(pattern: str, owned: list[str], others: list[str]) -> None:
    """A slash at the end is a directory; without wildcards a file or directory; only `*`, `**` and `?` are special."""
    matches = PathPattern(pattern).matches
    assert [path for path in owned if not matches(path)] == []
    assert [path for path in others if matches(path)] == []


def _as_regular_expression(pattern: str) -> re.Pattern[str]:
    """Say the same as a regular expression: slow for hostile patterns, and so only a model."""
    parts = {"/**/": "/(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "."}
    tokens = re.findall(r"/(?:\*\*/)+|\*\*+|\*|\?|.", pattern, re.DOTALL)
    collapsed = ("/**/" if token.startswith("/**/") else "**" if token.startswith("**") else token for token in tokens)
    return re.compile("".join(parts.get(token, re.escape(token)) for token in collapsed), re.DOTALL)


_PIECES = st.sampled_from(["a", "b", "/", "*", "**", "/**/", "?", "."])
_PATHS = st.text(alphabet="ab/.", max_size=8)


@given(st.lists(_PIECES, min_size=1, max_size=6).map("".join), st.lists(_PATHS, min_size=1, max_size=20))
def test_patterns_match_like_their_regular_expression(pattern: str, paths: list[str]) -> None:
    """The machine of bits agrees with the model for every pattern with a wildcard."""
    if pattern.endswith("/") or not {"*", "?"} & set(pattern) or pattern.count("*") > MAX_STARS:
        return
    model, matches = _as_regular_expression(pattern), PathPattern(pattern).matches
    assert [matches(path) for path in paths] == [model.fullmatch(path) is not None for path in paths]


def test_hostile_patterns_take_no_longer_than_others() -> None:
    """A regular expression would take hours for this one."""
    pattern = PathPattern("**a" * 5 + "b")
    began = time.perf_counter()
    assert not pattern.matches("a" * 4_000)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("pattern", ["a" * (MAX_LENGTH + 1), "😀" * (MAX_LENGTH // 2 + 1), "*" * (MAX_STARS + 1)])
def test_patterns_have_limits(pattern: str) -> None:
    """500 UTF-16 units, ten stars."""
    with pytest.raises(InvalidArgumentError):
        PathPattern(pattern)
    assert PathPattern(pattern[: len(pattern) - 1]).text


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Core]:
    """A core with one initiative and one PRD."""
    async with core(tmp_path) as running:
        await put(running, "initiatives", initiative())
        await put(running, "prds", prd())
        yield running


async def claims(bridge: Core, *files: str, **arguments: Any) -> list[tuple[str, str]]:
    """Return (file, task) of each conflict."""
    answer = await bridge.call("stream_conflict_check", files=list(files), **arguments)
    assert answer["hasConflict"] is bool(answer["conflicts"])
    return [(conflict["file"], conflict["taskId"]) for conflict in answer["conflicts"]]


async def test_a_claimed_file_is_reported_with_its_task(bridge: Core) -> None:
    """Key by key, in the order of the contract."""
    await put(bridge, "tasks", task("T1", "A", "in_progress", metadata={"streamName": "API", "files": ["src/a.py"]}))
    answer = await bridge.call("stream_conflict_check", files=["src/a.py", "src/b.py"])
    assert answer["hasConflict"] is True
    assert list(answer["conflicts"][0].items()) == [
        ("file", "src/a.py"),
        ("streamId", "A"),
        ("streamName", "API"),
        ("taskId", "T1"),
        ("taskTitle", "Title of T1"),
        ("taskStatus", "in_progress"),
    ]


async def test_only_tasks_that_touched_the_file_or_are_at_it_count(bridge: Core) -> None:
    """In progress or completed, archived or not, in a stream, the exact path, without a worktree."""
    files = {"files": ["a.py"]}
    await put(
        bridge,
        "tasks",
        *(task(f"T-{status}", "A", status, metadata=files) for status in ("pending", "blocked", "cancelled")),
        task("T-done", "A", "completed", metadata=files, archived=1),
        task("T-free", None, "in_progress", metadata=files),
        task("T-tree", "B", "in_progress", metadata={**files, "worktreePath": "/w"}),
        task("T-near", "C", "in_progress", metadata={"files": ["src/a.py", "a.pyc"]}),
    )
    assert await claims(bridge, "a.py") == [("a.py", "T-done")]
    assert await claims(bridge, "_.py", "%", '"a.py"') == []


async def test_names_come_first_then_patterns_and_nothing_twice(bridge: Core) -> None:
    """By file for the names, newest change first; by task for the patterns."""
    both = {"files": ["a.py"], "streamPaths": ["*.py", "a.py"]}
    await put(
        bridge,
        "tasks",
        task("T1", "A", "completed", metadata=both),
        task("T2", "B", "in_progress", metadata={"files": ["a.py"]}, at="2026-01-08T11:30:00.000Z"),
    )
    expected = [("a.py", "T2"), ("a.py", "T1"), ("b.py", "T1")]
    assert await claims(bridge, "b.py", "a.py", "b.py") == expected


async def test_no_files_conflict_with_nobody(bridge: Core) -> None:
    """An empty list is no error."""
    await put(bridge, "tasks", task("T1", "A", "in_progress", metadata={"streamPaths": ["**"]}))
    assert await claims(bridge) == []
    assert await claims(bridge, "x") == [("x", "T1")]


async def test_the_stream_that_asks_is_left_out_and_wins_by_its_worktree(bridge: Core) -> None:
    """A stream that works in a worktree of its own is in nobody's way."""
    await put(
        bridge,
        "tasks",
        task("T1", "A", "in_progress", metadata={"files": ["a.py"]}),
        task("T2", "B", "in_progress", metadata={"files": ["a.py"]}),
        task("T3", "C", "in_progress", metadata={"worktreePath": "/w"}),
    )
    assert await claims(bridge, "a.py", excludeStreamId="A") == [("a.py", "T2")]
    assert await claims(bridge, "a.py", excludeStreamId="C") == []
    assert len(await claims(bridge, "a.py", excludeStreamId="unknown")) == 2


async def test_an_initiative_narrows_the_check(bridge: Core) -> None:
    """Only tasks of its PRDs are looked at."""
    files = {"files": ["a.py"]}
    await put(
        bridge,
        "tasks",
        task("T1", "A", "in_progress", metadata=files),
        task("T2", "A", "completed", metadata=files, prd_id=PRD),
    )
    assert await claims(bridge, "a.py", initiativeId=INITIATIVE) == [("a.py", "T2")]
    assert await claims(bridge, "a.py", initiativeId="nobody") == []


async def test_a_stored_pattern_beyond_the_limits_is_refused_by_task(bridge: Core) -> None:
    """The error names the task whose metadata has to be mended."""
    await put(bridge, "tasks", task("T1", "A", "in_progress", metadata={"streamPaths": ["*" * 11]}))
    with pytest.raises(ConflictError, match=r"T1 .*10 stars"):
        await bridge.call("stream_conflict_check", files=["a"])


@pytest.mark.parametrize("files", [None, "a", [5], [""], ["a"] * 1_001, ["a" * 4_097]])
async def test_files_must_be_a_list_of_paths(bridge: Core, files: Any) -> None:
    """The error names the field."""
    with pytest.raises(InvalidArgumentError) as failure:
        await bridge.call("stream_conflict_check", files=files)
    assert (failure.value.field or "").partition(".")[0] == "files"
