"""Damaged, cut off, empty and missing files: refused and kept, and never a silent empty store in their place."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import requests
from _pytest.mark import ParameterSet

from tests.helpers.crowd import log_of
from tests.helpers.processes import bridge, run

PAGE = 4096
FILES = ("tasks.db", "tasks.db-wal")


def spoil(file: Path, at: int, length: int) -> None:
    """Turn bytes over, in place."""
    content = bytearray(file.read_bytes())
    content[at : at + length] = bytes(~byte & 0xFF for byte in content[at : at + length])
    file.write_bytes(content)


def cut(file: Path, size: int) -> None:
    """Cut a file off."""
    file.write_bytes(file.read_bytes()[:size])


def spoil_page_of(table: str, file: Path) -> None:
    """Spoil the page that a table hangs from."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    spoil(file, (page - 1) * PAGE, PAGE)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "header": lambda file: spoil(file, 0, 16),
    "page size": lambda file: spoil(file, 16, 8),
    "schema": lambda file: spoil(file, 100, 200),
    "cut between pages": lambda file: cut(file, file.stat().st_size // PAGE // 2 * PAGE),
    "cut inside a page": lambda file: cut(file, file.stat().st_size // 2 + 100),
    "cut inside the header": lambda file: cut(file, 50),
    "a page in use": partial(spoil_page_of, "events"),
    "a page in no use": partial(spoil_page_of, "checkpoints"),
}

HEALED = ("header", "page size", "schema", "a page in use")
"""Damage to pages that every commit writes, so that a WAL holds them."""

FAST = ("header", "cut inside a page", "a page in no use")


def sized(*damage: str) -> list[ParameterSet]:
    """Leave what differs little from the rest to the full size."""
    return [pytest.param(name, marks=() if name in FAST else pytest.mark.full) for name in damage]


@pytest.fixture(scope="session")
def soil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a database after a clean stop, and in `wal/` one after a kill, with commits in the WAL only."""
    home = tmp_path_factory.mktemp("soil")
    for _ in range(2):
        with bridge(home, "--db", "tasks.db") as (process, ready), requests.Session() as session:
            for number in range(40):
                body = {"title": f"t{number}", "description": "d" * 500}
                assert session.post(f"{ready['url']}/api/tools/task_create", json=body, timeout=10).ok
            if (home / "wal").exists():
                process.popen.kill()
                process.wait()
            else:
                process.stop()
                (home / "wal").mkdir()
                shutil.copy(home / "tasks.db", home / "stopped.db")
    for name in FILES:
        shutil.move(home / name, home / "wal" / name)
    (home / "stopped.db").rename(home / "tasks.db")
    return home


@pytest.fixture
def stopped(soil: Path, tmp_path: Path) -> Path:
    """A database that was stopped cleanly, with 40 tasks."""
    return Path(shutil.copy(soil / "tasks.db", tmp_path))


@pytest.fixture
def killed(soil: Path, tmp_path: Path) -> Path:
    """A database whose bridge was killed: 40 tasks in the file, 40 more in the WAL."""
    for name in FILES:
        shutil.copy(soil / "wal" / name, tmp_path)
    return tmp_path / "tasks.db"


def contents(database: Path) -> dict[str, bytes]:
    """Return what must not change when a start is refused."""
    files = (database.parent / name for name in FILES)
    return {file.name: file.read_bytes() for file in files if file.exists() and file.stat().st_size}


def assert_refused(database: Path) -> None:
    """It does not start, says in one line which file is at fault and what can be done, and changes nothing."""
    before = contents(database)
    done = run(database.parent, "serve", "--port", "0", "--db", str(database))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {database} is damaged: ")
    assert "taskcopilot restore" in done.stderr
    assert contents(database) == before


@pytest.mark.parametrize("damage", sized(*DAMAGE))
def test_a_damaged_file_is_refused_and_kept(stopped: Path, damage: str) -> None:
    """Exit 1, one clear line, and every byte stays where it was."""
    DAMAGE[damage](stopped)
    assert_refused(stopped)


@pytest.mark.parametrize("damage", sized(*(sorted(set(DAMAGE) - set(HEALED)))))
def test_a_damaged_file_is_refused_and_kept_with_its_wal(killed: Path, damage: str) -> None:
    """Not even what is committed in the WAL is moved into a file that is damaged."""
    DAMAGE[damage](killed)
    assert_refused(killed)


@pytest.mark.parametrize("damage", sized(*HEALED))
def test_what_the_wal_holds_too_is_not_lost(soil: Path, killed: Path, damage: str) -> None:
    """Damage to pages that the WAL has in newer versions hurts nobody: it starts, and everything is there."""
    expected = log_of(killed)
    DAMAGE[damage](killed)
    with bridge(killed.parent, "--db", "tasks.db"):
        assert log_of(killed) == expected
    assert run(killed.parent, "doctor", "--db", "tasks.db").returncode == 0


def test_a_wal_that_was_cut_off_is_a_shorter_log(killed: Path) -> None:
    """What is left is a beginning without a hole, and who had seen more is told."""
    expected = log_of(killed)
    cut(killed.with_name("tasks.db-wal"), killed.with_name("tasks.db-wal").stat().st_size // 2)
    with bridge(killed.parent, "--db", "tasks.db") as (_, ready):
        left = log_of(killed)
        assert 40 <= len(left) < 80
        assert left == expected[: len(left)]
        assert gap_for(ready, f"{ready['epoch']}:80") == {"from": 1, "to": len(left)}
    assert run(killed.parent, "doctor", "--db", "tasks.db").returncode == 0


@pytest.mark.parametrize("lost", ["missing", "empty"])
def test_a_file_that_is_gone_is_another_log(stopped: Path, lost: str) -> None:
    """A new epoch, and whoever comes with a cursor of the old one is told the gap."""
    with bridge(stopped.parent, "--db", "tasks.db") as (process, ready):
        before = ready["epoch"]
        process.stop()
    lose(stopped, lost)
    with bridge(stopped.parent, "--db", "tasks.db") as (_, ready):
        assert ready["epoch"] != before
        for number in range(3):
            body = {"title": f"new {number}"}
            assert requests.post(f"{ready['url']}/api/tools/task_create", json=body, timeout=10).ok
        assert gap_for(ready, f"{before}:2") == {"from": 1, "to": 3}


@pytest.mark.parametrize("lost", ["missing", "empty"])
def test_a_file_that_is_gone_while_its_wal_is_not_is_refused(killed: Path, tmp_path: Path, lost: str) -> None:
    """SQLite would remove the WAL; here it is kept, and moved aside when a backup is restored."""
    copy = Path(shutil.copy(killed, tmp_path / "backup.db"))
    wal = contents(killed)["tasks.db-wal"]
    lose(killed, lost)
    assert_refused(killed)
    assert run(tmp_path, "restore", str(copy), "--db", "tasks.db").returncode == 0
    assert [file.read_bytes() for file in tmp_path.glob("tasks.db.replaced-*-wal")] == [wal]
    with bridge(tmp_path, "--db", "tasks.db"):
        assert len(log_of(killed)) == 40


def lose(file: Path, how: str) -> None:
    """Remove the file, or all that is in it."""
    if how == "missing":
        file.unlink()
    else:
        cut(file, 0)


def gap_for(ready: dict[str, str], cursor: str) -> dict[str, int]:
    """Return the gap that a client with this cursor is told."""
    answer = requests.get(f"{ready['url']}/api/events", params={"since": cursor}, timeout=10).json()
    return dict(answer["gap"])
