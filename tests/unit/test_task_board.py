"""The board of tasks: remembered per stream and revision, and never out of date."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from taskcopilot.store import task_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools import task_board
from taskcopilot.tools.task_view import encoded
from tests.helpers.bridge import Core, core
from tests.helpers.rows import put, task


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Core]:
    """A core with six tasks in three streams and two in none."""
    async with core(tmp_path) as running:
        await put(running, "tasks", *(task(f"T{n}", f"S{n % 3}") for n in range(6)))
        await put(running, "tasks", *(task(f"T{n}", None) for n in (6, 7)))
        yield running


def from_rows(tx: ReadTx) -> list[bytes]:
    """Return the JSON of every task, newest first, without remembering anything."""
    return list(encoded(task_rows.newest(tx, where={})))


def from_board(tx: ReadTx) -> list[bytes]:
    """Return what the board says."""
    return [card.json for card in reversed(task_board.cards(tx))]


STATEMENTS = (
    "UPDATE tasks SET status = '{status}' WHERE id = 'T{n}'",
    "UPDATE tasks SET title = title || '.', prd_id = NULL WHERE id = 'T{n}'",
    "UPDATE tasks SET metadata = '{{\"streamId\":\"S{m}\"}}' WHERE id = 'T{n}'",
    "UPDATE tasks SET metadata = 'not json' WHERE id = 'T{n}'",
    "UPDATE tasks SET archived = 1 - archived WHERE id = 'T{n}'",
    "UPDATE tasks SET created_at = '2026-01-0{m}' WHERE id = 'T{n}'",
    "UPDATE OR IGNORE tasks SET id = 'T{m}x' WHERE id = 'T{n}'",
    "UPDATE OR IGNORE tasks SET id = 'T{n}' WHERE id = 'T{m}x'",
    "DELETE FROM tasks WHERE id = 'T{n}'",
    (
        "INSERT OR IGNORE INTO tasks (id, title, status, metadata, created_at, updated_at) "
        "VALUES ('T{n}', 't', 'pending', '{{\"streamId\":\"S{m}\"}}', '2026-01-01', '2026-01-01')"
    ),
)


@pytest.mark.parametrize("seed", range(5))
async def test_the_board_never_differs_from_the_rows_whoever_wrote_them(bridge: Core, seed: int) -> None:
    """After every statement that changes, moves, adds, archives or removes a task, in the order of the rows."""
    dice = random.Random(seed)
    for _ in range(80):
        sql = dice.choice(STATEMENTS).format(
            n=dice.randrange(10), m=dice.randrange(4), status=dice.choice(("pending", "completed", "blocked"))
        )
        await bridge.recorder.record(lambda tx, sql=sql: tx.execute(sql))  # type: ignore[misc]
        shown, true = await bridge.database.read(lambda tx: (from_board(tx), from_rows(tx)))
        assert shown == true, sql


async def test_only_streams_that_changed_are_read_again(bridge: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the tasks of no stream, whose changes nothing counts."""
    await bridge.database.read(from_board)
    read: list[str | None] = []
    newest = task_rows.newest

    def spied(tx: ReadTx, *, where: dict[str, str | None]) -> Sequence[object]:
        read.append(where["stream_id"])
        return newest(tx, where=where)

    monkeypatch.setattr(task_board.task_rows, "newest", spied)
    await bridge.recorder.record(lambda tx: tx.execute("UPDATE tasks SET title = 'new' WHERE id = 'T4'"))
    shown = await bridge.database.read(from_board)
    assert read == ["S1", None]
    assert sum(b'"new"' in json for json in shown) == 1


async def test_what_an_edit_by_hand_left_has_a_place_too(bridge: Core) -> None:
    """Keys and dates that are no text: listed as SQL lists them, and still replaced one by one."""
    odd = "UPDATE tasks SET created_at = x'01' WHERE id = 'T0'", "UPDATE tasks SET id = x'00ff' WHERE id = 'T3'"
    for sql in (*odd, "UPDATE tasks SET title = 'new' WHERE 'blob' IN (typeof(created_at), typeof(id))"):
        await bridge.recorder.record(lambda tx, sql=sql: tx.execute(sql))  # type: ignore[misc]
        assert len(await bridge.database.read(from_board)) == 8
    shown = await bridge.database.read(from_board)
    assert sum(b'"new"' in json for json in shown) == 2
