"""The measurement behind docs/traffic.md runs, and its relay and timetable do what they say."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `bench` be imported, as its own command does."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])  # syspath_prepend trusts any `pkg_resources`


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read /proc and pin cores")
def test_a_quick_look_counts_the_bytes_of_every_way(tmp_path: Path) -> None:
    """Pushed events are fewer bytes than the whole state, and a state that is asked for more often is more."""
    found = tmp_path / "found.json"
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "bench.traffic", "--quick", "--json", str(found)]
    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    rows: list[dict[str, Any]] = json.loads(found.read_text("utf-8"))["rows"]
    counted = {row["what"]: row["runs"][0] for row in rows}
    assert all(value > 0 for value in counted.values())
    assert counted["WebSocket, stream:* only"] < counted["WebSocket, stream:* and task:*"]
    states = [value for what, value in counted.items() if what.startswith("the state")]
    assert counted["WebSocket, stream:* and task:*"] < states[0] < states[1]


@pytest.mark.usefixtures("bench")
def test_the_relay_counts_both_directions_and_leaves_nothing() -> None:
    """Every byte once; when it is closed, so are its connections."""
    from bench.relay import relaying

    with socket.create_server(("127.0.0.1", 0)) as target, relaying() as relay:
        relay.target = target.getsockname()[1]
        with socket.create_connection(("127.0.0.1", relay.port), timeout=20) as client:
            client.sendall(b"x" * 1000)
            server, _ = target.accept()
            with server:
                server.settimeout(20)
                assert _exactly(server, 1000) == b"x" * 1000
                server.sendall(b"y" * 234)
                assert _exactly(client, 234) == b"y" * 234
                relay.close()
                assert server.recv(1) == b""
            assert client.recv(1) == b""
        assert (relay.bytes, relay.connections) == (1234, 1)


@pytest.mark.usefixtures("bench")
def test_the_timetable_takes_every_task_from_start_to_end() -> None:
    """In order of time; each task starts once, is written about, and completes once."""
    from bench.rehearsal import NOTES, STREAMS, TASKS, planned, timetable

    steps = timetable(600.0)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert len(planned()) == len(STREAMS) * TASKS
    for task in range(len(planned())):
        statuses = [step.arguments.get("status") for step in steps if step.task == task]
        assert statuses == ["in_progress", *[None] * NOTES, "completed"]


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += sock.recv(count - len(data))
    return data
