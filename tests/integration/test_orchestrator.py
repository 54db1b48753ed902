"""scripts/orchestrate.py on a real bridge: to the end, with a failing task, and through a restart of the bridge."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE = 60

GOOD = """
title = "Two streams"
[[stream]]
id = "first"
[[stream.task]]
title = "wait for the flag"
run = "until [ -e flag ]; do sleep 0.05; done; echo seen"
[[stream]]
id = "second"
needs = ["first"]
[[stream.task]]
title = "count"
run = "echo once >> counted"
"""

BAD = """
title = "A failing one"
[[stream]]
id = "first"
[[stream.task]]
title = "the culprit"
run = "echo why; exit 7"
[[stream.task]]
title = "never"
run = "touch never"
[[stream]]
id = "second"
needs = ["first"]
[[stream.task]]
title = "never either"
run = "touch never"
"""


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Shells start background jobs with SIGINT ignored, and children inherit that: the orchestrator must not here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def process(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command, and end it in any case."""
    running = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@contextlib.contextmanager
def bridge(database: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a bridge, and yield it and its address once it answers."""
    command = [sys.executable, "-m", "taskcopilot", "serve", "--db", str(database), "--port", str(port), "--json"]
    with process(*command, env=os.environ | {"LOG_LEVEL": "error"}) as running:
        assert running.stdout is not None
        yield running, json.loads(running.stdout.readline())["url"]


def orchestrate(plan: Path, url: str) -> list[str]:
    """Return the command that runs the plan where it lies."""
    script = str(ROOT / "scripts" / "orchestrate.py")
    return [sys.executable, script, str(plan), "--url", url, "--directory", str(plan.parent)]


def free_port() -> int:
    """Return a port that is free now; a bridge that comes back needs the one that it had."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def statuses(url: str) -> dict[str, str]:
    """Return title -> status of all tasks."""
    return {task["title"]: task["status"] for task in requests.get(f"{url}/api/tasks", timeout=20).json()["tasks"]}


def wait_for(condition: Any) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The plan of two streams."""
    path = tmp_path / "plan.toml"
    path.write_text(GOOD)
    return path


def test_a_plan_runs_to_its_end(plan: Path, tmp_path: Path) -> None:
    """Streams in the order of their needs, everything recorded, exit 0."""
    (tmp_path / "flag").touch()
    with bridge(tmp_path / "tasks.db", 0) as (_, url):
        with process(*orchestrate(plan, url)) as run:
            output = run.communicate(timeout=DEADLINE)
        assert run.returncode == 0, output
        assert statuses(url) == {"wait for the flag": "completed", "count": "completed"}
        tasks = requests.get(f"{url}/api/tasks", timeout=20).json()["tasks"]
        products = [
            requests.post(f"{url}/api/tools/work_product_list", json={"taskId": task["id"]}, timeout=20).json()
            for task in tasks
        ]
        assert [len(listed) for listed in products] == [1, 1]


def test_a_failing_task_is_named_and_stops_what_needs_it(plan: Path, tmp_path: Path) -> None:
    """Exit 1; the reason and the output are recorded with the task."""
    plan.write_text(BAD)
    with bridge(tmp_path / "tasks.db", 0) as (_, url):
        with process(*orchestrate(plan, url)) as run:
            _, errors = run.communicate(timeout=DEADLINE)
        assert run.returncode == 1
        assert "blocked in first: the culprit: `echo why; exit 7` ended with exit code 7" in errors
        assert "never started: second" in errors
        assert statuses(url) == {"the culprit": "blocked", "never": "pending", "never either": "pending"}
        assert not (tmp_path / "never").exists()


def test_a_run_survives_the_death_of_the_bridge(plan: Path, tmp_path: Path) -> None:
    """kill -9 in the middle, a new one in its place: every step is recorded and done once."""
    port = free_port()
    with bridge(tmp_path / "tasks.db", port) as (first, url), process(*orchestrate(plan, url)) as run:
        wait_for(lambda: statuses(url).get("wait for the flag") == "in_progress")
        first.kill()
        first.wait()
        (tmp_path / "flag").touch()
        with bridge(tmp_path / "tasks.db", port):
            output = run.communicate(timeout=DEADLINE)
            assert run.returncode == 0, output
            events = requests.get(f"{url}/api/events", params={"limit": 1000}, timeout=20).json()["events"]
            assert statuses(url) == {"wait for the flag": "completed", "count": "completed"}
    completed = [
        event["payload"]["data"]["taskTitle"] for event in events if event["payload"]["eventType"] == "task.completed"
    ]
    assert completed == ["wait for the flag", "count"]
    assert (tmp_path / "counted").read_text() == "once\n"


def test_an_interrupted_run_leaves_no_command_running(plan: Path, tmp_path: Path) -> None:
    """Ctrl-C ends the commands too; exit 130."""
    plan.write_text(GOOD.replace("until", "echo $$ > pid; until"))
    with bridge(tmp_path / "tasks.db", 0) as (_, url), process(*orchestrate(plan, url)) as run:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        run.send_signal(signal.SIGINT)
        output = run.communicate(timeout=DEADLINE)
        assert run.returncode == 130, output
        shell = int((tmp_path / "pid").read_text())
        wait_for(lambda: not Path(f"/proc/{shell}/cmdline").exists())


def test_without_a_bridge_it_says_so(plan: Path) -> None:
    """Exit 3, at once."""
    with process(*orchestrate(plan, f"http://127.0.0.1:{free_port()}")) as run:
        _, errors = run.communicate(timeout=DEADLINE)
    assert run.returncode == 3
    assert "no bridge answers" in errors
