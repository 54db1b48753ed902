"""The board of streams: remembered per revision, and never out of date."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.store.derived import Derived
from taskcopilot.store.stream_rows import Scope, listing, revisions, token_usage
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools import stream_board
from taskcopilot.tools.stream_info import Summary
from taskcopilot.tools.streams import read_streams
from tests.helpers.bridge import Core, core
from tests.helpers.rows import initiative, prd, product, put, task


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Core]:
    """A core with one initiative and one PRD."""
    async with core(tmp_path) as running:
        await put(running, "initiatives", initiative())
        await put(running, "prds", prd())
        yield running


def worked_out(tx: ReadTx) -> dict[str, Any]:
    """Sum up every stream from its rows, without remembering anything."""
    rows = [dict(row) for row in listing(tx, Scope().visible(include_archived=False))]
    usage = token_usage(tx, Scope().visible(include_archived=False))
    streams: dict[str, list[Any]] = {}
    for row in rows:
        streams.setdefault(row["stream_id"], []).append(row)
    return {
        stream: Summary.of(stream, tasks).info(usage.get(stream, 0)).model_dump() for stream, tasks in streams.items()
    }


def remembered(tx: ReadTx) -> dict[str, Any]:
    """Return what the board says."""
    return {info.stream_id: info.model_dump() for info in read_streams(tx, everywhere=True)}


STATEMENTS = (
    "UPDATE tasks SET status = '{status}' WHERE id = 'T{n}'",
    'UPDATE tasks SET metadata = \'{{"streamId":"S{m}","files":["f{n}"]}}\' WHERE id = \'T{n}\'',
    "UPDATE tasks SET metadata = 'not json' WHERE id = 'T{n}'",
    "UPDATE tasks SET archived = 1 - archived WHERE id = 'T{n}'",
    "DELETE FROM tasks WHERE id = 'T{n}'",
    (
        "INSERT OR IGNORE INTO tasks (id, title, status, metadata, created_at, updated_at) "
        "VALUES ('T{n}', 't', 'pending', '{{\"streamId\":\"S{m}\"}}', '2026-01-01', '2026-01-01')"
    ),
    (
        "INSERT OR IGNORE INTO work_products (id, task_id, type, title, content, created_at) "
        "SELECT 'W{m}', id, 'other', 't', 'abcdefgh', '2026-01-01' FROM tasks WHERE id = 'T{n}'"
    ),
    "UPDATE work_products SET content = content || 'more' WHERE id = 'W{m}'",
    "UPDATE work_products SET task_id = 'T{n}' WHERE id = 'W{m}' AND EXISTS (SELECT 1 FROM tasks WHERE id = 'T{n}')",
    "DELETE FROM work_products WHERE id = 'W{m}'",
)


@pytest.mark.parametrize("seed", range(5))
async def test_the_board_never_differs_from_the_rows_whoever_wrote_them(bridge: Core, seed: int) -> None:
    """Every statement that can change a summary moves its stream's revision: the triggers see all of them."""
    await put(bridge, "tasks", *(task(f"T{n}", f"S{n % 3}") for n in range(6)))
    await put(bridge, "work_products", product("W0", "T0", "x"))
    dice = random.Random(seed)
    for _ in range(60):
        sql = dice.choice(STATEMENTS).format(
            n=dice.randrange(8),
            m=dice.randrange(4),
            status=dice.choice(("pending", "completed", "blocked", "cancelled")),
        )
        await bridge.recorder.record(lambda tx, sql=sql: tx.execute(sql))  # type: ignore[misc]
        assert await bridge.database.read(remembered) == await bridge.database.read(worked_out), sql


async def test_only_a_stream_that_changed_is_summed_up_again(bridge: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are remembered, over any number of readings."""
    await put(bridge, "tasks", *(task(f"T{n}", f"S{n}") for n in range(3)))
    summed: list[str] = []
    stand = stream_board._stand
    monkeypatch.setattr(
        stream_board, "_stand", lambda tx, stream, archived: summed.append(stream) or stand(tx, stream, archived)
    )
    for _ in range(3):
        await bridge.call("stream_list")
    assert sorted(summed) == ["S0", "S1", "S2"]
    await bridge.call("task_update", id="T1", status="in_progress")
    await bridge.call("stream_list")
    assert sorted(summed) == ["S0", "S1", "S1", "S2"]


async def test_a_unit_that_is_undone_leaves_nothing_remembered(bridge: Core) -> None:
    """Its revision is given out again, for other content: what the unit saw must not pass for that."""
    await put(bridge, "tasks", task("T1", "S"))

    def undone(tx: Any) -> None:
        tx.execute("UPDATE tasks SET status = 'completed' WHERE id = 'T1'")
        assert remembered(tx)["S"]["completedTasks"] == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await bridge.recorder.record(undone)
    await bridge.recorder.record(lambda tx: tx.execute("UPDATE tasks SET status = 'blocked' WHERE id = 'T1'"))
    assert (await bridge.database.read(remembered))["S"]["completedTasks"] == 0


async def test_revisions_only_grow(bridge: Core) -> None:
    """Also over the stream's last task and its next first one."""
    await put(bridge, "tasks", task("T1", "S"))
    before = (await bridge.database.read(revisions))["S"]
    await bridge.recorder.record(lambda tx: tx.execute("DELETE FROM tasks"))
    assert "S" not in await bridge.database.read(remembered)
    await put(bridge, "tasks", task("T1", "S"))
    assert (await bridge.database.read(revisions))["S"] == before + 2


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    """The memory is bounded."""
    derived, made = Derived(limit=2), []

    def get(key: str) -> str:
        return derived.get(key, 1, lambda: made.append(key) or key)  # type: ignore[func-returns-value]

    for key in "abaca":
        assert get(key) == key
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]
