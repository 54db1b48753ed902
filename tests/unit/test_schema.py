"""The migration files: 0001 to 0010 make the original's schema, 0011 to 0015 build on it and lose nothing."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import taskcopilot
from tests.helpers.original_database import ORIGINAL_TABLES, OriginalContents, build_original_database

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(taskcopilot.__file__).parent / "store" / "schema"
FILES = sorted(SCHEMA.glob("*.sql"))
LAST_OF_ORIGINAL = 10
TABLES = tuple(table for table in ORIGINAL_TABLES if table != "migrations")

ENUMS = {
    ("prds", "status"): {"active", "archived", "cancelled", None},
    ("tasks", "status"): {"pending", "in_progress", "blocked", "completed", "cancelled", None},
    ("work_products", "type"): {
        "technical_design",
        "implementation",
        "test_plan",
        "security_review",
        "documentation",
        "architecture",
        "other",
    },
    ("agent_performance", "outcome"): {"success", "failure", "blocked", "reassigned"},
    ("checkpoints", "trigger"): {"auto_status", "auto_subtask", "manual", "error"},
    ("scope_change_requests", "request_type"): {"add_task", "modify_task", "remove_task"},
    ("scope_change_requests", "status"): {"pending", "approved", "rejected"},
    ("protocol_violations", "severity"): {"low", "medium", "high", "critical"},
}
CANDIDATES = set().union(*ENUMS.values()) | {"bogus", "", "Pending", "auto_iteration", "auto_recovery", "specification"}


def version(file: Path) -> int:
    """Return the number in front of the name."""
    return int(file.name[:4])


def apply(connection: sqlite3.Connection, files: list[Path]) -> None:
    """Run each file in one transaction of its own, foreign keys enforced, as the runner does."""
    for file in files:
        connection.executescript(f"BEGIN IMMEDIATE;\n{file.read_text(encoding='utf-8')}\nCOMMIT;")


def connect(path: Path | str) -> sqlite3.Connection:
    """Open the database in autocommit mode with foreign keys enforced."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@pytest.fixture
def fresh() -> Iterator[sqlite3.Connection]:
    """Return an empty database after migrations 1 to 10."""
    with closing(connect(":memory:")) as connection:
        apply(connection, [file for file in FILES if version(file) <= LAST_OF_ORIGINAL])
        yield connection


@pytest.fixture
def contents(tmp_path: Path) -> OriginalContents:
    """Build the database of the original and return what it holds."""
    return build_original_database(tmp_path / "tasks.db")


@pytest.fixture
def original(tmp_path: Path, contents: OriginalContents) -> Iterator[sqlite3.Connection]:
    """Return the filled database of the original."""
    with closing(connect(tmp_path / "tasks.db")) as connection:
        yield connection


@pytest.fixture
def migrated(original: sqlite3.Connection) -> sqlite3.Connection:
    """Return the filled database of the original after migrations 11 and up."""
    apply(original, [file for file in FILES if version(file) > LAST_OF_ORIGINAL])
    return original


