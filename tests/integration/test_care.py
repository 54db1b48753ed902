"""doctor, backup, restore and wait, as commands on real files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers.processes import run, running

ORPHAN = """
    INSERT INTO work_products (id, task_id, type, title, content, created_at)
    VALUES ('w', 'no such task', 'other', 't', 'c', 'x')
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with a task in it."""
    assert run(tmp_path, "task", "create", "first", "--metadata", "streamId=A", "--db", "tasks.db").returncode == 0
    return tmp_path / "tasks.db"


def heads(directory: Path, file: str = "tasks.db") -> tuple[str, int, int]:
    """Return epoch, head and number of tasks."""
    with closing(sqlite3.connect(directory / file)) as connection:
        epoch, head = connection.execute("SELECT epoch, head FROM log_state").fetchone()
        return epoch, head, connection.execute("SELECT count(*) FROM tasks").fetchone()[0]


def test_a_sound_database_passes(tmp_path: Path, database: Path) -> None:
    """Every check by name, exit 0."""
    result = run(tmp_path, "doctor", "--db", str(database), "--json")
    found = json.loads(result.stdout)
    assert result.returncode == 0
    assert [(check["check"], check["problems"]) for check in found] == [
        (name, []) for name in ("file", "foreign keys", "event log", "event payloads", "streams")
    ]


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("DELETE FROM events WHERE seq = 1", "event log"),
        ("UPDATE events SET data = '{' WHERE seq = 1", "event payloads"),
        ("UPDATE tasks SET status = 'completed'", "streams"),
        (ORPHAN, "foreign keys"),
    ],
)
@pytest.mark.other_events
def test_damage_is_found_and_named(tmp_path: Path, database: Path, damage: str, check: str) -> None:
    """Exit 1, and the check that failed."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(damage)
        connection.commit()
    result = run(tmp_path, "doctor", "--db", str(database))
    assert result.returncode == 1
    assert f"BAD  {check}" in result.stdout


def test_a_backup_taken_in_use_is_whole_and_a_restore_has_a_new_epoch(tmp_path: Path, database: Path) -> None:
    """Old cursors are recognised; what was replaced is kept; nobody is restored over while they work."""
    with running(tmp_path, "serve", "--db", "tasks.db", "--port", "0", "--json", LOG_LEVEL="error") as bridge:
        bridge.out.next()
        assert run(tmp_path, "backup", "copy.db", "--db", "tasks.db").returncode == 0
        assert run(tmp_path, "restore", "copy.db", "--db", "tasks.db").returncode == 4
    before = heads(tmp_path)
    assert before == heads(tmp_path, "copy.db")
    assert oct((tmp_path / "copy.db").stat().st_mode & 0o777) == "0o600"
    run(tmp_path, "task", "create", "second", "--db", "tasks.db")
    result = run(tmp_path, "restore", "copy.db", "--db", "tasks.db", "--json")
    assert result.returncode == 0, result.stderr
    epoch, head, tasks = heads(tmp_path)
    assert (head, tasks) == before[1:]
    assert epoch != before[0]
    assert heads(tmp_path, Path(json.loads(result.stdout)["replaced"]).name)[2] == 2
    assert run(tmp_path, "doctor", "--db", "tasks.db").returncode == 0
    events = run(tmp_path, "events", "--since", f"{before[0]}:1", "--db", "tasks.db", "--json")
    assert json.loads(events.stdout.splitlines()[0])["type"] == "gap"


def test_a_backup_replaces_nothing_and_nonsense_is_not_restored(tmp_path: Path, database: Path) -> None:
    """Exit 2, and everything stays as it was."""
    (tmp_path / "there").write_text("mine")
    before = heads(tmp_path)
    assert run(tmp_path, "backup", "there", "--db", str(database)).returncode == 2
    assert run(tmp_path, "restore", "there", "--db", str(database)).returncode == 2
    assert run(tmp_path, "restore", "nowhere", "--db", str(database)).returncode == 2
    assert (tmp_path / "there").read_text() == "mine"
    assert before == heads(tmp_path)
    assert not list(tmp_path.glob(".*.tmp"))


def test_wait_ends_with_the_event(tmp_path: Path, database: Path) -> None:
    """Exit 0 and the event; an event of before with a cursor; 124 when the time is over."""
    wait = ("wait", "task:*", "--type", "task.created", "--db", str(database), "--json")
    past = run(tmp_path, *wait, "--since", "0")
    assert (past.returncode, json.loads(past.stdout)["seq"]) == (0, 1)
    assert run(tmp_path, *wait, "--timeout", "0.1").returncode == 124
    with running(tmp_path, *wait, "--since", "2", "--timeout", "60") as waiting:
        run(tmp_path, "task", "create", "second", "--db", str(database))
        assert json.loads(waiting.out.next())["seq"] == 3
        assert waiting.wait() == 0
