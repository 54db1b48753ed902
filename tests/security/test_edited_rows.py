"""Rows that were edited by hand: what cannot be delivered is replaced by a marker and counted, the rest goes on."""
# ruff: noqa: S608 - the statements are made of names that are written here

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from taskcopilot.store.doctor import examine
from taskcopilot.store.event_rows import LARGEST, UNREADABLE
from taskcopilot.tools.table import REGISTRY
from tests.helpers.server import RunningServer
from tests.integration.conftest import Serve

pytestmark = pytest.mark.other_events

EDITS: dict[str, tuple[str, object]] = {
    "data: nothing": ("data", ""),
    "data: half": ("data", '{"taskId":'),
    "data: two": ("data", "{}{}"),
    "data: a list": ("data", "[1]"),
    "data: null": ("data", "null"),
    "data: NaN": ("data", '{"a":NaN}'),
    "data: an end of the message": ("data", '{}}},{"type":"event"'),
    "data: control characters": ("data", '{"a":"\x00"}'),
    "data: bytes": ("data", b'{"a":1}'),
    "data: bytes that are no text": ("data", b"\xff\x00"),
    "data: deep": ("data", '{"a":' * 2_000 + "1" + "}" * 2_000),
    "data: huge": ("data", '{"a":"' + "x" * LARGEST + '"}'),
    "at: nothing": ("at", ""),
    "at: no time": ("at", "yesterday"),
    "at: a quote": ("at", '2026-01-01T00:00:00.000Z","seq":0,"x":"'),
    "at: bytes": ("at", b"2026-01-01T00:00:00.000Z"),
    "at: other digits": ("at", "\u0662026-01-01T00:00:00.000Z"),
    "type: nothing": ("type", ""),
    "type: a quote": ("type", 'task.created","data":{},"x":"'),
    "type: a line": ("type", "task.created\n"),
    "type: bytes": ("type", b"task.created"),
    "type: huge": ("type", "x" * 10_000),
    "topic: nothing": ("topic", ""),
    "topic: no entity": ("topic", ":x"),
    "topic: no id": ("topic", "task:"),
    "topic: no colon": ("topic", "task"),
    "topic: bytes": ("topic", b"task:x"),
    "rooms: bytes": ("rooms", b"a/b"),
}
BROKEN_TEXT = ("data", "at", "type", "topic", "rooms")
"""Columns into which text that is no UTF-8 is put."""


