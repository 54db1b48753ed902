"""Changing a file of somebody else from the command line: the difference first, then the change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from taskcopilot.cli.options import wants_json
from taskcopilot.config import Settings
from taskcopilot.errors import BridgeError
from taskcopilot.hosts.config_file import ConfigFile

__all__ = ["base_of", "change", "dry_run_option", "needs_token", "token_option"]

dry_run_option = click.option("--dry-run", is_flag=True, help="Show the difference and change nothing.")
token_option = click.option(
    "--token",
    is_flag=True,
    help="Have the host show the token in TASKCOPILOT_TOKEN. [default: when the bridge asks for one]",
)


def change(ctx: click.Context, path: Path, edit: Callable[[str | None], str | None], *, dry_run: bool) -> None:
    """Show what the edit changes in the file, and unless it is a dry run do so. What fails names the file."""
    file = ConfigFile.read(path)
    try:
        wanted = edit(file.text)
    except BridgeError as error:
        error.args = (f"{path}: {error.message}; nothing was changed",)
        error.message = error.args[0]
        raise
    difference = file.diff(wanted)
    if not dry_run:
        file.write(wanted)
    if wants_json(ctx):
        _say_json(path, difference, dry_run=dry_run)
    else:
        click.echo(difference, nl=False)
        click.echo(_said(path, difference, dry_run=dry_run), err=True)


def _say_json(path: Path, difference: str, *, dry_run: bool) -> None:
    import orjson  # noqa: PLC0415 - only here

    click.echo(orjson.dumps({"file": str(path), "changed": bool(difference) and not dry_run, "diff": difference}))


def _said(path: Path, difference: str, *, dry_run: bool) -> str:
    if not difference:
        return f"{path}: nothing to change"
    return f"{path}: not changed (--dry-run)" if dry_run else f"{path}: changed"


def base_of(settings: Settings) -> str:
    """Return the address under which a host on this machine reaches the bridge of these settings."""
    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::") else settings.host  # noqa: S104 - not bound here
    scheme = "https" if settings.wants_tls else "http"
    return f"{scheme}://[{host}]:{settings.port}" if ":" in host else f"{scheme}://{host}:{settings.port}"


def needs_token(settings: Settings) -> bool:
    """Tell whether the bridge of these settings asks for tokens."""
    return bool(settings.auth)
