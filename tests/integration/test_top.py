"""`taskcopilot top`: the dashboard of a terminal."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.processes import environment, run
from tests.helpers.waiting import DEADLINE

METADATA = '{"streamId":"s","streamName":"Search","streamDependencies":["index"]}'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with a task that is blocked."""
    task = make(tmp_path, "Rank results", "--metadata", METADATA)
    done = run(tmp_path, "task", "update", task, "--status", "blocked", "--blocked-reason", "No corpus")
    assert done.returncode == 0, done.stderr
    return tmp_path


def make(home: Path, title: str, *options: str) -> str:
    """Create a task and return its id."""
    done = run(home, "task", "create", title, *options, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["id"])


def test_without_a_terminal_it_prints_once(home: Path) -> None:
    """Progress, streams with what holds them, and the newest events; titles move no cursor."""
    make(home, "\x1b[2J\u202eevil")
    done = run(home, "top")
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("0%", "1 blocked", "1 to do", "Search", "No corpus", "Rank results", "task.blocked", "evil"):
        assert text in done.stdout
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_programs_get_the_same_as_json(home: Path) -> None:
    """In the shapes of the HTTP routes."""
    done = run(home, "top", "--json")
    state = json.loads(done.stdout)
    assert state["tasks"] == {"blocked": 1}
    assert (state["progressPercentage"], state["seq"]) == (0, state["eventsPerMinute"])
    assert [stream["streamName"] for stream in state["streams"]] == ["Search"]
    assert [task["blockedReason"] for task in state["blocked"]] == ["No corpus"]


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "ctrl-c"])
def test_on_a_terminal_it_follows_until_a_key_ends_it(home: Path, key: bytes) -> None:
    """What another process commits is drawn; afterwards the terminal is as it was."""
    with terminal(home, "top") as (process, master, seen):
        before = termios.tcgetattr(master)
        seen("No corpus")
        make(home, "Made meanwhile")
        seen("Made meanwhile")
        os.write(master, key)
        assert drained(process, master) in ((0,) if key == b"q" else (0, 130))
        assert termios.tcgetattr(master)[3] == before[3] | termios.ICANON | termios.ECHO


@contextlib.contextmanager
def terminal(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int, Callable[[str], None]]]:
    """Run a command on a terminal of its own; `seen(text)` waits until it has drawn the text."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, 140))
    process = subprocess.Popen(
        [sys.executable, "-m", "taskcopilot", *arguments],
        preexec_fn=functools.partial(os.login_tty, slave),  # noqa: PLW1509 - Ctrl-C comes from a terminal of its own
        cwd=home,
        env=environment(home, TERM="xterm-256color"),
    )
    os.close(slave)
    drawn = bytearray()

    def seen(text: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while text.encode() not in drawn:
            assert select.select([master], [], [], max(0, deadline - time.monotonic()))[0], bytes(drawn[-2000:])
            drawn.extend(os.read(master, 65536))

    try:
        yield process, master, seen
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)


def drained(process: subprocess.Popen[bytes], master: int) -> int:
    """Read what is still drawn, so that the process can end, and return its exit code."""
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # Linux, when the other side is closed
            if select.select([master], [], [], 0.05)[0]:
                os.read(master, 65536)
    return process.wait(DEADLINE)