def columns(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """Return (position, name, type, not null, default, key, hidden) of each column."""
    return connection.execute(f"PRAGMA table_xinfo({table})").fetchall()


def names(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the names of the columns in order."""
    return [row[1] for row in columns(connection, table)]


def foreign_keys(connection: sqlite3.Connection, table: str) -> set[tuple[Any, ...]]:
    """Return (table, from, to, on update, on delete, match) of each foreign key, in no order."""
    return {row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}


def indexes(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    """Return what SQLite tells of each index by its name, with columns and directions."""
    return {
        name: (unique, origin, partial, connection.execute(f"PRAGMA index_xinfo({name})").fetchall())
        for _, name, unique, origin, partial in connection.execute(f"PRAGMA index_list({table})")
    }


def everything(connection: sqlite3.Connection, of: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return each row of the tables as its SQL literals, which tell every type and byte apart."""
    literals = {table: " || ',' || ".join(f"quote({name})" for name in listed) for table, listed in of.items()}
    return {
        table: [row[0] for row in connection.execute(f"SELECT {expression} FROM {table} ORDER BY 1")]  # noqa: S608 - names of the schema
        for table, expression in literals.items()
    }


def accepted(connection: sqlite3.Connection, row: dict[str, Any], table: str, column: str) -> set[Any]:
    """Return which of the candidates the table takes in that column; nothing is kept."""
    places = ", ".join("?" for _ in row)
    taken = set()
    connection.execute("PRAGMA foreign_keys = OFF")
    for value in CANDIDATES:
        connection.execute("BEGIN")
        try:
            changed = row | {"id": "another", column: value}
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", [*changed.values()])  # noqa: S608 - names of the schema
            taken.add(value)
        except sqlite3.IntegrityError:
            pass
        connection.execute("ROLLBACK")
    connection.execute("PRAGMA foreign_keys = ON")
    return taken


def some_row(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    """Return a row of the table, to make others like it."""
    row = connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608 - names of the schema
    return dict(zip(names(connection, table), row, strict=True))


def add_task(connection: sqlite3.Connection, metadata: str | None) -> None:
    """Insert TASK-new with that metadata."""
    connection.execute(
        "INSERT INTO tasks (id, title, metadata, created_at, updated_at) VALUES ('TASK-new', 'x', ?, 'now', 'now')",
        [metadata],
    )


def plan(connection: sqlite3.Connection, query: str) -> str:
    """Return how SQLite would run the query."""
    return " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))


def test_the_files_are_numbered_without_a_gap() -> None:
    """Versions run from 1 up by one, each with a name."""
    assert [version(file) for file in FILES] == [*range(1, len(FILES) + 1)]
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", file.name) for file in FILES)


_TRIGGER = re.compile(r"CREATE TRIGGER\b.*?\bEND\b(?=;)", re.DOTALL)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_file_is_a_comment_and_plain_statements(file: Path) -> None:
    """The runner opens the transaction and notes the version; a file does neither, and says what it is for."""
    text = file.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    comments = [line for line in text.splitlines() if line.lstrip().startswith("--")]
    assert not [line for line in comments if ";" in line or "'" in line]
    code = "\n".join(line for line in text.splitlines() if line not in comments)
    statements = [statement.strip() for statement in _TRIGGER.sub("CREATE TRIGGER", code).split(";")]
    assert statements.pop() == ""
    assert all(sqlite3.complete_statement(f"{statement};") for statement in statements if "TRIGGER" not in statement)
    assert {statement.split()[0] for statement in statements} <= {"CREATE", "ALTER", "INSERT", "DROP", "UPDATE"}
    assert "migrations" not in code


def test_the_schema_has_the_tables_of_the_original_and_no_more(
    fresh: sqlite3.Connection, original: sqlite3.Connection
) -> None:
    """Versions 1 to 10 make every table but migrations, which the runner makes."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    assert {row[0] for row in fresh.execute(query)} == set(TABLES)
    assert {row[0] for row in original.execute(query)} == set(ORIGINAL_TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_each_table_is_the_one_of_the_original(
    table: str, fresh: sqlite3.Connection, original: sqlite3.Connection
) -> None:
    """Columns (order, name, type, null, default, key), foreign keys and indexes are the same."""
    assert columns(fresh, table) == columns(original, table)
    assert foreign_keys(fresh, table) == foreign_keys(original, table)
    assert indexes(fresh, table) == indexes(original, table)


@pytest.mark.parametrize(("table", "column"), ENUMS)
def test_each_enum_takes_the_values_of_the_original_only(
    table: str, column: str, fresh: sqlite3.Connection, original: sqlite3.Connection
) -> None:
    """The CHECK of each enum column admits exactly the contract's list."""
    row = some_row(original, table)
    assert accepted(fresh, row, table, column) == ENUMS[table, column]
    assert accepted(original, row, table, column) == ENUMS[table, column]


def test_the_fixture_holds_what_it_says(original: sqlite3.Connection, contents: OriginalContents) -> None:
    """The fixture is in WAL mode at version 10, sound, with rows in every table."""
    assert original.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert [row[0] for row in original.execute("SELECT version FROM migrations ORDER BY 1")] == [*range(1, 11)]
    counted = {
        table: original.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - names of the schema
        for table in ORIGINAL_TABLES
    }
    assert counted == contents.rows
    assert min(counted.values()) > 0
    assert original.execute("PRAGMA foreign_key_check").fetchall() == []
    newest = original.execute("SELECT id FROM initiatives ORDER BY updated_at DESC").fetchone()
    assert newest == (contents.current_initiative,)


def test_the_new_migrations_keep_every_row_of_the_original(original: sqlite3.Connection) -> None:
    """No value of any table changes type or a byte."""
    of = {table: names(original, table) for table in ORIGINAL_TABLES}
    before = everything(original, of)
    apply(original, [file for file in FILES if version(file) > LAST_OF_ORIGINAL])
    assert everything(original, of) == before


def test_the_migrated_database_is_sound(migrated: sqlite3.Connection) -> None:
    """SQLite finds no damage and no dangling reference."""
    assert migrated.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert migrated.execute("PRAGMA foreign_key_check").fetchall() == []
    leftovers = migrated.execute("SELECT name FROM sqlite_schema WHERE name LIKE '%rebuilt%'").fetchall()
    assert leftovers == []


def test_an_empty_and_a_migrated_database_end_up_the_same(
    fresh: sqlite3.Connection, migrated: sqlite3.Connection
) -> None:
    """It does not matter whether a database began here or with the original."""
    apply(fresh, [file for file in FILES if version(file) > LAST_OF_ORIGINAL])
    tables = [row[0] for row in fresh.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        assert columns(fresh, table) == columns(migrated, table)
        assert foreign_keys(fresh, table) == foreign_keys(migrated, table)
        assert indexes(fresh, table) == indexes(migrated, table)


def test_the_streams_of_the_original_are_found_by_column(
    migrated: sqlite3.Connection, contents: OriginalContents
) -> None:
    """Tasks made by the original have the stream that their metadata names, a numeric one as its text."""
    found: dict[str, tuple[str, ...]] = {}
    query = "SELECT stream_id, id FROM tasks WHERE stream_id IS NOT NULL ORDER BY created_at"
    for stream, task in migrated.execute(query):
        found[stream] = (*found.get(stream, ()), task)
    assert found == contents.streams
    assert found["5"] == (contents.numeric_stream_task,)


@pytest.mark.parametrize(
    ("metadata", "stream"),
    [
        ('{"streamId":"Stream-A"}', "Stream-A"),
        ('{ "streamId" : "größe 😀" }', "größe 😀"),
        ('{"streamId":"a\\"b"}', 'a"b'),
        ('{"streamId":"5"}', "5"),
        ('{"streamId":5}', "5"),
        ('{"streamId":0}', "0"),
        ('{"streamId":-7}', "-7"),
        ('{"streamId":1.5}', "1.5"),
        ('{"streamId":" "}', " "),
        ('{"streamId":""}', None),
        ('{"streamId":null}', None),
        ('{"streamId":true}', None),
        ('{"streamId":false}', None),
        ('{"streamId":["Stream-A"]}', None),
        ('{"streamId":{"id":"Stream-A"}}', None),
        ('{"other":{"streamId":"Stream-A"}}', None),
        ("{}", None),
        ("[]", None),
        ('["streamId"]', None),
        ('"streamId"', None),
        ("null", None),
        ("5", None),
        ("", None),
        ('{"streamId":"Stream-A"', None),
        ("{'streamId':'Stream-A'}", None),
        ("not JSON", None),
        (None, None),
    ],
)
def test_the_stream_of_a_task_is_text_or_null(
    migrated: sqlite3.Connection, metadata: str | None, stream: str | None
) -> None:
    """A string or a number names a stream; anything else, and metadata that is not JSON, names none."""
    add_task(migrated, metadata)
    got = migrated.execute("SELECT stream_id, typeof(stream_id) FROM tasks WHERE id = 'TASK-new'").fetchone()
    assert got == (stream, "null" if stream is None else "text")


def test_the_stream_follows_the_metadata(migrated: sqlite3.Connection, contents: OriginalContents) -> None:
    """A program that writes metadata directly moves the task: the column cannot go stale."""
    migrated.execute('UPDATE tasks SET metadata = \'{"streamId":"moved"}\' WHERE id = ?', [contents.pending_task])
    found = migrated.execute("SELECT id FROM tasks WHERE stream_id = 'moved' AND archived = 0").fetchall()
    assert found == [(contents.pending_task,)]
    assert migrated.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_lookups_go_by_index(migrated: sqlite3.Connection) -> None:
    """The tasks of a stream, tasks by age and expired rows are found without a scan."""
    by_stream = plan(migrated, "SELECT id FROM tasks WHERE stream_id = 'Stream-A' AND archived = 0")
    assert "INDEX idx_tasks_stream" in by_stream
    assert "(stream_id=? AND archived=?)" in by_stream
    by_status = "SELECT status, count(*) FROM tasks WHERE stream_id = ? AND archived = 0 GROUP BY status"
    assert "INDEX idx_tasks_stream_status" in plan(migrated, by_status.replace("?", "'A'"))
    first = "SELECT metadata FROM tasks WHERE stream_id = 'A' ORDER BY archived, created_at, id LIMIT 1"
    assert "idx_tasks_stream " in plan(migrated, first)
    assert "TEMP B-TREE" not in plan(migrated, first)
    assert "idx_tasks_created" in plan(migrated, "SELECT id FROM tasks ORDER BY created_at LIMIT 5")
    assert "idx_checkpoints_expires" in plan(migrated, "SELECT id FROM checkpoints WHERE expires_at <= 'now'")
    assert "idx_task_claims_expires" in plan(migrated, "SELECT task_id FROM task_claims WHERE expires_at <= 'now'")
    assert "idx_idempotency_keys_created" in plan(migrated, "DELETE FROM idempotency_keys WHERE created_at < 'now'")


def test_checkpoints_only_gain_the_recovery_trigger(original: sqlite3.Connection) -> None:
    """Columns, references and indexes stay; the CHECK admits auto_recovery and still nothing else."""
    row = some_row(original, "checkpoints")
    before = [look(original, "checkpoints") for look in (columns, foreign_keys, indexes)]
    apply(original, [file for file in FILES if version(file) > LAST_OF_ORIGINAL])
    assert [look(original, "checkpoints") for look in (columns, foreign_keys, indexes)] == before
    expected = ENUMS["checkpoints", "trigger"] | {"auto_recovery"}
    assert accepted(original, row, "checkpoints", "trigger") == expected


def test_a_failing_migration_leaves_the_checkpoints_alone(original: sqlite3.Connection) -> None:
    """The rebuild is undone as a whole by a rollback: it runs inside one transaction."""
    of = {"checkpoints": names(original, "checkpoints")}
    before = everything(original, of), indexes(original, "checkpoints")
    text = FILES[-1].read_text(encoding="utf-8")
    with pytest.raises(sqlite3.OperationalError):
        original.executescript(f"BEGIN;\n{text}\nSELECT no_such_column FROM checkpoints;")
    original.execute("ROLLBACK")
    assert (everything(original, of), indexes(original, "checkpoints")) == before


def test_a_claim_goes_with_its_task(migrated: sqlite3.Connection) -> None:
    """One claim a task, for a task that exists, deleted with it."""
    add_task(migrated, None)
    claim = "INSERT INTO task_claims VALUES (?, 'me', 'now', 'later')"
    migrated.execute(claim, ["TASK-new"])
    for task in ("TASK-new", "TASK-none"):
        with pytest.raises(sqlite3.IntegrityError):
            migrated.execute(claim, [task])
    migrated.execute("DELETE FROM tasks WHERE id = 'TASK-new'")
    assert migrated.execute("SELECT count(*) FROM task_claims").fetchone() == (0,)


@pytest.mark.other_events
def test_the_log_has_one_state_and_numbers_once(migrated: sqlite3.Connection) -> None:
    """There is one row of log state, and no two events have one number."""
    migrated.execute("INSERT INTO log_state VALUES (1, 'epoch', 1, 0)")
    migrated.execute("INSERT INTO events VALUES (1, 'now', 'task:1', 'task.created', '{}', NULL, NULL)")
    for again in ("INSERT INTO log_state VALUES (2, 'e', 1, 0)", "INSERT INTO log_state VALUES (1, 'e', 1, 0)"):
        with pytest.raises(sqlite3.IntegrityError):
            migrated.execute(again)
    with pytest.raises(sqlite3.IntegrityError):
        migrated.execute("INSERT INTO events VALUES (1, 'now', 'task:2', 'task.created', '{}', NULL, NULL)")
