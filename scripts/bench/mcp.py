"""Calls over MCP: what the protocol costs beside the same calls as plain HTTP."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from typing import Any, Final

import orjson
from mcp import Client

from bench.bridge import prepare, serving
from bench.load import http
from bench.machine import cpu_seconds
from bench.processes import scratch
from bench.result import Plan, Result, Row

__all__ = ["run"]

TASKS: Final = 200
_CONNECTIONS: Final = 8
_REVISION: Final = "2026-07-28"

_REGION: Final = """\
One task is read again and again from `taskcopilot serve`: `tools/call` of `task_get` at `/mcp` in revision 2026-07-28,
and `POST /api/tools/task_get`. Plain connections send requests that were made before, each after the answer to the one
before, and look at no answer. `SDK client`: the official client, one call at a time, in the load's process; most of its
time is its own. CPU: user and kernel time of the bridge's process a call."""


def run(plan: Plan) -> Result:
    """Measure calls a second over one connection, over several, and with the SDK's client."""
    runs: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    seconds = plan.size(1, 3)
    with scratch() as directory:
        database = directory / "tasks.db"
        task = prepare(database, TASKS)[0]
        with serving(database) as bridge:
            body = orjson.dumps({"id": task})
            requests = {
                "/mcp": _call(bridge.port, task),
                "/api/tools": http.post(bridge.port, "/api/tools/task_get", body),
            }
            for request in requests.values():
                asyncio.run(http.times(bridge.port, request, 50))
            for _ in range(plan.repeats):
                for (name, request), connections in itertools.product(requests.items(), (1, _CONNECTIONS)):
                    began = cpu_seconds(bridge.pid)
                    rate = asyncio.run(http.rate(bridge.port, connections, itertools.repeat(request), seconds))
                    used = cpu_seconds(bridge.pid) - began
                    what = f"{name}, {connections} connection{'s' * (connections > 1)}"
                    runs.setdefault(what, []).append(rate)
                    cpu.setdefault(what, []).append(used / (rate * seconds) * 1_000)
                for mode in ("legacy", _REVISION):
                    rate = asyncio.run(_with_client(bridge.port, mode, task, plan.size(20, 300)))
                    runs.setdefault(f"SDK client, {mode}", []).append(rate)
    rows = [Row(name, "calls/s", values) for name, values in runs.items()]
    rows += [Row(f"CPU, {name}", "ms", values) for name, values in cpu.items()]
    share = statistics.median(runs["/mcp, 1 connection"]) / statistics.median(runs["/api/tools, 1 connection"])
    return Result("mcp", "MCP", _REGION, rows, notes=[f"/mcp does {share:.0%} of the calls that /api/tools does."])


def _call(port: int, task: str) -> bytes:
    """Build a whole `tools/call`."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": _REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params: dict[str, Any] = {"name": "task_get", "arguments": {"id": task}, "_meta": meta}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    lines = (
        "POST /mcp HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {_REVISION}",
        "Mcp-Method: tools/call",
        "Mcp-Name: task_get",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _with_client(port: int, mode: str, task: str, calls: int) -> float:
    async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
        await client.call_tool("task_get", {"id": task})
        began = time.perf_counter()
        for _ in range(calls):
            result = await client.call_tool("task_get", {"id": task})
            if result.is_error:
                raise RuntimeError(str(result))
        return calls / (time.perf_counter() - began)
