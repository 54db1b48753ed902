"""docs/authentication.md: its blocks run, and its tables are those of the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from taskcopilot.auth.access import Scope
from taskcopilot.auth.keys import ALGORITHMS
from taskcopilot.tools.permissions import ADMINISTRATIVE
from tests.helpers.processes import bridge, environment, run
from tests.helpers.waiting import DEADLINE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "authentication.md").read_text("utf-8")
AUTH = ("--auth", "token", "--db", "tasks.db")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", blocks("bash"))
def test_a_block_of_the_shell_runs(tmp_path: Path, block: str) -> None:
    """Line by line, each of which succeeds, against a bridge that asks for tokens."""
    command = f'taskcopilot() {{ {shlex.quote(sys.executable)} -m taskcopilot "$@" --db tasks.db; }}\nset -e\n'
    with bridge(tmp_path, *AUTH) as (_, ready):
        source = command + block.replace("http://127.0.0.1:9090", ready["url"])
        done = subprocess.run(
            ["/bin/bash", "-c", source],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert '"totalTasks":0' in done.stdout
    assert "read,write on *" in done.stdout
    assert "is revoked" in done.stdout


@pytest.mark.parametrize("block", blocks("python"))
def test_a_block_of_python_runs(tmp_path: Path, block: str) -> None:
    """With a token that writes."""
    with bridge(tmp_path, *AUTH) as (_, ready):
        token = run(tmp_path, "token", "create", "--scopes", "read,write", "--db", "tasks.db").stdout.strip()
        source = block.replace("http://127.0.0.1:9090", ready["url"])
        names = {"TOKEN": token}
        exec(compile(source, "docs/authentication.md", "exec"), names)  # noqa: S102 - our own page
        assert run(tmp_path, "events", "--db", "tasks.db").stdout.count("task.created") == 1


def test_scopes_tools_and_algorithms_are_all_named() -> None:
    """Each of them, in the tables."""
    for name in (*Scope, *ADMINISTRATIVE, *ALGORITHMS):
        assert f"`{name}`" in PAGE, name
