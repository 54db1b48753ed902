"""The command line: exit codes, output for people and programs, and the log as it grows."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.cli.fields import arguments_from, parameters
from taskcopilot.tools.table import REGISTRY
from tests.helpers.processes import bridge, environment, run, running
from tests.helpers.waiting import DEADLINE

GROUPS = ("task", "stream", "checkpoint", "prd", "agent", "work-product", "initiative")


def answer(home: Path, *arguments: str, **variables: str) -> Any:
    """Run a command with --json that must succeed, and return what it printed."""
    done = run(home, *arguments, "--json", **variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_help_is_there_at_once(tmp_path: Path) -> None:
    """`taskcopilot --help` names every command, and takes less than 250 ms of processor time."""
    before = os.times()
    done = run(tmp_path, "--help")
    after = os.times()
    assert done.returncode == 0
    assert all(name in done.stdout for name in (*GROUPS, "serve", "mcp", "events", "watch", "summary", "health"))
    assert "Shell completion" in done.stdout
    used = after.children_user - before.children_user + after.children_system - before.children_system
    assert used < 0.25


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_explains_itself(tmp_path: Path, group: str) -> None:
    """The help of a group lists its commands, each with a sentence."""
    done = run(tmp_path, group, "--help")
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:")[2].strip().splitlines()
    assert listed
    assert all(len(line.split()) > 2 for line in listed)


def test_completion_knows_the_commands(tmp_path: Path) -> None:
    """What the help promises about shell completion works."""
    done = run(
        tmp_path, _TASKCOPILOT_COMPLETE="bash_complete", COMP_WORDS="taskcopilot work", COMP_CWORD="1", LC_ALL="C"
    )
    assert "work-product" in done.stdout


def test_no_command_shows_the_help_and_fails(tmp_path: Path) -> None:
    """Without a command the help goes to standard error, and the exit code says usage."""
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


def test_a_task_lives_from_create_to_list(tmp_path: Path) -> None:
    """Arguments, options, metadata as pairs and as JSON; and the answer as the tool gives it."""
    created = answer(
        tmp_path, "task", "create", "Write it", "--assigned-agent", "me", "--metadata", "streamId=docs",
        "--metadata", '{"files": ["a.md"]}', "--metadata", "priority=3", "--db", "tasks.db",
    )  # fmt: skip
    shown = answer(tmp_path, "task", "get", created["id"], "--db", "tasks.db")
    assert (shown["title"], shown["assignedAgent"]) == ("Write it", "me")
    assert shown["metadata"].items() >= {"streamId": "docs", "files": ["a.md"], "priority": 3}.items()
    listed = answer(tmp_path, "task", "list", "--parent-id", "null", "--db", "tasks.db")
    assert [task["id"] for task in listed] == [created["id"]]
    assert answer(tmp_path, "task", "list", "--assigned-agent", "you", "--db", "tasks.db") == []


def test_people_get_tables_and_facts(tmp_path: Path) -> None:
    """Without --json answers are aligned text, and control characters of a title do not reach the terminal."""
    run(tmp_path, "task", "create", "evil \x1b[2J title")
    table = run(tmp_path, "task", "list").stdout.splitlines()
    assert table[0].split() == ["id", "title", "status", "subtask", "count", "has", "work", "products"]
    assert "evil  [2J title" in table[1]
    facts = run(tmp_path, "task", "get", table[1].split()[0]).stdout
    assert "status      pending" in facts
    assert "\x1b" not in facts
    assert "\x1b" not in run(tmp_path, "events").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (["task", "create", ""], 2, "title"),
        (["task", "create", "x", "--metadata", "nonsense"], 2, "metadata"),
        (["task", "list", "--status", "nonsense"], 2, "status"),
        (["task", "list", "--nonsense"], 2, None),
        (["nonsense"], 2, None),
        (["call", "task_get", '{"id": 3}'], 2, "id"),
        (["call", "task_get", "{"], 2, "arguments"),
        (["call", "task_get", "[]"], 2, "arguments"),
        (["call", "nonsense"], 3, "tool"),
        (["task", "get", "TASK-0"], 3, "id"),
        (["watch", "nonsense:*"], 2, "topics"),
        (["events", "--since", "nonsense"], 2, "since"),
        (["serve", "--port", "nonsense"], 2, "--port"),
        (["task", "list", "--db", "/proc/nowhere/tasks.db"], 1, None),
    ],
)
def test_errors_have_a_code_and_a_sentence(tmp_path: Path, arguments: list[str], code: int, field: str | None) -> None:
    """Errors go to standard error: one sentence, or one JSON object that names the field; nothing else is printed."""
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    as_json = run(tmp_path, "--json", *arguments)
    assert (as_json.returncode, as_json.stdout) == (code, "")
    assert json.loads(as_json.stderr).get("field") == field


def test_a_conflict_has_a_code_of_its_own(tmp_path: Path) -> None:
    """An idempotency key that is used for another call is a conflict: exit code 4."""
    first = answer(tmp_path, "task", "create", "one", "--idempotency-key", "k")
    assert answer(tmp_path, "task", "create", "one", "--idempotency-key", "k") == first
    done = run(tmp_path, "task", "create", "two", "--idempotency-key", "k", "--json")
    assert done.returncode == 4
    assert json.loads(done.stderr)["code"] == "IDEMPOTENCY_CONFLICT"


def test_a_claim_says_who_holds_the_task(tmp_path: Path) -> None:
    """`task claim` of a task that another agent holds exits 4 and names the holder; release gives it back."""
    task = answer(tmp_path, "task", "create", "wanted")["id"]
    answer(tmp_path, "task", "claim", task, "--agent", "first")
    done = run(tmp_path, "task", "claim", task, "--agent", "second", "--json")
    assert done.returncode == 4
    assert json.loads(done.stderr).items() >= {"code": "CLAIMED", "holder": "first"}.items()
    answer(tmp_path, "task", "release", task, "--agent", "first")
    answer(tmp_path, "task", "claim", task, "--agent", "second")


def test_the_database_can_be_named_anywhere(tmp_path: Path) -> None:
    """--db before the command, in a group, after the command, by variable; the innermost counts."""
    answer(tmp_path, "--db", "a.db", "task", "create", "in a")
    assert len(answer(tmp_path, "task", "--db", "a.db", "list")) == 1
    assert len(answer(tmp_path, "task", "list", TASKCOPILOT_DB="a.db")) == 1
    assert answer(tmp_path, "--db", "a.db", "task", "list", "--db", "b.db") == []
    assert answer(tmp_path, "--db", "b.db", "task", "list", TASKCOPILOT_DB="a.db") == []


def test_the_variables_of_the_original_count(tmp_path: Path) -> None:
    """TASK_DB_PATH and WORKSPACE_ID choose the file as they did; without them it is under the home directory."""
    answer(tmp_path, "task", "create", "x", TASK_DB_PATH=str(tmp_path / "base"), WORKSPACE_ID="shop")
    assert (tmp_path / "base" / "shop" / "tasks.db").exists()
    answer(tmp_path, "task", "create", "x")
    assert len(list((tmp_path / ".claude" / "tasks").glob("*/tasks.db"))) == 1


def test_any_tool_can_be_called_raw(tmp_path: Path) -> None:
    """`tools` lists the table in its order, `call` takes JSON from the command line or from standard input."""
    assert [tool["name"] for tool in answer(tmp_path, "tools")] == [tool.name for tool in REGISTRY]
    done = run(tmp_path, "call", "task_create", "-", given='{"title": "from a pipe"}')
    assert json.loads(done.stdout)["status"] == "pending"
    assert [task["title"] for task in json.loads(run(tmp_path, "call", "task_list").stdout)] == ["from a pipe"]


def test_events_prints_the_log(tmp_path: Path) -> None:
    """The envelopes of the socket, in order, from a cursor, by pattern, up to a limit; and the gap of a bad cursor."""
    for number in range(3):
        run(tmp_path, "task", "create", f"t{number}", "--metadata", "streamId=s")
    lines = [json.loads(line) for line in run(tmp_path, "events", "--json").stdout.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert set(lines[0]) == {"type", "timestamp", "seq", "payload"}

    def seqs(*arguments: str) -> list[int]:
        return [json.loads(line)["seq"] for line in run(tmp_path, "events", "--json", *arguments).stdout.splitlines()]

    assert seqs("--since", "4") == [5, 6]
    assert seqs("--topics", "task:*") == [1, 3, 5]
    assert seqs("--topics", "task:*,stream:s", "--limit", "3") == [1, 2, 3]
    assert "t1" in run(tmp_path, "events").stdout
    assert "no longer in the log" in run(tmp_path, "events", "--since", "elsewhere:2").stderr


def test_watch_prints_history_and_then_the_present(tmp_path: Path) -> None:
    """Everything after the cursor, then live, no gap and no duplicate, without a running bridge."""
    run(tmp_path, "task", "create", "before")
    with running(tmp_path, "watch", "--since", "0", "--json") as watch:
        assert json.loads(watch.out.next())["payload"]["data"]["taskTitle"] == "before"
        for number in range(3):
            run(tmp_path, "task", "create", f"live {number}")
        assert [json.loads(watch.out.next())["seq"] for _ in range(3)] == [2, 3, 4]
        code, _ = watch.stop(signal.SIGINT)
        assert code == 130
        assert watch.err.text() == ""
        assert len(watch.out.text().splitlines()) == 4


def test_watch_follows_a_bridge(tmp_path: Path) -> None:
    """It sees what is done through a bridge too, filtered by its patterns."""
    with bridge(tmp_path) as (_, ready), running(tmp_path, "watch", "stream:*", "--since", "0") as watch:
        done = subprocess.run(
            [sys.executable, "-c", _POST, ready["url"]], capture_output=True, text=True, check=False, timeout=20
        )
        assert done.returncode == 0, done.stderr
        assert watch.out.next().split()[2:4] == ["stream.progress", "stream:s"]


_POST = """
import sys, requests
body = {"title": "x", "metadata": {"streamId": "s"}}
requests.post(sys.argv[1] + "/api/tools/task_create", json=body, timeout=10).raise_for_status()
"""


def test_watch_ends_quietly_when_nobody_reads(tmp_path: Path) -> None:
    """The reader of the pipe leaves: exit 0, and not a word."""
    run(tmp_path, "task", "create", "x")
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "taskcopilot", "watch", "--since", "0"]
    with subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(tmp_path)
    ) as watch:
        os.close(theirs)
        assert b"task.created" in os.read(ours, 65_536)
        os.close(ours)
        try:
            run(tmp_path, "task", "create", "y")
            assert watch.wait(DEADLINE) == 0
            assert watch.stderr
            assert watch.stderr.read() == b""
        finally:
            watch.kill()


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_only(tmp_path: Path, variables: dict[str, str], coloured: bool) -> None:
    """On a terminal event types have colours, unless NO_COLOR says otherwise."""
    run(tmp_path, "task", "create", "x")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "taskcopilot", "events"]
    env = environment(tmp_path, TERM="xterm", **variables)
    if not variables:
        env.pop("NO_COLOR", None)
    subprocess.run(command, stdout=theirs, cwd=tmp_path, env=env, check=True, timeout=20)
    os.close(theirs)
    printed = os.read(ours, 65_536).decode()
    os.close(ours)
    assert ("\x1b[36mtask.created" in printed) is coloured


@pytest.mark.parametrize("tool", list(REGISTRY), ids=lambda tool: tool.name)
def test_every_tool_can_become_a_command(tool: Any) -> None:
    """Each field becomes a parameter; what is not given is left to the tool's defaults."""
    made = parameters(tool.input, ())
    assert {parameter.name for parameter in made} == set(tool.input.model_fields)
    assert arguments_from(tool.input, dict.fromkeys(tool.input.model_fields)) == {}


def test_the_workspace_can_be_summed_up(tmp_path: Path) -> None:
    """`health` and `summary` are commands of their own."""
    answer(tmp_path, "initiative", "link", "INIT-1", "--title", "First")
    assert answer(tmp_path, "health")["status"] == "healthy"
    assert answer(tmp_path, "summary")["title"] == "First"
