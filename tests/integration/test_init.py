"""`taskcopilot init` and `taskcopilot hooks`: the files of agent hosts, changed by commands."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.helpers.processes import run

BY_HAND = b'\xef\xbb\xbf{\r\n\t"mcpServers" : {\r\n\t\t"db\\u0031": { "command":"x" }\r\n\t},"\xc3\xa9":[1,\r\n2]\r\n}'
SETTINGS = b'{\n   "permissions": {"allow": ["Bash(ls:*)"]},\n   "hooks": {"Stop": [{"hooks": []}]}\n}'


def test_init_adds_the_server_once_shows_it_and_takes_it_out(tmp_path: Path) -> None:
    """A file by hand comes back byte for byte, with its mode; the difference is shown each time."""
    file = tmp_path / ".mcp.json"
    file.write_bytes(BY_HAND)
    file.chmod(0o600)
    shown = run(tmp_path, "init", "--dry-run")
    assert file.read_bytes() == BY_HAND
    done = run(tmp_path, "init")
    assert (done.returncode, done.stdout) == (0, shown.stdout)
    added = [line for line in done.stdout.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert any('"task-copilot"' in line for line in added)
    servers = json.loads(file.read_bytes().decode("utf-8-sig"))["mcpServers"]
    assert servers == {"db1": {"command": "x"}, "task-copilot": {"command": "taskcopilot", "args": ["mcp"]}}
    again = run(tmp_path, "init")
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing to change" in again.stderr
    assert run(tmp_path, "init", "--undo").returncode == 0
    assert file.read_bytes() == BY_HAND
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_init_makes_the_file_and_its_undo_removes_it(tmp_path: Path) -> None:
    """The HTTP form names the port; the other form the database, where one was named."""
    assert run(tmp_path, "init", "--http", "--port", "9191").returncode == 0
    file = tmp_path / ".mcp.json"
    ours = {"type": "http", "url": "http://127.0.0.1:9191/mcp"}
    assert json.loads(file.read_text()) == {"mcpServers": {"task-copilot": ours}}
    told = json.loads(run(tmp_path, "init", "--db", "tasks.db", "--json").stdout)
    assert told["changed"] is True
    arguments = json.loads(file.read_text())["mcpServers"]["task-copilot"]["args"]
    assert arguments == ["mcp", "--db", str(tmp_path / "tasks.db")]
    assert run(tmp_path, "init", "--undo").returncode == 0
    assert not file.exists()
    assert run(tmp_path, "init", "--undo").returncode == 0


INIT = (".mcp.json", ["init"], ["init", "--undo"])
HOOKS = ("settings.json", *(["hooks", each, "--settings", "settings.json"] for each in ("install", "remove")))
BOTH = pytest.mark.parametrize(("name", "add", "remove"), [INIT, HOOKS], ids=["init", "hooks"])

BY_HANDS = {
    "bom, crlf, tabs, escapes, no end": BY_HAND,
    "the last line has no end": SETTINGS,
    "crlf at the end": b'{\r\n  "hooks": {\r\n  }\r\n}\r\n',
    "tabs": b'{\n\t"mcpServers": {\n\t\t"a": {}\n\t}\n}\n',
    "one line": b'{"mcpServers":{},"hooks":{"TaskCreated":[]}}',
    "an empty object": b"{}",
    "an empty object of some lines": b" \n{\n\n}\n\n",
    "escapes": b'{"\\u006dcpServers": {"\\ud83d\\ude00": null}, "ho\\u006fks": {}, "x": "\\/\\ud800"}\n',
    "the same key twice": b'{"hooks": {"Stop": []}, "hooks": {}, "mcpServers": 1, "mcpServers": {}}',
}


@BOTH
@pytest.mark.parametrize("content", BY_HANDS.values(), ids=BY_HANDS)
def test_whatever_is_in_a_file_by_hand_comes_back(
    tmp_path: Path, name: str, add: list[str], remove: list[str], content: bytes
) -> None:
    """Byte for byte, whatever its lines end with and however it is laid out; also through a link."""
    (tmp_path / "real").write_bytes(content)
    file = tmp_path / name
    file.symlink_to("real")
    done = run(tmp_path, *add)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() != content
    assert run(tmp_path, *remove).returncode == 0
    assert (file.read_bytes(), file.is_symlink()) == (content, True)


REFUSED = {
    b"{": "not JSON: Expecting property name",
    b"": "it is empty",
    b" \n": "it is empty",
    b"\xff{}": "not UTF-8",
    b"[]": "expected an object",
    b"{}{}": "Extra data",
    b'{\n  // mine\n  "a": 1\n}': "line 2 has a comment",
    b'{"a": 1 /* mine */}': "line 1 has a comment",
    b'{\n  "a": [1, 2,],\n}': "line 2 has a comma too many",
    b'{"a": 1,\n}': "has a comma too many",
    b'{"mcpServers": [], "hooks": 3}': "expected an object",
}


@BOTH
@pytest.mark.parametrize("content", REFUSED, ids=repr)
def test_a_file_that_is_malformed_is_left_alone(
    tmp_path: Path, name: str, add: list[str], remove: list[str], content: bytes
) -> None:
    """Exit code 2, a sentence that names the file and the place, and nothing changed."""
    file = tmp_path / name
    file.write_bytes(content)
    done = run(tmp_path, *(remove if b"//" in content else add))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {name}: ")
    assert REFUSED[content] in done.stderr
    assert file.read_bytes() == content


@BOTH
def test_a_link_that_leads_nowhere_stays_one(tmp_path: Path, name: str, add: list[str], remove: list[str]) -> None:
    """What it leads to is made, its directory too, and removed again."""
    file = tmp_path / name
    file.symlink_to("elsewhere/own.json")
    assert run(tmp_path, *add).returncode == 0
    assert json.loads((tmp_path / "elsewhere" / "own.json").read_text())
    assert run(tmp_path, *remove).returncode == 0
    assert (file.is_symlink(), file.exists()) == (True, False)


@BOTH
def test_a_directory_in_the_place_of_the_file_is_an_error(
    tmp_path: Path, name: str, add: list[str], remove: list[str]
) -> None:
    """Exit code 1 and a sentence."""
    (tmp_path / name).mkdir()
    for command in (add, remove):
        done = run(tmp_path, *command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: ")
    assert not list((tmp_path / name).iterdir())


def test_a_host_has_to_find_the_command(tmp_path: Path) -> None:
    """Where the command is not on the path, init says so; the file is written all the same."""
    told = "no command 'taskcopilot' on the PATH"
    assert told in run(tmp_path, "init", PATH=str(tmp_path)).stderr
    assert told not in run(tmp_path, "init", "--http", PATH=str(tmp_path)).stderr
    command = tmp_path / "taskcopilot"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    assert told not in run(tmp_path, "init", PATH=str(tmp_path)).stderr


def test_a_server_of_others_under_our_name_is_a_conflict(tmp_path: Path) -> None:
    """Exit code 4; their server stays."""
    file = tmp_path / ".mcp.json"
    file.write_text('{"mcpServers": {"task-copilot": {"command": "node"}}}')
    done = run(tmp_path, "init")
    assert done.returncode == 4
    assert "nothing was changed" in done.stderr
    assert "node" in file.read_text()


def test_hooks_are_installed_told_and_removed(tmp_path: Path) -> None:
    """In the project's settings file, which may be a link to another one and stays one."""
    real = tmp_path / "dotfiles.json"
    real.write_bytes(SETTINGS)
    (tmp_path / ".claude").mkdir()
    file = tmp_path / ".claude" / "settings.json"
    file.symlink_to(real)
    done = run(tmp_path, "hooks", "install", "--port", "9191")
    assert done.returncode == 0, done.stderr
    assert "+++ " in done.stdout
    assert "/hooks/claude-code" in done.stdout
    told = json.loads(run(tmp_path, "hooks", "status", "--json").stdout)
    assert set(told["hooks"].values()) == {"http://127.0.0.1:9191/hooks/claude-code"}
    assert "6 of 6 hooks" in run(tmp_path, "hooks", "status").stdout
    assert run(tmp_path, "hooks", "install", "--port", "9191").stdout == ""
    assert run(tmp_path, "hooks", "remove").returncode == 0
    assert (real.read_bytes(), file.is_symlink()) == (SETTINGS, True)
    assert "TaskCreated    not there" in run(tmp_path, "hooks", "status").stdout


