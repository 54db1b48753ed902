"""MCP at random: every request is answered by JSON-RPC, and over stdio nothing else reaches standard output."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcopilot.tools.table import REGISTRY
from tests.helpers.processes import Running, running
from tests.security.json_shapes import JSON
from tests.security.schemas import fitting
from tests.security.watched import Watched

pytestmark = pytest.mark.timeout(900)

NEW = "2026-07-28"

NAMES = st.sampled_from([tool.name for tool in REGISTRY if tool.name != "events_wait"])
"""All but the one that waits."""

METHODS = st.sampled_from(["tools/call", "tools/list", "ping", "resources/read", "prompts/get", "initialize", "x", ""])


def arguments_of(name: str) -> st.SearchStrategy[Any]:
    """Arguments of a tool as its own schema describes them, sometimes with one that is of another type or unknown."""
    schema = REGISTRY[name].input_schema()
    sound = fitting(schema, schema).filter(lambda arguments: isinstance(arguments, dict))
    fields = st.sampled_from([*schema.get("properties", {}), "unknown"])
    return sound | st.builds(lambda arguments, field, value: {**arguments, field: value}, sound, fields, JSON)


CALLS = NAMES.flatmap(lambda name: st.builds(lambda arguments: (name, arguments), arguments_of(name))).map(
    lambda call: ("tools/call", {"name": call[0], "arguments": call[1]})
)
REQUESTS = st.one_of(
    CALLS,
    CALLS,
    st.tuples(st.just("tools/call"), st.fixed_dictionaries({}, optional={"name": NAMES | JSON, "arguments": JSON})),
    st.tuples(METHODS, JSON),
)
NOISE = st.sampled_from(["", "nonsense", "[]", "{", "null", '{"jsonrpc":"1.0"}', '{"id":1}', '"\\ud800"', "[" * 5_000])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """`taskcopilot mcp` after the handshake."""
    with running(tmp_path, "mcp", "--port", "0", "--db", "tasks.db", "--durability", "normal") as process:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
        process.send({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": hello})
        assert json.loads(process.out.next())["id"] == "hello"
        process.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield process


def answer_to(server: Running, number: int) -> dict[str, Any]:
    """Return the answer of this number; whatever comes before it must be protocol too."""
    while True:
        message: dict[str, Any] = json.loads(server.out.next())
        assert message["jsonrpc"] == "2.0"
        if message.get("id") == number:
            return message


def test_every_request_is_answered_by_protocol(
    server: Running, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """H4: a result, a result that is an error and names the field, or a JSON-RPC error; never a defect of ours."""
    wanted, done = size(200, 1_000), 0
    outcomes = {"result": 0, "refusal": 0, "error": 0}

    @settings(max_examples=wanted, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(REQUESTS, st.none() | NOISE)
    def answers(request: tuple[str, Any], noise: str | None) -> None:
        nonlocal done
        done += 1
        if noise is not None:
            server.stdin.write(noise + "\n")
        method, params = request
        server.send({"jsonrpc": "2.0", "id": done, "method": method, "params": params})
        answer = answer_to(server, done)
        if "error" in answer:
            outcomes["error"] += 1
            assert isinstance(answer["error"]["code"], int)
            assert answer["error"]["code"] != -32603, answer
            return
        refused = answer["result"].get("isError", False)
        outcomes["refusal" if refused else "result"] += 1
        assert "a defect of the bridge" not in json.dumps(answer)

    answers()
    server.stdin.close()
    assert server.wait() == 0
    lines = server.out.text().removesuffix("\n").split("\n")  # splitlines() would split at what texts may hold too
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in lines)
    assert "Traceback" not in server.err.text()
    say(f"{done} requests: " + ", ".join(f"{count} x {name}" for name, count in outcomes.items()))
    assert done >= wanted
    assert outcomes["result"] > wanted // 50


def test_every_request_over_http_is_answered_by_protocol(
    watched: Watched, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """H4: the same requests, each for itself, and bodies that are none: JSON-RPC or a problem, never a 5xx."""
    wanted, done, statuses = size(200, 1_000), 0, Counter[int]()
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    meta = {"io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {}}

    @settings(max_examples=wanted, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(REQUESTS, st.none() | NOISE, st.sampled_from([NEW, NEW, NEW, "2025-06-18", "x"]))
    def answers(request: tuple[str, Any], noise: str | None, revision: str) -> None:
        nonlocal done
        done += 1
        method, params = request
        if isinstance(params, dict):
            params = {**params, "_meta": meta}
        name = params.get("name") if isinstance(params, dict) else None
        more = {"MCP-Protocol-Version": revision, "Mcp-Method": method}
        if isinstance(name, str) and name.isascii() and name.isprintable():
            more["Mcp-Name"] = name.strip()
        body = noise or json.dumps({"jsonrpc": "2.0", "id": done, "method": method, "params": params})
        with watched.session.post(f"{watched.url}/mcp", data=body, headers=headers | more, timeout=20) as response:
            statuses[response.status_code] += 1
            assert response.status_code < 500, response.text
            said = response.json()
        assert "a defect of the bridge" not in response.text
        if isinstance(error := said.get("error"), dict):
            assert error["code"] != -32603, said

    with watched.holding_no_more():
        answers()
        assert watched.answers()
    counts = ", ".join(f"{statuses[status]} x {status}" for status in sorted(statuses))
    say(f"{done} requests over HTTP: {counts}")
    assert done >= wanted
    assert statuses[200] > wanted // 50
