"""`taskcopilot mcp` as agents meet it: the real command, the SDK's own client, real pipes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import mcp_types as types
import pytest
import requests
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from taskcopilot import __version__
from taskcopilot.mcp.contents import ERROR_KEY
from taskcopilot.tools.table import REGISTRY
from tests.helpers.processes import Running, bridge, environment, run, running

MODES = pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])


@contextlib.asynccontextmanager
async def agent(home: Path, *arguments: str, mode: str = "auto", **variables: str) -> AsyncIterator[Client]:
    """Connect the SDK's client to the command; its log goes to `mcp.log`."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "taskcopilot", "mcp", "--db", "tasks.db", "--port", "0", *arguments],
        env=environment(home, **variables),
        cwd=home,
    )
    with (home / "mcp.log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), mode=mode) as client:
            yield client


def text_of(result: types.CallToolResult) -> str:
    """Return the text that the model reads."""
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


@MODES
async def test_it_introduces_itself(tmp_path: Path, mode: str) -> None:
    """Handshake and 2026-07-28 alike: the original's name, our version, and what the tools are for."""
    async with agent(tmp_path, mode=mode) as client:
        tools = await client.list_tools()
        if mode != "2026-07-28":  # pinned clients skip the introduction
            assert client.server_info is not None
            assert (client.server_info.name, client.server_info.version) == ("task-copilot", __version__)
            assert "task_claim" in (client.instructions or "")
        assert [tool.name for tool in tools.tools] == [tool.name for tool in REGISTRY]


async def test_every_tool_is_described_as_it_is(tmp_path: Path) -> None:
    """Name, description, the models' own schemas, and what the tool does to the world."""
    async with agent(tmp_path) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    for tool in REGISTRY:
        seen = listed[tool.name]
        assert seen.description == tool.description
        assert len(tool.description) > 20
        assert seen.input_schema == tool.input_schema()
        assert seen.annotations is not None
        assert seen.annotations.read_only_hint is not tool.writes
        assert seen.annotations.destructive_hint is tool.destructive
        assert seen.annotations.idempotent_hint is (tool.repeatable or not tool.writes)
        assert seen.annotations.open_world_hint is False
        assert seen.output_schema is not None
        assert seen.output_schema["type"] == "object"
        for schema in (seen.input_schema, seen.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)


@MODES
async def test_answers_come_as_text_and_as_structure(tmp_path: Path, mode: str) -> None:
    """The text is the compact JSON that the original gave; the structure is an object that fits the schema."""
    async with agent(tmp_path, mode=mode) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}

        async def call(tool: str, **arguments: Any) -> Any:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result
            jsonschema.validate(result.structured_content, schemas[tool] or {})
            text = text_of(result)
            assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
            value = json.loads(text)
            assert result.structured_content == ({"result": value} if isinstance(value, list) else value)
            return value

        created = await call("task_create", title="Grüße", metadata={"streamId": "s", "nothing": None})
        details = await call("task_get", id=created["id"], includeSubtasks=True)
        assert details["metadata"]["nothing"] is None
        (listed,) = await call("task_list")
        assert listed["completedSubtasks"] is None
        assert await call("task_list", status="completed") == []


@MODES
async def test_errors_are_results_that_name_the_field(tmp_path: Path, mode: str) -> None:
    """A model reads the sentence, a program the code; nothing was changed."""
    async with agent(tmp_path, mode=mode) as client:

        async def fail(tool: str, **arguments: Any) -> dict[str, Any]:
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert result.structured_content is None
            assert result.meta is not None
            facts: dict[str, Any] = result.meta[ERROR_KEY]
            assert text_of(result) == f"Error: {facts['message']}"
            return facts

        facts = await fail("task_create")
        assert (facts["code"], facts["field"]) == ("INVALID_ARGUMENT", "title")
        assert facts["message"].startswith("title: ")
        assert (await fail("task_create", title="x", colour="red"))["field"] == "colour"
        assert (await fail("task_get", id="TASK-0")) == {
            "code": "NOT_FOUND", "field": "id", "message": "Task not found: TASK-0"
        }  # fmt: skip
        assert (await fail("nonsense"))["message"] == "Unknown tool: nonsense"
        assert json.loads(text_of(await client.call_tool("task_list", {}))) == []