def edit(file: Path, statement: str, *parameters: object) -> None:
    """Change the database behind the bridge's back."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(statement, parameters)


def spoil(file: Path, name: str, seq: int) -> None:
    """Edit a row of the log."""
    column, value = EDITS.get(name, (name, None))
    if name in EDITS:
        edit(file, f"UPDATE events SET {column} = ? WHERE seq = ?", value, seq)
    else:
        edit(file, f"UPDATE events SET {column} = CAST(x'7B22FF22' AS TEXT) WHERE seq = ?", seq)


@pytest.mark.parametrize("name", [*EDITS, *BROKEN_TEXT])
async def test_a_row_that_cannot_be_delivered_stops_nobody(serve: Serve, tmp_path: Path, name: str) -> None:
    """D10, D4, H1: the events around it come as they are; in its place comes one that says so, with its number."""
    async with contextlib.AsyncExitStack() as stack:
        earlier = await serve(stack=stack)  # what it said itself, a bridge still has in memory
        ids = [(await earlier.call("task_create", title=str(number)))["id"] for number in range(3)]
    spoil(tmp_path / "tasks.db", name, 2)
    server = await serve()
    polled = (await server.get("/api/events", since="0"))["events"]
    async with server.http.ws_connect("/ws") as socket:
        await socket.send_json({"type": "subscribe", "payload": {"topics": ["*"], "since": 0}})
        heard = [await socket.receive_json(timeout=20) for _ in range(4)][1:]
    for events in (polled, heard):
        assert [event["seq"] for event in events] == [1, 2, 3]
        kinds = [event["payload"]["eventType"] for event in events]
        assert kinds == ["task.created", UNREADABLE, "task.created"]
        assert [events[place]["payload"]["topic"] for place in (0, 2)] == [f"task:{ids[place]}" for place in (0, 2)]
        column = name.partition(":")[0]
        assert events[1]["payload"]["data"]["reason"].startswith(column)
        assert events[1]["payload"]["topic"] == ("log:2" if column == "topic" else f"task:{ids[1]}")
    assert server.core.database.unreadable >= 2
    metrics = await (await server.http.get("/metrics")).text()
    assert f"taskcopilot_log_unreadable_total {float(server.core.database.unreadable)}" in metrics


async def test_live_clients_get_what_others_break_too(serve: Serve, tmp_path: Path) -> None:
    """D10: a row that another program wrote badly arrives as a marker, and what comes after it as it is."""
    server = await serve(follow=True)
    await server.call("task_create", title="before")
    async with server.http.ws_connect("/ws") as socket:
        await socket.send_json({"type": "subscribe", "payload": {"topics": ["*"]}})
        await socket.receive_json(timeout=20)
        file = tmp_path / "tasks.db"
        edit(file, "INSERT INTO events (seq, at, topic, type, data) VALUES (2, 'x', 'task:1', 'task.created', '{')")
        edit(file, "UPDATE log_state SET head = 2")
        await server.core.recorder.catch_up()
        await server.call("task_create", title="after")
        heard = [await socket.receive_json(timeout=20) for _ in range(2)]
    assert [(event["seq"], event["payload"]["eventType"]) for event in heard] == [
        (2, UNREADABLE),
        (3, "task.created"),
    ]


async def test_a_look_at_the_database_names_them(server: RunningServer, tmp_path: Path) -> None:
    """`taskcopilot doctor` lists what cannot be delivered, and is not stopped by it."""
    for number in range(3):
        await server.call("task_create", title=str(number), metadata={"streamId": "A"})
    for seq in range(1, 7):
        spoil(tmp_path / "tasks.db", "topic" if seq == 1 else "data: half", seq)
    findings = {finding.check: finding.problems for finding in await server.core.database.read(examine)}
    assert [problem.partition(" cannot")[0] for problem in findings["event payloads"]] == [
        f"event {seq}" for seq in range(1, 7)
    ]
    assert findings["file"] == []


async def test_retention_is_not_held_up(server: RunningServer, tmp_path: Path) -> None:
    """A row whose time is none goes with the others."""
    from taskcopilot.store.event_log import prune

    for number in range(3):
        await server.call("task_create", title=str(number))
    spoil(tmp_path / "tasks.db", "at: bytes", 2)
    assert await server.core.recorder.record(lambda tx: prune(tx, 1, "")) == 2


SOILED = {
    "bad JSON": "'{\"a\":'",
    "JSON of another kind": "'[1]'",
    "no UTF-8": "CAST(x'61FF62' AS TEXT)",
    "nothing": "''",
    "NULL": "NULL",
}


@pytest.mark.parametrize("value", SOILED)
async def test_no_column_that_was_edited_is_a_defect(server: RunningServer, tmp_path: Path, value: str) -> None:
    """H5: listings, details and tools answer whatever stands in the texts of tasks, checkpoints and plans."""
    await server.call("initiative_link", initiativeId="I", title="t")
    prd = (await server.call("prd_create", title="p", content="c"))["id"]
    task = (await server.call("task_create", title="t", prdId=prd, metadata={"streamId": "A", "streamName": "n"}))["id"]
    await server.call("task_update", id=task, status="in_progress", assignedAgent="me")
    await server.call("checkpoint_create", taskId=task, draftContent="d")
    await server.call("work_product_store", taskId=task, type="other", title="w", content="x" * 100)
    file, failures = tmp_path / "tasks.db", []
    for table in ("tasks", "prds", "checkpoints", "work_products", "activity_log", "agent_activity", "initiatives"):
        for column in text_columns(file, table):
            (before,) = rows(file, f"SELECT rowid, {column} FROM {table} LIMIT 1") or [None]
            if before is None:
                continue
            try:
                edit(file, f"UPDATE {table} SET {column} = {SOILED[value]} WHERE rowid = ?", before[0])
            except sqlite3.IntegrityError:
                continue  # the schema refuses it
            failures += [f"{table}.{column}: {place}" for place in await defects(server, task, prd)]
            edit(file, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", before[1], before[0])
    assert failures == []


def rows(file: Path, statement: str) -> list[Any]:
    """Return the rows of a query."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def text_columns(file: Path, table: str) -> list[str]:
    """Return the columns of text that anybody fills: no keys, no references, no states and no times."""
    kept = {"id", "prd_id", "parent_id", "task_id", "initiative_id", "stream_id", "stream_dependencies"}
    kept |= {"status", "created_at", "updated_at"}
    return [row[1] for row in rows(file, f"PRAGMA table_info({table})") if row[2] == "TEXT" and row[1] not in kept]


async def defects(server: RunningServer, task: str, prd: str) -> list[str]:
    """Ask for everything that can be read; return what fails."""
    paths = ["/api/tasks", f"/api/tasks/{task}", "/api/streams", "/api/streams/A", "/api/activity"]
    paths += [f"/api/checkpoints?taskId={task}", "/api/checkpoints?streamId=A"]
    calls = {"task_get": {"id": task}, "task_list": {}, "prd_get": {"id": prd}, "prd_list": {}, "stream_list": {}}
    calls |= {
        "stream_get": {"streamId": "A"},
        "checkpoint_resume": {"taskId": task},
        "checkpoint_list": {"taskId": task},
    }
    calls |= {"progress_summary": {}, "work_product_list": {"taskId": task}, "initiative_get": {}}
    failed = []
    for path in paths:
        async with server.http.get(path) as response:
            if response.status >= 500:
                failed.append(f"GET {path}")
    for tool, arguments in calls.items():
        if tool not in {each.name for each in REGISTRY}:
            continue
        async with server.http.post(f"/api/tools/{tool}", data=orjson.dumps(arguments), headers=JSON) as response:
            if response.status >= 500:
                failed.append(tool)
    return failed


JSON = {"Content-Type": "application/json"}
