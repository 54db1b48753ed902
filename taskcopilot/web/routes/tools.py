"""GET /api/tools and POST /api/tools/{tool}: the tools over HTTP (promise H3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from taskcopilot.model import WireModel
from taskcopilot.tools.registry import Registry, Tool
from taskcopilot.web.bodies import read_object
from taskcopilot.web.gate import access_of
from taskcopilot.web.json import json_response
from taskcopilot.web.keys import CORE
from taskcopilot.web.route import Route
from taskcopilot.web.waiting import while_wanted

__all__ = ["CALL", "ROUTES", "ToolCard", "ToolCards", "operations"]


class Annotations(WireModel):
    """What a tool does to the state; the names are those of MCP."""

    read_only_hint: bool
    destructive_hint: bool
    idempotent_hint: bool


class ToolCard(WireModel):
    """What a caller needs to know of a tool."""

    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    annotations: Annotations

    @classmethod
    def of(cls, tool: Tool) -> ToolCard:
        """Describe a tool."""
        return cls(
            name=tool.name,
            description=tool.description,
            input_schema=tool.input_schema(),
            output_schema=tool.output_schema(),
            annotations=Annotations(
                read_only_hint=not tool.writes,
                destructive_hint=tool.destructive,
                idempotent_hint=tool.repeatable or not tool.writes,
            ),
        )


class ToolCards(WireModel):
    """All tools, in their stable order."""

    tools: list[ToolCard]


async def list_tools(request: web.Request) -> web.Response:
    """Answer names, descriptions and schemas."""
    registry = request.app[CORE].toolbox.registry
    return json_response(ToolCards(tools=[ToolCard.of(tool) for tool in registry]))


async def call_tool(request: web.Request) -> web.Response:
    """Run a tool; its events were handed to every live client before the answer (promise D7)."""
    toolbox = request.app[CORE].toolbox
    tool = toolbox.registry[request.match_info["tool"]]
    call = toolbox.call(tool.name, await read_object(request), access=access_of(request))
    return json_response(await (while_wanted(request, call) if tool.waits else call))


CALL: Final = Route(
    method="POST",
    path="/api/tools/{tool}",
    confined=True,
    handler=call_tool,
    summary="Call a tool: the body is its arguments, the answer its output",
    answer={},
    body={"type": "object"},
    problems=(404, 409, 503, 507),
)
"""The one route of all tools."""


def operations(registry: Registry) -> Iterator[Route]:
    """Describe each tool as an operation of its own."""
    for tool in registry:
        yield replace(
            CALL,
            path=CALL.path.replace("{tool}", tool.name),
            name=tool.name,
            summary=tool.description,
            body=tool.input,
            answer=tool.output,
        )


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/tools",
        confined=True,
        handler=list_tools,
        summary="List the tools with their JSON schemas",
        answer=ToolCards,
    ),
    CALL,
)
