"""Start: how soon a process that was just started is of use."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.bridge import prepare
from bench.machine import SERVER_CORE, cpu_seconds
from bench.processes import environment, scratch, started
from bench.profiling import by_package
from bench.result import Plan, Result, Row, at_most

__all__ = ["run"]

_REGION: Final = """\
From just before the process is started until: `taskcopilot serve` on a database of 10,000 tasks has answered
`GET /health` with 200 (tried every 2 ms); `taskcopilot --help` has ended; `import task_copilot_client` has ended, less
an interpreter that imports nothing; `taskcopilot mcp` on the same database has answered `initialize`. Files are in the
system's cache. On the server's core; the interpreter's own start is included but where it is subtracted. CPU: user and
kernel time of the process until then, which tells what a busy machine hides."""

_INITIALIZE: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    },
}
_TASKCOPILOT: Final = (sys.executable, "-m", "taskcopilot")
_PATIENCE: Final = 30.0

Times = tuple[float, float]
"""Milliseconds on the clock, and of CPU."""


def run(plan: Plan) -> Result:
    """Measure each in turns, after one that does not count."""
    runs: dict[str, list[float]] = {}
    tasks = plan.size(200, 10_000)
    with scratch() as directory:
        database = directory / "tasks.db"
        prepare(database, tasks)
        for turn in range(plan.repeats + 1):
            for name, (wall, cpu) in _round(database):
                runs.setdefault(name, []).extend([wall] if turn else [])
                runs.setdefault(f"CPU, {name}", []).extend([cpu] if turn else [])
    notes = list(_profiles())
    rows = [Row(name, "ms", values) for name, values in runs.items()]
    found = {row.what: row.median for row in rows}
    claims = [
        at_most("serve answers /health within 1 s", found["serve until /health"], 1_000, "ms"),
        at_most("--help within 250 ms", found["--help"], 250, "ms"),
        at_most("importing the client within 150 ms", found["import task_copilot_client"], 150, "ms"),
        at_most("MCP answers initialize within 1.5 s", found["mcp until initialize"], 1_500, "ms"),
    ]
    return Result("start", "Start", _REGION, rows, claims, notes)


def _round(database: Path) -> Iterator[tuple[str, Times]]:
    nothing = _command(sys.executable, "-c", "pass")
    client = _command(sys.executable, "-c", "import task_copilot_client")
    yield "an interpreter that does nothing", nothing
    yield "serve until /health", _serve(database)
    yield "--help", _command(*_TASKCOPILOT, "--help")
    yield "import task_copilot_client", (client[0] - nothing[0], client[1] - nothing[1])
    yield "mcp until initialize", _mcp(database)


def _command(*command: str) -> Times:
    began, cpu = time.perf_counter(), _children()
    subprocess.run(
        ["taskset", "-c", str(SERVER_CORE), *command], stdout=subprocess.DEVNULL, env=environment(), check=True
    )
    return (time.perf_counter() - began) * 1_000, (_children() - cpu) * 1_000


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _serve(database: Path) -> Times:
    port = _free_port()
    began = time.perf_counter()
    with started([*_TASKCOPILOT, "serve", "--json", "--port", str(port), "--db", str(database)]) as bridge:
        while not _is_healthy(port):
            if time.perf_counter() - began > _PATIENCE:
                raise TimeoutError(f"no /health within {_PATIENCE:g} s")
            time.sleep(0.002)
        return (time.perf_counter() - began) * 1_000, cpu_seconds(bridge.pid) * 1_000


def _is_healthy(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        return peer.recv(65_536).startswith(b"HTTP/1.1 200")
    return False


def _mcp(database: Path) -> Times:
    began = time.perf_counter()
    with started([*_TASKCOPILOT, "mcp", "--port", str(_free_port()), "--db", str(database)]) as process:
        process.tell(**_INITIALIZE)
        answer = process.answer(_PATIENCE)
        took = (time.perf_counter() - began) * 1_000, cpu_seconds(process.pid) * 1_000
    if "serverInfo" not in json.dumps(answer):
        raise RuntimeError(f"no answer to initialize: {answer}")
    return took


def _profiles() -> Iterator[str]:
    """Say which packages are imported how long, where that is all there is."""
    timed = (sys.executable, "-X", "importtime")
    for name, command in (
        ("--help", ("-m", "taskcopilot", "--help")),
        ("import task_copilot_client", ("-c", "import task_copilot_client")),
        ("what serve imports", ("-c", "import taskcopilot.cli.serve, taskcopilot.core, taskcopilot.web.app")),
        ("what mcp imports", ("-c", "import taskcopilot.cli.mcp, taskcopilot.core, taskcopilot.mcp.server")),
    ):
        done = subprocess.run([*timed, *command], capture_output=True, text=True, env=environment(), check=True)
        yield by_package(name, done.stderr)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