async def test_many_calls_at_once(tmp_path: Path) -> None:
    """Calls do not wait for each other's answers; each gets its own."""
    async with agent(tmp_path) as client:
        titles: dict[str, str] = {}

        async def create(title: str) -> None:
            result = await client.call_tool("task_create", {"title": title})
            details = await client.call_tool("task_get", {"id": json.loads(text_of(result))["id"]})
            titles[title] = json.loads(text_of(details))["title"]

        await asyncio.gather(*(create(f"t{number}") for number in range(50)))
        assert titles == {f"t{number}": f"t{number}" for number in range(50)}


def request(number: int, method: str, **params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


INITIALIZE = request(
    1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "test", "version": "1"}
)


def introduce(process: Running) -> None:
    """Do the handshake by hand."""
    process.send(INITIALIZE)
    assert json.loads(process.out.next())["result"]["serverInfo"]["name"] == "task-copilot"
    process.send({"jsonrpc": "2.0", "method": "notifications/initialized"})


_PRINTING_TOOL = """
import os, subprocess, sys
from taskcopilot.cli import main
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.table import REGISTRY

def run(tx, call):
    '''Print wherever something can be printed.'''
    print("printed and buffered")
    print("printed and flushed", flush=True)
    os.write(1, b"written to the descriptor\\n")
    subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
    return known.run(tx, call)

known = REGISTRY["task_list"]
REGISTRY._tools["noise"] = Tool(name="noise", input=known.input, output=known.output, run=run)
main(["mcp", "--port", "0", "--db", "tasks.db"])
"""


def test_nothing_but_protocol_reaches_standard_output(tmp_path: Path) -> None:
    """Not the log at its loudest, and not a tool that prints, its children included."""
    with running(tmp_path, code=_PRINTING_TOOL, LOG_LEVEL="debug") as process:
        introduce(process)
        process.send(request(2, "tools/call", name="noise", arguments={}))
        assert json.loads(process.out.next())["result"]["content"] == [{"type": "text", "text": "[]"}]
        process.stdin.write("this is no JSON\n\n")
        process.send(request(3, "ping"))
        assert json.loads(process.out.next())["id"] == 3
        process.stdin.close()
        assert process.wait() == 0
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in process.out.text().splitlines())
        log = process.err.text()
        for said in ("and buffered", "and flushed", "to the descriptor", "by a child", "no JSON-RPC message"):
            assert said in log


def test_a_request_that_is_no_protocol_is_answered_when_somebody_waits(tmp_path: Path) -> None:
    """By an error with its id; what has no id or no method, as an answer has none, is only logged."""
    with running(tmp_path, "mcp", "--port", "0") as process:
        introduce(process)
        for message in ({"method": "ping"}, {"id": True, "method": "ping"}, {"id": 5}):
            process.send(message)
        for wrong in ({"id": 7, "method": "ping"}, {"jsonrpc": "2.0", "id": "a", "method": "ping", "params": [1]}):
            process.send(wrong)
            answer = json.loads(process.out.next())
            assert (answer["jsonrpc"], answer["id"], answer["error"]["code"]) == ("2.0", wrong["id"], -32600)
        process.send(request(8, "ping"))
        assert json.loads(process.out.next())["id"] == 8


def test_it_answers_soon_and_ends_with_its_input(tmp_path: Path) -> None:
    """The handshake takes little processor time (scripts/bench says how little), and EOF ends it at once."""
    with running(tmp_path, "mcp", "--port", "0") as process:
        introduce(process)
        ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        assert sum(map(int, ticks)) < 1_500  # ten times what was seen, with coverage measured
        process.err.until(lambda line: "is served at" in line)
        began = time.monotonic()
        process.stdin.close()
        assert process.wait() == 0
        assert time.monotonic() - began < 20  # one, when the machine is ours


def test_what_was_asked_before_the_end_is_answered(tmp_path: Path) -> None:
    """A script that pipes its requests in gets all answers."""
    lines = [INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}]
    lines += [request(n, "tools/call", name="task_create", arguments={"title": f"t{n}"}) for n in range(2, 30)]
    done = run(tmp_path, "mcp", "--port", "0", given="\n".join(map(json.dumps, lines)))
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {answer["id"] for answer in answers} == set(range(1, 30))
    assert all(not answer["result"].get("isError") for answer in answers)


