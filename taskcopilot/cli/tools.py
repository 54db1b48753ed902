"""`taskcopilot tools` and `taskcopilot call`: every tool, raw."""

from __future__ import annotations

import sys
from typing import Any

import click
import orjson

from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.render import columns
from taskcopilot.cli.running import call_tool
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.table import REGISTRY

__all__ = ["command"]


def command(name: str) -> click.Command:
    """Return one of the two commands."""
    return {"tools": _tools, "call": _call}[name]


@click.command("tools")
@database_option
@json_option
@click.pass_context
def _tools(ctx: click.Context, /, **_flags: object) -> None:
    """List all tools; with --json also the schemas of their arguments and answers."""
    if wants_json(ctx):
        click.echo(orjson.dumps([_described(tool) for tool in REGISTRY]))
    else:
        click.echo(columns([("tool", "", "what it does"), *((t.name, _effect(t), t.description) for t in REGISTRY)]))


def _effect(tool: Tool) -> str:
    return "removes" if tool.destructive else "writes" if tool.writes else "waits" if tool.waits else "reads"


def _described(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "effect": _effect(tool),
        "inputSchema": tool.input_schema(),
        "outputSchema": tool.output_schema(),
    }


@click.command("call")
@click.argument("tool")
@click.argument("arguments", metavar="[JSON]", default="{}")
@database_option
@json_option
@click.pass_context
def _call(ctx: click.Context, /, tool: str, arguments: str, **_flags: object) -> None:
    """Call any tool with its arguments as a JSON object ('-' reads it from standard input), and print its answer."""
    text = sys.stdin.buffer.read() if arguments == "-" else arguments
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidArgumentError(f"the arguments are not JSON: {error}", field="arguments") from None
    click.echo(call_tool(ctx, tool, values).model_dump_json())