def test_hooks_can_be_those_of_all_projects_or_of_any_file(tmp_path: Path) -> None:
    """--user is the file below the home directory, --settings any; both at once is a mistake."""
    assert run(tmp_path, "hooks", "install", "--user").returncode == 0
    assert (tmp_path / ".claude" / "settings.json").exists()
    assert run(tmp_path, "hooks", "install", "--settings", "deep/er/own.json").returncode == 0
    assert json.loads((tmp_path / "deep" / "er" / "own.json").read_text())["hooks"].keys() >= {"TaskCompleted"}
    assert run(tmp_path, "hooks", "remove", "--settings", "deep/er/own.json").returncode == 0
    assert not (tmp_path / "deep" / "er" / "own.json").exists()
    assert run(tmp_path, "hooks", "status", "--user", "--settings", "x").returncode == 2


def test_hosts_are_told_where_the_token_is(tmp_path: Path) -> None:
    """With --token; it stays in the environment, and neither file holds it. Over stdio there is nothing to show."""
    assert run(tmp_path, "init", "--token").returncode == 2
    secret = {"TASKCOPILOT_TOKEN": "a-secret"}
    assert run(tmp_path, "init", "--http", "--token", **secret).returncode == 0
    entry = json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["task-copilot"]
    assert entry["headers"] == {"Authorization": "Bearer ${TASKCOPILOT_TOKEN:-}"}
    assert run(tmp_path, "hooks", "install", "--token", **secret).returncode == 0
    settings = json.loads((tmp_path / ".claude" / "settings.json").read_text())
    for groups in settings["hooks"].values():
        (sent,) = groups[0]["hooks"]
        assert sent["headers"] == {"Authorization": "Bearer $TASKCOPILOT_TOKEN"}
        assert sent["allowedEnvVars"] == ["TASKCOPILOT_TOKEN"]
    assert not [file for file in tmp_path.rglob("*.json") if "a-secret" in file.read_text()]
    assert run(tmp_path, "init", "--undo").returncode == run(tmp_path, "hooks", "remove").returncode == 0
    assert not list(tmp_path.rglob("*.json"))
