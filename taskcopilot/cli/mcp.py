"""`taskcopilot mcp`: the tools over stdio."""

from __future__ import annotations

import sys

import click

from taskcopilot.cli.options import setting_options, settings_from
from taskcopilot.logs import configure_log
from taskcopilot.mcp.wire import Wire

__all__ = ["command"]


def command(_name: str) -> click.Command:
    """Return the command."""
    return _mcp


@click.command("mcp")
@setting_options
@click.pass_context
def _mcp(ctx: click.Context, /, **flags: str | None) -> None:
    """Serve the tools to an agent over standard input and output, until its side closes.

    Also serves HTTP and WebSocket on the port when it is free; when it is not, the tools work on the same database.
    """
    settings = settings_from(ctx, flags)
    if sys.stdin.isatty():
        click.echo(
            "an MCP client should be on standard input; to try the tools yourself see 'taskcopilot call'", err=True
        )
    wire = Wire.claim()
    configure_log(settings.log_level, settings.log_format)
    from taskcopilot.app import run_mcp  # noqa: PLC0415 - what is imported from here on may print as it likes

    run_mcp(settings, wire)