def test_an_end_without_a_word_is_fine(tmp_path: Path) -> None:
    """A client that leaves before it said anything ends it with exit code 0."""
    done = run(tmp_path, "mcp", "--port", "0")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_although_the_input_is_open(tmp_path: Path, number: signal.Signals) -> None:
    """It does not wait for the client to say something next, and closes the database."""
    with running(tmp_path, "mcp", "--port", "0", "--db", "tasks.db") as process:
        introduce(process)
        process.send(request(2, "tools/call", name="task_create", arguments={"title": "x"}))
        process.out.next()
        code, seconds = process.stop(number)
        assert code == 0
        assert seconds < 3
        assert "Traceback" not in process.err.text()
    wal = tmp_path / "tasks.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0


def test_a_client_that_reads_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its pipe is full, its input ends: gone within the grace all the same."""
    with running(tmp_path, code=_DEAF_CLIENT) as process:
        assert process.wait() == 0, process.err.text()


_DEAF_CLIENT = """
import json, subprocess, sys, time
command = [sys.executable, "-m", "taskcopilot", "mcp", "--port", "0"]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
    def send(number, method, params):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\\n")
        process.stdin.flush()
    send(1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                           "clientInfo": {"name": "deaf", "version": "1"}})
    process.stdout.readline()
    for number in range(2, 20):
        send(number, "tools/list", {})
    began = time.monotonic()
    process.stdin.close()
    try:
        assert process.wait(20) == 0
        assert time.monotonic() - began < 3
    finally:
        process.kill()
"""


def test_it_hosts_the_bridge_when_the_port_is_free(tmp_path: Path) -> None:
    """/health answers from the same process, and calls over HTTP and over MCP see the same tasks."""
    with running(tmp_path, "mcp", "--port", "0", "--db", "tasks.db", "--log-format", "text") as process:
        introduce(process)
        url = process.err.until(lambda line: "is served at" in line).rpartition(" ")[2]
        assert requests.get(f"{url}/health", timeout=10).json()["pid"] == process.pid
        requests.post(f"{url}/api/tools/task_create", json={"title": "by HTTP"}, timeout=10).raise_for_status()
        process.send(request(2, "tools/call", name="task_list", arguments={}))
        (task,) = json.loads(process.out.next())["result"]["structuredContent"]["result"]
        assert task["title"] == "by HTTP"


def test_its_tools_work_while_a_bridge_of_the_workspace_holds_the_port(tmp_path: Path) -> None:
    """It says so in one line, writes to the same database, and the events are in the log that the bridge serves."""
    with bridge(tmp_path, "--db", "tasks.db") as (holder, ready):
        port = ready["url"].rpartition(":")[2]
        with running(tmp_path, "mcp", "--port", port, "--db", "tasks.db") as process:
            introduce(process)
            assert f"bridge of this workspace (pid {holder.pid})" in process.err.next()
            process.send(request(2, "tools/call", name="task_create", arguments={"title": "from afar"}))
            assert not json.loads(process.out.next())["result"]["isError"]
            (event,) = requests.get(f"{ready['url']}/api/events", timeout=10).json()["events"]
            assert event["payload"]["data"]["taskTitle"] == "from afar"


def test_a_bridge_of_another_workspace_is_called_that(tmp_path: Path) -> None:
    """The agent's user learns that the events of these tools are seen nowhere; the tools work."""
    with bridge(tmp_path, "--db", "other/tasks.db") as (_, ready):
        port = ready["url"].rpartition(":")[2]
        with running(tmp_path, "mcp", "--port", port, "--db", "mine/tasks.db") as process:
            introduce(process)
            warning = process.err.next()
            assert "ANOTHER workspace" in warning
            assert "workspace other" in warning
            process.send(request(2, "tools/call", name="task_create", arguments={"title": "x"}))
            assert not json.loads(process.out.next())["result"]["isError"]
        assert requests.get(f"{ready['url']}/api/events", timeout=10).json()["events"] == []


def test_a_database_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """Exit code 1 and a sentence on standard error; nothing on standard output."""
    done = run(tmp_path, "mcp", "--db", "/proc/nowhere/tasks.db")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
