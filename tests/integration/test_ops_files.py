"""The samples in ops/ are used for real: systemd reads the unit, and supervisord runs the bridge."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.helpers.processes import ROOT, environment
from tests.helpers.waiting import DEADLINE, wait_until

OPS = ROOT / "ops"
COMMAND = "/opt/taskcopilot/bin/taskcopilot"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """No unknown section, name or value; only the program is put where it is here."""
    unit = tmp_path / "taskcopilot.service"
    text = (OPS / "taskcopilot.service").read_text("utf-8")
    assert COMMAND in text
    unit.write_text(text.replace(COMMAND, f"{sys.executable} -m taskcopilot"), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    about_ours = [line for line in done.stderr.splitlines() if "taskcopilot.service" in line]
    assert about_ours == []
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_the_unit_is_hardened(tmp_path: Path) -> None:
    """systemd's own judgement of what the process could do: below 3 of 10 is `OK`."""
    unit = tmp_path / "taskcopilot.service"
    text = (OPS / "taskcopilot.service").read_text("utf-8")
    unit.write_text(text.replace(COMMAND, f"{sys.executable} -m taskcopilot"), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    if "unrecognized option" in done.stderr or "Failed to create bus" in done.stderr:
        pytest.skip(f"systemd-analyze cannot judge here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def holder(url: str) -> int | None:
    """Return the pid of the bridge that answers there."""
    try:
        return int(requests.get(f"{url}/health", timeout=5).json()["pid"])
    except requests.RequestException:
        return None


@contextlib.contextmanager
def supervised(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run supervisord with the sample, its directories below `home`."""
    text = (OPS / "supervisord.conf").read_text("utf-8")
    text = text.replace(COMMAND, f"{sys.executable} -m taskcopilot")
    for directory in ("/var/lib/taskcopilot", "/var/log/taskcopilot", "/run/taskcopilot"):
        assert directory in text
        own = home / directory.split("/")[-2]
        own.mkdir()
        text = text.replace(directory, str(own))
    conf = home / "supervisord.conf"
    conf.write_text(text, "utf-8")
    command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-n", "-c", str(conf)]
    variables = environment(home, TASKCOPILOT_PORT=str(port))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        finally:
            process.kill()
            if (left := holder(f"http://127.0.0.1:{port}")) is not None:
                os.kill(left, signal.SIGKILL)


@pytest.mark.skipif(importlib.util.find_spec("supervisor") is None, reason="supervisor is not installed")
def test_supervisord_keeps_the_bridge_running_and_ends_it_cleanly(tmp_path: Path) -> None:
    """kill -9: another one answers, with everything; SIGTERM: it ends in good order, nothing is left in the WAL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with supervised(tmp_path, port) as supervisor:
        wait_until(lambda: holder(url), "the bridge answering")
        first = holder(url)
        assert first is not None
        requests.post(f"{url}/api/tools/task_create", json={"title": "kept"}, timeout=10).raise_for_status()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: holder(url) not in {None, first}, "another bridge answering")
        (task,) = requests.get(f"{url}/api/tasks", timeout=10).json()["tasks"]
        assert task["title"] == "kept"
        supervisor.terminate()
        assert supervisor.wait(DEADLINE) == 0
        assert holder(url) is None
    log = (tmp_path / "log" / "bridge.log").read_text("utf-8")
    assert "SIGTERM: stopping" in log
    assert "Traceback" not in log
    wal = tmp_path / "lib" / "tasks.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
