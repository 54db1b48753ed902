"""`taskcopilot init`: this server in a project's `.mcp.json`."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import click

from taskcopilot.cli.config_changes import base_of, change, dry_run_option, needs_token, token_option
from taskcopilot.cli.options import database_option, json_option, settings_from
from taskcopilot.config import Settings
from taskcopilot.hosts import mcp_json

__all__ = ["command"]


def command(_name: str) -> click.Command:
    """Return the command."""
    return _init


@click.command("init")
@click.option("--http", is_flag=True, help="Name the bridge that runs on the port, instead of starting a server.")
@click.option("--port", metavar="VALUE", help="Port of the bridge, with --http.")
@token_option
@click.option("--file", type=click.Path(path_type=Path), default=".mcp.json", show_default=True, help="The file.")
@click.option("--undo", is_flag=True, help="Take out exactly what was added.")
@dry_run_option
@database_option
@json_option
@click.pass_context
def _init(
    ctx: click.Context,
    /,
    *,
    http: bool,
    port: str | None,
    token: bool,
    file: Path,
    undo: bool,
    dry_run: bool,
    **_: object,
) -> None:
    """Add Task Copilot to the MCP servers of the project in this directory, and show the difference.

    Nothing else in the file changes, not even its layout; doing it again changes nothing.
    """
    if token and not http:
        raise click.UsageError("--token goes with --http: a server that the host starts itself needs none")
    settings = settings_from(ctx, {"port": port})
    edit = mcp_json.uninstall if undo else partial(mcp_json.install, entry=_entry(settings, http=http, token=token))
    change(ctx, file, edit, dry_run=dry_run)
    if not (http or undo or shutil.which(mcp_json.COMMAND)):
        click.echo(f"there is no command {mcp_json.COMMAND!r} on the PATH here; the host has to find it", err=True)


def _entry(settings: Settings, *, http: bool, token: bool) -> dict[str, object]:
    if http:
        return mcp_json.http_entry(base_of(settings), token=token or needs_token(settings))
    return mcp_json.stdio_entry([] if settings.db is None else ["--db", str(settings.db.expanduser().absolute())])
