"""docs/agents.md: what it shows is what happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from taskcopilot.mcp.contents import ERROR_KEY
from taskcopilot.tools.table import REGISTRY
from tests.helpers.processes import bridge, environment, run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "agents.md").read_text("utf-8")
DB = ("--db", "tasks.db")
LINE = re.compile(r"([a-z-]+)(?:> (\w+) (.*)|([<!]) (.*))")
NAMED = re.compile(r"(TASK|CP|WP)-\d|log:\d")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


class Play:
    """The conversation of the page, with the bridge in the place of its author."""

    def __init__(self, url: str, stack: contextlib.AsyncExitStack) -> None:
        self.url = url
        self.stack = stack
        self.agents: dict[str, Client] = {}
        self.asked: dict[str, asyncio.Task[Any]] = {}
        self.names: dict[str, str] = {}

    async def follow(self, line: str) -> None:
        """Let an agent call a tool, or compare what it was answered."""
        match = LINE.fullmatch(line)
        assert match, line
        agent, tool, arguments, sign, shown = match.groups()
        if tool:
            assert agent not in self.asked or self.asked[agent].done(), f"{agent} waits still: {line}"
            self.asked[agent] = await self.ask(agent, tool, self.real(json.loads(arguments)))
        else:
            result = await self.asked[agent]
            assert result.is_error == (sign == "!"), (line, result)
            told = result.meta[ERROR_KEY] if result.is_error else result.structured_content
            self.compare(json.loads(shown), told, line)

    async def ask(self, agent: str, tool: str, arguments: Any) -> asyncio.Task[Any]:
        """Begin a call, and end it unless it waits for others."""
        if agent not in self.agents:
            self.agents[agent] = await self.stack.enter_async_context(Client(f"{self.url}/mcp"))
        call = asyncio.create_task(self.agents[agent].call_tool(tool, arguments))
        if not arguments.get("wait"):
            await call
        return call

    def leave(self) -> None:
        """End the calls that wait still."""
        for call in self.asked.values():
            call.cancel()

    def real(self, value: Any) -> Any:
        """Replace the names of the page by what they stand for."""
        if isinstance(value, dict):
            return {key: self.real(each) for key, each in value.items()}
        return self.names.get(value, value) if isinstance(value, str) else value

    def compare(self, shown: Any, told: Any, line: str) -> None:
        """Objects may hold more than is shown; a name that is new stands for what is there."""
        if isinstance(shown, dict):
            for key, value in shown.items():
                assert key in told, (key, line, told)
                self.compare(value, told[key], line)
        elif isinstance(shown, list):
            assert len(shown) == len(told), (line, told)
            for each, other in zip(shown, told, strict=True):
                self.compare(each, other, line)
        elif isinstance(shown, str) and NAMED.fullmatch(shown):
            assert self.names.setdefault(shown, told) == told, (line, told)
        else:
            assert shown in ("…", told), (line, told)


async def test_the_agents_of_the_page_get_the_answers_of_the_page(tmp_path: Path) -> None:
    """Claim, heartbeat, checkpoint and resume, handoff, and a wait that the handoff ends."""
    with bridge(tmp_path, *DB) as (_, ready):
        async with contextlib.AsyncExitStack() as stack:
            play = Play(ready["url"], stack)
            stack.callback(play.leave)
            for line in "".join(blocks("agents")).splitlines():
                await play.follow(line)
    assert set(play.agents) == {"lead", "checker", "builder", "another", "builder-again"}
    assert all(call.done() for call in play.asked.values())


@pytest.mark.parametrize("shown", blocks("json")[1:], ids=["stdio", "http"])
async def test_the_configurations_of_the_page_connect(tmp_path: Path, shown: str) -> None:
    """By the command in the project's directory, and by the address of a bridge that runs."""
    (entry,) = json.loads(shown)["mcpServers"].values()
    with bridge(tmp_path, *DB) as (_, ready):
        if "url" in entry:
            host = Client(entry["url"].replace("http://127.0.0.1:9090", ready["url"]))
        else:
            arguments = ["-m", entry["command"], *entry["args"], "--port", "0"]
            parameters = StdioServerParameters(
                command=sys.executable, args=arguments, env=environment(tmp_path), cwd=tmp_path
            )
            host = Client(stdio_client(parameters))
        async with host as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in REGISTRY]


def test_init_writes_what_the_page_shows(tmp_path: Path) -> None:
    """Both forms, and what a channel needs is a command that is there."""
    channel, stdio, http = map(json.loads, blocks("json"))
    for arguments, shown in (((), stdio), (("--http",), http)):
        assert run(tmp_path, "init", *arguments).returncode == 0
        assert json.loads((tmp_path / ".mcp.json").read_text()) == shown
    (entry,) = channel["mcpServers"].values()
    assert run(tmp_path, *entry["args"], "--check").returncode == 0


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """Those of ours, in the order of the page."""
    lines = [shlex.split(line.removeprefix("$ ")) for block in blocks("console") for line in block.splitlines()]
    ours = [arguments for command, *arguments in lines if command == "taskcopilot"]
    assert len(ours) == 6
    for arguments in [*ours, ["hooks", "remove"], ["init", "--undo"]]:
        assert run(tmp_path, *arguments).returncode == 0, arguments
    assert not list(tmp_path.rglob("*.json"))
